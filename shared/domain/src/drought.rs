//! What a look at all cells of a project found that had too little for a call.

use crate::{
    cell::Cell,
    denial::{Denial, LimitSource},
    funding::Wallet,
    money::MicroUsd,
    time::Timestamp,
};

/// Too little: when that was seen, for what, and what the cells held then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drought {
    /// When the look began.
    pub at: Timestamp,
    /// What was lacking, in the wallet and in all cells together.
    pub shortage: MicroUsd,
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
    /// The 402 of a project that lacks this, and whose cells hold nothing that could be taken back.
    #[must_use]
    pub fn denial(&self, wallet: &Wallet) -> Denial {
        let Holdings { held, reserved, first_end } = self.holdings;
        let may_return = wallet.available.plus(reserved) >= self.shortage;
        Denial::InsufficientCredits {
            source: LimitSource::Project,
            spent: wallet.allocated.minus(wallet.available).minus(held).minus(reserved),
            reserved,
            limit: Some(wallet.allocated),
            retry_at: first_end.filter(|_| may_return),
        }
    }

    /// The 402 of a call that lacks at least as much so soon after the look that another would find the same: what has come
    /// back to a cell since is found a second later.
    #[must_use]
    pub fn again(&self, wallet: &Wallet, shortage: MicroUsd, now: Timestamp) -> Option<Denial> {
        let is_fresh = self.at <= now && self.at.ms_until(now) < BELIEVED_MS;
        (is_fresh && shortage >= self.shortage).then(|| Self { shortage, ..*self }.denial(wallet))
    }
}

/// A little less than the second within which changes are seen.
const BELIEVED_MS: u64 = 900;

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    #[test]
    fn a_look_is_believed_for_a_moment_and_for_no_less_than_it_looked_for() {
        let seen = Drought { at: Timestamp::from_epoch_ms(5_000), shortage: usd(10), holdings: Holdings::default() };
        let wallet = Wallet { available: usd(4), allocated: usd(100), ..Wallet::default() };
        let again = |shortage, ms| seen.again(&wallet, usd(shortage), Timestamp::from_epoch_ms(ms)).is_some();
        for (shortage, ms, holds) in
            [(10, 5_000, true), (11, 5_899, true), (10, 5_900, false), (9, 5_000, false), (10, 4_999, false)]
        {
            assert_eq!(again(shortage, ms), holds, "{shortage} {ms}");
        }
    }

    #[test]
    fn what_is_reserved_may_come_back_and_is_not_spent() {
        let end = Some(Timestamp::from_epoch_s(60));
        let holdings = Holdings { held: usd(3), reserved: usd(8), first_end: end };
        let wallet = Wallet { available: usd(4), allocated: usd(100), ..Wallet::default() };
        for (shortage, back) in [(12, end), (13, None)] {
            let denial = Drought { at: Timestamp::from_epoch_s(0), shortage: usd(shortage), holdings }.denial(&wallet);
            let Denial::InsufficientCredits { spent, reserved, limit, retry_at, .. } = denial else { panic!() };
            assert_eq!((spent, reserved, limit, retry_at), (usd(85), usd(8), Some(usd(100)), back));
        }
    }
}
