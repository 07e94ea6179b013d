//! The secret that deliveries are signed under: it follows from the API key, so whoever holds the key can check them.
//!
//! ```text
//! whsec_ + base64( HMAC-SHA256( key = the whole API key, "faregate webhook v1" ) )
//!
//! v1, + base64( HMAC-SHA256( key = the 32 bytes above, id . timestamp . body ) )
//! ```

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::SecretString;

use crate::{id::MessageId, key::ApiKey, secret::MacSecret, time::Timestamp};

/// What the deliveries of a key's endpoints are signed under.
pub struct SigningSecret(MacSecret);

impl SigningSecret {
    /// The secret that follows from a key.
    #[must_use]
    pub fn of(key: &ApiKey) -> SecretString {
        // A key is longer than the shortest secret of an HMAC here.
        let Ok(secret) = MacSecret::new(key.reveal().as_bytes().to_vec()) else {
            unreachable!("a key has more than 32 characters")
        };
        format!("{PREFIX}{}", BASE64_STANDARD.encode(secret.mac(&[PURPOSE]))).into()
    }

    /// Reads the printed form, `whsec_…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        MacSecret::new(bytes).ok().map(Self)
    }

    /// The signature of one attempt.
    #[must_use]
    pub fn sign(&self, id: &MessageId, at: Timestamp, body: &str) -> String {
        let (id, at) = (id.to_string(), at.epoch_s().to_string());
        let tag = self.0.mac(&[id.as_bytes(), b".", at.as_bytes(), b".", body.as_bytes()]);
        format!("{VERSION}{}", BASE64_STANDARD.encode(tag))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SigningSecret")
    }
}

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";
/// Keeps this use of the key apart from every other.
const PURPOSE: &[u8] = b"faregate webhook v1";

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn key() -> ApiKey {
        let tag = MacSecret::new(vec![7; 32]).unwrap();
        ApiKey::mint("sk_test_", &tag, &mut |pool| pool.fill(3))
    }

    #[test]
    fn a_secret_follows_from_its_key() {
        let secret = SigningSecret::of(&key());
        let again = SigningSecret::of(&key());
        assert_eq!(secret.expose_secret(), again.expose_secret());
        assert_eq!(secret.expose_secret().len(), PREFIX.len() + 44);
        let read = SigningSecret::parse(secret.expose_secret()).unwrap();
        assert_eq!(format!("{read:?}"), "SigningSecret");
        // As any holder of the key computes it.
        let own = MacSecret::new(key().reveal().as_bytes().to_vec()).unwrap().mac(&[b"faregate webhook v1"]);
        assert_eq!(secret.expose_secret(), format!("whsec_{}", BASE64_STANDARD.encode(own)));
    }

    #[test]
    fn the_example_of_the_standard_is_signed_as_it_says() {
        let secret = SigningSecret(MacSecret::new(vec![7; 32]).unwrap());
        let id = MessageId::of(Timestamp::from_epoch_s(1), &["a"]);
        let at = Timestamp::from_epoch_ms(1_674_087_231_999);
        let tag = MacSecret::new(vec![7; 32]).unwrap();
        let whole = format!("{id}.1674087231.{{}}");
        let wanted = format!("v1,{}", BASE64_STANDARD.encode(tag.mac(&[whole.as_bytes()])));
        assert_eq!(secret.sign(&id, at, "{}"), wanted);
        assert_ne!(secret.sign(&id, at, "{ }"), wanted);
    }

    #[test]
    fn only_a_whole_secret_is_read() {
        for text in ["", "whsec_", "whsec_AAAA", "whsec_!", "AAAA"] {
            assert!(SigningSecret::parse(text).is_none(), "{text}");
        }
    }
}
