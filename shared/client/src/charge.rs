//! The id under which a backend settles.

use std::fmt;

use crate::bounded::bounded;

/// The id under which a charge is settled: opaque, and safe in a URL, `[A-Za-z0-9_]{1,64}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Charge(String);

impl Charge {
    /// Reads the id of a charge.
    ///
    /// # Errors
    /// [`InvalidCharge`] for any other text than `[A-Za-z0-9_]{1,64}`.
    pub fn parse(text: &str) -> Result<Self, InvalidCharge> {
        bounded(text, 1..=64, |byte| byte.is_ascii_alphanumeric() || byte == b'_').map(Self).ok_or(InvalidCharge)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A text that is no id of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a charge")]
pub struct InvalidCharge;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_charge_cannot_leave_its_place_in_a_url() {
        let longest = "c".repeat(64);
        for text in ["a", "chg_A9", &longest] {
            assert_eq!(Charge::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a/b", "a?b", "a#b", "a%2f", "a.b", "a-b", "a b", "é", &"c".repeat(65)] {
            assert_eq!(Charge::parse(text), Err(InvalidCharge), "{text}");
        }
    }
}
