//! Makes access tokens.

use std::fmt;

use jsonwebtoken::Algorithm;
use secrecy::{ExposeSecret, SecretString};

use super::{Issuance, Payload, SessionClaims, SigningKey, TOKEN_TYPE};

impl SigningKey {
    /// The token that says `claims` in the name of `issuance`.
    ///
    /// # Errors
    /// [`SignError`] where the cryptographic library fails.
    pub fn sign(&self, claims: &SessionClaims, issuance: &Issuance) -> Result<AccessToken, SignError> {
        let payload = Payload {
            iss: issuance.issuer.clone(),
            aud: issuance.audience.clone(),
            sub: format!("eip155:{}:{}", claims.chain_id, claims.address),
            jti: claims.session.suffix().to_owned(),
            iat: claims.issued_at.epoch_s(),
            nbf: claims.issued_at.epoch_s(),
            exp: claims.expires_at.epoch_s(),
            account_id: claims.account.to_string(),
        };
        let header = jsonwebtoken::Header {
            typ: Some(TOKEN_TYPE.to_owned()),
            kid: Some(self.public().id().to_string()),
            ..jsonwebtoken::Header::new(Algorithm::ES256)
        };
        let token = jsonwebtoken::encode(&header, &payload, self.encoding()).map_err(|_| SignError)?;
        Ok(AccessToken(token.into()))
    }
}

/// The token could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signing the access token failed")]
pub struct SignError;

/// A signed token: whoever holds it acts for the account.
pub struct AccessToken(SecretString);

impl AccessToken {
    /// The token's text, for the one answer that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessToken")
    }
}
