//! Each guard is taken out once, and the model must find what it was for.

use stateright::{Checker, HasDiscoveries, Model};

use crate::{
    audit::Milestone,
    configuration::{
        ALLOCATION, Configuration, DAY, EXACTLY_ONCE, GRANTS, PROJECT_RATE, RETURNS, RETURNS_OF_CLOSED,
        RETURNS_OF_REVOKED, REVOCATION, SETTLEMENTS, SHORTAGE, WINDOWS,
    },
    guard::{Guard, Guards},
    invariant::{
        ADMITTED_IS_CHARGED, BUDGET_IS_KEPT, CAP_IS_KEPT, CHARGED_ONCE, DAY_IS_KEPT, INACTIVE_IS_CLOSED,
        MONEY_IS_CONSERVED, NO_CHARGE_IS_LOST, NOBODY_IS_STUCK, NOTHING_IS_NEGATIVE, NOTHING_IS_STRANDED, ONE_RESULT,
        PAPERS_MOVE_ONCE, PROJECT_RATE_IS_KEPT, REFUSED_IS_FREE, SETTLED_ONCE, SHORTAGE_IS_REAL, WINDOWS_ARE_KEPT,
    },
    protocol::Protocol,
    report,
    sweeping::{SWEEPS, SWEEPS_BY_TWO, SWEEPS_OF_RETURNS, SWEEPS_OF_REVOKED},
};

