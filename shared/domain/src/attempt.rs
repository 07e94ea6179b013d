//! One request's attempt to pass: what the single write will check and apply, and what a refused write means.

use crate::{
    cell::{Cell, CellId, Purse, Stale, Status, StoredProof},
    denial::{Denial, Exhausted, LimitSource},
    funding::Grant,
    id::{ChargeId, SessionId},
    key::KeyHash,
    limit::QuotaPolicy,
    money::MicroUsd,
    origin::Origin,
    row::Row,
    scope::Scope,
    standing::Standing,
    time::{Minute, Timestamp},
};

/// Everything one conditional write needs; plain data, so that the write it becomes is a value too.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The cell that decides.
    pub cell: CellId,
    /// What the caller proved itself with.
    pub proof: Proof,
    /// The instant of the decision.
    pub now: Timestamp,
    /// The minute it counts in: that of `now`, or a later one that another writer has opened.
    pub minute: Minute,
    /// The lane that writes: one request at a time uses it.
    pub lane: String,
    /// The lane's sequence number; the same for every re-send of one request, higher for the next request.
    pub seq: u64,
    /// The scope the route requires.
    pub scope: Scope,
    /// Where a browser request comes from.
    pub origin: Option<Origin>,
    /// The route's price.
    pub cost: MicroUsd,
    /// How the key's bucket opens if this is the minute's first request.
    pub opening: Opening,
    /// The route's own bucket.
    pub route: Option<RouteBucket>,
    /// Money debited from the project that this write adds to the cell.
    pub grant: Option<Grant>,
    /// The request's row.
    pub row: Row,
    /// Counters to remove in passing.
    pub stale: Vec<Stale>,
}

impl Attempt {
    /// Reads from the state that refused the write what to do next.
    ///
    /// # Errors
    /// The [`Denial`] that this state demands; more permanent ones first.
    pub fn judge(&self, cell: Option<&Cell>) -> Result<Next, Denial> {
        let Some(cell) = cell else {
            return Err(self.proof.denial());
        };
        // The slot shows that this very write was applied and only its answer was lost.
        if self.is_applied(cell) {
            return Ok(Next::Applied);
        }
        self.proof.verify(cell, self.now)?;
        permit(cell, &self.scope, self.origin.as_ref())?;
        let shortage = self.cost.minus(cell.purse.balance);
        if cell.status == Status::Frozen || shortage > cell.purse.room() {
            return Err(out_of_credit(&cell.purse));
        }
        let next = self.fitted(cell);
        let exhausted = next.exhausted(cell);
        if shortage > MicroUsd::ZERO && next.grant.is_none_or(|grant| grant.amount < shortage) {
            return Ok(Next::Fund { attempt: Box::new(next), exhausted });
        }
        exhausted.map_or(Ok(Next::Again(Box::new(next))), Err)
    }

    /// Whether the state was written by this very attempt.
    #[must_use]
    pub fn is_applied(&self, cell: &Cell) -> bool {
        cell.counters.slots.get(&self.lane) == Some(&self.seq)
    }

    /// This attempt, admitted: `cell` is the state after its write.
    #[must_use]
    pub fn admitted(self, cell: &Cell) -> Admission {
        let standing =
            Standing::of(cell, self.minute.max(cell.counters.window.unwrap_or(self.minute)), self.route.as_ref());
        let stale = cell.counters.stale(self.minute);
        let stale =
            stale.into_iter().filter(|stale| !matches!(stale, Stale::Slot(lane) if *lane == self.lane)).collect();
        Admission { charge: self.row.charge, cost: self.cost, standing, stale }
    }

    /// The same request, fitted to a state that another writer has moved on.
    fn fitted(&self, cell: &Cell) -> Self {
        let mut next = self.clone();
        next.minute = self.minute.max(cell.counters.window.unwrap_or(self.minute));
        // An instance whose clock is behind must not admit what has ended by then.
        next.now = self.now.max(next.minute.start());
        next.stale.clear();
        if let Some(slot) = cell.counters.slots.get(&self.lane).filter(|slot| **slot > self.seq) {
            next.seq = slot + 1;
        }
        let minutes = |minute| cell.counters.minutes.get(&minute).copied();
        next.opening = Opening::of(minutes, next.minute, cell.limits.per_minute);
        if let Some(route) = &mut next.route {
            let minutes = |minute| cell.counters.routes.get(&(route.class.clone(), minute)).copied();
            route.opening = Opening::of(minutes, next.minute, route.quota);
        }
        if next.grant.as_ref().is_some_and(|grant| grant.seq != cell.purse.grant_seq + 1) {
            next.grant = None;
        }
        next
    }

