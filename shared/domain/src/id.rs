//! Public identifiers: a prefix that names the kind, then unguessable base62.

use std::fmt;

use crate::base62;

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
    /// An entry of an account's ledger: made by [`EntryId::numbered`], its ids sort as the entries were made.
    EntryId, "ent_", 22
);
identifier!(
    /// A login: the `jti` of its access token.
    SessionId, "jti_", 22
);
identifier!(
    /// A client session, which a backend makes for a frontend.
    ClientSessionId, "ses_", 22
);

impl EntryId {
    /// A fresh identifier of an account's entry of that number: 9 digits, so that ids sort as the entries were made, then
    /// 77 random bits.
    #[must_use]
    pub fn numbered(number: u64, fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let random = base62::random(Self::LENGTH - NUMBER_DIGITS, fill);
        Self(format!("{}{random}", base62::fixed_width(number.into(), NUMBER_DIGITS)))
    }

    /// The identifiers of an account's entries 1 and 2: always the same ones.
    #[must_use]
    pub fn first_two(account: &AccountId) -> [Self; 2] {
        let named = &account.suffix()[..Self::LENGTH - NUMBER_DIGITS];
        [1, 2].map(|number| Self(format!("{}{named}", base62::fixed_width(number, NUMBER_DIGITS))))
    }
}

/// Base62 digits of an entry's number.
const NUMBER_DIGITS: usize = 9;

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
    fn entries_sort_as_they_were_made() {
        let account = AccountId::mint(&mut |pool| pool.fill(7));
        let [first, mut last] = EntryId::first_two(&account);
        assert!(first < last);
        assert_eq!(EntryId::parse(&first.to_string()), Ok(first));
        for number in [3, 61, 62, 100_000, u64::from(u32::MAX)] {
            let id = EntryId::numbered(number, &mut |pool| pool.fill(0));
            assert_eq!(EntryId::parse(&id.to_string()), Ok(id.clone()));
            assert!(last < id, "{last} {id}");
            last = EntryId::numbered(number, &mut |pool| pool.fill(61));
        }
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
