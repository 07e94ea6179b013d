//! Charges: one per admitted request, named so that its id alone leads to the cell that holds its money.
//!
//! ```text
//! chg_k 8Jq2…16 4fGh…22        chg_s 8Jq2…22 4fGh…22
//!     │ │       └ nonce            │ └ account
//!     │ └ the key's id             └ made by a session
//!     └ made by a key
//! ```

use std::fmt;

use crate::{
    base62,
    cell::CellId,
    id::{AccountId, InvalidId, KeyId},
};

/// A charge's public id. The nonce carries 130 random bits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChargeId {
    /// The cell that was charged.
    pub cell: CellId,
    /// The charge's name within the cell.
    pub nonce: ChargeNonce,
}

impl ChargeId {
    /// What every charge's id begins with.
    pub const PREFIX: &'static str = "chg_";

    /// Reads the printed form.
    ///
    /// # Errors
    /// [`InvalidId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let rest = text.strip_prefix(Self::PREFIX).filter(|rest| rest.is_ascii()).ok_or(InvalidId)?;
        let (kind, rest) = rest.split_at_checked(1).ok_or(InvalidId)?;
        let length = match kind {
            KEY => KeyId::LENGTH,
            SESSION => AccountId::LENGTH,
            _ => return Err(InvalidId),
        };
        let (owner, nonce) = rest.split_at_checked(length).ok_or(InvalidId)?;
        let cell = match kind {
            KEY => CellId::Key(KeyId::from_suffix(owner)?),
            _ => CellId::Session(AccountId::from_suffix(owner)?),
        };
        Ok(Self { cell, nonce: ChargeNonce::parse(nonce)? })
    }
}

impl fmt::Display for ChargeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, owner) = match &self.cell {
            CellId::Key(id) => (KEY, id.suffix()),
            CellId::Session(account) => (SESSION, account.suffix()),
        };
        write!(out, "{}{kind}{owner}{}", Self::PREFIX, self.nonce.0)
    }
}

/// What names a charge within its cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChargeNonce(String);

impl ChargeNonce {
    /// Base62 characters of a nonce.
    pub const LENGTH: usize = 22;

    /// A fresh nonce from random bytes.
    #[must_use]
    pub fn mint(fill: &mut dyn FnMut(&mut [u8])) -> Self {
        Self(base62::random(Self::LENGTH, fill))
    }

    /// Reads a nonce.
    ///
    /// # Errors
    /// [`InvalidId`] unless the text is 22 base62 characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() == Self::LENGTH && base62::is_base62(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
    }

    /// The nonce as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const KEY: &str = "k";
const SESSION: &str = "s";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_leads_to_its_cell() {
        let nonce = ChargeNonce::mint(&mut |pool| pool.fill(3));
        let key = CellId::Key(KeyId::mint(&mut |pool| pool.fill(1)));
        let session = CellId::Session(AccountId::mint(&mut |pool| pool.fill(2)));
        for (cell, length) in [(key, 43), (session, 49)] {
            let charge = ChargeId { cell, nonce: nonce.clone() };
            let text = charge.to_string();
            assert_eq!(text.len(), length);
            assert_eq!(ChargeId::parse(&text), Ok(charge));
        }
    }

    #[test]
    fn other_texts_are_no_charges() {
        let nonce = "3".repeat(22);
        for text in [
            String::new(),
            "chg_".into(),
            format!("chg_{nonce}"),
            format!("chg_k{nonce}"),
            format!("chg_x{}{nonce}", "1".repeat(16)),
            format!("chg_k{}{nonce}1", "1".repeat(16)),
            format!("chg_k{}é{nonce}", "1".repeat(14)),
            format!("chg_kéé{}", "1".repeat(34)),
        ] {
            assert_eq!(ChargeId::parse(&text), Err(InvalidId), "{text}");
        }
    }
}
