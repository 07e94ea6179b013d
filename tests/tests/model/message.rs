//! The writes of the protocol: each one conditional update of one item, or one transaction, applied or refused whole.

use crate::{
    admission::Admit,
    audit::Milestone,
    bucket::Opening,
    guard::{Guard, Guards},
    sweeper::{Sweep, acknowledge},
    table::{CLOSED, Grant, Lease, Money, Request, Return, Status, Table},
    world::World,
};

/// A write on its way to the table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Message {
    Admit(Admit),
    /// Takes the place of an ADMIT that is about to be refused.
    Fence {
        cell: usize,
        lane: Request,
        seq: u8,
        takes: u8,
    },
    Debit {
        cell: usize,
        grant: Grant,
        opening: Opening,
        sweeps: u8,
    },
    Credit {
        cell: usize,
        grant: Grant,
    },
    /// RETURN 1.
    TakeBack {
        cell: usize,
        back: Return,
    },
    /// RETURN 2.
    HandIn {
        cell: usize,
        back: Return,
        sweeps: u8,
    },
    /// ACK: tells a cell that its return has arrived.
    Acknowledge {
        cell: usize,
        number: u8,
    },
    Sweep(Sweep),
    /// The settlement record.
    Record {
        charge: Request,
        actual: Money,
    },
    Settle {
        cell: usize,
        charge: Request,
        lease: Lease,
        place: Place,
        actual: Money,
    },
    /// Removes an old entry without settling it.
    Drop {
        cell: usize,
        charge: Request,
    },
    SetStatus {
        cell: usize,
        status: Status,
    },
    Recall(Recall),
    Allocate {
        paper: u8,
        amount: Money,
    },
    Deposit {
        paper: u8,
        amount: Money,
    },
}

/// Where a lease was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    Held,
    Captured,
}

/// One transaction over cell and wallet, computed from what was read of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Recall {
    pub(crate) cell: usize,
    pub(crate) grant_number: u8,
    pub(crate) debited_number: u8,
    pub(crate) next_number: u8,
    /// Taken from the cell.
    pub(crate) lost: Money,
    /// Debited and never credited: goes back with the rest.
    pub(crate) absorbed: Money,
}

impl Message {
    /// Applies the write if its conditions hold.
    pub(crate) fn apply(&self, world: &mut World<'_>) -> bool {
        match self {
            Self::Admit(admit) => admit.apply(world),
            Self::Fence { cell, lane, seq, takes } => fence(world, *cell, *lane, *seq, *takes),
            Self::Debit { cell, grant, opening, sweeps } => debit(world, *cell, *grant, *opening, *sweeps),
            Self::Credit { cell, grant } => credit(world, *cell, *grant),
            Self::TakeBack { cell, back } => take_back(world, *cell, *back),
            Self::HandIn { cell, back, sweeps } => hand_in(world, *cell, *back, *sweeps),
            Self::Acknowledge { cell, number } => acknowledge(world, *cell, *number),
            Self::Sweep(sweep) => sweep.apply(world),
            Self::Record { charge, actual } => record(world, *charge, *actual),
            Self::Settle { cell, charge, lease, place, actual } => {
                settle(world, *cell, *charge, *lease, *place, *actual)
            }
            Self::Drop { cell, charge } => world.table.cells[*cell].captured.remove(charge).is_some(),
            Self::SetStatus { cell, status } => set_status(world, *cell, *status),
            Self::Recall(recall) => recall.apply(world),
            Self::Allocate { paper, amount } => allocate(world, *paper, *amount),
            Self::Deposit { paper, amount } => deposit(world, *paper, *amount),
        }
    }

