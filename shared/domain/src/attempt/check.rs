//! The checks of an attempt against a cell, one by one and in the order in which they refuse.

use super::{Attempt, out_of_credit, over_ceiling, permit_origin, permit_scope};
use crate::{
    cell::{Cell, Status},
    denial::{Denial, Exhausted, LimitSource},
    standing::{Level, Standing},
};

/// One check of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Who asks is known, and the key has not ended.
    Credential,
    /// The request comes from where the key may be used.
    Origin,
    /// The key may do what the route is for.
    Scope,
    /// The key is not frozen, and what it may spend is enough.
    Credit,
    /// The day has room.
    Day,
    /// The minute has room.
    Minute,
    /// The route's own window has room.
    Route,
    /// A place is free for the call.
    Concurrent,
}

impl Check {
    /// What no funds of the project's help against; more permanent ones first.
    pub const OF_KEY: [Self; 4] = [Self::Credential, Self::Origin, Self::Scope, Self::Credit];
    /// The limits, the longest window first.
    pub const OF_LIMITS: [Self; 4] = [Self::Day, Self::Minute, Self::Route, Self::Concurrent];
}

impl Attempt {
    /// What one check of the key says.
    ///
    /// # Errors
    /// The [`Denial`] that the cell demands by it.
    pub fn check(&self, check: Check, cell: &Cell) -> Result<(), Denial> {
        match check {
            Check::Credential => self.proof.verify(cell, self.now),
            Check::Origin => {
                let of_session = self.proof.client().map_or(Ok(()), |pass| pass.permit_origin(self.origin.as_ref()));
                of_session.and_then(|()| permit_origin(cell, self.origin.as_ref()))
            }
            Check::Scope => {
                let of_session = self.proof.client().map_or(Ok(()), |pass| pass.permit_scope(&self.scope));
                of_session.and_then(|()| permit_scope(cell, &self.scope))
            }
            Check::Credit => self.check_credit(cell),
            Check::Day | Check::Minute | Check::Route | Check::Concurrent => {
                self.check_limit(check, cell, &Standing::of(cell, self.now, self.route.as_ref()))
            }
        }
    }

    fn check_credit(&self, cell: &Cell) -> Result<(), Denial> {
        let shortage = self.cost.minus(cell.purse.balance);
        if cell.status == Status::Frozen || shortage > cell.purse.room() {
            return Err(out_of_credit(cell, shortage));
        }
        self.proof.client().and_then(|pass| over_ceiling(cell, pass, self.cost)).map_or(Ok(()), Err)
    }

    /// The first limit with nothing left.
    pub(super) fn exhausted(&self, cell: &Cell) -> Option<Denial> {
        let standing = Standing::of(cell, self.now, self.route.as_ref());
        Check::OF_LIMITS.into_iter().find_map(|check| self.check_limit(check, cell, &standing).err())
    }

    fn check_limit(&self, check: Check, cell: &Cell, standing: &Standing) -> Result<(), Denial> {
        let refused = match check {
            Check::Day => spent(Some(&standing.day), LimitSource::Key).map(Denial::RateLimitedDaily),
            Check::Minute => spent(Some(&standing.minute), LimitSource::Key).map(Denial::RateLimited),
            Check::Route => spent(standing.route.as_ref(), LimitSource::Route).map(Denial::RateLimited),
            Check::Concurrent => self.crowded(cell).map(Denial::RateLimitedConcurrent),
            Check::Credential | Check::Origin | Check::Scope | Check::Credit => None,
        };
        refused.map_or(Ok(()), Err)
    }

    /// The concurrency cap, where the call needs a place and none is free.
    fn crowded(&self, cell: &Cell) -> Option<Exhausted> {
        self.lease?;
        let running = cell.leases.held.len().saturating_sub(self.over.len());
        let (used, limit) = (u64::try_from(running).unwrap_or(u64::MAX), u64::from(cell.limits.concurrent));
        let resets_at = cell.leases.first_end().unwrap_or(self.now);
        (used >= limit).then_some(Exhausted { source: LimitSource::Key, limit, used, resets_at })
    }
}

fn spent(level: Option<&Level>, source: LimitSource) -> Option<Exhausted> {
    level.filter(|level| level.remaining == 0).map(|level| Exhausted {
        source,
        limit: level.limit,
        used: level.used,
        resets_at: level.resets_at,
    })
}