    /// The first window with nothing left, the longest first.
    fn exhausted(&self, cell: &Cell) -> Option<Denial> {
        let standing = Standing::of(cell, self.minute, self.route.as_ref());
        let spent = |window: Option<&crate::standing::Window>, source| {
            window.filter(|window| window.remaining == 0).map(|window| Exhausted {
                source,
                limit: window.limit,
                used: window.used,
                resets_at: window.resets_at,
            })
        };
        spent(Some(&standing.day), LimitSource::Key)
            .map(Denial::RateLimitedDaily)
            .or_else(|| spent(Some(&standing.minute), LimitSource::Key).map(Denial::RateLimited))
            .or_else(|| spent(standing.route.as_ref(), LimitSource::Route).map(Denial::RateLimited))
    }
}

/// What a caller proved itself with.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// The key's hash under each pepper version.
    Key(Vec<KeyHash>),
    /// The login of a verified access token.
    Session(SessionId),
}

impl Proof {
    /// Whether the cell knows this caller and still serves it.
    ///
    /// # Errors
    /// One and the same 401 for unknown, wrong, revoked and expired.
    pub fn verify(&self, cell: &Cell, now: Timestamp) -> Result<(), Denial> {
        let is_known = match (self, &cell.proof) {
            (Self::Key(hashes), StoredProof::Key(stored)) => stored.is_among(hashes),
            (Self::Session(id), StoredProof::Sessions(live)) => live.get(id).is_some_and(|end| *end > now),
            _ => false,
        };
        let is_over = cell.status == Status::Revoked || cell.expires_at.is_some_and(|end| end <= now);
        if is_known && !is_over { Ok(()) } else { Err(self.denial()) }
    }

    /// The 401 of this kind of credential.
    #[must_use]
    pub fn denial(&self) -> Denial {
        match self {
            Self::Key(_) => Denial::InvalidApiKey,
            Self::Session(_) => Denial::InvalidToken,
        }
    }
}

/// The bucket that one route keeps per key.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteBucket {
    /// The route's class, part of the counter's name.
    pub class: String,
    /// Its limit and burst.
    pub quota: QuotaPolicy,
    /// How it opens if this is the minute's first request.
    pub opening: Opening,
}

/// With how many tokens a minute begins; each is one form of the write's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// With a full bucket, because the minute before was quiet enough or empty; or not any more, being open already.
    Full,
    /// With what the minute before left, and this limit.
    Carried {
        /// Tokens that a minute adds.
        limit: u32,
    },
    /// With this limit alone: the minute before ended below zero, because the limit was lowered within it.
    Drained {
        /// Tokens that a minute adds.
        limit: u32,
    },
}

impl Opening {
    /// How `minute` opens, given the tokens that each minute has left (`None`: it admitted nothing).
    #[must_use]
    pub fn of(left: impl Fn(Minute) -> Option<i64>, minute: Minute, quota: QuotaPolicy) -> Self {
        if left(minute).is_some() {
            return Self::Full;
        }
        match left(minute.previous()) {
            Some(left) if left < 0 => Self::Drained { limit: quota.limit() },
            Some(left) if left < i64::from(quota.burst()) => Self::Carried { limit: quota.limit() },
            _ => Self::Full,
        }
    }
}

/// What to do after a refused write that is no denial.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing: the write had been applied before.
    Applied,
    /// Send this one.
    Again(Box<Attempt>),
    /// Fetch money from the project first.
    Fund {
        /// The attempt to fund.
        attempt: Box<Attempt>,
        /// What refuses it even when the project can pay.
        exhausted: Option<Denial>,
    },
}

/// A request that was let through: counted and paid.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// The charge's id.
    pub charge: ChargeId,
    /// What it cost.
    pub cost: MicroUsd,
    /// What is left of each limit.
    pub standing: Standing,
    /// Counters that the next write may remove.
    pub stale: Vec<Stale>,
}

/// Whether a cell may do something from somewhere.
///
/// # Errors
/// [`Denial::OriginNotAllowed`], then [`Denial::InsufficientScope`].
pub fn permit(cell: &Cell, scope: &Scope, origin: Option<&Origin>) -> Result<(), Denial> {
    if cell.allowlist.as_ref().is_some_and(|list| !list.admits(origin)) {
        return Err(Denial::OriginNotAllowed);
    }
    if !cell.grants.permits(scope) {
        return Err(Denial::InsufficientScope { required: scope.to_string() });
    }
    Ok(())
}

/// The 402 of a purse.
#[must_use]
pub fn out_of_credit(purse: &Purse) -> Denial {
    Denial::InsufficientCredits {
        source: LimitSource::Key,
        spent: purse.spent(),
        reserved: MicroUsd::ZERO,
        limit: purse.budget,
    }
}

/// The 402 of a purse whose project has nothing left to give it.
#[must_use]
pub fn project_is_dry(purse: &Purse) -> Denial {
    Denial::InsufficientCredits {
        source: LimitSource::Project,
        spent: purse.spent(),
        reserved: MicroUsd::ZERO,
        limit: None,
    }
}

#[cfg(test)]
mod tests;
