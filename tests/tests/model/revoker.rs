//! The end of a cell: refused from now on, then its money goes home; and again whenever a refund comes in later.

use crate::{
    guard::Guard,
    message::{Message, Recall},
    table::{CLOSED, Cell, Entry, Return, Status},
    world::World,
};

/// Somebody who revokes a cell, or takes home what is left in one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Revoker {
    cell: usize,
    phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Revoking,
    /// Reads the wallet next.
    Reading,
    /// Reads the cell next.
    Comparing(Entry),
    /// Reads the wallet next; only without the rule that the wallet is read first.
    ComparingLate(Box<Cell>),
    Recalling(Recall),
    HandingIn {
        back: Return,
        sweeps: u8,
    },
    Done,
}

impl Revoker {
    /// Who revokes a cell.
    pub(crate) fn new(cell: usize) -> Self {
        Self { cell, phase: Phase::Revoking }
    }

    /// Who takes home what is left in a cell that was revoked before.
    pub(crate) fn of_rest(cell: usize) -> Self {
        Self { cell, phase: Phase::Reading }
    }

    /// Whether nothing is left to take home.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// The write it waits for.
    pub(crate) fn awaited(&self) -> Option<Message> {
        match &self.phase {
            Phase::Revoking => Some(Message::SetStatus { cell: self.cell, status: Status::Revoked }),
            Phase::Recalling(recall) => Some(Message::Recall(*recall)),
            Phase::HandingIn { back, sweeps } => Some(self.hand_in(*back, *sweeps)),
            Phase::Reading | Phase::Comparing(_) | Phase::ComparingLate(_) | Phase::Done => None,
        }
    }

    /// Dies and begins again from what the table shows.
    pub(crate) fn crash(&mut self) {
        self.phase = match self.phase {
            Phase::Revoking => Phase::Revoking,
            _ => Phase::Reading,
        };
    }

    /// Takes the next step and learns its answer.
    pub(crate) fn step(&mut self, world: &mut World<'_>) {
        self.phase = match &self.phase {
            Phase::Revoking => {
                world.deliver(&Message::SetStatus { cell: self.cell, status: Status::Revoked });
                Phase::Reading
            }
            Phase::Reading if world.guards().keep(Guard::ArrivalReadsInOrder) => {
                Phase::Comparing(world.table.wallet.entry(self.cell))
            }
            Phase::Reading => Phase::ComparingLate(Box::new(world.table.cells[self.cell].clone())),
            Phase::Comparing(entry) => self.compare(*entry, &world.table.cells[self.cell], world),
            Phase::ComparingLate(cell) => self.compare(world.table.wallet.entry(self.cell), cell, world),
            Phase::HandingIn { back, sweeps } => {
                world.deliver(&self.hand_in(*back, *sweeps));
                Phase::Reading
            }
            Phase::Recalling(recall) => {
                let is_recalled = world.deliver(&Message::Recall(*recall));
                let is_over = !is_recalled && !world.guards().keep(Guard::RecallReadsAgain);
                if is_over { Phase::Done } else { Phase::Reading }
            }
            Phase::Done => Phase::Done,
        };
    }

    fn hand_in(&self, back: Return, sweeps: u8) -> Message {
        Message::HandIn { cell: self.cell, back, sweeps }
    }

    /// Wallet and cell side by side: what is still to be done?
    fn compare(&self, entry: Entry, cell: &Cell, world: &World<'_>) -> Phase {
        // The wallet may have received others since it was read.
        let (last, arrived) = (cell.returned.number, cell.arrived(entry.received));
        let is_leaving = last == arrived + 1 || last > arrived && world.guards().keep(Guard::ArrivalAboveRead);
        if is_leaving && world.guards().keep(Guard::RecallHandsIn) {
            Phase::HandingIn { back: cell.returned, sweeps: entry.sweeps }
        } else if cell.grant_number >= CLOSED && cell.balance == 0 {
            Phase::Done
        } else {
            Phase::Recalling(self.recall(entry, cell))
        }
    }

    fn recall(&self, entry: Entry, cell: &Cell) -> Recall {
        let last = entry.debited;
        let is_pending = last.number == cell.grant_number + 1;
        Recall {
            cell: self.cell,
            grant_number: cell.grant_number,
            debited_number: last.number,
            next_number: CLOSED.max(cell.grant_number + 1),
            lost: cell.balance,
            absorbed: if is_pending { last.amount } else { 0 },
        }
    }
}
