//! The end of a wallet's entry: what it says is in the cell by now, so the wallet forgets it and counts that it did.

use crate::{
    audit::Milestone,
    guard::Guard,
    message::Message,
    table::{Cell, Grant},
    world::World,
};

/// Somebody who removes the wallet's entry of one cell, again and again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sweeper {
    cell: usize,
    sweeps_left: u8,
    phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Reads the wallet next.
    Reading,
    /// Reads the cell next.
    Comparing(Sweep),
    /// Tells the cell first that this return has arrived.
    Acknowledging(Sweep, u8),
    Sweeping(Sweep),
}

/// The removal of an entry as it was seen; a number of 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sweep {
    pub(crate) cell: usize,
    pub(crate) sweeps: u8,
    pub(crate) debited: u8,
    pub(crate) received: u8,
}

impl Sweeper {
    /// Who removes a cell's entry so many times.
    pub(crate) fn new(cell: usize, sweeps: u8) -> Self {
        Self { cell, sweeps_left: sweeps, phase: Phase::Reading }
    }

    /// Whether it has swept often enough.
    pub(crate) fn is_done(&self) -> bool {
        self.sweeps_left == 0
    }

    /// The write it waits for.
    pub(crate) fn awaited(&self) -> Option<Message> {
        match self.phase {
            Phase::Reading | Phase::Comparing(_) => None,
            Phase::Acknowledging(_, number) => Some(Message::Acknowledge { cell: self.cell, number }),
            Phase::Sweeping(sweep) => Some(Message::Sweep(sweep)),
        }
    }

    /// Dies and begins again from what the table shows.
    pub(crate) fn crash(&mut self) {
        self.phase = Phase::Reading;
    }

    /// Takes the next step and learns its answer.
    pub(crate) fn step(&mut self, world: &mut World<'_>) {
        self.phase = match self.phase {
            Phase::Reading => self.read(world),
            Phase::Comparing(sweep) => compare(sweep, &world.table.cells[self.cell], world),
            Phase::Acknowledging(sweep, number) => {
                let is_acknowledged = world.deliver(&Message::Acknowledge { cell: self.cell, number });
                if is_acknowledged { Phase::Sweeping(sweep) } else { Phase::Reading }
            }
            Phase::Sweeping(sweep) => {
                let is_swept = world.deliver(&Message::Sweep(sweep));
                self.sweeps_left -= u8::from(is_swept);
                Phase::Reading
            }
        };
    }

    fn read(&self, world: &World<'_>) -> Phase {
        let entry = world.table.wallet.entry(self.cell);
        let (debited, received) = (entry.debited.number, entry.received);
        if debited == 0 && received == 0 {
            return Phase::Reading;
        }
        Phase::Comparing(Sweep { cell: self.cell, sweeps: entry.sweeps, debited, received })
    }
}

/// Reads the cell beside the wallet: what it does not know yet stays in the wallet.
fn compare(sweep: Sweep, cell: &Cell, world: &World<'_>) -> Phase {
    let guards = world.guards();
    let last = cell.returned.number;
    if !guards.pass(Guard::SweepArrivedGrant, cell.grant_number >= sweep.debited) {
        Phase::Reading
    } else if guards.pass(Guard::SweepAcknowledged, cell.acknowledged >= sweep.received) {
        Phase::Sweeping(sweep)
    } else if guards.pass(Guard::AckAfterArrival, last <= sweep.received) {
        Phase::Acknowledging(sweep, last)
    } else {
        Phase::Reading
    }
}

impl Sweep {
    /// Applies the write if its conditions hold.
    pub(crate) fn apply(self, world: &mut World<'_>) -> bool {
        let guards = world.guards();
        let entry = world.table.wallet.entry(self.cell);
        let may_sweep = guards.pass(Guard::SweepInTurn, entry.sweeps == self.sweeps)
            && guards.pass(Guard::SweepGrantUnchanged, entry.debited.number == self.debited)
            && guards.pass(Guard::SweepReturnUnchanged, entry.received == self.received);
        if !may_sweep {
            return false;
        }
        let wallet = &mut world.table.wallet;
        wallet.debited[self.cell] = Grant::default();
        wallet.received[self.cell] = 0;
        wallet.sweeps = self.sweeps + 1;
        world.reach(Milestone::EntrySwept);
        true
    }
}

/// Notes in a cell that its return has arrived, if it has begun no other since.
pub(crate) fn acknowledge(world: &mut World<'_>, cell: usize, number: u8) -> bool {
    let is_last = world.table.cells[cell].returned.number == number;
    if !world.guards().pass(Guard::AckInTurn, is_last) {
        return false;
    }
    world.table.cells[cell].acknowledged = number;
    world.reach(Milestone::ReturnAcknowledged);
    true
}
