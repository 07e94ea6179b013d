//! Who writes: each requester is a small program that may be interrupted between any two steps.

use crate::{
    audit::Milestone,
    caller::{self, Caller},
    guard::Guards,
    message::Message,
    revoker::Revoker,
    settler::{self, Settler},
    sweeper::Sweeper,
    table::{Money, Status},
    world::World,
};

/// One of those who write.
#[expect(clippy::large_enum_variant, reason = "a state holds a handful, and most are callers")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Requester {
    Caller(Caller),
    Settler(Settler),
    Revoker(Revoker),
    Owner(Owner),
    Bookkeeper(Bookkeeper),
    Sweeper(Sweeper),
}

/// An owner who freezes a cell and thaws it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) cell: usize,
    /// What is still to be set; the last comes first.
    pub(crate) script: Vec<Status>,
}

/// Who moves money between the world, the account and the project, on a paper that makes it happen once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bookkeeper {
    pub(crate) paper: u8,
    pub(crate) amount: Money,
    /// An operator's credit; an allocation otherwise.
    pub(crate) is_deposit: bool,
    /// Whether it was told that the money has moved.
    pub(crate) told: Option<bool>,
}

impl Requester {
    /// The write it waits for; `None` where it reads next or has nothing to do.
    pub(crate) fn awaited(&self, guards: &Guards) -> Option<Message> {
        match self {
            Self::Caller(caller) => caller.awaited(guards),
            Self::Settler(settler) => settler.awaited(),
            Self::Revoker(revoker) => revoker.awaited(),
            // A late copy of an owner's write is no matter of the protocol.
            Self::Owner(_) => None,
            Self::Bookkeeper(bookkeeper) => bookkeeper.told.is_none().then(|| bookkeeper.message()),
            Self::Sweeper(sweeper) => sweeper.awaited(),
        }
    }

    /// Whether it has steps left.
    pub(crate) fn is_at_work(&self) -> bool {
        match self {
            Self::Caller(caller) => caller.phase != caller::Phase::Over,
            Self::Settler(settler) => !matches!(settler.phase, settler::Phase::Told(_)),
            Self::Revoker(revoker) => !revoker.is_done(),
            Self::Owner(owner) => !owner.script.is_empty(),
            Self::Bookkeeper(bookkeeper) => bookkeeper.told.is_none(),
            Self::Sweeper(sweeper) => !sweeper.is_done(),
        }
    }

    /// Whether money may wait for it; a sweeper moves none.
    pub(crate) fn is_moving(&self) -> bool {
        self.is_at_work() && !matches!(self, Self::Sweeper(_))
    }

    /// Whether it is about to send, or send again, the write that admits.
    pub(crate) fn is_admitting(&self) -> bool {
        matches!(self, Self::Caller(caller) if matches!(caller.phase, caller::Phase::Admitting(_)))
    }

    /// Takes the next step and learns its answer.
    pub(crate) fn step(&mut self, world: &mut World<'_>) {
        match self {
            Self::Caller(caller) => caller.step(world),
            Self::Settler(settler) => settler.step(world),
            Self::Revoker(revoker) => revoker.step(world),
            Self::Owner(owner) => owner.step(world),
            Self::Bookkeeper(bookkeeper) => bookkeeper.step(world),
            Self::Sweeper(sweeper) => sweeper.step(world),
        }
    }

    /// Hears nothing: a copy of its write stays on its way, and another is sent.
    pub(crate) fn wait_longer(&mut self) {
        if let Self::Caller(caller) = self {
            caller.wait_longer();
        }
    }

    /// Dies between two steps.
    pub(crate) fn crash(&mut self, guards: &Guards) {
        match self {
            Self::Caller(caller) => caller.crash(guards),
            Self::Settler(settler) => settler.crash(),
            Self::Revoker(revoker) => revoker.crash(),
            Self::Sweeper(sweeper) => sweeper.crash(),
            // Begins the same write again.
            Self::Owner(_) | Self::Bookkeeper(_) => {}
        }
    }
}

impl Owner {
    fn step(&mut self, world: &mut World<'_>) {
        if let Some(status) = self.script.pop() {
            world.deliver(&Message::SetStatus { cell: self.cell, status });
        }
    }
}

impl Bookkeeper {
    fn message(&self) -> Message {
        let Self { paper, amount, .. } = *self;
        if self.is_deposit { Message::Deposit { paper, amount } } else { Message::Allocate { paper, amount } }
    }

    fn step(&mut self, world: &mut World<'_>) {
        let is_moved = world.deliver(&self.message());
        let was_moved = world.table.papers.contains_key(&self.paper);
        if !is_moved {
            world.reach(if was_moved { Milestone::PaperRepeated } else { Milestone::PaperRefused });
        }
        self.told = Some(is_moved || was_moved);
    }
}
