//! Reads access tokens that strangers present.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faregate_domain::id::{AccountId, SessionId};
use faregate_domain::time::Timestamp;
use faregate_domain::wallet::Address;
use jsonwebtoken::{Algorithm, Validation};

use super::{ALGORITHM, Header, Issuance, Payload, PublicKey, SessionClaims, TOKEN_TYPE, Thumbprint};

/// A token whose outer form is right: three parts, our header, a `kid` to look up. Nothing in it is believed yet.
#[derive(Clone)]
pub struct Presented<'token> {
    token: &'token str,
    key_id: Thumbprint,
}

impl<'token> Presented<'token> {
    /// Reads the outer form of a compact JWS (RFC 7515 section 7.1).
    ///
    /// # Errors
    /// [`TokenError::Malformed`] unless the text has at most [`MAX_TOKEN_BYTES`] and exactly three parts, and the
    /// header is `typ`, `alg` and `kid` alone, with the type and algorithm of our own tokens.
    pub fn parse(token: &'token str) -> Result<Self, TokenError> {
        let parts: Vec<&str> = token.splitn(4, '.').collect();
        let [header, _, _] = parts.as_slice() else { return Err(TokenError::Malformed) };
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
        if header.typ != TOKEN_TYPE || header.alg != ALGORITHM {
            return Err(TokenError::Malformed);
        }
        let key_id = Thumbprint::parse(&header.kid).ok_or(TokenError::Malformed)?;
        Ok(Self { token, key_id })
    }

    /// The key that the token names.
    #[must_use]
    pub const fn key_id(&self) -> &Thumbprint {
        &self.key_id
    }

    /// Checks signature, issuer, audience and times, and reads the claims.
    ///
    /// # Errors
    /// [`TokenError`] says what is wrong; callers answer all of them alike.
    pub fn verify(&self, key: &PublicKey, issuance: &Issuance, now: Timestamp) -> Result<SessionClaims, TokenError> {
        if key.id() != &self.key_id {
            return Err(TokenError::Signature);
        }
        let data = jsonwebtoken::decode::<Payload>(self.token, key.decoding(), &validation(issuance))
            .map_err(|error| TokenError::from(&error))?;
        let payload = data.claims;
        // The library accepts an issuer or audience that is one of several; ours is exactly one.
        if payload.iss != issuance.issuer || payload.aud != issuance.audience {
            return Err(TokenError::Claims);
        }
        check_times(&payload, now)?;
        let (chain_id, address) = parse_subject(&payload.sub).ok_or(TokenError::Claims)?;
        Ok(SessionClaims {
            account: AccountId::parse(&payload.account_id).map_err(|_| TokenError::Claims)?,
            address,
            chain_id,
            session: SessionId::from_suffix(&payload.jti).map_err(|_| TokenError::Claims)?,
            issued_at: Timestamp::from_epoch_s(payload.iat),
            expires_at: Timestamp::from_epoch_s(payload.exp),
        })
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Presented({})", self.key_id)
    }
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours by its outer form.
    #[error("not an access token")]
    Malformed,
    /// The token names a key that is not in force.
    #[error("the token names an unknown key")]
    UnknownKey,
    /// The signature is not the named key's.
    #[error("the token's signature does not hold")]
    Signature,
    /// A claim is absent, of another shape, or names another issuer or audience.
    #[error("the token's claims are not acceptable")]
    Claims,
    /// The token is used before its time.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token's time is over.
    #[error("the token has expired")]
    Expired,
}

impl From<&jsonwebtoken::errors::Error> for TokenError {
    fn from(error: &jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => Self::Signature,
            _ => Self::Claims,
        }
    }
}

/// Everything that the library can check without reading a clock.
fn validation(issuance: &Issuance) -> Validation {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
    validation.set_issuer(&[&issuance.issuer]);
    validation.set_audience(&[&issuance.audience]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

fn check_times(payload: &Payload, now: Timestamp) -> Result<(), TokenError> {
    let latest_start = now.plus_s(LEEWAY_SECONDS).epoch_s();
    if payload.nbf > latest_start || payload.iat > latest_start {
        return Err(TokenError::NotYetValid);
    }
    if payload.exp <= now.epoch_s() {
        return Err(TokenError::Expired);
    }
    Ok(())
}

/// `eip155:<chain>:<checksummed address>` (CAIP-10).
fn parse_subject(subject: &str) -> Option<(u64, Address)> {
    let (chain, address) = subject.strip_prefix("eip155:")?.split_once(':')?;
    let chain_id: u64 = chain.parse().ok()?;
    let address = Address::parse_checksummed(address).ok()?;
    (chain_id.to_string() == chain).then_some((chain_id, address))
}

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 2048;

/// How far the clocks of two of our own machines may be apart, in seconds; never granted to the expiry.
const LEEWAY_SECONDS: u64 = 5;
