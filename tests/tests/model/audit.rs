//! What an onlooker writes down who sees everything: never read by a requester, only by the invariants.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    message::Message,
    table::{CELLS, Money, Request},
};

/// The onlooker's book.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Audit {
    /// How often each request was charged.
    pub(crate) charged: BTreeMap<Request, u8>,
    /// What each request was told; a request that died was told nothing.
    pub(crate) told: BTreeMap<Request, Told>,
    /// Spent at once, by requests of a fixed price.
    pub(crate) spent: Money,
    /// How often each charge was settled at its cell, and for how much the last time.
    pub(crate) settled: BTreeMap<Request, (u8, Money)>,
    /// Admissions per cell and window.
    pub(crate) admitted: [BTreeMap<u8, i8>; CELLS],
    /// Whether a cell that is frozen or revoked admitted.
    pub(crate) has_admitted_inactive: bool,
    /// How often each paper's movement was applied: allocations and operator credits.
    pub(crate) moved: BTreeMap<u8, u8>,
    /// Everything that ever came in.
    pub(crate) deposits: Money,
    /// Copies that were given up for dead, and whether one was applied after all; only in runs that keep them.
    pub(crate) dead: BTreeSet<Message>,
    pub(crate) has_dead_applied: bool,
    /// Only in runs that look for milestones.
    pub(crate) milestones: BTreeSet<Milestone>,
    /// Who debited the last grant for each cell, and who took the last return from it; only with milestones.
    pub(crate) beginners: [[Option<usize>; 2]; CELLS],
}

/// What a request was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    Admitted,
    Refused(Refusal),
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// Frozen or revoked.
    Inactive,
    /// A window is used up.
    RateLimited,
    /// Too many leases.
    Busy,
    /// The cell's own budget.
    Budget,
    /// The project cannot pay; whether that was ever so while the request was at work.
    NoMoney { was_so: bool },
}

/// Something that must be possible, so that the model does not hold by standing still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Milestone {
    StrayAdmits,
    GrantFinishedByAnother,
    ReturnFinishedByAnother,
    RefusedForMoney,
    RefusedForBudget,
    FenceCloses,
    FenceFindsAdmission,
    EarlyRefund,
    LateRefund,
    SettledTwiceAlike,
    SettlementConflict,
    OldEntryDropped,
    FullCellExpiresAndAdmits,
    RefusedBusy,
    GrantAbsorbed,
    RefundRecalled,
    BurstCarried,
    ClockCorrected,
    RateLimited,
    TokensGranted,
    PaperRepeated,
    PaperRefused,
    EntrySwept,
    ReturnAcknowledged,
    DebitRefusedBySweep,
    ArrivalRefusedBySweep,
}

impl Audit {
    /// How often a request was charged.
    pub(crate) fn charges(&self, request: Request) -> u8 {
        self.charged.get(&request).copied().unwrap_or(0)
    }
}