/// What happens without a guard.
#[derive(Clone, Copy, Debug)]
enum Without {
    /// An invariant falls.
    Breaks(&'static str),
    /// Something that must be possible no longer is.
    Prevents(Milestone),
    /// Nothing: another rule already sees to it.
    Nothing,
}

use Without::{Breaks, Nothing, Prevents};

/// Guard, the configuration that misses it, and what it misses.
const ROWS: &[(Guard, Configuration, Without)] = &[
    (Guard::AdmitActive, EXACTLY_ONCE, Breaks(INACTIVE_IS_CLOSED)),
    (Guard::AdmitCovered, GRANTS, Breaks(NOTHING_IS_NEGATIVE)),
    (Guard::AdmitIsNew, EXACTLY_ONCE, Breaks(CHARGED_ONCE)),
    (Guard::AdmitWindowOpen, WINDOWS, Breaks(WINDOWS_ARE_KEPT)),
    (Guard::AdmitBucketHolds, WINDOWS, Breaks(WINDOWS_ARE_KEPT)),
    (Guard::AdmitQuietBefore, WINDOWS, Breaks(WINDOWS_ARE_KEPT)),
    (Guard::AdmitOpensOnce, WINDOWS, Breaks(WINDOWS_ARE_KEPT)),
    (Guard::AdmitDayHolds, DAY, Breaks(DAY_IS_KEPT)),
    (Guard::AdmitTokenHeld, PROJECT_RATE, Breaks(PROJECT_RATE_IS_KEPT)),
    (Guard::AdmitUnderCap, SETTLEMENTS, Breaks(CAP_IS_KEPT)),
    (Guard::AdmitCapCountsExpired, SETTLEMENTS, Prevents(Milestone::FullCellExpiresAndAdmits)),
    (Guard::AppliedIsAdmitted, EXACTLY_ONCE, Breaks(NOBODY_IS_STUCK)),
    (Guard::AnsweredIsGone, EXACTLY_ONCE, Breaks(REFUSED_IS_FREE)),
    (Guard::LaneIsNew, EXACTLY_ONCE, Breaks(ADMITTED_IS_CHARGED)),
    (Guard::NumberIsNew, EXACTLY_ONCE, Breaks(ADMITTED_IS_CHARGED)),
    (Guard::ExpireHeld, SETTLEMENTS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::FenceBeforeRefusal, EXACTLY_ONCE, Breaks(REFUSED_IS_FREE)),
    (Guard::FenceIsNew, EXACTLY_ONCE, Breaks(REFUSED_IS_FREE)),
    (Guard::FenceNumber, EXACTLY_ONCE, Breaks(ADMITTED_IS_CHARGED)),
    (Guard::DebitCovered, GRANTS, Breaks(NOTHING_IS_NEGATIVE)),
    (Guard::DebitInTurn, GRANTS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::DebitUnswept, SWEEPS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::DebitReadsAgain, SWEEPS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::DebitInBudget, GRANTS, Breaks(BUDGET_IS_KEPT)),
    (Guard::DebitTokensHeld, PROJECT_RATE, Breaks(PROJECT_RATE_IS_KEPT)),
    (Guard::DebitWindowOpen, PROJECT_RATE, Breaks(PROJECT_RATE_IS_KEPT)),
    (Guard::DebitQuietBefore, PROJECT_RATE, Breaks(PROJECT_RATE_IS_KEPT)),
    (Guard::DebitOpensOnce, PROJECT_RATE, Breaks(PROJECT_RATE_IS_KEPT)),
    (Guard::GrantShownByWallet, GRANTS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::CreditInTurn, GRANTS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::ReturnCovered, RETURNS, Breaks(NOTHING_IS_NEGATIVE)),
    (Guard::ReturnInTurn, RETURNS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::ReturnAfterArrival, RETURNS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::ReturnShownByCell, RETURNS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::ArrivalInTurn, RETURNS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::ArrivalUnswept, SWEEPS_OF_RETURNS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::ArrivalReadsInOrder, SWEEPS_OF_REVOKED, Breaks(MONEY_IS_CONSERVED)),
    (Guard::ArrivalAboveRead, RETURNS_OF_CLOSED, Breaks(NOTHING_IS_STRANDED)),
    (Guard::AckInTurn, SWEEPS_OF_RETURNS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::AckAfterArrival, SWEEPS_OF_RETURNS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::SweepInTurn, SWEEPS_BY_TWO, Breaks(MONEY_IS_CONSERVED)),
    (Guard::SweepGrantUnchanged, SWEEPS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::SweepReturnUnchanged, SWEEPS_OF_RETURNS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::SweepArrivedGrant, SWEEPS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::SweepAcknowledged, SWEEPS_OF_RETURNS, Breaks(MONEY_IS_CONSERVED)),
    (Guard::SettleHeld, SETTLEMENTS, Breaks(SETTLED_ONCE)),
    (Guard::SettleCaptured, SETTLEMENTS, Breaks(SETTLED_ONCE)),
    (Guard::RecordIsNew, SETTLEMENTS, Breaks(ONE_RESULT)),
    (Guard::RecordFirst, SETTLEMENTS, Breaks(NO_CHARGE_IS_LOST)),
    (Guard::RecordCompared, SETTLEMENTS, Breaks(ONE_RESULT)),
    (Guard::SettleReadsAgain, SETTLEMENTS, Breaks(ONE_RESULT)),
    (Guard::DropBySettling, SETTLEMENTS, Breaks(ONE_RESULT)),
    (Guard::RecallCellUnmoved, RETURNS_OF_REVOKED, Breaks(MONEY_IS_CONSERVED)),
    (Guard::RecallWalletUnmoved, REVOCATION, Breaks(MONEY_IS_CONSERVED)),
    (Guard::RecallCovered, RETURNS_OF_REVOKED, Breaks(NOTHING_IS_NEGATIVE)),
    (Guard::RecallRevoked, REVOCATION, Nothing),
    (Guard::RecallTakesNumber, REVOCATION, Breaks(MONEY_IS_CONSERVED)),
    (Guard::RecallReadsAgain, RETURNS_OF_REVOKED, Breaks(NOTHING_IS_STRANDED)),
    (Guard::RecallHandsIn, RETURNS_OF_REVOKED, Breaks(NOTHING_IS_STRANDED)),
    (Guard::RetryRecalls, REVOCATION, Breaks(NOTHING_IS_STRANDED)),
    (Guard::AllocateCovered, ALLOCATION, Breaks(NOTHING_IS_NEGATIVE)),
    (Guard::AllocateOnce, ALLOCATION, Breaks(PAPERS_MOVE_ONCE)),
    (Guard::DepositOnce, ALLOCATION, Breaks(MONEY_IS_CONSERVED)),
    (Guard::LookUnchanged, SHORTAGE, Breaks(SHORTAGE_IS_REAL)),
    (Guard::LookNothingPending, RETURNS, Breaks(SHORTAGE_IS_REAL)),
    (Guard::LookCellsUnchanged, SHORTAGE, Breaks(SHORTAGE_IS_REAL)),
];

#[test]
fn every_guard_is_needed_or_known_not_to_be() {
    for (guard, configuration, without) in ROWS {
        let protocol = Protocol { guards: Guards::all().without(*guard), ..(configuration.protocol)() };
        match without {
            Breaks(invariant) => {
                let checker = protocol.checker().finish_when(HasDiscoveries::AllOf([*invariant].into()));
                let path = checker.spawn_bfs().join().discovery(invariant);
                let steps = path.map(|path| path.into_actions().len());
                println!("without {guard:?}, {}: {steps:?} steps to break: {invariant}", configuration.name);
                assert!(steps.is_some(), "{}: nothing breaks without {guard:?}", configuration.name);
            }
            Prevents(milestone) => {
                let protocol = Protocol { milestones: [*milestone].into(), ..protocol };
                let path = protocol.checker().spawn_bfs().join().discovery(milestone.sentence());
                println!("without {guard:?}, {}: never: {}", configuration.name, milestone.sentence());
                assert!(path.is_none(), "{}: possible without {guard:?}", configuration.name);
            }
            Nothing => {
                println!("without {guard:?}, {}: everything holds", configuration.name);
                report::assert_invariants(&protocol.checker().spawn_bfs().join());
            }
        }
    }
}

#[test]
fn every_guard_has_one_row() {
    for guard in Guard::ALL {
        let rows = ROWS.iter().filter(|(named, _, _)| named == guard).count();
        assert_eq!(rows, 1, "{guard:?}");
    }
}

#[test]
fn the_page_lists_every_guard() {
    for (guard, configuration, without) in ROWS {
        let outcome = match without {
            Breaks(invariant) => invariant,
            Prevents(milestone) => milestone.sentence(),
            Nothing => "—",
        };
        let row = format!("| {} | {} | {outcome} |", guard.clause(), configuration.name);
        assert!(PAGE.contains(&row), "the page lacks: {row}");
    }
}

const PAGE: &str = include_str!("../../../docs/proofs.md");
