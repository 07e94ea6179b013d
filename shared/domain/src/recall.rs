//! How money moves back from a cell to its project: at once, and fenced against every grant still on its way.
//!
//! A grant is debited from the wallet first and credited to the cell second. Moving money back takes over a grant
//! that was only debited, and uses up the next number in both places, so that neither a debit nor a credit that was
//! computed before can be applied after.

use crate::{
    cell::Purse,
    funding::{Grant, Wallet},
    money::MicroUsd,
};

/// One movement back, applied to cell and wallet together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recall {
    /// The cell's last grant, which must still be its last.
    pub grant_seq: u64,
    /// The wallet's last debit for the cell, which must still be the last; `None` if there was none.
    pub debited_seq: Option<u64>,
    /// The number of the last grant in both places afterwards.
    pub next_seq: u64,
    /// Debited before and never credited: arrives in the cell with this movement.
    pub absorbed: MicroUsd,
    /// Goes back to the wallet.
    pub returned: MicroUsd,
}

impl Recall {
    /// Brings a cell under a budget: what it holds above that goes back, what it has spent stays spent.
    #[must_use]
    pub fn under(budget: MicroUsd, purse: &Purse, wallet: &Wallet) -> Self {
        let absorbed = pending(purse, wallet).map_or(MicroUsd::ZERO, |grant| grant.amount);
        let unspent = purse.balance.plus(absorbed);
        let kept = unspent.min(budget.minus(purse.spent()));
        Self {
            grant_seq: purse.grant_seq,
            debited_seq: wallet.last.map(|grant| grant.seq),
            next_seq: purse.grant_seq + 1,
            absorbed,
            returned: unspent.minus(kept),
        }
    }

    /// Takes everything back from a cell that has ended, and closes it to any further grant.
    #[must_use]
    pub fn all(purse: &Purse, wallet: &Wallet) -> Self {
        Self { next_seq: CLOSED, ..Self::under(MicroUsd::ZERO, purse, wallet) }
    }

    /// Whether a cell that has ended was closed before: nothing is left to take back.
    #[must_use]
    pub fn is_done(purse: &Purse) -> bool {
        purse.grant_seq == CLOSED
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

/// A grant that was debited for the cell and has not reached it.
fn pending(purse: &Purse, wallet: &Wallet) -> Option<Grant> {
    wallet.last.filter(|grant| grant.seq == purse.grant_seq + 1)
}

/// Higher than any grant's number: 2⁶² grants never happen.
pub const CLOSED: u64 = 1 << 62;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    fn purse(balance: u64, granted: u64) -> Purse {
        Purse { balance: usd(balance), granted: usd(granted), grant_seq: 4, budget: None }
    }

    fn wallet(last: Option<(u64, u64)>) -> Wallet {
        let last = last.map(|(amount, seq)| Grant { amount: usd(amount), seq });
        Wallet { available: usd(0), children: 1, last }
    }

    #[test]
    fn what_exceeds_the_budget_goes_back_as_far_as_it_is_unspent() {
        for (budget, returned) in [(100, 0), (70, 30), (60, 40), (0, 40)] {
            let recall = Recall::under(usd(budget), &purse(40, 100), &wallet(Some((40, 4))));
            assert_eq!((recall.returned, recall.absorbed), (usd(returned), usd(0)), "{budget}");
        }
    }

    #[test]
    fn a_grant_on_its_way_is_taken_over() {
        let recall = Recall::under(usd(100), &purse(40, 100), &wallet(Some((25, 5))));
        assert_eq!((recall.absorbed, recall.returned, recall.next_seq), (usd(25), usd(25), 5));
        let recall = Recall::all(&purse(40, 100), &wallet(Some((25, 5))));
        assert_eq!((recall.returned, recall.lost()), (usd(65), usd(40)));
        assert!(Recall::is_done(&Purse { grant_seq: recall.next_seq, ..purse(0, 0) }));
    }

    proptest! {
        #[test]
        fn no_money_is_made_or_lost(
            budget in 0_u64..200, spent in 0_u64..100, balance in 0_u64..100, pending in prop::option::of(0_u64..100),
        ) {
            let purse = purse(balance, spent + balance);
            let recall = Recall::under(usd(budget), &purse, &wallet(pending.map(|amount| (amount, 5))));
            let after = purse.balance.plus(recall.gained()).minus(recall.lost());
            let before = balance + pending.unwrap_or(0);
            prop_assert_eq!(after.plus(recall.returned), usd(before));
            let granted = purse.granted.plus(recall.gained()).minus(recall.lost());
            prop_assert!(granted <= usd(budget.max(spent)));
        }
    }
}
