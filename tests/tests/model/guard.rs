//! The guards of the protocol: every `IF` of a write and every rule that a requester keeps between two writes.

use std::collections::BTreeSet;

/// Declares the guards, each with the clause that it stands for.
macro_rules! guards {
    ($($name:ident => $clause:literal,)+) => {
        /// One guard of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Guard { $($name,)+ }

        impl Guard {
            /// Every guard there is.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];

            /// The clause in the words of the protocol.
            pub(crate) fn clause(self) -> &'static str {
                match self { $(Self::$name => $clause,)+ }
            }
        }
    };
}

guards! {
    AdmitActive => "ADMIT: st = A",
    AdmitCovered => "ADMIT: bal >= c",
    AdmitIsNew => "ADMIT: NOT q.i >= s",
    AdmitWindowOpen => "ADMIT: NOT w > k",
    AdmitBucketHolds => "ADMIT: m<k> >= 1",
    AdmitQuietBefore => "ADMIT opening a full bucket: NOT m<k-1> < tb",
    AdmitOpensOnce => "ADMIT opening a bucket with what was left: m<k> is absent",
    AdmitDayHolds => "ADMIT: NOT d<day> >= dl",
    AdmitTokenHeld => "ADMIT: p<k> >= 1",
    AdmitUnderCap => "ADMIT: size(l) < lc",
    AdmitCapCountsExpired => "ADMIT with EXPIRE: the cap is compared with what stays in l",
    AppliedIsAdmitted => "a refused ADMIT that shows q.i = s is an admission",
    AnsweredIsGone => "assumed: a write that was answered has no other copy on its way",
    LaneIsNew => "a new process writes under a lane of its own",
    NumberIsNew => "the next request of a lane takes a number above all that were used",
    ExpireHeld => "EXPIRE: l.<r> exists",
    FenceBeforeRefusal => "FENCE before a refusal while a copy is unanswered",
    FenceIsNew => "FENCE: NOT q.i >= s",
    FenceNumber => "FENCE takes a number of its own, s+1",
    DebitCovered => "DEBIT: av >= a",
    DebitInTurn => "DEBIT: NOT gs.C >= n",
    DebitUnswept => "DEBIT: the wallet's sweeps are those known before the cell was read",
    DebitReadsAgain => "DEBIT: when the wallet was swept meanwhile, the cell is read again",
    DebitInBudget => "DEBIT: a <= bc - gt as read",
    DebitTokensHeld => "DEBIT: m<k> >= t",
    DebitWindowOpen => "DEBIT: NOT w > k",
    DebitQuietBefore => "DEBIT opening a full bucket: NOT m<k-1> < tb",
    DebitOpensOnce => "DEBIT opening a bucket with what was left: m<k> is absent",
    GrantShownByWallet => "after a refused DEBIT, CREDIT takes what the wallet shows",
    CreditInTurn => "CREDIT: gs = n-1",
    ReturnCovered => "RETURN 1: bal >= r",
    ReturnInTurn => "RETURN 1: rs = n-1",
    ReturnAfterArrival => "RETURN 1: rr.C = n-1 or rk = n-1 was read before",
    ReturnShownByCell => "RETURN 2 takes what the cell shows",
    ArrivalInTurn => "RETURN 2: NOT rr.C >= n",
    ArrivalUnswept => "RETURN 2: the wallet's sweeps are those known before the cell was read",
    ArrivalReadsInOrder => "RETURN 2: who recalls reads the wallet before the cell",
    ArrivalAboveRead => "RETURN 2: who recalls hands in any return above rr.C and rk, not only the next",
    AckInTurn => "ACK: rs = n",
    AckAfterArrival => "ACK: rr.C >= n was read before",
    SweepInTurn => "SWEEP: the wallet's sweeps are those seen",
    SweepGrantUnchanged => "SWEEP: gs.C is the one seen",
    SweepReturnUnchanged => "SWEEP: rr.C is the one seen",
    SweepArrivedGrant => "SWEEP: the cell's gs >= gs.C was read",
    SweepAcknowledged => "SWEEP: the cell's rk >= rr.C was read, or written",
    SettleHeld => "SETTLE: l.<r> = the lease seen",
    SettleCaptured => "SETTLE: x.<r> = the lease seen",
    RecordIsNew => "SETTLE: the record does not exist",
    RecordFirst => "SETTLE: a record is put before the cell is touched",
    RecordCompared => "SETTLE: a record with another result is a conflict",
    SettleReadsAgain => "a refused SETTLE reads the cell again",
    DropBySettling => "an old entry of x is dropped by settling it: in full, or as recorded",
    RecallCellUnmoved => "RECALL: the cell's gs is the one read",
    RecallWalletUnmoved => "RECALL: the wallet's gs.C is the one read",
    RecallCovered => "RECALL: bal >= what is taken",
    RecallRevoked => "RECALL: st = R",
    RecallTakesNumber => "RECALL sets gs on both sides",
    RecallReadsAgain => "a refused RECALL reads cell and wallet again",
    RecallHandsIn => "RECALL ends only when the cell's last return has arrived",
    RetryRecalls => "a settlement answered as before still takes a revoked cell's refund home",
    AllocateCovered => "ALLOCATE: the account's av >= a",
    AllocateOnce => "ALLOCATE: the idempotency record does not exist",
    DepositOnce => "operator credit: the reference does not exist",
    LookUnchanged => "402: the wallet read again is unchanged",
    LookNothingPending => "402: no grant and no return is pending",
    LookCellsUnchanged => "402: the cells read again are unchanged",
}

/// The guards that are in force.
#[derive(Clone, Debug)]
pub(crate) struct Guards {
    absent: BTreeSet<Guard>,
}

impl Guards {
    /// All of them: the protocol as it is meant.
    pub(crate) fn all() -> Self {
        Self { absent: BTreeSet::new() }
    }

    /// The protocol with a hole in it.
    pub(crate) fn without(mut self, guard: Guard) -> Self {
        self.absent.insert(guard);
        self
    }

    /// Whether a guard is in force.
    pub(crate) fn keep(&self, guard: Guard) -> bool {
        !self.absent.contains(&guard)
    }

    /// Whether a write passes a guard: its condition holds, or nobody asks.
    pub(crate) fn pass(&self, guard: Guard, condition: bool) -> bool {
        condition || !self.keep(guard)
    }
}
