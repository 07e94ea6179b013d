//! The public documents by which others check our tokens (RFC 7517, OpenID Connect Discovery 1.0).

use serde::Serialize;

use super::{ALGORITHM, Issuance, PublicKey};

/// A JWK set of signing keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// The set of these keys, in this order.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Self {
        Self { keys: keys.into_iter().map(Jwk::from).collect() }
    }
}

/// What an issuer's clients must know to check its tokens; there is no authorization endpoint, as wallets sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Discovery {
    issuer: String,
    jwks_uri: String,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    claims_supported: [&'static str; 8],
}

impl Discovery {
    /// The document of this issuer, whose endpoints lie under its own origin.
    #[must_use]
    pub fn new(issuance: &Issuance) -> Self {
        let issuer = &issuance.issuer;
        Self {
            issuer: issuer.clone(),
            jwks_uri: format!("{issuer}/.well-known/jwks.json"),
            response_types_supported: ["token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: [ALGORITHM],
            claims_supported: ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "account_id"],
        }
    }
}

/// One key of the set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Jwk {
    kty: &'static str,
    crv: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    alg: &'static str,
    kid: String,
    x: String,
    y: String,
}

impl From<&PublicKey> for Jwk {
    fn from(key: &PublicKey) -> Self {
        Self {
            kty: "EC",
            crv: "P-256",
            purpose: "sig",
            alg: ALGORITHM,
            kid: key.id().to_string(),
            x: key.x().to_owned(),
            y: key.y().to_owned(),
        }
    }
}
