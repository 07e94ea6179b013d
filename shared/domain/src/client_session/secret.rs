//! Client secrets: what a frontend holds until it exchanges it, once, for its session's token.
//!
//! ```text
//! cs_ 4fGh…22 9kTz…22 2bWc…11
//!     └ the session's id (after ses_)
//!             └ 130 random bits
//!                     └ tag: HMAC-SHA256 over what is before it, so that junk is refused without a read
//! ```

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    base62,
    id::ClientSessionId,
    secret::{MacSecret, Versions},
};

/// A whole, well-formed client secret.
pub struct ClientSecret(SecretString);

impl ClientSecret {
    /// What every client secret begins with.
    pub const PREFIX: &'static str = "cs_";

    /// A fresh secret of a session.
    #[must_use]
    pub fn mint(session: &ClientSessionId, mac: &MacSecret, fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let body = format!("{}{}{}", Self::PREFIX, session.suffix(), base62::random(RANDOM_CHARS, fill));
        let tag = tag(mac, &body);
        Self(format!("{body}{tag}").into())
    }

    /// Reads a secret that somebody presents, under each version of the tags' secret.
    ///
    /// # Errors
    /// [`InvalidClientSecret::Form`] for what is none by its form, [`InvalidClientSecret::Tag`] for one that we did not make.
    pub fn parse(text: &str, macs: &Versions<MacSecret>) -> Result<(Self, ClientSessionId), InvalidClientSecret> {
        let rest = text.strip_prefix(Self::PREFIX).ok_or(InvalidClientSecret::Form)?;
        if rest.len() != BODY_CHARS + TAG_CHARS || !base62::is_base62(rest) {
            return Err(InvalidClientSecret::Form);
        }
        let (body, presented) = text.split_at(Self::PREFIX.len() + BODY_CHARS);
        let found = macs
            .iter()
            .fold(subtle::Choice::from(0), |found, mac| found | tag(mac, body).as_bytes().ct_eq(presented.as_bytes()));
        if !bool::from(found) {
            return Err(InvalidClientSecret::Tag);
        }
        let session = ClientSessionId::from_suffix(&rest[..ClientSessionId::LENGTH]);
        Ok((Self(text.into()), session.map_err(|_| InvalidClientSecret::Form)?))
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        // 130 random bits need no slow hash and no pepper: nobody tries them all.
        SecretHash(Sha256::digest(self.0.expose_secret().as_bytes()).into())
    }

    /// The text, for the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ClientSecret")
    }
}

/// The SHA-256 of a client secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// A hash as it was stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretHash")
    }
}

/// Why a text is no client secret of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClientSecret {
    /// It has another form.
    #[error("not a client secret")]
    Form,
    /// Its tag is not ours, or of a secret that was rotated away.
    #[error("the client secret's tag does not hold")]
    Tag,
}

fn tag(mac: &MacSecret, body: &str) -> String {
    let [a, b, c, d, e, f, g, h, ..] = mac.mac(&[LABEL, body.as_bytes()]);
    base62::fixed_width(u64::from_be_bytes([a, b, c, d, e, f, g, h]).into(), TAG_CHARS)
}

/// Keeps these tags apart from whatever else is made under the same secret.
const LABEL: &[u8] = b"faregate client secret tag 1\0";
/// 130 bits.
const RANDOM_CHARS: usize = 22;
const BODY_CHARS: usize = ClientSessionId::LENGTH + RANDOM_CHARS;
/// 64 bits.
const TAG_CHARS: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(current: u8, previous: Option<u8>) -> Versions<MacSecret> {
        let secret = |byte| MacSecret::new(vec![byte; 32]).unwrap();
        Versions { current: secret(current), previous: previous.map(secret) }
    }

    fn minted() -> (ClientSecret, ClientSessionId) {
        let id = ClientSessionId::mint(&mut |pool| pool.fill(7));
        let secret = ClientSecret::mint(&id, &versions(1, None).current, &mut |pool| pool.fill(9));
        (secret, id)
    }

    #[test]
    fn a_secret_reads_as_itself_and_names_its_session() {
        let (secret, id) = minted();
        assert_eq!(secret.reveal().len(), 58);
        let (read, session) = ClientSecret::parse(secret.reveal(), &versions(1, None)).unwrap();
        assert_eq!((session, read.hash()), (id, secret.hash()));
        assert_eq!(format!("{secret:?} {:?}", secret.hash()), "ClientSecret SecretHash");
    }

    #[test]
    fn a_changed_character_is_junk() {
        let (secret, _) = minted();
        let text = secret.reveal();
        for place in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(ClientSecret::parse(&changed, &versions(1, None)).is_err(), "{place}");
        }
        for junk in ["", "cs_", &text[1..], &text[..57], &format!("{text}0"), &"é".repeat(29)] {
            assert_eq!(ClientSecret::parse(junk, &versions(1, None)).err(), Some(InvalidClientSecret::Form), "{junk}");
        }
    }

    #[test]
    fn a_rotation_is_survived_once() {
        let (secret, _) = minted();
        assert!(ClientSecret::parse(secret.reveal(), &versions(2, Some(1))).is_ok());
        let forgotten = ClientSecret::parse(secret.reveal(), &versions(3, Some(2)));
        assert_eq!(forgotten.err(), Some(InvalidClientSecret::Tag));
    }

    #[test]
    fn two_equal_secrets_vouch_as_one() {
        assert!(ClientSecret::parse(minted().0.reveal(), &versions(1, Some(1))).is_ok());
    }
}
