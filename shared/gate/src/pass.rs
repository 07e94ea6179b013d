//! One request's way through the one write: first tries fitted to what was seen before, later ones to what refused them.

use faregate_domain::{
    attempt::{Attempt, Next, RouteBucket},
    cell::Cell,
    charge::ChargeNonce,
    denial::Denial,
    lease::Lease,
    limit::Opening,
    policy::Route,
    refused::Whose,
    rotation::Secret,
    row::{Row, agent_family, network_of},
    standing::Standing,
    time::Timestamp,
};
use faregate_edge::entropy;
use faregate_store::Outcome;

use crate::{Gate, GateError, Request, claim::Claim, lanes::LaneGuard, turns::Turn};

/// An attempt at its end.
pub(crate) struct Passed {
    /// As it was last sent.
    pub(crate) attempt: Attempt,
    /// Whether it was applied, or why not.
    pub(crate) verdict: Result<(), Denial>,
    /// The state of the cell that says so; `None` where there is no cell.
    pub(crate) cell: Option<Cell>,
}

impl Passed {
    /// What is left of each limit. Somebody who failed to prove who they are learns nothing of the cell.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let cell = self.cell.as_ref().filter(|_| self.is_known())?;
        Some(Standing::of(cell, self.attempt.now, self.attempt.route.as_ref()))
    }

    /// Whose refusal it is: the cell's, also where its secret was a wrong one. An admission is nobody's.
    pub(crate) fn whose(&self) -> Whose {
        let cell = self.cell.as_ref().filter(|_| self.verdict.is_err());
        cell.map_or(Whose::Nobody, |cell| Whose::of(&self.attempt.cell, &cell.owner))
    }

    /// Whether the caller has proven who they are.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self.verdict, Err(Denial::InvalidApiKey | Denial::InvalidToken))
    }
}

/// An attempt before it is sent.
pub(crate) struct Ready {
    /// With its lane and its number there.
    pub(crate) attempt: Attempt,
    claim: Claim,
    pub(crate) lane: LaneGuard,
    /// Whether its number was written down, so that it must be sent under no other.
    pub(crate) is_pledged: bool,
}

impl Gate {
    /// Gives a request its lane and its number there, unless memory refuses it.
    pub(crate) async fn line_up(
        &self,
        request: &Request,
        route: &Route,
        claim: Claim,
        now: Timestamp,
    ) -> Result<Ready, Box<Passed>> {
        let mut attempt = self.unless_remembered(attempt_of(request, route, &claim, now))?;
        let (mut lane, has_waited) = self.lanes.enter().await;
        if has_waited {
            let now = self.services().clock.now();
            attempt = self.unless_remembered(attempt_of(request, route, &claim, now))?;
            attempt = unless_over(attempt)?;
        }
        lane.name().clone_into(&mut attempt.lane);
        attempt.seq = lane.next_seq(attempt.now);
        Ok(Ready { attempt, claim, lane, is_pledged: false })
    }

    fn unless_remembered(&self, attempt: Attempt) -> Result<Attempt, Box<Passed>> {
        match self.memory.refuse(&attempt) {
            Some(remembered) => {
                Err(Box::new(Passed { attempt, verdict: Err(remembered.denial), cell: remembered.cell }))
            }
            None => Ok(attempt),
        }
    }

    /// Takes an attempt to its verdict, and remembers what that showed of the cell.
    pub(crate) async fn carry_out(&self, ready: Ready) -> Result<(Passed, LaneGuard), GateError> {
        let Ready { attempt, claim, mut lane, is_pledged } = ready;
        let now = attempt.now;
        let pledged_seq = is_pledged.then_some(attempt.seq);
        let passed = self.send(attempt, &claim, pledged_seq, &mut lane).await?;
        match &passed.verdict {
            Ok(()) => {
                self.memory.admitted(&claim.cell, passed.cell.as_ref());
                self.tidy(&passed).await;
            }
            Err(denial) => self.memory.refused(&passed.attempt, denial, passed.cell.as_ref(), now),
        }
        Ok((passed, lane))
    }

    /// Sends the attempt until it is applied or refused for good.
    async fn send(
        &self,
        attempt: Attempt,
        claim: &Claim,
        pledged_seq: Option<u64>,
        lane: &mut LaneGuard,
    ) -> Result<Passed, GateError> {
        let mut sending = Sending { attempt, pledged_seq, has_fresh_pepper: false, has_strays: false, turn: None };
        if let Some(seen) = self.memory.find(&claim.cell) {
            let fitted = sending.attempt.fitted(&seen);
            if fitted.proof.is_over(fitted.now) {
                return Ok(Passed { verdict: Err(fitted.proof.denial()), attempt: fitted, cell: Some(seen) });
            }
            sending.attempt = self.foreseen(fitted, &seen).await?;
        }
        let passed = self.send_on(&mut sending, claim).await;
        // Closing the lane uses one number more.
        lane.used(sending.attempt.seq + 1);
        let (verdict, cell) = passed?;
        Ok(Passed { attempt: sending.attempt, verdict, cell })
    }

