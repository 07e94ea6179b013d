//! The configurations in which entries of the wallet are swept.

use crate::{
    audit::Milestone,
    configuration::{Configuration, caller, holding, numbered, plan, wallet},
    protocol::Protocol,
    requester::Requester,
    revoker::Revoker,
    sweeper::Sweeper,
    table::{CELLS, Cell, Grant, Return, Wallet},
};

/// Requests draw on a wallet while an entry is swept.
pub(crate) const SWEEPS: Configuration = Configuration {
    name: "sweeps",
    protocol: || Protocol {
        wallet: Wallet { debited: [numbered(1); CELLS], ..wallet(3) },
        cells: [Cell { grant_number: 1, ..Cell::default() }, Cell { grant_number: 1, ..Cell::default() }],
        requesters: vec![
            caller(plan(0, 1, 1), 0, 1),
            caller(plan(0, 1, 1), 1, 1),
            caller(plan(1, 1, 1), 2, 1),
            sweeper(0, 1),
        ],
        timeouts: 1,
        crashes: 1,
        ..Protocol::default()
    },
    milestones: &[Milestone::EntrySwept, Milestone::DebitRefusedBySweep, Milestone::GrantFinishedByAnother],
};

/// Two cells' entries are swept from one wallet.
pub(crate) const SWEEPS_BY_TWO: Configuration = Configuration {
    name: "sweeps by two",
    protocol: || Protocol {
        requesters: vec![caller(plan(0, 1, 1), 0, 1), caller(plan(0, 1, 1), 1, 1), sweeper(0, 2), sweeper(1, 1)],
        crashes: 0,
        ..(SWEEPS.protocol)()
    },
    milestones: &[Milestone::EntrySwept, Milestone::DebitRefusedBySweep],
};

/// Requests claw back from a sibling whose entry is swept.
pub(crate) const SWEEPS_OF_RETURNS: Configuration = Configuration {
    name: "sweeps of returns",
    protocol: || Protocol {
        wallet: Wallet { received: [0, 1], ..wallet(0) },
        cells: [Cell::default(), returning(1, holding(3))],
        requesters: vec![caller(plan(0, 1, 1), 0, 1), caller(plan(0, 1, 1), 1, 1), sweeper(1, 2)],
        claws_back: true,
        timeouts: 1,
        crashes: 1,
        last_number: 3,
        ..Protocol::default()
    },
    milestones: &[Milestone::EntrySwept, Milestone::ReturnAcknowledged, Milestone::ArrivalRefusedBySweep],
};

/// A sibling whose entry is swept is revoked while a request claws back from it.
pub(crate) const SWEEPS_OF_REVOKED: Configuration = Configuration {
    name: "sweeps of a revoked cell",
    protocol: || Protocol {
        wallet: Wallet { debited: [Grant::default(), Grant { amount: 1, ..numbered(2) }], ..wallet(0) },
        cells: [Cell::default(), Cell { grant_number: 1, ..returning(1, holding(1)) }],
        requesters: vec![caller(plan(0, 1, 1), 0, 1), Requester::Revoker(Revoker::new(1)), sweeper(1, 1)],
        claws_back: true,
        timeouts: 1,
        crashes: 1,
        last_number: 3,
        ..Protocol::default()
    },
    milestones: &[Milestone::EntrySwept, Milestone::ReturnAcknowledged, Milestone::GrantAbsorbed],
};

/// A cell whose last return had this number, and an amount of one.
fn returning(number: u8, cell: Cell) -> Cell {
    Cell { returned: Return { number, amount: 1 }, ..cell }
}

fn sweeper(cell: usize, sweeps: u8) -> Requester {
    Requester::Sweeper(Sweeper::new(cell, sweeps))
}
