//! Access tokens: ES256 JSON Web Tokens that name one login (RFC 7519, RFC 9068).

mod discovery;
mod key;
mod sign;
mod verify;

use faregate_domain::id::{AccountId, SessionId};
use faregate_domain::time::Timestamp;
use faregate_domain::wallet::Address;

pub use discovery::{Discovery, JwkSet};
pub use key::{PublicKey, PublicKeyError, SigningKey, SigningKeyError, Thumbprint};
pub use sign::{AccessToken, SignError};
pub use verify::{MAX_TOKEN_BYTES, Presented, TokenError};

/// What an access token says about the login it belongs to.
///
/// ```text
/// header   {"typ":"at+jwt","alg":"ES256","kid":"<RFC 7638 thumbprint>"}
/// payload  {"iss":…,"aud":…,"sub":"eip155:<chain>:<address>","jti":…,"iat":…,"nbf":…,"exp":…,"account_id":"acc_…"}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClaims {
    /// The account that signed in.
    pub account: AccountId,
    /// The wallet that signed in.
    pub address: Address,
    /// The EIP-155 chain that the wallet's name belongs to (CAIP-10).
    pub chain_id: u64,
    /// The login itself: the token's `jti`.
    pub session: SessionId,
    /// When the token was made; it is valid from here on.
    pub issued_at: Timestamp,
    /// From when on the token is refused.
    pub expires_at: Timestamp,
}

/// How long an access token is valid, in seconds.
pub const TOKEN_LIFETIME_SECONDS: u64 = 900;

/// Who issues tokens and whom they are for; the two sides of a deployment must agree on both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuance {
    /// The `iss` claim: the public origin, without a slash at its end.
    pub issuer: String,
    /// The `aud` claim.
    pub audience: String,
}

impl Issuance {
    /// The issuance of the deployment at `public_origin`.
    #[must_use]
    pub fn of(public_origin: &str) -> Self {
        Self { issuer: public_origin.to_owned(), audience: AUDIENCE.to_owned() }
    }
}

/// The claims as they stand in the token; a claim that is absent, doubled, unknown or of another type is refused.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    iss: String,
    aud: String,
    sub: String,
    jti: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    account_id: String,
}

/// The header as it stands in the token; anything more, `crit` and embedded keys included, is refused.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
    kid: String,
}

const TOKEN_TYPE: &str = "at+jwt";
const AUDIENCE: &str = "faregate";
const ALGORITHM: &str = "ES256";

#[cfg(test)]
mod tests;
