//! What one step of one requester may touch: the table through its writes, and the onlooker's book.

use crate::{
    audit::{Audit, Milestone},
    guard::Guards,
    message::Message,
    protocol::Protocol,
    table::{Money, Table},
};

/// The world during one step.
pub(crate) struct World<'a> {
    pub(crate) protocol: &'a Protocol,
    pub(crate) table: &'a mut Table,
    pub(crate) audit: &'a mut Audit,
    /// The true time, in windows.
    pub(crate) now: u8,
    /// Whose step it is; `None` for a stray copy.
    pub(crate) actor: Option<usize>,
}

impl<'a> World<'a> {
    /// The guards in force.
    pub(crate) fn guards(&self) -> &'a Guards {
        &self.protocol.guards
    }

    /// Applies a write, or refuses it.
    pub(crate) fn deliver(&mut self, message: &Message) -> bool {
        message.apply(self)
    }

    /// Notes a milestone, in runs that look for them.
    pub(crate) fn reach(&mut self, milestone: Milestone) {
        if self.protocol.milestones.contains(&milestone) {
            self.audit.milestones.insert(milestone);
        }
    }

    /// Notes who began a movement: 0 is a grant, 1 a return.
    pub(crate) fn begin(&mut self, cell: usize, kind: usize) {
        if !self.protocol.milestones.is_empty() {
            self.audit.beginners[cell][kind] = self.actor;
        }
    }

    /// Notes whether another finishes a movement than began it.
    pub(crate) fn finish(&mut self, cell: usize, kind: usize, milestone: Milestone) {
        if let (Some(beginner), Some(finisher)) = (self.audit.beginners[cell][kind], self.actor)
            && beginner != finisher
        {
            self.reach(milestone);
        }
    }

    /// Files the paper that makes a movement happen once.
    pub(crate) fn file(&mut self, paper: u8, amount: Money) {
        self.table.papers.insert(paper, amount);
        *self.audit.moved.entry(paper).or_default() += 1;
    }
}