    /// Whether a copy can never be applied any more, because a number that only rises has passed it.
    pub(crate) fn is_dead(&self, table: &Table, guards: &Guards) -> bool {
        let is_past = |guard, is_past| guards.keep(guard) && is_past;
        // A number that was swept passes it no more, but then the sweeps do.
        let is_gone = |guard, in_turn, sweeps: u8, is_past| {
            guards.keep(guard)
                && guards.keep(Guard::SweepInTurn)
                && (table.wallet.sweeps > sweeps || guards.keep(in_turn) && is_past)
        };
        let last_of = |cell: usize, lane| table.cells[cell].lanes.get(lane).copied().unwrap_or(0);
        match self {
            Self::Admit(admit) => is_past(Guard::AdmitIsNew, last_of(admit.cell, &admit.lane) >= admit.seq),
            Self::Fence { cell, lane, seq, .. } => is_past(Guard::FenceIsNew, last_of(*cell, lane) >= *seq),
            Self::Debit { cell, grant, sweeps, .. } => {
                let is_past = table.wallet.debited[*cell].number >= grant.number;
                is_gone(Guard::DebitUnswept, Guard::DebitInTurn, *sweeps, is_past)
            }
            Self::Credit { cell, grant } => {
                is_past(Guard::CreditInTurn, table.cells[*cell].grant_number >= grant.number)
            }
            Self::TakeBack { cell, back } => {
                is_past(Guard::ReturnInTurn, table.cells[*cell].returned.number >= back.number)
            }
            Self::HandIn { cell, back, sweeps } => {
                let is_past = table.wallet.received[*cell] >= back.number;
                is_gone(Guard::ArrivalUnswept, Guard::ArrivalInTurn, *sweeps, is_past)
            }
            Self::Acknowledge { cell, number } => {
                is_past(Guard::AckInTurn, table.cells[*cell].returned.number > *number)
            }
            Self::Sweep(sweep) => is_past(Guard::SweepInTurn, table.wallet.sweeps > sweep.sweeps),
            Self::Recall(recall) => {
                is_past(Guard::RecallCellUnmoved, table.cells[recall.cell].grant_number > recall.grant_number)
            }
            Self::Record { charge, .. } => is_past(Guard::RecordIsNew, table.records.contains_key(charge)),
            Self::Allocate { paper, .. } => is_past(Guard::AllocateOnce, table.papers.contains_key(paper)),
            Self::Deposit { paper, .. } => is_past(Guard::DepositOnce, table.papers.contains_key(paper)),
            Self::Settle { .. } | Self::Drop { .. } | Self::SetStatus { .. } => false,
        }
    }
}

fn fence(world: &mut World<'_>, cell: usize, lane: Request, seq: u8, takes: u8) -> bool {
    let last = world.table.cells[cell].lanes.get(&lane).copied().unwrap_or(0);
    if !world.guards().pass(Guard::FenceIsNew, last < seq) {
        return false;
    }
    world.table.cells[cell].lanes.insert(lane, takes);
    world.reach(Milestone::FenceCloses);
    true
}

fn debit(world: &mut World<'_>, cell: usize, grant: Grant, opening: Opening, sweeps: u8) -> bool {
    let guards = world.guards();
    let wallet = &world.table.wallet;
    let is_funded = guards.pass(Guard::DebitCovered, wallet.available >= grant.amount);
    let is_new = guards.pass(Guard::DebitInTurn, wallet.debited[cell].number < grant.number);
    if !(is_funded && is_new) {
        return false;
    }
    if !guards.pass(Guard::DebitUnswept, wallet.sweeps == sweeps) {
        world.reach(Milestone::DebitRefusedBySweep);
        return false;
    }
    if let (Some(quota), true) = (world.protocol.project_quota, grant.tokens > 0) {
        let taking = wallet.bucket.taking(quota, grant.window, opening, grant.tokens);
        let may_take = guards.pass(Guard::DebitTokensHeld, taking.holds)
            && guards.pass(Guard::DebitWindowOpen, taking.is_open)
            && guards.pass(Guard::DebitQuietBefore, taking.is_quiet_before)
            && guards.pass(Guard::DebitOpensOnce, taking.opens_once);
        if !may_take {
            return false;
        }
        world.table.wallet.bucket.take(grant.window, &taking);
        world.reach(Milestone::TokensGranted);
    }
    world.table.wallet.available -= grant.amount;
    world.table.wallet.debited[cell] = grant;
    world.begin(cell, 0);
    true
}

fn credit(world: &mut World<'_>, cell: usize, grant: Grant) -> bool {
    let is_next = world.table.cells[cell].grant_number + 1 == grant.number;
    if !world.guards().pass(Guard::CreditInTurn, is_next) {
        return false;
    }
    world.table.cells[cell].credit(grant);
    world.finish(cell, 0, Milestone::GrantFinishedByAnother);
    true
}

fn take_back(world: &mut World<'_>, cell: usize, back: Return) -> bool {
    let guards = world.guards();
    let from = &world.table.cells[cell];
    let is_covered = guards.pass(Guard::ReturnCovered, from.balance >= back.amount);
    let is_next = guards.pass(Guard::ReturnInTurn, from.returned.number + 1 == back.number);
    if !(is_covered && is_next) {
        return false;
    }
    let from = &mut world.table.cells[cell];
    from.balance -= back.amount;
    from.granted -= back.amount;
    from.returned = back;
    world.begin(cell, 1);
    true
}

