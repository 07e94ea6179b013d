//! How money moves back from a cell to its project: at once, and fenced against every grant still on its way.
//!
//! A grant is debited from the wallet first and credited to the cell second. Moving money back takes over a grant
//! that was only debited, and uses up the next number in both places, so that neither a debit nor a credit that was
//! computed before can be applied after.

use crate::{
    cell::{CellId, Purse},
    funding::Wallet,
    money::MicroUsd,
};

/// One movement back, applied to cell and wallet together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recall {
    /// The cell's last grant, which must still be its last.
    pub grant_seq: u64,
    /// The wallet's last debit for the cell, which must still be the last; `None` if it knows of none.
    pub debited_seq: Option<u64>,
    /// The number of the last grant in both places afterwards.
    pub next_seq: u64,
    /// Debited before and never credited: arrives in the cell with this movement.
    pub absorbed: MicroUsd,
    /// Goes back to the wallet.
    pub returned: MicroUsd,
    /// Whether the wallet is one whose entries are swept.
    pub is_swept: bool,
}

impl Recall {
    /// Brings a cell under a budget: what it holds above that goes back, what it has spent stays spent.
    #[must_use]
    pub fn under(budget: MicroUsd, child: &CellId, purse: &Purse, wallet: &Wallet) -> Self {
        let absorbed = wallet.pending(child, purse).map_or(MicroUsd::ZERO, |grant| grant.amount);
        let unspent = purse.balance.plus(absorbed);
        let kept = unspent.min(budget.minus(purse.spent()).minus(purse.reserved));
        Self {
            grant_seq: purse.grant_seq,
            debited_seq: wallet.find(child).map(|child| child.last.seq).filter(|seq| *seq > 0),
            next_seq: purse.grant_seq + 1,
            absorbed,
            returned: unspent.minus(kept),
            is_swept: wallet.sweeps.is_some(),
        }
    }

    /// Takes everything back from a cell that has ended, and closes it to any further grant. What a late settlement
    /// puts into a closed cell is taken back in the same way.
    #[must_use]
    pub fn all(child: &CellId, purse: &Purse, wallet: &Wallet) -> Self {
        let next_seq = (purse.grant_seq + 1).max(CLOSED);
        Self { next_seq, ..Self::under(MicroUsd::ZERO, child, purse, wallet) }
    }

    /// Whether a cell that has ended was closed before, and nothing is left to take back.
    #[must_use]
    pub fn is_done(purse: &Purse) -> bool {
        purse.grant_seq >= CLOSED && purse.balance == MicroUsd::ZERO
    }

    /// What the cell's balance and grants lose.
    #[must_use]
    pub fn lost(&self) -> MicroUsd {
        self.returned.minus(self.absorbed)
    }

    /// What the cell's balance and grants gain.
    #[must_use]
    pub fn gained(&self) -> MicroUsd {
        self.absorbed.minus(self.returned)
    }
}

/// Higher than any grant's number: 2⁶² grants never happen.
pub const CLOSED: u64 = 1 << 62;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        funding::{Child, Grant},
        id::KeyId,
    };

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    fn purse(balance: u64, granted: u64) -> Purse {
        Purse { balance: usd(balance), granted: usd(granted), grant_seq: 4, ..Purse::empty(None) }
    }

    fn child() -> CellId {
        CellId::Key(KeyId::mint(&mut |pool| pool.fill(1)))
    }

    fn wallet(last: Option<(u64, u64)>) -> Wallet {
        let child_of = |(amount, seq)| Child { last: Grant { amount: usd(amount), tokens: None, seq }, returned: 0 };
        Wallet { children: last.map(|last| (child(), child_of(last))).into_iter().collect(), ..Wallet::default() }
    }

    #[test]
    fn a_refund_to_a_closed_cell_is_taken_back_under_the_next_number() {
        let closed = Purse { grant_seq: CLOSED, ..purse(7, 7) };
        assert!(!Recall::is_done(&closed));
        let recall = Recall::all(&child(), &closed, &wallet(Some((0, CLOSED))));
        assert_eq!((recall.returned, recall.next_seq, recall.debited_seq), (usd(7), CLOSED + 1, Some(CLOSED)));
        assert!(Recall::is_done(&Purse { grant_seq: CLOSED + 1, ..purse(0, 0) }));
    }

    #[test]
    fn what_is_reserved_stays_under_the_budget() {
        let purse = Purse { reserved: usd(30), ..purse(40, 100) };
        let recall = Recall::under(usd(70), &child(), &purse, &wallet(Some((40, 4))));
        assert_eq!(recall.returned, usd(30));
    }

    #[test]
    fn what_exceeds_the_budget_goes_back_as_far_as_it_is_unspent() {
        for (budget, returned) in [(100, 0), (70, 30), (60, 40), (0, 40)] {
            let recall = Recall::under(usd(budget), &child(), &purse(40, 100), &wallet(Some((40, 4))));
            assert_eq!((recall.returned, recall.absorbed), (usd(returned), usd(0)), "{budget}");
        }
    }

    #[test]
    fn a_grant_on_its_way_is_taken_over() {
        let recall = Recall::under(usd(100), &child(), &purse(40, 100), &wallet(Some((25, 5))));
        assert_eq!((recall.absorbed, recall.returned, recall.next_seq), (usd(25), usd(25), 5));
        let recall = Recall::all(&child(), &purse(40, 100), &wallet(Some((25, 5))));
        assert_eq!((recall.returned, recall.lost()), (usd(65), usd(40)));
        assert!(Recall::is_done(&Purse { grant_seq: recall.next_seq, ..purse(0, 0) }));
    }

    proptest! {
        #[test]
        fn no_money_is_made_or_lost(
            budget in 0_u64..200, spent in 0_u64..100, balance in 0_u64..100, pending in prop::option::of(0_u64..100),
        ) {
            let purse = purse(balance, spent + balance);
            let recall = Recall::under(usd(budget), &child(), &purse, &wallet(pending.map(|amount| (amount, 5))));
            let after = purse.balance.plus(recall.gained()).minus(recall.lost());
            let before = balance + pending.unwrap_or(0);
            prop_assert_eq!(after.plus(recall.returned), usd(before));
            let granted = purse.granted.plus(recall.gained()).minus(recall.lost());
            prop_assert!(granted <= usd(budget.max(spent)));
        }
    }

    #[test]
    fn an_entry_that_never_had_a_grant_is_no_debit() {
        let debited = |seq| Recall::under(usd(0), &child(), &purse(1, 1), &wallet(Some((0, seq)))).debited_seq;
        assert_eq!((debited(0), debited(1)), (None, Some(1)));
    }
}
