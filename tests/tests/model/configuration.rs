//! The configurations: a few requesters each, around one part of the protocol.

use faregate_domain::limit::QuotaPolicy;

use crate::{
    audit::Milestone,
    caller::{Caller, Plan},
    protocol::Protocol,
    requester::{Bookkeeper, Owner, Requester},
    revoker::Revoker,
    settler::Settler,
    table::{CLOSED, Cell, Grant, Lease, Money, Status, Wallet},
};

/// A configuration by name, and what must be possible in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Configuration {
    pub(crate) name: &'static str,
    pub(crate) protocol: fn() -> Protocol,
    pub(crate) milestones: &'static [Milestone],
}

impl Configuration {
    /// The run that looks for milestones.
    pub(crate) fn searching(&self) -> Protocol {
        Protocol { milestones: self.milestones.iter().copied().collect(), ..(self.protocol)() }
    }
}

/// Three requesters and two cells draw on one wallet.
pub(crate) const GRANTS: Configuration = Configuration {
    name: "grants",
    protocol: || Protocol {
        wallet: wallet(3),
        cells: [Cell::default(), Cell { budget: Some(1), ..Cell::default() }],
        requesters: vec![caller(plan(0, 1, 2), 0, 1), caller(plan(0, 1, 1), 1, 1), caller(plan(1, 1, 2), 2, 2)],
        timeouts: 2,
        crashes: 1,
        ..Protocol::default()
    },
    milestones: &[
        Milestone::GrantFinishedByAnother,
        Milestone::RefusedForMoney,
        Milestone::RefusedForBudget,
        Milestone::StrayAdmits,
        Milestone::FenceCloses,
    ],
};

/// One cell that is frozen and thawed, and a lane that serves two requests.
pub(crate) const EXACTLY_ONCE: Configuration = Configuration {
    name: "exactly once",
    protocol: || Protocol {
        cells: [holding(2), Cell::default()],
        requesters: vec![
            caller(plan(0, 1, 1), 0, 2),
            caller(plan(0, 1, 1), 2, 1),
            Requester::Owner(Owner { cell: 0, script: vec![Status::Active, Status::Frozen] }),
        ],
        timeouts: 3,
        crashes: 1,
        ..Protocol::default()
    },
    milestones: &[Milestone::FenceCloses, Milestone::FenceFindsAdmission, Milestone::StrayAdmits],
};

/// Two requesters claw back from a sibling that is at work itself.
pub(crate) const RETURNS: Configuration = Configuration {
    name: "returns",
    protocol: || Protocol {
        wallet: granted(0, 1, 3),
        cells: [Cell::default(), Cell { grant_number: 1, ..holding(3) }],
        requesters: vec![caller(plan(0, 1, 1), 0, 1), caller(plan(0, 2, 2), 1, 1), caller(plan(1, 1, 1), 2, 1)],
        claws_back: true,
        timeouts: 1,
        crashes: 1,
        last_number: 3,
        ..Protocol::default()
    },
    milestones: &[Milestone::ReturnFinishedByAnother, Milestone::GrantFinishedByAnother, Milestone::RefusedForMoney],
};

/// A sibling is revoked, and one of its leases settled, while a request claws back from it.
pub(crate) const RETURNS_OF_REVOKED: Configuration = Configuration {
    name: "returns of a revoked cell",
    protocol: || Protocol {
        wallet: Wallet { debited: [Grant::default(), Grant { number: 2, amount: 1, ..Grant::default() }], ..wallet(0) },
        cells: [Cell::default(), Cell { grant_number: 1, ..with_lease(1, 1, 1) }],
        requesters: vec![
            caller(plan(0, 1, 1), 1, 1),
            Requester::Settler(Settler::new(1, 0, 0)),
            Requester::Revoker(Revoker::new(1)),
        ],
        claws_back: true,
        timeouts: 1,
        crashes: 1,
        last_number: 3,
        ..Protocol::default()
    },
    milestones: &[Milestone::ReturnFinishedByAnother, Milestone::RefundRecalled],
};

/// Two requests claw back what was refunded to a cell that was recalled before, while its settler takes it home.
pub(crate) const RETURNS_OF_CLOSED: Configuration = Configuration {
    name: "returns of a closed cell",
    protocol: || Protocol {
        wallet: Wallet { debited: [Grant::default(), numbered(CLOSED)], ..wallet(0) },
        cells: [Cell::default(), Cell { status: Status::Revoked, grant_number: CLOSED, ..with_lease(0, 2, 1) }],
        requesters: vec![
            caller(plan(0, 1, 1), 1, 1),
            caller(plan(0, 1, 1), 2, 1),
            Requester::Settler(Settler::new(1, 0, 0)),
        ],
        claws_back: true,
        crashes: 1,
        last_number: 3,
        ..Protocol::default()
    },
    milestones: &[Milestone::ReturnFinishedByAnother, Milestone::RefundRecalled],
};

/// The last money of a project moves between two cells while somebody looks for it.
pub(crate) const SHORTAGE: Configuration = Configuration {
    name: "shortage",
    protocol: || Protocol {
        account: 1,
        wallet: granted(0, 1, 1),
        cells: [with_lease(0, 1, 0), Cell { grant_number: 1, ..holding(1) }],
        requesters: vec![
            caller(plan(0, 1, 1), 1, 1),
            caller(plan(1, 1, 1), 2, 1),
            Requester::Settler(Settler::new(0, 0, 0)),
            bookkeeper(0, 1, false),
        ],
        claws_back: true,
        begins_late: true,
        timeouts: 1,
        last_number: 2,
        ..Protocol::default()
    },
    milestones: &[Milestone::ReturnFinishedByAnother, Milestone::RefusedForMoney],
};

