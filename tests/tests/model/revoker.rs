//! The end of a cell: refused from now on, then its money goes home; and again whenever a refund comes in later.

use crate::{
    guard::Guard,
    message::{Message, Recall},
    table::{CLOSED, Cell, Return, Status},
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
    /// Reads the cell next.
    Reading,
    /// Reads the wallet next.
    Comparing(Box<Cell>),
    Recalling(Recall),
    HandingIn(Return),
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
            Phase::HandingIn(back) => Some(Message::HandIn { cell: self.cell, back: *back }),
            Phase::Reading | Phase::Comparing(_) | Phase::Done => None,
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
            Phase::Reading => Phase::Comparing(Box::new(world.table.cells[self.cell].clone())),
            Phase::Comparing(cell) => self.compare(cell, world),
            Phase::HandingIn(back) => {
                world.deliver(&Message::HandIn { cell: self.cell, back: *back });
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

    /// Reads the wallet beside the cell: what is still to be done?
    fn compare(&self, cell: &Cell, world: &World<'_>) -> Phase {
        let is_leaving = cell.returned.number == world.table.wallet.received[self.cell] + 1;
        if is_leaving && world.guards().keep(Guard::RecallHandsIn) {
            Phase::HandingIn(cell.returned)
        } else if cell.grant_number >= CLOSED && cell.balance == 0 {
            Phase::Done
        } else {
            Phase::Recalling(self.recall(cell, world))
        }
    }

    fn recall(&self, cell: &Cell, world: &World<'_>) -> Recall {
        let last = world.table.wallet.debited[self.cell];
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
