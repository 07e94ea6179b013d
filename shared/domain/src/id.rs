//! Public identifiers: a prefix that names the kind, then unguessable base62.

use std::fmt;

use crate::{base62, time::Timestamp};

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// What every printed identifier of this kind begins with.
            pub const PREFIX: &'static str = $prefix;
            /// Base62 characters after the prefix.
            pub const LENGTH: usize = $length;

            /// A fresh identifier from random bytes.
            #[must_use]
            pub fn mint(fill: &mut dyn FnMut(&mut [u8])) -> Self {
                Self(base62::random($length, fill))
            }

            /// Reads the printed form.
            ///
            /// # Errors
            /// [`InvalidId`] unless the text is the prefix and exactly the right number of base62 characters.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix($prefix).ok_or(InvalidId).and_then(Self::from_suffix)
            }

            /// Reads the part after the prefix.
            ///
            /// # Errors
            /// [`InvalidId`] unless it is exactly the right number of base62 characters.
            pub fn from_suffix(text: &str) -> Result<Self, InvalidId> {
                if text.len() == $length && base62::is_base62(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId)
                }
            }

            /// The part after the prefix.
            #[must_use]
            pub fn suffix(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

identifier!(
    /// An account: one per wallet address. 22 characters carry 130 random bits.
    AccountId, "acc_", 22
);
identifier!(
    /// A project of an account.
    ProjectId, "prj_", 22
);
identifier!(
    /// An API key's public id: the same 16 characters that stand in the key itself.
    KeyId, "key_", 16
);
identifier!(
    /// An entry of an account's ledger: made by [`EntryId::at`], its ids sort by time.
    EntryId, "ent_", 22
);
identifier!(
    /// A login: the `jti` of its access token.
    SessionId, "jti_", 22
);

impl EntryId {
    /// A fresh identifier that sorts after those of earlier milliseconds: 9 digits of time, then 77 random bits.
    #[must_use]
    pub fn at(now: Timestamp, fill: &mut dyn FnMut(&mut [u8])) -> Self {
        Self(format!("{}{}", Self::time_digits(now), base62::random(Self::LENGTH - TIME_DIGITS, fill)))
    }

    /// The identifiers of an account's first two entries, in that order: always the same ones.
    #[must_use]
    pub fn first_two(account: &AccountId, at: Timestamp) -> [Self; 2] {
        let named = &account.suffix()[..Self::LENGTH - TIME_DIGITS - 1];
        ["0", "1"].map(|place| Self(format!("{}{named}{place}", Self::time_digits(at))))
    }

    fn time_digits(at: Timestamp) -> String {
        base62::fixed_width(at.epoch_ms().into(), TIME_DIGITS)
    }
}

/// Base62 digits that hold every instant in milliseconds.
const TIME_DIGITS: usize = 9;

/// A text that is not an identifier of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of this kind")]
pub struct InvalidId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_prints_and_reads_as_itself() {
        let id = AccountId::mint(&mut |pool| pool.fill(7));
        assert_eq!(AccountId::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn entries_sort_by_time() {
        let mut last = EntryId::at(Timestamp::from_epoch_ms(0), &mut |pool| pool.fill(61));
        for instant in [Timestamp::from_epoch_ms(1), Timestamp::from_epoch_s(1_760_000_000), Timestamp::MAX] {
            let id = EntryId::at(instant, &mut |pool| pool.fill(0));
            assert_eq!(EntryId::parse(&id.to_string()), Ok(id.clone()));
            assert!(last < id, "{last} {id}");
            last = id;
        }
        let account = AccountId::mint(&mut |pool| pool.fill(7));
        let [first, second] = EntryId::first_two(&account, Timestamp::MAX);
        assert!(first < second);
        assert_eq!(EntryId::parse(&second.to_string()), Ok(second));
    }

    #[test]
    fn other_kinds_lengths_and_alphabets_are_refused() {
        for text in
            ["", "acc_", "prj_7777777777777777777777", "acc_77777777777777777777777", "acc_777777777777777777777é"]
        {
            assert_eq!(AccountId::parse(text), Err(InvalidId), "{text}");
        }
    }
}
