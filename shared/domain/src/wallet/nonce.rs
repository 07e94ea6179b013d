//! The one-time value that a sign-in message carries.

use std::fmt;
use std::str::FromStr;

use crate::base62;

/// 22 random base62 characters (130 bits), a valid `nonce` of EIP-4361 (eight or more letters and digits).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// A fresh nonce; `fill` must fill the slice it is given with random bytes.
    #[must_use]
    pub fn mint(fill: &mut dyn FnMut(&mut [u8])) -> Self {
        Self(base62::random(LENGTH, fill))
    }

    /// The 22 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Nonce {
    type Err = NonceError;

    /// Reads exactly 22 base62 characters.
    fn from_str(text: &str) -> Result<Self, NonceError> {
        let is_valid = text.len() == LENGTH && base62::is_base62(text);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(NonceError) }
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Nonce")
    }
}

/// The text is not shaped like a nonce of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a nonce is 22 letters and digits")]
pub struct NonceError;

/// How long a nonce may be used after it was issued, in seconds.
pub const NONCE_LIFETIME_SECONDS: u64 = 300;

const LENGTH: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn print_then_parse_is_the_same_nonce() {
        let nonce = Nonce::mint(&mut |pool| pool.fill(61));
        assert_eq!(nonce.as_str(), "zzzzzzzzzzzzzzzzzzzzzz");
        assert_eq!(nonce.to_string().parse(), Ok(nonce));
    }

    #[test]
    fn other_lengths_and_characters_are_refused() {
        for text in ["", "short", "00000000000000000000000", "000000000000000000000-", "00000000000000000000é"] {
            assert_eq!(text.parse::<Nonce>(), Err(NonceError), "{text}");
        }
    }
}
