//! The credential that a backend asks and settles with.

use std::fmt;

use http::HeaderValue;

/// A service key; it prints as its type's name and nothing else.
#[derive(Clone)]
pub struct ServiceKey(HeaderValue);

impl ServiceKey {
    /// Takes a key as the gate gave it out: 1 to 4,096 visible ASCII characters.
    ///
    /// # Errors
    /// [`InvalidServiceKey`] for any other text.
    pub fn new(text: &str) -> Result<Self, InvalidServiceKey> {
        if !(1..=4_096).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidServiceKey);
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| InvalidServiceKey)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of `Authorization` (RFC 6750, section 2.1), marked as one that must not be logged.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ServiceKey")
    }
}

/// A text that is no service key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a service key has 1 to 4096 visible ascii characters")]
pub struct InvalidServiceKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_shows_itself() {
        let key = ServiceKey::new("sk_prod_secret").unwrap();
        assert_eq!(format!("{key:?} {:?}", key.header()), "ServiceKey Sensitive");
    }

    #[test]
    fn a_text_that_no_header_can_hold_is_no_key() {
        for text in ["", "a b", "a\r\nx: y", "sch\u{f6}n", &"a".repeat(4_097)] {
            assert_eq!(ServiceKey::new(text).err(), Some(InvalidServiceKey), "{text}");
        }
    }
}
