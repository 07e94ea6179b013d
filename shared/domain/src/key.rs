//! The API key: its text, its public parts, and the hash by which it is stored.
//!
//! ```text
//! sk_test_ 0123456789ABCDEF 0123456789ABCDEFGHIJKL 0123456789A 0123AB
//! └prefix┘ └──────id──────┘ └───────secret───────┘ └───tag───┘ └crc─┘
//! ```
//! All characters after the prefix are base62. The tag is keyed, so a forged text is refused without any
//! lookup; the checksum is not, so a scanner can tell a mistyped key from a real one offline.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{
    base62,
    id::KeyId,
    secret::{MacSecret, Versions},
};

/// A well-formed API key in plain text: shown once, compared by hash, never stored.
pub struct ApiKey {
    text: SecretString,
    prefix_bytes: usize,
}

impl ApiKey {
    /// Characters after the environment's prefix.
    pub const BODY_CHARS: usize = ID_CHARS + SECRET_CHARS + TAG_CHARS + CHECKSUM_CHARS;

    /// A fresh key of an environment, tagged under `tag_secret`.
    #[must_use]
    pub fn mint(prefix: &str, tag_secret: &MacSecret, fill: &mut dyn FnMut(&mut [u8])) -> Self {
        Self::mint_for(&KeyId::mint(fill), prefix, tag_secret, fill)
    }

    /// A fresh secret for the key of that id: another text of the same key.
    #[must_use]
    pub fn mint_for(id: &KeyId, prefix: &str, tag_secret: &MacSecret, fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let identity = format!("{}{}", id.suffix(), base62::random(SECRET_CHARS, fill));
        let tag = tag_of(tag_secret, prefix, &identity);
        let checksum = checksum_of(&format!("{identity}{tag}"));
        Self { text: format!("{prefix}{identity}{tag}{checksum}").into(), prefix_bytes: prefix.len() }
    }

    /// Reads a key and checks its shape, checksum and keyed tag.
    ///
    /// `prefixes` are the environments' prefixes; none may begin another.
    ///
    /// # Errors
    /// [`InvalidKey`] names the first check that failed; callers are told nothing of it.
    pub fn parse<'p>(
        text: &str,
        prefixes: impl IntoIterator<Item = &'p str>,
        tag_secrets: &Versions<MacSecret>,
    ) -> Result<Self, InvalidKey> {
        let prefix = prefixes.into_iter().find(|prefix| text.starts_with(prefix)).ok_or(InvalidKey::Prefix)?;
        let body = &text[prefix.len()..];
        if body.len() != Self::BODY_CHARS || !base62::is_base62(body) {
            return Err(InvalidKey::Shape);
        }
        let (tagged, checksum) = body.split_at(Self::BODY_CHARS - CHECKSUM_CHARS);
        if checksum_of(tagged) != checksum {
            return Err(InvalidKey::Checksum);
        }
        let (identity, tag) = tagged.split_at(ID_CHARS + SECRET_CHARS);
        let is_ours = tag_secrets
            .iter()
            .map(|secret| tag_of(secret, prefix, identity).as_bytes().ct_eq(tag.as_bytes()))
            .fold(subtle::Choice::from(0), |found, next| found | next);
        if !bool::from(is_ours) {
            return Err(InvalidKey::Tag);
        }
        Ok(Self { text: text.into(), prefix_bytes: prefix.len() })
    }

    /// A regular expression for the keys of these environments, as every engine understands it (RE2's syntax). What it finds
    /// is a key only if its checksum fits.
    #[must_use]
    pub fn pattern(prefixes: &[&str]) -> String {
        format!(r"\b((?:{})[0-9A-Za-z]{{{}}})\b", prefixes.join("|"), Self::BODY_CHARS)
    }

    /// The environment's prefix, `sk_test_`.
    #[must_use]
    pub fn environment_prefix(&self) -> &str {
        &self.text.expose_secret()[..self.prefix_bytes]
    }

    /// The public id that stands in the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let text = &self.text.expose_secret()[self.prefix_bytes..self.prefix_bytes + ID_CHARS];
        // Both constructors put 16 base62 characters here.
        KeyId::from_suffix(text).unwrap_or_else(|_| unreachable!("the id of a parsed key is well-formed"))
    }

    /// What people recognise the key by: the environment's prefix and the first 8 characters of its id.
    #[must_use]
    pub fn display_prefix(&self) -> &str {
        &self.text.expose_secret()[..self.prefix_bytes + DISPLAY_ID_CHARS]
    }

    /// The hash under which the key is stored.
    #[must_use]
    pub fn hash(&self, pepper: &MacSecret) -> KeyHash {
        KeyHash(pepper.mac(&[self.text.expose_secret().as_bytes()]))
    }

    /// The whole text, for the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.text.expose_secret()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ApiKey")
    }
}

/// HMAC-SHA256 of a whole key under the pepper: what the table holds instead of the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// A hash read back from storage.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether one of `candidates` is this hash, without telling by time which.
    #[must_use]
    pub fn is_among(&self, candidates: &[KeyHash]) -> bool {
        let found = candidates.iter().fold(subtle::Choice::from(0), |found, other| found | self.0.ct_eq(&other.0));
        found.into()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("KeyHash")
    }
}

/// Which check a text failed; for logs and metrics, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// No environment has such a prefix.
    #[error("unknown prefix")]
    Prefix,
    /// Wrong length or alphabet.
    #[error("wrong length or alphabet")]
    Shape,
    /// The checksum does not fit: mistyped or truncated.
    #[error("wrong checksum")]
    Checksum,
    /// The keyed tag does not fit: not minted here.
    #[error("wrong tag")]
    Tag,
}

fn tag_of(secret: &MacSecret, prefix: &str, identity: &str) -> String {
    let mac = secret.mac(&[prefix.as_bytes(), identity.as_bytes()]);
    let [a, b, c, d, e, f, g, h, ..] = mac;
    base62::fixed_width(u64::from_be_bytes([a, b, c, d, e, f, g, h]).into(), TAG_CHARS)
}

fn checksum_of(tagged: &str) -> String {
    base62::fixed_width(crc32fast::hash(tagged.as_bytes()).into(), CHECKSUM_CHARS)
}

const ID_CHARS: usize = KeyId::LENGTH;
/// 22 base62 characters: 130.9 random bits.
const SECRET_CHARS: usize = 22;
/// 11 base62 characters hold 64 bits of the tag.
const TAG_CHARS: usize = 11;
/// 6 base62 characters hold a 32-bit checksum.
const CHECKSUM_CHARS: usize = 6;
const DISPLAY_ID_CHARS: usize = 8;

#[cfg(test)]
mod tests;
