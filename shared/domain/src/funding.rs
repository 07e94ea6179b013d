//! How money moves from a project to its cells: debited first, credited second, each step once.

use crate::{cell::Purse, money::MicroUsd};

/// A grant: an amount and its number in the sequence of one cell's grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The amount.
    pub amount: MicroUsd,
    /// Its number: one more than the last the cell received.
    pub seq: u64,
}

/// A project's money, as one cell's request sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// What is not granted to any cell.
    pub available: MicroUsd,
    /// Cells that ever received a grant.
    pub children: u64,
    /// The last grant debited for this cell.
    pub last: Option<Grant>,
}

/// What a cell that lacks money should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funding {
    /// Credit this grant: it has been debited already, by this request or by one that did not live to credit it.
    Credit(Grant),
    /// Debit this one.
    Debit(Grant),
    /// Look at the cell again: it has received more than the wallet had debited when it was read.
    Reread,
    /// Nothing: the project cannot pay.
    Dry,
}

impl Wallet {
    /// How `purse` gets at least `shortage`.
    ///
    /// The slice is large while there is plenty and shrinks to the bare shortage near exhaustion, so that no cell
    /// sits on money which another needs.
    #[must_use]
    pub fn fund(&self, purse: &Purse, cost: MicroUsd, shortage: MicroUsd) -> Funding {
        let next_seq = purse.grant_seq + 1;
        match self.last {
            Some(last) if last.seq == next_seq => return Funding::Credit(last),
            Some(last) if last.seq > next_seq => return Funding::Reread,
            _ => {}
        }
        if self.available < shortage || purse.room() < shortage {
            return Funding::Dry;
        }
        let share = self.available.micro_usd() / (2 * self.children.max(1));
        let most = cost.micro_usd().saturating_mul(MAX_SLICE_REQUESTS).min(purse.room().micro_usd());
        let amount = share.min(most).max(shortage.micro_usd());
        MicroUsd::new(amount).map_or(Funding::Dry, |amount| Funding::Debit(Grant { amount, seq: next_seq }))
    }
}

/// A slice pays for at most this many requests.
const MAX_SLICE_REQUESTS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    fn purse(granted: u64, grant_seq: u64, budget: Option<u64>) -> Purse {
        Purse { balance: MicroUsd::ZERO, granted: usd(granted), grant_seq, budget: budget.map(usd) }
    }

    fn wallet(available: u64, last: Option<(u64, u64)>) -> Wallet {
        let last = last.map(|(amount, seq)| Grant { amount: usd(amount), seq });
        Wallet { available: usd(available), children: 1, last }
    }

    #[test]
    fn a_slice_shrinks_as_the_wallet_empties() {
        let fund = |available| wallet(available, None).fund(&purse(0, 0, None), usd(10), usd(10));
        let debit = |amount| Funding::Debit(Grant { amount: usd(amount), seq: 1 });
        assert_eq!(fund(1_000_000), debit(1_000));
        assert_eq!(fund(100), debit(50));
        assert_eq!(fund(12), debit(10));
        assert_eq!(fund(9), Funding::Dry);
    }

    #[test]
    fn a_slice_never_exceeds_the_budget() {
        let fund = |granted| wallet(1_000_000, None).fund(&purse(granted, 0, Some(100)), usd(10), usd(10));
        assert_eq!(fund(0), Funding::Debit(Grant { amount: usd(100), seq: 1 }));
        assert_eq!(fund(85), Funding::Debit(Grant { amount: usd(15), seq: 1 }));
        assert_eq!(fund(95), Funding::Dry);
    }

    #[test]
    fn a_grant_that_was_debited_is_credited_before_another_is_debited() {
        let pending = wallet(0, Some((70, 4)));
        assert_eq!(
            pending.fund(&purse(0, 3, None), usd(10), usd(10)),
            Funding::Credit(Grant { amount: usd(70), seq: 4 })
        );
        assert_eq!(pending.fund(&purse(0, 2, None), usd(10), usd(10)), Funding::Reread);
        assert_eq!(pending.fund(&purse(0, 4, None), usd(10), usd(10)), Funding::Dry);
    }
}
