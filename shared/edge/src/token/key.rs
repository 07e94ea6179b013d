//! The P-256 keys that sign and check access tokens.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faregate_domain::secret::MacSecret;
use jsonwebtoken::{DecodingKey, EncodingKey};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::EncodePrivateKey;
use sha2::{Digest, Sha256};

/// A private key and its public half.
pub struct SigningKey {
    encoding: EncodingKey,
    public: PublicKey,
}

impl SigningKey {
    /// The one key that belongs to `secret`.
    ///
    /// The scalar is the first HMAC-SHA256 output over a label and a counter that lies in the curve's range, so every
    /// process that holds the secret has the same key and none of them stores it.
    ///
    /// # Errors
    /// [`SigningKeyError`] where no counter gives a key, which no real secret does.
    pub fn derive(secret: &MacSecret) -> Result<Self, SigningKeyError> {
        let mut candidates = (0..=u8::MAX).map(|counter| secret.mac(&[DERIVATION_LABEL, &[counter]]));
        let key = candidates.find_map(|scalar| SecretKey::from_slice(&scalar).ok()).ok_or(SigningKeyError)?;
        let document = key.to_pkcs8_der().map_err(|_| SigningKeyError)?;
        let point = key.public_key().to_sec1_point(false);
        let coordinate = |bytes: Option<&p256::FieldBytes>| bytes.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let (x, y) = coordinate(point.x()).zip(coordinate(point.y())).ok_or(SigningKeyError)?;
        let public = PublicKey::new(&x, &y).map_err(|_| SigningKeyError)?;
        Ok(Self { encoding: EncodingKey::from_ec_der(document.as_bytes()), public })
    }

    /// The half that checks this key's signatures.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) const fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey")
    }
}

/// No key could be made from the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing secret gives no key")]
pub struct SigningKeyError;

/// A public P-256 key, named by its thumbprint.
#[derive(Clone)]
pub struct PublicKey {
    id: Thumbprint,
    x: String,
    y: String,
    decoding: DecodingKey,
}

impl PublicKey {
    /// The key with these coordinates, each 32 bytes in base64url without padding (RFC 7518 section 6.2.1).
    ///
    /// # Errors
    /// [`PublicKeyError`] unless they are the coordinates of a point on the curve.
    pub fn new(x: &str, y: &str) -> Result<Self, PublicKeyError> {
        let mut point = vec![UNCOMPRESSED];
        for coordinate in [x, y] {
            let bytes = URL_SAFE_NO_PAD.decode(coordinate).map_err(|_| PublicKeyError)?;
            if bytes.len() != COORDINATE_BYTES {
                return Err(PublicKeyError);
            }
            point.extend(bytes);
        }
        p256::PublicKey::from_sec1_bytes(&point).map_err(|_| PublicKeyError)?;
        let decoding = DecodingKey::from_ec_components(x, y).map_err(|_| PublicKeyError)?;
        Ok(Self { id: Thumbprint::of(x, y), x: x.to_owned(), y: y.to_owned(), decoding })
    }

    /// The key's name.
    #[must_use]
    pub const fn id(&self) -> &Thumbprint {
        &self.id
    }

    /// The first coordinate, base64url.
    #[must_use]
    pub fn x(&self) -> &str {
        &self.x
    }

    /// The second coordinate, base64url.
    #[must_use]
    pub fn y(&self) -> &str {
        &self.y
    }

    pub(super) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.id)
    }
}

/// The coordinates are no point of P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a public P-256 key")]
pub struct PublicKeyError;

/// A token's `kid`: the key's SHA-256 thumbprint (RFC 7638), 43 base64url characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint(String);

impl Thumbprint {
    /// Reads a `kid`; `None` unless it has the shape of a thumbprint.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_valid = text.len() == THUMBPRINT_CHARACTERS && text.bytes().all(is_base64url);
        is_valid.then(|| Self(text.to_owned()))
    }

    /// The 43 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// RFC 7638 section 3: SHA-256 over the required members in the order of their names.
    fn of(x: &str, y: &str) -> Self {
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(members.as_bytes())))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

const DERIVATION_LABEL: &[u8] = b"faregate es256 signing key v1";
const COORDINATE_BYTES: usize = 32;
const THUMBPRINT_CHARACTERS: usize = 43;
/// SEC 1 section 2.3.3: the tag of a point that is written with both coordinates.
const UNCOMPRESSED: u8 = 0x04;
