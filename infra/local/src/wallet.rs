//! A development wallet for those who have none: one secp256k1 key in a file.

use std::{fmt, path::Path};

use faregate_domain::wallet::Address;
use faregate_edge::entropy;
use k256::ecdsa::SigningKey;
use sha3::{Digest, Keccak256};
use zeroize::Zeroizing;

use crate::data::{self, DataError};

/// A wallet that must never hold money: its key lies in a file.
pub struct Wallet(SigningKey);

impl Wallet {
    /// The wallet in a file of 64 hexadecimal digits, which is made if there is none.
    ///
    /// # Errors
    /// [`DataError`] when the file cannot be read or written, or holds no key.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        if let Some(folder) = path.parent() {
            data::make(folder)?;
        }
        if data::find(path)?.is_none() {
            data::write_private(path, generate().as_bytes())?;
        }
        let text = Zeroizing::new(data::find(path)?.unwrap_or_default());
        let malformed = || DataError::Malformed(path.to_owned(), "not 64 hexadecimal digits of a secp256k1 key");
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut()).map_err(|_| malformed())?;
        SigningKey::from_slice(bytes.as_ref()).map(Self).map_err(|_| malformed())
    }

    /// The wallet's address.
    #[must_use]
    pub fn address(&self) -> Address {
        let point = self.0.verifying_key().to_sec1_point(false);
        let mut coordinates = [0; 64];
        // An uncompressed point is 65 bytes: a mark, then x and y.
        coordinates.copy_from_slice(&point.as_bytes()[1..]);
        Address::from_public_key(&coordinates)
    }

    /// Signs a message as wallets do by `personal_sign` (EIP-191): `0x` and 130 hexadecimal digits, r, s, v.
    #[must_use]
    pub fn sign(&self, message: &str) -> String {
        let mut hasher = Keccak256::new();
        hasher.update(b"\x19Ethereum Signed Message:\n");
        hasher.update(message.len().to_string().as_bytes());
        hasher.update(message.as_bytes());
        let hash: [u8; 32] = hasher.finalize().into();
        let (signature, parity) = self.0.sign_prehash_recoverable(&hash);
        format!("0x{}{:02x}", hex::encode(signature.to_bytes()), 27 + parity.to_byte())
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Wallet")
    }
}

/// A key drawn until it lies in the group's order, which the first draw practically always does.
fn generate() -> Zeroizing<String> {
    loop {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy::fill(bytes.as_mut());
        if SigningKey::from_slice(bytes.as_ref()).is_ok() {
            return Zeroizing::new(hex::encode(bytes.as_ref()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use faregate_domain::wallet::Signature;

    use super::*;

    #[test]
    fn a_wallet_stays_the_same_and_signs_as_its_address() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/wallet.hex");
        let wallet = Wallet::open(&path).unwrap();
        assert_eq!(Wallet::open(&path).unwrap().address(), wallet.address());
        for message in ["", "hello", "line\nline é"] {
            let signature: Signature = wallet.sign(message).parse().unwrap();
            assert_eq!(signature.recover(message).unwrap(), wallet.address());
        }
    }

    #[test]
    fn a_known_key_has_its_known_address_and_signature() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wallet.hex");
        // The first account of the mnemonic that development chains use.
        fs::write(&path, "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n").unwrap();
        let wallet = Wallet::open(&path).unwrap();
        assert_eq!(wallet.address().to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        assert_eq!(format!("{wallet:?}"), "Wallet");
    }

    #[test]
    fn a_file_without_a_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wallet.hex");
        for text in ["", "00", &"0".repeat(64), &"f".repeat(64), &"x".repeat(64)] {
            fs::write(&path, text).unwrap();
            assert!(matches!(Wallet::open(&path), Err(DataError::Malformed(..))), "{text}");
        }
    }
}