    async fn send_on(&self, sending: &mut Sending, claim: &Claim) -> Result<Settled, GateError> {
        for round in 0..MAX_WRITES {
            self.turns.pause(round).await;
            // Somebody has closed the lane to a pledged attempt, to make another in its place.
            if sending.pledged_seq.is_some_and(|seq| seq != sending.attempt.seq) {
                return Err(GateError::Contended);
            }
            let cell = match self.services().store.admit(&sending.attempt).await? {
                Outcome::Applied(cell) => return Ok((Ok(()), Some(*cell))),
                Outcome::Refused { cell, has_unanswered } => {
                    sending.has_strays |= has_unanswered;
                    cell.map(|cell| *cell)
                }
            };
            let next = match sending.attempt.judge(cell.as_ref()) {
                Ok(next) => next,
                // No pepper brings a key back that is not there or is over.
                Err(Denial::InvalidApiKey)
                    if !sending.has_fresh_pepper
                        && cell.as_ref().is_some_and(|cell| !cell.is_over(sending.attempt.now)) =>
                {
                    sending.has_fresh_pepper = true;
                    match self.reproved(claim, sending.attempt.now).await? {
                        Some(proof) => {
                            sending.attempt.proof = proof;
                            continue;
                        }
                        None => return self.refuse(sending, Denial::InvalidApiKey, cell).await,
                    }
                }
                Err(denial) => return self.refuse(sending, denial, cell).await,
            };
            match next {
                Next::Applied => return Ok((Ok(()), cell)),
                Next::Again(next) => sending.attempt = *next,
                Next::Fund { attempt: next, exhausted } => {
                    // `judge` asks for funds only of a cell that exists.
                    let Some(cell) = cell else { return Err(GateError::Contended) };
                    sending.attempt = *next;
                    if let Some(denial) = self.fund_in_turn(sending, &cell, exhausted).await? {
                        return self.refuse(sending, denial, Some(cell)).await;
                    }
                }
            }
        }
        Err(GateError::Contended)
    }

    /// Funds the attempt; of all requests of this process for one cell, one at a time: those that wait for it find
    /// what it fetched, or learn from it that there is nothing.
    async fn fund_in_turn(
        &self,
        sending: &mut Sending,
        cell: &Cell,
        exhausted: Option<Denial>,
    ) -> Result<Option<Denial>, GateError> {
        if sending.turn.is_none() {
            let (turn, has_waited) = self.turns.take(&sending.attempt.cell).await;
            sending.turn = Some(turn);
            if has_waited {
                return Ok(self.memory.refuse(&sending.attempt).map(|remembered| remembered.denial));
            }
        }
        self.fund(&mut sending.attempt, cell, exhausted).await
    }

    /// A refusal that stays one: where a copy of the attempt may still be on its way, the lane is closed to it first,
    /// because a top-up a moment later would otherwise let it take what the caller was refused.
    async fn refuse(&self, sending: &Sending, denial: Denial, cell: Option<Cell>) -> Result<Settled, GateError> {
        if !sending.has_strays || cell.is_none() {
            return Ok((Err(denial), cell));
        }
        match self.services().store.fence(&sending.attempt).await? {
            Outcome::Refused { cell: Some(cell), .. } if sending.attempt.is_applied(&cell) => Ok((Ok(()), Some(*cell))),
            _ => Ok((Err(denial), cell)),
        }
    }

    /// Removes what nothing reads any more when too much has gathered.
    async fn tidy(&self, passed: &Passed) {
        let Some(cell) = &passed.cell else { return };
        let now = cell.counters.latest(passed.attempt.now);
        let stale = cell.counters.stale(now, cell.project_window);
        if stale.len() >= SWEEP_AT
            && let Err(error) = self.services().store.sweep(&passed.attempt.cell, &stale, now).await
        {
            tracing::warn!(%error, "stale counters stay for now");
        }
        let retired = cell.leases.to_retire();
        if !retired.is_empty()
            && let Err(error) = self.services().store.retire_leases(&passed.attempt.cell, &retired, &cell.tabs).await
        {
            tracing::warn!(%error, "lapsed leases stay for now");
        }
        if passed.attempt.grant.is_some() {
            self.tidy_wallet(&cell.owner).await;
        }
    }
}

/// Time has passed since the token was looked at.
fn unless_over(attempt: Attempt) -> Result<Attempt, Box<Passed>> {
    if attempt.proof.is_over(attempt.now) {
        return Err(Box::new(Passed { verdict: Err(attempt.proof.denial()), attempt, cell: None }));
    }
    Ok(attempt)
}

/// The request as an attempt; it has no lane yet.
pub(crate) fn attempt_of(request: &Request, route: &Route, claim: &Claim, now: Timestamp) -> Attempt {
    let row = Row {
        charge: ChargeNonce::mint(&mut entropy::fill),
        at: now,
        cost: route.cost,
        class: route.class.clone(),
        network: network_of(request.source_ip),
        agent: agent_family(request.header("user-agent")),
    };
    Attempt {
        cell: claim.cell.clone(),
        proof: claim.proof.clone(),
        secret: Secret::Current,
        now,
        seq: 0,
        lane: String::new(),
        scope: route.scope.clone(),
        origin: request.origin(),
        cost: route.cost,
        opening: Opening::Full,
        route: RouteBucket::of(route),
        project_window: None,
        lease: route.lease_seconds.map(|seconds| Lease::starting(now, seconds, route.cost)),
        over: Vec::new(),
        cap: None,
        grant: None,
        row,
        stale: Vec::new(),
    }
}

/// An attempt on its way.
struct Sending {
    attempt: Attempt,
    /// The only number that it may be sent under, where that was written down.
    pledged_seq: Option<u64>,
    has_fresh_pepper: bool,
    /// Whether a copy of it may still be on its way.
    has_strays: bool,
    /// Held from the moment it fetches something for the cell.
    turn: Option<Turn>,
}

type Settled = (Result<(), Denial>, Option<Cell>);

/// Attempts to pass one request before the gate gives up: each lost one means that another request got through.
const MAX_WRITES: u32 = 32;
/// Stale counters that are worth a write of their own: only cells whose every request starts a new process get there.
const SWEEP_AT: usize = 12;
