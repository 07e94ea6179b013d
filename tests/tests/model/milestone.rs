//! Milestones as properties that must be reachable.

use std::collections::BTreeSet;

use stateright::Property;

use crate::{
    audit::Milestone,
    protocol::{Protocol, State},
};

/// One property per milestone.
macro_rules! reachable {
    ($($name:ident => $sentence:literal,)+) => {
        impl Milestone {
            /// What happens at it.
            pub(crate) fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }

            fn property(self) -> Property<Protocol> {
                match self {
                    $(Self::$name => Property::sometimes($sentence, |_, state: &State| {
                        state.audit.milestones.contains(&Self::$name)
                    }),)+
                }
            }
        }
    };
}

reachable! {
    StrayAdmits => "a stray copy is what admits",
    GrantFinishedByAnother => "a grant is credited by another requester than the one that debited it",
    ReturnFinishedByAnother => "a return arrives by another requester than the one that took it",
    RefusedForMoney => "a request is refused because the project cannot pay",
    RefusedForBudget => "a request is refused because of its cell's budget",
    FenceCloses => "a fence closes a lane before a refusal",
    FenceFindsAdmission => "a fence finds that a stray copy has admitted",
    EarlyRefund => "a settlement in time refunds",
    LateRefund => "a settlement after expiry refunds",
    SettledTwiceAlike => "a settlement said again is answered as before",
    SettlementConflict => "a settlement with another result is a conflict",
    OldEntryDropped => "an old entry is dropped by settling it",
    FullCellExpiresAndAdmits => "a cell full of expired leases admits again",
    RefusedBusy => "a request is refused at the concurrency cap",
    GrantAbsorbed => "a recall takes over a pending grant",
    RefundRecalled => "a refund to a revoked cell goes home by another recall",
    BurstCarried => "a window opens with what was left of a burst",
    ClockCorrected => "a clock that is behind is corrected by the cell",
    RateLimited => "a request is refused by a window",
    TokensGranted => "tokens of the project's rate are granted",
    PaperRepeated => "an allocation said again is answered as before",
    PaperRefused => "an allocation is refused for want of money",
    EntrySwept => "an entry of the wallet is swept",
    ReturnAcknowledged => "a cell is told that its return has arrived",
    DebitRefusedBySweep => "a grant is refused because the wallet was swept meanwhile",
    ArrivalRefusedBySweep => "a return is refused because the wallet was swept meanwhile",
}

/// The properties of a run that looks for milestones.
pub(crate) fn properties(milestones: &BTreeSet<Milestone>) -> Vec<Property<Protocol>> {
    milestones.iter().map(|milestone| milestone.property()).collect()
}
