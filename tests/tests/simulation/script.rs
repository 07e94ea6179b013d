//! What callers, the keys' owner, backends and the world do in a run, drawn from its seed.

use serde_json::{Value, json};

use crate::{dice::Dice, reports::End};

/// A route of the policy as a caller knows it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// What it costs, or what is reserved for it.
    pub(crate) cost_micro_usd: i64,
    /// Whether the policy gives it a limit of its own.
    pub(crate) is_limited: bool,
    /// Whether its calls are to be settled.
    pub(crate) is_leased: bool,
}

/// Everything that can be called; the first two belong to the final knocks.
pub(crate) const ROUTES: [Route; 7] = [
    route("GET", "/demo/free", 0),
    route("POST", "/demo/paid", 10_000),
    route("POST", "/demo/dear", 40_000),
    Route { is_leased: true, ..route("POST", "/demo/metered", 50_000) },
    Route { is_limited: true, ..route("GET", "/demo/limited", 0) },
    Route { is_limited: true, ..route("GET", "/demo/steady", 0) },
    Route { is_limited: true, ..route("POST", "/demo/brisk", 10_000) },
];

const fn route(method: &'static str, path: &'static str, cost_micro_usd: i64) -> Route {
    Route { method, path, cost_micro_usd, is_limited: false, is_leased: false }
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Calls that come at once, each as caller, route and instance.
    Calls(Vec<(usize, usize, usize)>),
    /// A backend reports how some call ended, through an instance.
    Report { end: End, instance: usize },
    /// The owner changes a key, through an instance.
    Change { key: usize, change: Change, instance: usize },
    /// A caller hangs up; its instance drops what it was doing for it and lives on.
    Abandon,
    /// An instance dies with everything it was doing, and another takes its place.
    Crash { instance: usize },
    /// Time passes that nobody lives through.
    Jump(Jump),
    /// A pause.
    Wait { milliseconds: u64 },
}

/// How far a jump goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Jump {
    /// To just before the next minute.
    Minute,
    /// To just before the next day.
    Day,
    /// So many milliseconds.
    By(u64),
}

impl Jump {
    /// Whether it may be longer than any call.
    pub(crate) fn is_long(self) -> bool {
        match self {
            Self::Minute => false,
            Self::Day => true,
            Self::By(milliseconds) => milliseconds > 2 * LEASE_MS,
        }
    }
}

/// What the owner wants of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Freeze(bool),
    Budget { cents: Option<u64> },
    Limits(KeyLimits),
    Revoke,
}

/// The limits of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyLimits {
    per_minute: u64,
    burst: u64,
    per_day: u64,
    concurrent: u64,
}

impl Change {
    /// Whether both are about the same thing.
    pub(crate) fn is_about_the_same(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The body of the request that asks for it; none where the key is ended.
    pub(crate) fn body(&self) -> Option<Value> {
        match self {
            Self::Freeze(is_frozen) => Some(json!({"frozen": is_frozen})),
            Self::Budget { cents } => Some(json!({"budget_usd": cents.map(dollars)})),
            Self::Limits(limits) => {
                let KeyLimits { per_minute, burst, per_day, concurrent } = limits;
                let limits =
                    json!({"per_minute": per_minute, "burst": burst, "per_day": per_day, "concurrent": concurrent});
                Some(json!({"limits": limits}))
            }
            Self::Revoke => None,
        }
    }

    pub(crate) fn roll_budget(dice: &mut Dice) -> Self {
        Self::Budget { cents: dice.chance(700).then(|| dice.between(0, 40)) }
    }
}

impl KeyLimits {
    pub(crate) fn roll(dice: &mut Dice) -> Self {
        let per_minute = dice.between(1, 14);
        Self {
            per_minute,
            burst: if dice.chance(400) { 0 } else { dice.between(0, per_minute) },
            per_day: if dice.chance(300) { dice.between(5, 60) } else { 100_000 },
            concurrent: if dice.chance(500) { dice.between(1, 4) } else { 100 },
        }
    }

