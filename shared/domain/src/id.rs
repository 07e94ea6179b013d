//! Public identifiers: a prefix that names the kind, then unguessable base62.

use std::fmt;

use sha2::{Digest as _, Sha256};

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
    /// An entry of an account's ledger: made by [`EntryId::numbered`], its ids sort as the entries were made.
    EntryId, "ent_", 22
);
identifier!(
    /// A webhook endpoint.
    WebhookId, "whk_", 22
);
identifier!(
    /// A webhook message, the same for all its deliveries: made by [`MessageId::of`], its ids sort as what they tell of
    /// happened.
    MessageId, "msg_", 26
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

impl MessageId {
    /// The identifier of what happened at `at` and is told apart from everything else by `parts`: 9 digits of the
    /// millisecond, then 101 bits of a hash. Whoever comes upon the same thing again gives it the same name.
    #[must_use]
    pub fn of(at: Timestamp, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let hash: [u8; 32] = hash.finalize().into();
        let [head @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash;
        let told_apart = base62::fixed_width(u128::from_be_bytes(head), Self::LENGTH - TIME_DIGITS);
        Self(format!("{}{told_apart}", base62::fixed_width(at.epoch_ms().into(), TIME_DIGITS)))
    }
}

/// Base62 digits of a message's millisecond: enough until the year 9999 and longer.
const TIME_DIGITS: usize = 9;
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
    fn messages_sort_as_it_happened_and_are_named_by_what_happened() {
        let at = Timestamp::from_epoch_ms;
        let named = MessageId::of(at(1_792_540_800_000), &["key.created", "key_1"]);
        assert_eq!(MessageId::parse(&named.to_string()), Ok(named.clone()));
        assert_eq!(named, MessageId::of(at(1_792_540_800_000), &["key.created", "key_1"]));
        assert_ne!(named, MessageId::of(at(1_792_540_800_000), &["key.createdk", "ey_1"]));
        assert!(named < MessageId::of(at(1_792_540_800_001), &["a"]));
        assert!(MessageId::of(Timestamp::MAX, &[]) > MessageId::of(at(1_792_540_800_001), &["z"]));
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
