//! The end of a charge: a backend reports what a request really cost, early, late, twice, or against another's word.

use crate::{
    audit::Milestone,
    guard::Guard,
    message::{Message, Place},
    revoker::Revoker,
    table::{Lease, Money, Request, Status},
    world::World,
};

/// Somebody who settles one charge, and says the same however often it has to begin again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Settler {
    pub(crate) cell: usize,
    pub(crate) charge: Request,
    /// What it says the request cost; 0 for a failed one.
    pub(crate) actual: Money,
    /// Removes an entry that has grown old.
    pub(crate) is_dropper: bool,
    pub(crate) phase: Phase,
}

/// Where a settlement stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// Reads the cell next.
    Reading,
    Recording(Lease, Place),
    Settling(Lease, Place),
    /// Reads the record next, because the cell has no such lease.
    Consulting,
    /// Takes the refund home from a revoked cell.
    Recalling(Revoker),
    /// Only without the rule that an entry is dropped by settling it.
    Dropping,
    Told(Answer),
}

/// What a settler is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// The charge was settled with this result.
    Settled,
    /// 409: it was settled with another.
    Conflict,
    /// 404.
    Missing,
    /// It only tidied up.
    Nothing,
}

impl Settler {
    /// A settler that has not begun.
    pub(crate) fn new(cell: usize, charge: Request, actual: Money) -> Self {
        Self { cell, charge, actual, is_dropper: false, phase: Phase::Reading }
    }

    /// Who removes an entry that has grown old: it says that the request cost everything that was held.
    pub(crate) fn dropper(cell: usize, charge: Request, amount: Money) -> Self {
        Self { is_dropper: true, ..Self::new(cell, charge, amount) }
    }

    /// The write it waits for.
    pub(crate) fn awaited(&self) -> Option<Message> {
        let Self { cell, charge, actual, .. } = *self;
        match &self.phase {
            Phase::Recording(..) => Some(Message::Record { charge, actual }),
            Phase::Settling(lease, place) => {
                Some(Message::Settle { cell, charge, lease: *lease, place: *place, actual })
            }
            Phase::Dropping => Some(Message::Drop { cell, charge }),
            Phase::Recalling(revoker) => revoker.awaited(),
            Phase::Reading | Phase::Consulting | Phase::Told(_) => None,
        }
    }

    /// Dies and begins again from what the table shows.
    pub(crate) fn crash(&mut self) {
        if !matches!(self.phase, Phase::Told(_)) {
            self.phase = Phase::Reading;
        }
    }

    /// Takes the next step and learns its answer.
    pub(crate) fn step(&mut self, world: &mut World<'_>) {
        match self.phase.clone() {
            Phase::Reading => self.read(world),
            Phase::Recording(lease, place) => self.record(lease, place, world),
            Phase::Settling(lease, place) => {
                let Self { cell, charge, actual, .. } = *self;
                let is_settled = world.deliver(&Message::Settle { cell, charge, lease, place, actual });
                if world.guards().pass(Guard::SettleReadsAgain, is_settled) {
                    if self.is_dropper {
                        world.reach(Milestone::OldEntryDropped);
                    }
                    self.end(world);
                } else {
                    self.phase = Phase::Reading;
                }
            }
            Phase::Consulting => {
                self.adopt(world);
                let answer = match world.table.records.get(&self.charge) {
                    Some(actual) if *actual == self.actual => Answer::Settled,
                    Some(_) => Answer::Conflict,
                    None => Answer::Missing,
                };
                if answer == Answer::Settled {
                    world.reach(Milestone::SettledTwiceAlike);
                }
                if answer == Answer::Settled && world.guards().keep(Guard::RetryRecalls) {
                    self.end(world);
                } else {
                    self.tell(answer, world);
                }
            }
            Phase::Recalling(mut revoker) => {
                revoker.step(world);
                self.phase = Phase::Recalling(revoker.clone());
                if revoker.is_done() {
                    self.tell(Answer::Settled, world);
                }
            }
            Phase::Dropping => {
                world.deliver(&Message::Drop { cell: self.cell, charge: self.charge });
                self.tell(Answer::Nothing, world);
            }
            Phase::Told(_) => {}
        }
    }

    fn read(&mut self, world: &World<'_>) {
        let cell = &world.table.cells[self.cell];
        let held = cell.held.get(&self.charge).map(|lease| (*lease, Place::Held));
        let captured = cell.captured.get(&self.charge).map(|lease| (*lease, Place::Captured));
        let seen = if self.is_dropper { captured } else { held.or(captured) };
        self.phase = match seen {
            Some(_) if self.is_dropper && !world.guards().keep(Guard::DropBySettling) => Phase::Dropping,
            Some((lease, place)) if world.guards().keep(Guard::RecordFirst) => Phase::Recording(lease, place),
            Some((lease, place)) => Phase::Settling(lease, place),
            // Nothing to drop yet: look again later.
            None if self.is_dropper && cell.held.contains_key(&self.charge) => Phase::Reading,
            None => Phase::Consulting,
        };
    }

    fn record(&mut self, lease: Lease, place: Place, world: &mut World<'_>) {
        let (charge, actual) = (self.charge, self.actual);
        let is_recorded = world.deliver(&Message::Record { charge, actual });
        self.adopt(world);
        let is_alike = world.table.records.get(&charge) == Some(&self.actual);
        if is_recorded || is_alike || !world.guards().keep(Guard::RecordCompared) {
            self.phase = Phase::Settling(lease, place);
        } else {
            self.tell(Answer::Conflict, world);
        }
    }

    /// Who only tidies up has no word of its own against a record: it finishes what another began.
    fn adopt(&mut self, world: &World<'_>) {
        if let Some(recorded) = world.table.records.get(&self.charge).filter(|_| self.is_dropper) {
            self.actual = *recorded;
        }
    }

    fn end(&mut self, world: &mut World<'_>) {
        if world.table.cells[self.cell].status == Status::Revoked {
            self.phase = Phase::Recalling(Revoker::of_rest(self.cell));
        } else {
            self.tell(Answer::Settled, world);
        }
    }

    fn tell(&mut self, answer: Answer, world: &mut World<'_>) {
        if answer == Answer::Conflict {
            world.reach(Milestone::SettlementConflict);
        }
        self.phase = Phase::Told(answer);
    }
}
