//! A wallet's ECDSA signature over a personal message (EIP-191, EIP-2098).

use std::fmt;
use std::str::FromStr;

use k256::ecdsa::{RecoveryId, VerifyingKey};
use sha3::{Digest, Keccak256};

use super::address::Address;

/// A well-formed recoverable secp256k1 signature: r and s in range and not zero, s in the lower half of the order.
///
/// ```text
/// 65 bytes   r (32) │ s (32) │ v (1)             v: 0 or 27 = even y, 1 or 28 = odd y
/// 64 bytes   r (32) │ y parity (1 bit) s (255 bits)           EIP-2098
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    scalars: k256::ecdsa::Signature,
    is_y_odd: bool,
}

impl Signature {
    /// Reads the signature's bytes.
    ///
    /// # Errors
    /// [`SignatureError::UnsupportedWallet`] for more than 65 bytes, [`SignatureError::Invalid`] for whatever else
    /// is no signature, a high s included (EIP-2).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        let mut compact = [0; 64];
        let is_y_odd = match bytes.len() {
            65 => {
                compact.copy_from_slice(&bytes[..64]);
                match bytes[64] {
                    0 | 27 => false,
                    1 | 28 => true,
                    _ => return Err(SignatureError::Invalid),
                }
            }
            64 => {
                compact.copy_from_slice(bytes);
                let is_y_odd = compact[32] & PARITY_BIT != 0;
                compact[32] &= !PARITY_BIT;
                is_y_odd
            }
            66..=MAX_SIGNATURE_BYTES => return Err(SignatureError::UnsupportedWallet),
            _ => return Err(SignatureError::Invalid),
        };
        let scalars = k256::ecdsa::Signature::from_slice(&compact).map_err(|_| SignatureError::Invalid)?;
        // Recovery accepts both s and order − s; allowing both would give every signature a second spelling.
        if scalars.normalize_s() != scalars {
            return Err(SignatureError::Invalid);
        }
        Ok(Self { scalars, is_y_odd })
    }

    /// The address whose key made this signature by `personal_sign` over `message`.
    ///
    /// # Errors
    /// [`SignatureError::Invalid`] where no key could have made it.
    pub fn recover(&self, message: &str) -> Result<Address, SignatureError> {
        let parity = RecoveryId::new(self.is_y_odd, false);
        let key = VerifyingKey::recover_from_prehash(&personal_hash(message), &self.scalars, parity)
            .map_err(|_| SignatureError::Invalid)?;
        let point = key.to_sec1_point(false);
        let coordinates = point.as_bytes().get(1..).and_then(|bytes| bytes.try_into().ok());
        coordinates.map(Address::from_public_key).ok_or(SignatureError::Invalid)
    }
}

impl FromStr for Signature {
    type Err = SignatureError;

    /// Reads the hex digits of a signature, with or without `0x`.
    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.len() > 2 * MAX_SIGNATURE_BYTES {
            return Err(SignatureError::Invalid);
        }
        let bytes = hex::decode(digits).map_err(|_| SignatureError::Invalid)?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Signature")
    }
}

/// Why a text is no signature that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Malformed, out of range, or not canonical.
    #[error("not a valid signature")]
    Invalid,
    /// Longer than any key's signature: a contract wallet's (ERC-1271, ERC-6492), which needs a chain to be checked.
    #[error("contract wallets are not supported")]
    UnsupportedWallet,
}

/// The hash that `personal_sign` signs (EIP-191 version `0x45`).
fn personal_hash(message: &str) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    hasher.update(b"\x19Ethereum Signed Message:\n");
    hasher.update(message.len().to_string().as_bytes());
    hasher.update(message.as_bytes());
    hasher.finalize().into()
}

/// The longest input, in bytes, that is still read as a contract wallet's signature.
pub const MAX_SIGNATURE_BYTES: usize = 16 * 1024;

const PARITY_BIT: u8 = 0x80;

#[cfg(test)]
mod tests;
