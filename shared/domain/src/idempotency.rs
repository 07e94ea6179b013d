//! The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header-07): the same request twice is done once.

use sha2::{Digest, Sha256};

use crate::{cell::CellId, time::Timestamp};

/// A key that a caller chose for one request: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// How long a repeated request gets the first answer, in seconds.
    pub const LIFETIME_S: u64 = 600;

    /// Reads the header's value.
    ///
    /// # Errors
    /// [`InvalidIdempotencyKey`] when it is empty, too long, or not visible ASCII.
    pub fn parse(value: &[u8]) -> Result<Self, InvalidIdempotencyKey> {
        if value.is_empty() || value.len() > MAX_BYTES || !value.iter().all(u8::is_ascii_graphic) {
            return Err(InvalidIdempotencyKey);
        }
        Ok(Self(value.iter().copied().map(char::from).collect()))
    }

    /// The name of the record that remembers the answer: one per caller, operation and key.
    #[must_use]
    pub fn record_name(&self, caller: &CellId, operation: &str) -> String {
        let mut digest = Sha256::new();
        for part in [&caller.partition(), operation, &self.0] {
            // Lengths keep neighbours apart.
            digest.update(part.len().to_be_bytes());
            digest.update(part.as_bytes());
        }
        format!("{RECORD_PREFIX}{}", hex::encode(digest.finalize()))
    }
}

/// SHA-256 of a request's body: two requests are the same when these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a body, byte for byte.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }
}

/// What a record of an earlier request means for this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedent {
    /// Nothing: it has been forgotten.
    Forgotten,
    /// The same request: it gets the same answer.
    Same,
    /// Another request under the same key.
    Other,
}

impl Precedent {
    /// Compares a record, which ends at `end`, with a request.
    #[must_use]
    pub fn of(record: Fingerprint, end: Timestamp, request: Fingerprint, now: Timestamp) -> Self {
        if end <= now {
            Self::Forgotten
        } else if record == request {
            Self::Same
        } else {
            Self::Other
        }
    }
}

/// A header value that is no idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 visible ascii characters")]
pub struct InvalidIdempotencyKey;

const MAX_BYTES: usize = 255;
const RECORD_PREFIX: &str = "idm_";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AccountId, KeyId};

    #[test]
    fn odd_keys_are_refused() {
        for value in [&b""[..], b"a b", b"a\t", "é".as_bytes(), &[b'a'; 256]] {
            assert_eq!(IdempotencyKey::parse(value), Err(InvalidIdempotencyKey));
        }
        assert!(IdempotencyKey::parse(&[b'~'; 255]).is_ok());
    }

    #[test]
    fn a_record_belongs_to_one_caller_one_operation_and_one_key() {
        let key = |text: &str| IdempotencyKey::parse(text.as_bytes()).unwrap();
        let session = CellId::Session(AccountId::mint(&mut |pool| pool.fill(1)));
        let other = CellId::Key(KeyId::mint(&mut |pool| pool.fill(1)));
        let name = key("k").record_name(&session, "create");
        assert_eq!(name, key("k").record_name(&session, "create"));
        assert_eq!(name.len(), 68);
        for another in [
            key("l").record_name(&session, "create"),
            key("k").record_name(&other, "create"),
            key("ek").record_name(&session, "creat"),
        ] {
            assert_ne!(name, another);
        }
    }

    #[test]
    fn a_precedent_is_forgotten_at_its_end() {
        let (one, two) = (Fingerprint::of(b"1"), Fingerprint::of(b"2"));
        let at = Timestamp::from_epoch_s;
        assert_eq!(Precedent::of(one, at(10), one, at(9)), Precedent::Same);
        assert_eq!(Precedent::of(one, at(10), two, at(9)), Precedent::Other);
        assert_eq!(Precedent::of(one, at(10), two, at(10)), Precedent::Forgotten);
    }
}