    /// Per minute, burst, per day, concurrent.
    pub(crate) fn numbers(&self) -> [u64; 4] {
        [self.per_minute, self.burst, self.per_day, self.concurrent]
    }
}

/// The rest of a run's events, drawn one by one.
#[derive(Debug)]
pub(crate) struct Script {
    dice: Dice,
    keys: usize,
    callers: usize,
    instances: usize,
    calls_left: usize,
    /// Each kind of event in its weight for this run.
    weights: [(u64, Kind); 9],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Call,
    Burst,
    Report,
    Change,
    Revoke,
    Abandon,
    Crash,
    Jump,
    Wait,
}

impl Script {
    /// Of `keys` keys the last is left alone, so that the end finds one whole; `callers` are these and their visitors.
    pub(crate) fn roll(seed: u64, keys: usize, callers: usize, instances: usize) -> Self {
        let mut dice = Dice::for_subject(seed, 2);
        let calls_left = dice.place(MOST_CALLS - FEWEST_CALLS) + FEWEST_CALLS;
        let mut of = |most: u64| dice.between(0, most);
        let weights = [
            (20, Kind::Call),
            (of(20), Kind::Burst),
            (of(20), Kind::Report),
            (of(20), Kind::Change),
            (of(4) / 4, Kind::Revoke),
            (of(4), Kind::Abandon),
            (of(4), Kind::Crash),
            (of(8), Kind::Jump),
            (of(20), Kind::Wait),
        ];
        Self { dice, keys, callers, instances, calls_left, weights }
    }

    /// Whether all calls have been made.
    pub(crate) fn is_over(&self) -> bool {
        self.calls_left == 0
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Event {
        let instance = self.dice.place(self.instances);
        let key = self.dice.place(self.keys - 1);
        match self.dice.weigh(&self.weights) {
            Kind::Call => self.calls(1),
            Kind::Burst => {
                let count = self.dice.place(9) + 2;
                self.calls(count)
            }
            Kind::Report => Event::Report { end: self.end(), instance },
            Kind::Change => Event::Change { key, change: self.change(), instance },
            Kind::Revoke => Event::Change { key, change: Change::Revoke, instance },
            Kind::Abandon => Event::Abandon,
            Kind::Crash => Event::Crash { instance },
            Kind::Jump => Event::Jump(self.jump()),
            Kind::Wait => Event::Wait { milliseconds: self.dice.between(1, 2_000) },
        }
    }

    /// Calls that meet: most of one caller and on one route.
    fn calls(&mut self, count: usize) -> Event {
        let count = count.min(self.calls_left);
        self.calls_left -= count;
        let (caller, route) = (self.dice.place(self.callers), self.dice.place(ROUTES.len()));
        let others = *self.dice.pick(&[0, 0, 700]);
        let call = |dice: &mut Dice| {
            let caller = if dice.chance(others) { dice.place(self.callers) } else { caller };
            let route = if dice.chance(600) { route } else { dice.place(ROUTES.len()) };
            (caller, route, dice.place(self.instances))
        };
        Event::Calls((0..count).map(|_| call(&mut self.dice)).collect())
    }

    /// One in ten reports claims more than was reserved.
    fn end(&mut self) -> End {
        match self.dice.place(10) {
            0..3 => End::Failed,
            3..5 => End::Succeeded(None),
            5..9 => End::Succeeded(Some(self.dice.between(0, 5))),
            _ => End::Succeeded(Some(self.dice.between(6, 9))),
        }
    }

    fn change(&mut self) -> Change {
        match self.dice.place(6) {
            0 => Change::Freeze(true),
            1 | 2 => Change::Freeze(false),
            3 => Change::Limits(KeyLimits::roll(&mut self.dice)),
            _ => Change::roll_budget(&mut self.dice),
        }
    }

    fn jump(&mut self) -> Jump {
        match self.dice.place(12) {
            0..4 => Jump::Minute,
            4 => Jump::Day,
            5 => Jump::By(self.dice.between(1, 5_000)),
            6..8 => Jump::By(60_000),
            // Leases end.
            8..10 => Jump::By(self.dice.between(LEASE_MS, 2 * LEASE_MS)),
            // Lanes are idle after ten minutes.
            _ => Jump::By(self.dice.between(600_000, 900_000)),
        }
    }
}

/// An amount as callers write it.
pub(crate) fn dollars(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

const FEWEST_CALLS: usize = 40;
const MOST_CALLS: usize = 160;
const LEASE_MS: u64 = 30_000;
