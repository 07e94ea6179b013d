//! Long-lived secrets as types, in a current and a previous version.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// HMAC-SHA256 (RFC 2104, FIPS 180-4) under a secret of at least 32 bytes.
pub struct MacSecret(SecretSlice<u8>);

impl MacSecret {
    /// The shortest secret that is accepted, in bytes.
    pub const MIN_BYTES: usize = 32;

    /// Takes ownership of secret bytes.
    ///
    /// # Errors
    /// [`SecretTooShort`] below [`MacSecret::MIN_BYTES`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, SecretTooShort> {
        if bytes.len() < Self::MIN_BYTES { Err(SecretTooShort) } else { Ok(Self(bytes.into())) }
    }

    /// The 32-byte tag of `parts`, joined without separators.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes keys of any length: `new_from_slice` cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else {
            unreachable!("hmac accepts every key length")
        };
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether `tag` is that of `parts`; compared in constant time.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.mac(parts).ct_eq(tag).into()
    }
}

impl fmt::Debug for MacSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("MacSecret")
    }
}

/// A secret shorter than [`MacSecret::MIN_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret must have at least 32 bytes")]
pub struct SecretTooShort;

/// A secret in rotation: new work uses `current`, old work is still recognised under `previous`.
#[derive(Clone, Debug)]
pub struct Versions<T> {
    /// What new work uses.
    pub current: T,
    /// What was current before the last rotation.
    pub previous: Option<T>,
}

impl<T> Versions<T> {
    /// The current version, then the previous one.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.current).chain(self.previous.as_ref())
    }

    /// The same rotation of something made from each version.
    pub fn map<U>(&self, mut make: impl FnMut(&T) -> U) -> Versions<U> {
        Versions { current: make(&self.current), previous: self.previous.as_ref().map(make) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = MacSecret::new(b"a very long secret that nobody may see".to_vec()).unwrap();
        assert_eq!(format!("{secret:?}"), "MacSecret");
    }

    #[test]
    fn short_secrets_are_refused() {
        assert_eq!(MacSecret::new(vec![0; 31]).err(), Some(SecretTooShort));
    }

    #[test]
    fn splitting_the_input_does_not_change_the_tag() {
        let secret = MacSecret::new(vec![7; 32]).unwrap();
        assert_eq!(secret.mac(&[b"ab", b"c"]), secret.mac(&[b"abc"]));
    }
}