fn hand_in(world: &mut World<'_>, cell: usize, back: Return, sweeps: u8) -> bool {
    let guards = world.guards();
    let wallet = &world.table.wallet;
    if !guards.pass(Guard::ArrivalInTurn, wallet.received[cell] < back.number) {
        return false;
    }
    if !guards.pass(Guard::ArrivalUnswept, wallet.sweeps == sweeps) {
        world.reach(Milestone::ArrivalRefusedBySweep);
        return false;
    }
    world.table.wallet.available += back.amount;
    world.table.wallet.received[cell] = back.number;
    world.finish(cell, 1, Milestone::ReturnFinishedByAnother);
    true
}

fn record(world: &mut World<'_>, charge: Request, actual: Money) -> bool {
    let is_new = !world.table.records.contains_key(&charge);
    if !world.guards().pass(Guard::RecordIsNew, is_new) {
        return false;
    }
    world.table.records.insert(charge, actual);
    true
}

fn settle(world: &mut World<'_>, cell: usize, charge: Request, lease: Lease, place: Place, actual: Money) -> bool {
    let from = &mut world.table.cells[cell];
    let (leases, guard, milestone) = match place {
        Place::Held => (&mut from.held, Guard::SettleHeld, Milestone::EarlyRefund),
        Place::Captured => (&mut from.captured, Guard::SettleCaptured, Milestone::LateRefund),
    };
    if !world.protocol.guards.pass(guard, leases.get(&charge) == Some(&lease)) {
        return false;
    }
    leases.remove(&charge);
    from.balance += lease.amount - actual;
    let times = world.audit.settled.get(&charge).map_or(0, |(times, _)| *times);
    world.audit.settled.insert(charge, (times + 1, actual));
    if lease.amount > actual {
        world.reach(milestone);
    }
    true
}

fn set_status(world: &mut World<'_>, cell: usize, status: Status) -> bool {
    let cell = &mut world.table.cells[cell];
    let may_change = cell.status != Status::Revoked;
    if may_change {
        cell.status = status;
    }
    may_change
}

fn allocate(world: &mut World<'_>, paper: u8, amount: Money) -> bool {
    let guards = world.guards();
    let is_covered = guards.pass(Guard::AllocateCovered, world.table.account >= amount);
    let is_new = guards.pass(Guard::AllocateOnce, !world.table.papers.contains_key(&paper));
    if !(is_covered && is_new) {
        return false;
    }
    world.table.account -= amount;
    world.table.wallet.available += amount;
    world.file(paper, amount);
    true
}

fn deposit(world: &mut World<'_>, paper: u8, amount: Money) -> bool {
    let is_new = !world.table.papers.contains_key(&paper);
    if !world.guards().pass(Guard::DepositOnce, is_new) {
        return false;
    }
    world.table.account += amount;
    if is_new {
        world.audit.deposits += amount;
    }
    world.file(paper, amount);
    true
}

impl Recall {
    fn apply(self, world: &mut World<'_>) -> bool {
        let guards = world.guards();
        let cell = &world.table.cells[self.cell];
        let last = world.table.wallet.debited[self.cell];
        let may_recall = guards.pass(Guard::RecallRevoked, cell.status == Status::Revoked)
            && guards.pass(Guard::RecallCellUnmoved, cell.grant_number == self.grant_number)
            && guards.pass(Guard::RecallCovered, cell.balance >= self.lost)
            && guards.pass(Guard::RecallWalletUnmoved, last.number == self.debited_number);
        if !may_recall {
            return false;
        }
        let takes_number = guards.keep(Guard::RecallTakesNumber);
        let cell = &mut world.table.cells[self.cell];
        cell.balance -= self.lost;
        cell.granted -= self.lost;
        world.table.wallet.available += self.lost + self.absorbed;
        if takes_number {
            cell.grant_number = self.next_number;
            world.table.wallet.debited[self.cell] = Grant { number: self.next_number, ..Grant::default() };
        }
        if self.absorbed > 0 {
            world.reach(Milestone::GrantAbsorbed);
        }
        if self.grant_number >= CLOSED && self.lost > 0 {
            world.reach(Milestone::RefundRecalled);
        }
        true
    }
}
