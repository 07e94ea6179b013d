//! ADMIT: the one write that counts and charges a request, with a grant or an expiry merged into it.

use crate::{
    audit::Milestone,
    bucket::Opening,
    guard::Guard,
    table::{Grant, Lease, Money, Request, Status},
    world::World,
};

/// One form of a request's write; all forms of one request carry the same lane and number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Admit {
    pub(crate) request: Request,
    pub(crate) cell: usize,
    pub(crate) lane: Request,
    pub(crate) seq: u8,
    pub(crate) cost: Money,
    /// The lease's end, on a route that is settled later; `None`: the cost is spent at once.
    pub(crate) lease_end: Option<u8>,
    pub(crate) window: u8,
    pub(crate) opening: Opening,
    pub(crate) grant: Option<Grant>,
    /// A lease that was seen expired.
    pub(crate) expired: Option<(Request, Lease)>,
}

impl Admit {
    /// Applies the write if its conditions hold.
    pub(super) fn apply(&self, world: &mut World<'_>) -> bool {
        if !(self.may_pay(world) && self.may_hold(world) && self.may_count(world)) {
            return false;
        }
        let project_quota = world.protocol.project_quota;
        let quota = world.protocol.quota;
        let cell = &mut world.table.cells[self.cell];
        let was_active = cell.status == Status::Active;
        let was_full = cell.held.len() >= world.protocol.cap;
        if let Some(grant) = self.grant {
            cell.credit(grant);
        }
        cell.balance -= self.cost;
        cell.lanes.insert(self.lane, self.seq);
        cell.day += 1;
        if let Some(quota) = quota {
            let taking = cell.bucket.taking(quota, self.window, self.opening, 1);
            cell.bucket.take(self.window, &taking);
        }
        if project_quota.is_some() {
            *cell.tokens.entry(self.window).or_default() -= 1;
        }
        if let Some((charge, lease)) = self.expired {
            cell.held.remove(&charge);
            cell.captured.insert(charge, lease);
        }
        match self.lease_end {
            Some(end) => drop(cell.held.insert(self.request, Lease { amount: self.cost, end })),
            None => world.audit.spent += self.cost,
        }
        *world.audit.charged.entry(self.request).or_default() += 1;
        *world.audit.admitted[self.cell].entry(self.window).or_default() += 1;
        world.audit.has_admitted_inactive |= !was_active;
        if self.grant.is_some() {
            world.finish(self.cell, 0, Milestone::GrantFinishedByAnother);
        }
        if was_full && self.expired.is_some() {
            world.reach(Milestone::FullCellExpiresAndAdmits);
        }
        if self.opening == Opening::Carried {
            world.reach(Milestone::BurstCarried);
        }
        true
    }

    fn may_pay(&self, world: &World<'_>) -> bool {
        let guards = world.guards();
        let cell = &world.table.cells[self.cell];
        let last = cell.lanes.get(&self.lane).copied().unwrap_or(0);
        let granted = self.grant.map_or(0, |grant| grant.amount);
        guards.pass(Guard::AdmitActive, cell.status == Status::Active)
            && guards.pass(Guard::AdmitIsNew, last < self.seq)
            && guards.pass(Guard::AdmitCovered, cell.balance + granted >= self.cost)
            && self.grant.is_none_or(|grant| guards.pass(Guard::CreditInTurn, cell.grant_number + 1 == grant.number))
    }

    fn may_hold(&self, world: &World<'_>) -> bool {
        let guards = world.guards();
        let cell = &world.table.cells[self.cell];
        let is_held = |charge| cell.held.contains_key(&charge);
        if !self.expired.is_none_or(|(charge, _)| guards.pass(Guard::ExpireHeld, is_held(charge))) {
            return false;
        }
        let leaves = usize::from(self.expired.is_some() && guards.keep(Guard::AdmitCapCountsExpired));
        self.lease_end.is_none() || guards.pass(Guard::AdmitUnderCap, cell.held.len() < world.protocol.cap + leaves)
    }

    fn may_count(&self, world: &World<'_>) -> bool {
        let guards = world.guards();
        let cell = &world.table.cells[self.cell];
        let counts = world.protocol.quota.is_none_or(|quota| {
            let taking = cell.bucket.taking(quota, self.window, self.opening, 1);
            guards.pass(Guard::AdmitBucketHolds, taking.holds)
                && guards.pass(Guard::AdmitQuietBefore, taking.is_quiet_before)
                && guards.pass(Guard::AdmitOpensOnce, taking.opens_once)
                && guards.pass(Guard::AdmitWindowOpen, taking.is_open)
        });
        let is_in_day = world.protocol.per_day.is_none_or(|limit| guards.pass(Guard::AdmitDayHolds, cell.day < limit));
        let granted = self.grant.filter(|grant| grant.window == self.window).map_or(0, |grant| grant.tokens);
        let tokens = cell.tokens.get(&self.window).copied().unwrap_or(0) + granted;
        let has_token = world.protocol.project_quota.is_none() || guards.pass(Guard::AdmitTokenHeld, tokens >= 1);
        counts && is_in_day && has_token
    }
}
