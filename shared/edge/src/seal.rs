//! Seals answers that may be repeated for a while, and what webhooks are signed under, so that the table holds nothing anybody
//! can read.
//!
//! ```text
//! 01 ............ ...........................
//! │  └nonce (12)  └AES-256-GCM ciphertext, tag (16)
//! └format
//! ```
//! The key is drawn from the secret for one record, and the record's name is authenticated with the text: a sealed
//! answer that is copied to another record opens nowhere.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use faregate_domain::secret::{MacSecret, Versions};
use secrecy::SecretString;

use crate::entropy;

/// Seals `text` for the record of that name under the current secret.
///
/// # Errors
/// [`SealError::Unsealable`] when the cipher refuses, which it does for texts above 64 GiB only.
pub fn seal(secrets: &Versions<MacSecret>, record: &str, text: &str) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_LEN];
    entropy::fill(&mut nonce);
    let key = key_for(&secrets.current, record)?;
    let mut body = text.as_bytes().to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(record.as_bytes()), &mut body)
        .map_err(|_| SealError::Unsealable)?;
    Ok([&[FORMAT][..], &nonce, &body].concat())
}

/// Opens what [`seal`] made for the same record, under whichever version of the secret fits.
///
/// # Errors
/// [`SealError::Unopenable`] when it was made for another record, under a forgotten secret, or was changed.
pub fn open(secrets: &Versions<MacSecret>, record: &str, sealed: &[u8]) -> Result<SecretString, SealError> {
    for secret in secrets.iter() {
        if let Some(text) = opened_under(secret, record, sealed)? {
            return String::from_utf8(text).map(SecretString::from).map_err(|_| SealError::Unopenable);
        }
    }
    Err(SealError::Unopenable)
}

fn opened_under(secret: &MacSecret, record: &str, sealed: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
    let Some((&FORMAT, rest)) = sealed.split_first() else { return Err(SealError::Unopenable) };
    let Some((nonce, body)) = rest.split_first_chunk::<NONCE_LEN>() else { return Err(SealError::Unopenable) };
    let mut text = body.to_vec();
    let key = key_for(secret, record)?;
    let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(record.as_bytes()), &mut text);
    Ok(opened.ok().map(|opened| opened.to_vec()))
}

/// Whether it opens under the current version of the secret, so that the next rotation leaves it readable.
#[must_use]
pub fn is_current(secrets: &Versions<MacSecret>, record: &str, sealed: &[u8]) -> bool {
    opened_under(&secrets.current, record, sealed).is_ok_and(|opened| opened.is_some())
}

/// Why something could not be sealed or opened; never says anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The cipher refused the text.
    #[error("the text cannot be sealed")]
    Unsealable,
    /// It is not what was sealed for this record, or the secret has been forgotten.
    #[error("the sealed text does not open")]
    Unopenable,
}

fn key_for(secret: &MacSecret, record: &str) -> Result<LessSafeKey, SealError> {
    let bytes = secret.mac(&[PURPOSE, record.as_bytes()]);
    UnboundKey::new(&AES_256_GCM, &bytes).map(LessSafeKey::new).map_err(|_| SealError::Unsealable)
}

const FORMAT: u8 = 1;
/// Keeps these keys apart from anything else that may ever be drawn from the secret.
const PURPOSE: &[u8] = b"faregate sealed answer 1\0";

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn versions(current: u8, previous: Option<u8>) -> Versions<MacSecret> {
        let secret = |byte| MacSecret::new(vec![byte; 32]).unwrap();
        Versions { current: secret(current), previous: previous.map(secret) }
    }

    #[test]
    fn what_was_sealed_opens_and_shows_nothing_before() {
        let sealed = seal(&versions(1, None), "a", "a secret answer").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        let opened = open(&versions(1, None), "a", &sealed).unwrap();
        assert_eq!(opened.expose_secret(), "a secret answer");
    }

    #[test]
    fn a_rotation_is_survived_once() {
        let sealed = seal(&versions(1, None), "a", "text").unwrap();
        assert!(open(&versions(2, Some(1)), "a", &sealed).is_ok());
        assert_eq!(open(&versions(3, Some(2)), "a", &sealed).err(), Some(SealError::Unopenable));
    }

    #[test]
    fn what_the_next_rotation_would_leave_unreadable_is_known() {
        let sealed = seal(&versions(1, None), "a", "text").unwrap();
        assert!(is_current(&versions(1, Some(9)), "a", &sealed));
        assert!(!is_current(&versions(2, Some(1)), "a", &sealed));
        assert!(!is_current(&versions(1, None), "b", &sealed));
    }

    #[test]
    fn another_record_or_a_changed_byte_opens_nothing() {
        let secrets = versions(1, None);
        let sealed = seal(&secrets, "a", "text").unwrap();
        assert!(open(&secrets, "b", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(open(&secrets, "a", &changed).is_err(), "byte {place}");
        }
        for length in 0..sealed.len() {
            assert!(open(&secrets, "a", &sealed[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_alike() {
        let secrets = versions(1, None);
        assert_ne!(seal(&secrets, "a", "text").unwrap(), seal(&secrets, "a", "text").unwrap());
    }
}
