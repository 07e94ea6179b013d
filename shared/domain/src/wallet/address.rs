//! An Ethereum account address, whatever its spelling (EIP-55).

use std::fmt;
use std::str::FromStr;

use sha3::{Digest, Keccak256};

/// The 20 bytes that name an Ethereum account.
///
/// Two spellings of the same bytes are the same address. `Display` prints the EIP-55 checksummed form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address([u8; 20]);

impl Address {
    /// The address made of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The address of an uncompressed public key without its `0x04` tag: the last 20 bytes of its Keccak-256 hash.
    #[must_use]
    pub fn from_public_key(point: &[u8; 64]) -> Self {
        let hash = Keccak256::digest(point);
        let mut bytes = [0; 20];
        bytes.copy_from_slice(&hash[12..]);
        Self(bytes)
    }

    /// Reads an address that must carry its EIP-55 checksum.
    ///
    /// # Errors
    /// As [`Address::from_str`], and [`AddressError::Checksum`] where the letters' case is not exactly the checksum's.
    pub fn parse_checksummed(text: &str) -> Result<Self, AddressError> {
        let address: Self = text.parse()?;
        if address.to_string() == text { Ok(address) } else { Err(AddressError::Checksum) }
    }

    /// The 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// 40 lower-case hex digits without `0x`: the one spelling used in storage keys.
    #[must_use]
    pub fn lower_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `0x` and 40 hex digits.
    ///
    /// Digits all in lower or all in upper case carry no checksum and are accepted; mixed case must satisfy EIP-55.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let digits = text.strip_prefix("0x").ok_or(AddressError::Prefix)?;
        if digits.len() != HEX_DIGITS {
            return Err(AddressError::Length { digits: digits.len() });
        }
        let mut bytes = [0; 20];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressError::Digit)?;
        let address = Self(bytes);
        let has_lower = digits.bytes().any(|byte| byte.is_ascii_lowercase());
        let has_upper = digits.bytes().any(|byte| byte.is_ascii_uppercase());
        if has_lower && has_upper && checksummed(&bytes) != digits {
            return Err(AddressError::Checksum);
        }
        Ok(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{}", checksummed(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text does not begin with `0x`.
    #[error("an address begins with 0x")]
    Prefix,
    /// The text has another number of digits than 40.
    #[error("an address has 40 hex digits, not {digits}")]
    Length {
        /// Bytes found after the prefix.
        digits: usize,
    },
    /// A character is no hex digit.
    #[error("an address has hex digits only")]
    Digit,
    /// The letters' case contradicts the EIP-55 checksum.
    #[error("the address does not match its EIP-55 checksum")]
    Checksum,
}

/// A hex letter is upper-case where the digit at its place in Keccak-256 of the lower-case spelling is 8 or more.
fn checksummed(bytes: &[u8; 20]) -> String {
    let lower = hex::encode(bytes);
    let hash = Keccak256::digest(lower.as_bytes());
    let digit_of_hash = |place: usize| (hash[place / 2] >> (4 * (1 - place % 2))) & 0x0f;
    let raise = |(place, letter): (usize, char)| {
        if digit_of_hash(place) >= 8 { letter.to_ascii_uppercase() } else { letter }
    };
    lower.chars().enumerate().map(raise).collect()
}

const HEX_DIGITS: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The test cases of EIP-55 itself.
    const VECTORS: [&str; 8] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn the_vectors_of_eip_55_print_as_they_were_read() {
        for vector in VECTORS {
            let address: Address = vector.parse().unwrap();
            assert_eq!(address.to_string(), vector);
            assert_eq!(Address::parse_checksummed(vector), Ok(address));
        }
    }

    #[test]
    fn spellings_of_one_address_are_one_address() {
        for vector in VECTORS {
            let address: Address = vector.parse().unwrap();
            let lower = vector.to_ascii_lowercase();
            let upper = format!("0x{}", vector[2..].to_ascii_uppercase());
            assert_eq!(lower.parse(), Ok(address));
            assert_eq!(upper.parse(), Ok(address));
            assert_eq!(address.lower_hex(), lower[2..]);
        }
    }

    #[test]
    fn one_letter_in_the_wrong_case_is_a_wrong_checksum() {
        let wrong = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        assert_eq!(wrong.parse::<Address>(), Err(AddressError::Checksum));
    }

    #[test]
    fn a_lower_case_address_is_not_checksummed() {
        let lower = VECTORS[4].to_ascii_lowercase();
        assert_eq!(Address::parse_checksummed(&lower), Err(AddressError::Checksum));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let digits = "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";
        let refused = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(refused(""), AddressError::Prefix);
        assert_eq!(refused(digits), AddressError::Prefix);
        assert_eq!(refused(&format!("0X{digits}")), AddressError::Prefix);
        assert_eq!(refused(&format!(" 0x{digits}")), AddressError::Prefix);
        assert_eq!(refused(&format!("0x{digits} ")), AddressError::Length { digits: 41 });
        assert_eq!(refused(&format!("0x{}", &digits[1..])), AddressError::Length { digits: 39 });
        assert_eq!(refused(&format!("0xg{}", &digits[1..])), AddressError::Digit);
        assert_eq!(refused(&format!("0xé{}", &digits[2..])), AddressError::Digit);
    }

    proptest! {
        #[test]
        fn print_then_parse_is_the_same_address(bytes: [u8; 20]) {
            let address = Address::from_bytes(bytes);
            prop_assert_eq!(Address::parse_checksummed(&address.to_string()), Ok(address));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = text.parse::<Address>();
        }
    }
}
