//! What a look at all cells of a project found that had too little for a call.

use crate::{
    cell::Cell,
    denial::{Denial, LimitSource},
    funding::Wallet,
    money::MicroUsd,
    time::Timestamp,
};

/// Too little: when that was so, for what, and what the cells held then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drought {
    /// A moment at which it was so: between two looks that found the same.
    pub at: Timestamp,
    /// More than wallet and cells had together, the cell that asked among them.
    pub price: MicroUsd,
    /// What the cells held.
    pub holdings: Holdings,
}

/// What the cells of a project hold together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Their balances.
    pub held: MicroUsd,
    /// What their calls have reserved.
    pub reserved: MicroUsd,
    /// When the first of those calls must be settled.
    pub first_end: Option<Timestamp>,
}

impl Holdings {
    /// The sums of these cells.
    pub fn of<'c>(cells: impl Iterator<Item = &'c Cell>) -> Self {
        cells.fold(Self::default(), |sum, cell| Self {
            held: sum.held.plus(cell.purse.balance),
            reserved: sum.reserved.plus(cell.purse.reserved),
            first_end: sum.first_end.into_iter().chain(cell.leases.first_end()).min(),
        })
    }
}

impl Drought {
    /// The 402 of a cell that lacks `shortage`, in a project whose cells hold nothing that could be taken back.
    #[must_use]
    pub fn denial(&self, wallet: &Wallet, shortage: MicroUsd) -> Denial {
        let Holdings { held, reserved, first_end } = self.holdings;
        let may_return = wallet.available.plus(reserved) >= shortage;
        Denial::InsufficientCredits {
            source: LimitSource::Project,
            spent: wallet.allocated.minus(wallet.available).minus(held).minus(reserved),
            reserved,
            limit: Some(wallet.allocated),
            retry_at: first_end.filter(|_| may_return),
        }
    }

    /// Whether a cell that holds `balance` and lacks `shortage` would find the same, as far as that can be told without
    /// another look: so soon after this one, and for no lower price. What has come back to a cell since is found later.
    #[must_use]
    pub fn holds_for(&self, balance: MicroUsd, shortage: MicroUsd, now: Timestamp) -> bool {
        let apart_ms = self.at.ms_until(now).max(now.ms_until(self.at));
        apart_ms < BELIEVED_MS && balance.plus(shortage) >= self.price
    }
}

/// A little less than the second within which changes are seen.
const BELIEVED_MS: u64 = 900;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        attempt::tests::cell as any_cell,
        cell::Purse,
        charge::ChargeNonce,
        lease::{Lease, Leases},
    };

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    #[test]
    fn a_look_is_believed_for_a_moment_and_for_no_lower_price() {
        let seen = Drought { at: Timestamp::from_epoch_ms(5_000), price: usd(10), holdings: Holdings::default() };
        for (balance, shortage, ms, holds) in [
            (0, 10, 5_000, true),
            (7, 4, 5_899, true),
            (0, 10, 5_900, false),
            (4, 5, 5_000, false),
            // Somebody's clock is ahead.
            (0, 10, 4_101, true),
            (0, 10, 4_100, false),
        ] {
            let now = Timestamp::from_epoch_ms(ms);
            assert_eq!(seen.holds_for(usd(balance), usd(shortage), now), holds, "{balance} {shortage} {ms}");
        }
    }

    #[test]
    fn what_is_reserved_may_come_back_and_is_not_spent() {
        let end = Some(Timestamp::from_epoch_s(60));
        let holdings = Holdings { held: usd(3), reserved: usd(8), first_end: end };
        let wallet = Wallet { available: usd(4), allocated: usd(100), ..Wallet::default() };
        let drought = Drought { at: Timestamp::from_epoch_s(0), price: usd(20), holdings };
        for (shortage, back) in [(12, end), (13, None)] {
            let denial = drought.denial(&wallet, usd(shortage));
            let Denial::InsufficientCredits { spent, reserved, limit, retry_at, .. } = denial else { panic!() };
            assert_eq!((spent, reserved, limit, retry_at), (usd(85), usd(8), Some(usd(100)), back));
        }
    }

    #[test]
    fn holdings_are_the_sums_of_the_cells() {
        let cell = |balance, end: Option<u64>| {
            let lease = |end| (ChargeNonce::mint(&mut |pool| pool.fill(1)), Lease { amount: usd(2), end });
            let held = end.map(Timestamp::from_epoch_s).map(lease).into_iter().collect();
            let purse = Purse { balance: usd(balance), reserved: usd(2), ..Purse::empty(None) };
            Cell { purse, leases: Leases { held, ..Leases::default() }, ..any_cell() }
        };
        let cells = [cell(1, Some(90)), cell(5, None), cell(3, Some(60))];
        let first_end = Some(Timestamp::from_epoch_s(60));
        assert_eq!(Holdings::of(cells.iter()), Holdings { held: usd(9), reserved: usd(6), first_end });
    }
}
