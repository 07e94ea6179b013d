//! What the gate would say to a request, check by check, and the state of everything that it would ask.

use crate::{
    attempt::{Attempt, Check, RouteBucket},
    cell::Cell,
    denial::Denial,
    funding::Wallet,
    money::MicroUsd,
    standing::{Level, Standing},
    support::{Household, Support},
    time::Timestamp,
    window::Window,
};

/// One step on the way to a decision, in the order in which they refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A route has the method and the path.
    Route,
    /// A check of the key.
    Key(Check),
    /// The route is open to the key's environment.
    Environment,
    /// The project has the money that the key lacks.
    ProjectCredit,
    /// The project's rate has a token that the key lacks.
    ProjectRate,
}

impl Step {
    /// Every step in its place.
    pub const ALL: [Self; 12] = [
        Self::Route,
        Self::Key(Check::Credential),
        Self::Key(Check::Origin),
        Self::Key(Check::Scope),
        Self::Environment,
        Self::Key(Check::Credit),
        Self::ProjectCredit,
        Self::Key(Check::Day),
        Self::Key(Check::Minute),
        Self::Key(Check::Route),
        Self::Key(Check::Concurrent),
        Self::ProjectRate,
    ];

    /// The word in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Key(Check::Credential) => "credential",
            Self::Key(Check::Origin) => "origin",
            Self::Key(Check::Scope) => "scope",
            Self::Environment => "environment",
            Self::Key(Check::Credit) => "credit",
            Self::ProjectCredit => "project_credit",
            Self::Key(Check::Day) => "day",
            Self::Key(Check::Minute) => "minute",
            Self::Key(Check::Route) => "route_limit",
            Self::Key(Check::Concurrent) => "concurrent",
            Self::ProjectRate => "project_rate",
        }
    }
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is in the way.
    Passed,
    /// It refuses.
    Refused(Denial),
    /// It cannot be told, because of an earlier refusal.
    Skipped,
}

/// Every step with its outcome, and the limits they were read from.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The instant that the decision would be of.
    pub now: Timestamp,
    /// The steps, in order.
    pub steps: Vec<(Step, Outcome)>,
    /// The route's own bucket, where it has one.
    pub route: Option<RouteBucket>,
    /// What the project could still grant the key.
    pub grantable: MicroUsd,
}

impl Explanation {
    /// The explanation of a request that belongs to no route.
    #[must_use]
    pub fn without_route(now: Timestamp, grantable: MicroUsd) -> Self {
        let outcome = |step| match step {
            Step::Route => Outcome::Refused(Denial::UnknownRoute),
            _ => Outcome::Skipped,
        };
        Self { now, steps: Step::ALL.map(|step| (step, outcome(step))).into(), route: None, grantable }
    }

    /// The explanation of an attempt at a route that is open to the key's environment, or not; `None` where what was
    /// read does not fit together, because somebody wrote meanwhile.
    #[must_use]
    pub fn of(attempt: &Attempt, is_open: bool, cell: &Cell, household: Household) -> Option<Self> {
        let next = attempt.fitted(cell);
        let grantable = household.clone().grantable(&next.cell, cell, next.now);
        let credit = attempt.check(Check::Credit, cell);
        // Where the key's own budget refuses, nobody asks the project.
        let support = credit.is_ok().then(|| household.support(&next, cell));
        if support == Some(Support::Outdated) {
            return None;
        }
        let outcome = |step| match step {
            Step::Route => Outcome::Passed,
            Step::Environment if is_open => Outcome::Passed,
            Step::Environment => Outcome::Refused(Denial::ForbiddenEnvironment),
            Step::Key(Check::Credit) => credit.clone().into(),
            Step::Key(check) if Check::OF_LIMITS.contains(&check) => next.check(check, cell).into(),
            Step::Key(check) => attempt.check(check, cell).into(),
            Step::ProjectCredit => match &support {
                None => Outcome::Skipped,
                Some(Support::Dry(denial)) => Outcome::Refused(denial.clone()),
                Some(_) => Outcome::Passed,
            },
            Step::ProjectRate => match &support {
                None | Some(Support::Dry(_)) => Outcome::Skipped,
                Some(Support::Exhausted(denial)) => Outcome::Refused(denial.clone()),
                Some(_) => Outcome::Passed,
            },
        };
        let steps = Step::ALL.map(|step| (step, outcome(step))).into();
        Some(Self { now: next.now, steps, route: next.route, grantable })
    }

    /// What is left of the limits that count a request.
    #[must_use]
    pub fn standing(&self, cell: &Cell) -> Standing {
        Standing::of(cell, cell.counters.latest(self.now), self.route.as_ref())
    }

    /// The step that refuses, if one does, and why.
    #[must_use]
    pub fn refusal(&self) -> Option<(Step, &Denial)> {
        self.steps.iter().find_map(|(step, outcome)| match outcome {
            Outcome::Refused(denial) => Some((*step, denial)),
            Outcome::Passed | Outcome::Skipped => None,
        })
    }
}

impl From<Result<(), Denial>> for Outcome {
    fn from(checked: Result<(), Denial>) -> Self {
        checked.map_or_else(Self::Refused, |()| Self::Passed)
    }
}

impl Wallet {
    /// What is left of the project's rate; tokens that keys were handed count as used.
    #[must_use]
    pub fn level(&self, now: Timestamp) -> Option<Level> {
        let rate = self.rate?;
        let window = Window::at(self.latest(now), rate.window);
        Some(Level::of("project", rate.quota, |index| self.tokens.get(&index).copied(), window))
    }
}