/// A lease is settled early, late, twice and against another's word, while the next request needs its place.
pub(crate) const SETTLEMENTS: Configuration = Configuration {
    name: "settlements",
    protocol: || Protocol {
        cells: [with_lease(1, 2, 1), Cell::default()],
        requesters: vec![
            caller(Plan { is_held: true, ..plan(0, 1, 1) }, 1, 1),
            Requester::Settler(Settler::new(0, 0, 1)),
            Requester::Settler(Settler::new(0, 0, 0)),
            Requester::Settler(Settler::dropper(0, 0, 2)),
        ],
        last_tick: 1,
        timeouts: 2,
        crashes: 1,
        ..Protocol::default()
    },
    milestones: &[
        Milestone::EarlyRefund,
        Milestone::LateRefund,
        Milestone::SettlementConflict,
        Milestone::OldEntryDropped,
        Milestone::FullCellExpiresAndAdmits,
        Milestone::RefusedBusy,
    ],
};

/// A cell is revoked while it is being funded, and one of its leases is settled afterwards.
pub(crate) const REVOCATION: Configuration = Configuration {
    name: "revocation",
    protocol: || Protocol {
        wallet: wallet(2),
        cells: [with_lease(1, 1, 1), Cell::default()],
        requesters: vec![
            caller(plan(0, 2, 2), 1, 1),
            Requester::Settler(Settler::new(0, 0, 0)),
            Requester::Revoker(Revoker::new(0)),
        ],
        timeouts: 1,
        crashes: 1,
        ..Protocol::default()
    },
    milestones: &[Milestone::GrantAbsorbed, Milestone::RefundRecalled, Milestone::SettledTwiceAlike],
};

/// Five requests, one of them with a clock that is behind, in three windows of a limit of one and a burst of one.
pub(crate) const WINDOWS: Configuration = Configuration {
    name: "windows",
    protocol: || Protocol {
        cells: [holding(6), Cell::default()],
        requesters: vec![
            caller(plan(0, 1, 1), 0, 3),
            caller(plan(0, 1, 1), 3, 2),
            caller(Plan { lag: 1, ..plan(0, 1, 1) }, 5, 1),
        ],
        begins_late: true,
        quota: QuotaPolicy::new(1, 1).ok(),
        last_tick: 2,
        timeouts: 1,
        ..Protocol::default()
    },
    milestones: &[Milestone::BurstCarried, Milestone::ClockCorrected, Milestone::RateLimited],
};

/// Three requests compete for a day that has room for two.
pub(crate) const DAY: Configuration = Configuration {
    name: "day",
    protocol: || Protocol {
        cells: [holding(3), Cell::default()],
        requesters: vec![caller(plan(0, 1, 1), 0, 2), caller(plan(0, 1, 1), 2, 1)],
        per_day: Some(2),
        timeouts: 2,
        ..Protocol::default()
    },
    milestones: &[Milestone::RateLimited],
};

/// Two cells share a project's rate of one and a burst of one.
pub(crate) const PROJECT_RATE: Configuration = Configuration {
    name: "project rate",
    protocol: || Protocol {
        cells: [holding(2), holding(2)],
        requesters: vec![
            caller(plan(0, 1, 1), 0, 2),
            caller(plan(1, 1, 1), 2, 1),
            caller(Plan { lag: 1, ..plan(1, 1, 1) }, 3, 1),
        ],
        begins_late: true,
        project_quota: QuotaPolicy::new(1, 1).ok(),
        last_tick: 1,
        timeouts: 1,
        ..Protocol::default()
    },
    milestones: &[Milestone::TokensGranted, Milestone::RateLimited, Milestone::GrantFinishedByAnother],
};

/// Two allocations compete for an account; an operator's credit comes twice under one reference.
pub(crate) const ALLOCATION: Configuration = Configuration {
    name: "allocation",
    protocol: || Protocol {
        account: 3,
        requesters: vec![
            bookkeeper(0, 2, false),
            bookkeeper(0, 2, false),
            bookkeeper(1, 2, false),
            bookkeeper(2, 1, true),
            bookkeeper(2, 1, true),
        ],
        timeouts: 3,
        crashes: 2,
        ..Protocol::default()
    },
    milestones: &[Milestone::PaperRepeated, Milestone::PaperRefused],
};

pub(crate) fn wallet(available: Money) -> Wallet {
    Wallet { available, ..Wallet::default() }
}

/// A wallet that has debited one grant for a cell.
fn granted(available: Money, cell: usize, amount: Money) -> Wallet {
    let mut wallet = wallet(available);
    wallet.debited[cell] = Grant { number: 1, amount, ..Grant::default() };
    wallet
}

/// The grant of a number, long credited.
pub(crate) fn numbered(number: u8) -> Grant {
    Grant { number, ..Grant::default() }
}

pub(crate) fn holding(balance: Money) -> Cell {
    Cell { balance, granted: balance, ..Cell::default() }
}

/// A cell whose charge 0 holds an amount.
fn with_lease(balance: Money, amount: Money, end: u8) -> Cell {
    let mut cell = Cell { granted: balance + amount, balance, ..Cell::default() };
    cell.held.insert(0, Lease { amount, end });
    cell
}

pub(crate) fn plan(cell: usize, cost: Money, slice: Money) -> Plan {
    Plan { cell, cost, is_held: false, slice, lag: 0 }
}

pub(crate) fn caller(plan: Plan, first_request: u8, requests: u8) -> Requester {
    Requester::Caller(Caller::new(plan, first_request, requests))
}

fn bookkeeper(paper: u8, amount: Money, is_deposit: bool) -> Requester {
    Requester::Bookkeeper(Bookkeeper { paper, amount, is_deposit, told: None })
}
