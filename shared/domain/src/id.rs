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
    /// A login: the `jti` of its access token.
    SessionId, "jti_", 22
);

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
    fn other_kinds_lengths_and_alphabets_are_refused() {
        for text in
            ["", "acc_", "prj_7777777777777777777777", "acc_77777777777777777777777", "acc_777777777777777777777é"]
        {
            assert_eq!(AccountId::parse(text), Err(InvalidId), "{text}");
        }
    }
}
