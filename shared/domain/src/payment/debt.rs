//! What refunds do to an account's wallet: they take what is there, and what is not there is owed.

use crate::{
    ledger::{AccountWallet, Declined, credited},
    money::MicroUsd,
};

impl AccountWallet {
    /// The wallet after a refund of `amount`, and how much of it was there to be taken; the rest is owed.
    ///
    /// # Errors
    /// [`Declined::TooMuch`] where more than [`MicroUsd::MAX`] would be owed.
    pub fn taking(self, amount: MicroUsd) -> Result<(Self, MicroUsd), Declined> {
        let taken = amount.min(self.available);
        let owed = credited(self.owed, amount.minus(taken))?;
        Ok((self.moved(self.available.minus(taken), owed, taken), taken))
    }

    /// The wallet after a refund of `amount` came to nothing, and how much comes back; what was owed is paid by the rest.
    ///
    /// # Errors
    /// [`Declined::TooMuch`] where the wallet would hold more than [`MicroUsd::MAX`].
    pub fn giving_back(self, amount: MicroUsd) -> Result<(Self, MicroUsd), Declined> {
        let given = amount.minus(self.owed);
        let available = credited(self.available, given)?;
        Ok((self.moved(available, self.owed.minus(amount), given), given))
    }

    /// The wallet after what is there has paid what is owed, and how much that is; `None` where nothing can be paid.
    #[must_use]
    pub fn collecting(self) -> Option<(Self, MicroUsd)> {
        let paid = self.owed.min(self.available);
        let after = self.moved(self.available.minus(paid), self.owed.minus(paid), paid);
        (paid > MicroUsd::ZERO).then_some((after, paid))
    }

    /// A movement of nothing has no entry.
    fn moved(self, available: MicroUsd, owed: MicroUsd, amount: MicroUsd) -> Self {
        Self { available, owed, entries: self.entries + u64::from(amount > MicroUsd::ZERO) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    fn wallet(available: u64, owed: u64) -> AccountWallet {
        AccountWallet { available: usd(available), owed: usd(owed), entries: 3 }
    }

    /// What the account has, less what it owes.
    fn worth(wallet: AccountWallet) -> i128 {
        i128::from(wallet.available.micro_usd()) - i128::from(wallet.owed.micro_usd())
    }

    #[test]
    fn what_is_not_there_is_owed_and_taken_from_what_comes() {
        let (after, taken) = wallet(4, 0).taking(usd(10)).unwrap();
        assert_eq!((after.available, after.owed, taken, after.entries), (usd(0), usd(6), usd(4), 4));
        let (after, taken) = after.taking(usd(1)).unwrap();
        assert_eq!((after.owed, taken, after.entries), (usd(7), usd(0), 4), "a movement of nothing has no entry");
        assert_eq!(after.collecting(), None);
        let (after, paid) = AccountWallet { available: usd(9), ..after }.collecting().unwrap();
        assert_eq!((after.available, after.owed, paid, after.entries), (usd(2), usd(0), usd(7), 5));
    }

    #[test]
    fn nothing_is_cut_off_where_there_is_no_room() {
        let full = wallet(MicroUsd::MAX.micro_usd(), 0);
        assert_eq!(full.giving_back(usd(1)), Err(Declined::TooMuch));
        assert_eq!(wallet(0, MicroUsd::MAX.micro_usd()).taking(usd(1)), Err(Declined::TooMuch));
    }

    proptest! {
        #[test]
        fn no_refund_makes_or_loses_money(available in 0_u64..100, owed in 0_u64..100, amount in 0_u64..150) {
            let before = wallet(available, owed);
            let (after, taken) = before.taking(usd(amount)).unwrap();
            prop_assert_eq!(worth(after), worth(before) - i128::from(amount));
            prop_assert_eq!(after.available, before.available.minus(taken));
            let (back, given) = after.giving_back(usd(amount)).unwrap();
            prop_assert_eq!(worth(back), worth(before));
            prop_assert_eq!(back.available, after.available.plus(given));
            if let Some((after, paid)) = before.collecting() {
                prop_assert_eq!(worth(after), worth(before));
                prop_assert!(paid > MicroUsd::ZERO && (after.available == MicroUsd::ZERO || after.owed == MicroUsd::ZERO));
            }
        }
    }
}
