//! Tokens of client sessions: everything the gate must know of a session, under a tag that only we can make.
//!
//! ```text
//! cst_ eyJzIjoi… . k3Vq…43
//!      │           └ base64url(HMAC-SHA256(link secret, label, our origin, the text before the point))
//!      └ base64url({"s":session,"k":key,"e":environment,"g":[scope…],"o":[origin…]|null,"m":µUSD|null,"i":made,"x":end})
//! ```
//! It is no JSON Web Token and has no header: there is one algorithm, and nobody can ask for another. With one point it
//! cannot be taken for an access token, which has two, nor for a key, which has none.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use faregate_domain::{
    client_session::ClientPass,
    credential::{CLIENT_TOKEN_PREFIX, Credential},
    id::{ClientSessionId, KeyId},
    money::MicroUsd,
    origin::{Allowlist, AllowlistEntry},
    scope::{Grant, GrantSet},
    secret::{MacSecret, Versions},
    time::Timestamp,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// A token for one answer: whoever holds it acts for the session.
pub struct ClientToken(SecretString);

impl ClientToken {
    /// The token that says `pass`, of the deployment at `public_origin`.
    ///
    /// # Errors
    /// [`TokenTooLong`] where it would be longer than a credential may be: so many scopes and origins fit none.
    pub fn sign(pass: &ClientPass, secret: &MacSecret, public_origin: &str) -> Result<Self, TokenTooLong> {
        let payload = serde_json::to_vec(&Payload::from(pass)).map_err(|_| TokenTooLong)?;
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let tag = secret.mac(&[LABEL, public_origin.as_bytes(), b"\0", payload.as_bytes()]);
        let text = format!("{CLIENT_TOKEN_PREFIX}{payload}.{}", URL_SAFE_NO_PAD.encode(tag));
        if text.len() > Credential::MAX_BYTES { Err(TokenTooLong) } else { Ok(Self(text.into())) }
    }

    /// What a token says that somebody presents, where we made it and its time is not over.
    ///
    /// # Errors
    /// [`ClientTokenError`] says what is wrong; callers answer all but [`ClientTokenError::Tag`] alike at once, and that one
    /// after a look at the secret as it is now.
    pub fn verify(
        text: &str,
        secrets: &Versions<MacSecret>,
        public_origin: &str,
        now: Timestamp,
    ) -> Result<ClientPass, ClientTokenError> {
        let rest = text.strip_prefix(CLIENT_TOKEN_PREFIX).filter(|_| text.len() <= Credential::MAX_BYTES);
        let (payload, tag) = rest.and_then(|rest| rest.split_once('.')).ok_or(ClientTokenError::Malformed)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| ClientTokenError::Malformed)?;
        let parts: [&[u8]; 4] = [LABEL, public_origin.as_bytes(), b"\0", payload.as_bytes()];
        if !secrets.iter().any(|secret| secret.verify(&parts, &tag)) {
            return Err(ClientTokenError::Tag);
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| ClientTokenError::Malformed)?;
        let payload: Payload = serde_json::from_slice(&payload).map_err(|_| ClientTokenError::Malformed)?;
        let pass = payload.read().ok_or(ClientTokenError::Malformed)?;
        if pass.issued_at > now.plus_s(LEEWAY_SECONDS) {
            return Err(ClientTokenError::NotYetValid);
        }
        if pass.is_over(now) { Err(ClientTokenError::Expired) } else { Ok(pass) }
    }

    /// The token's text, for the one answer that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ClientToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ClientToken")
    }
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientTokenError {
    /// Not a token of a client session by its form, or one that says something else.
    #[error("not a client session's token")]
    Malformed,
    /// Its tag is not one that we made, or was made under a secret that is forgotten.
    #[error("the token's tag does not hold")]
    Tag,
    /// It is used before its time.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

/// The session's scopes and origins do not fit into a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token would be too long")]
pub struct TokenTooLong;

/// What stands in the token; a member that is absent, doubled, unknown or of another type is refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    #[serde(rename = "s")]
    session: String,
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "e")]
    environment: String,
    #[serde(rename = "g")]
    grants: Vec<String>,
    #[serde(rename = "o", deserialize_with = "Option::deserialize")]
    origins: Option<Vec<String>>,
    #[serde(rename = "m", deserialize_with = "Option::deserialize")]
    ceiling: Option<u64>,
    #[serde(rename = "i")]
    issued_at: u64,
    #[serde(rename = "x")]
    end: u64,
}

impl From<&ClientPass> for Payload {
    fn from(pass: &ClientPass) -> Self {
        let origins = |list: &Allowlist| list.iter().map(|entry| entry.as_str().to_owned()).collect();
        Self {
            session: pass.session.suffix().to_owned(),
            key: pass.key.suffix().to_owned(),
            environment: pass.environment.clone(),
            grants: pass.grants.iter().map(|grant| grant.as_str().to_owned()).collect(),
            origins: pass.allowlist.as_ref().map(origins),
            ceiling: pass.ceiling.map(MicroUsd::micro_usd),
            issued_at: pass.issued_at.epoch_s(),
            end: pass.end.epoch_s(),
        }
    }
}

impl Payload {
    fn read(self) -> Option<ClientPass> {
        let grants = self.grants.iter().map(|text| Grant::parse(text)).collect::<Result<Vec<_>, _>>().ok()?;
        let entries = |texts: Vec<String>| {
            let entries = texts.iter().map(|text| AllowlistEntry::parse(text)).collect::<Result<Vec<_>, _>>().ok()?;
            // A list that admits nobody is none of ours.
            Allowlist::new(entries).ok()?
        };
        let allowlist = match self.origins {
            Some(texts) => Some(entries(texts)?),
            None => None,
        };
        Some(ClientPass {
            session: ClientSessionId::from_suffix(&self.session).ok()?,
            key: KeyId::from_suffix(&self.key).ok()?,
            environment: self.environment,
            grants: GrantSet::new(grants).ok()?,
            allowlist,
            ceiling: self.ceiling.map(MicroUsd::new).transpose().ok()?,
            issued_at: Timestamp::from_epoch_s(self.issued_at),
            end: Timestamp::from_epoch_s(self.end),
        })
    }
}

/// Keeps these tags apart from whatever else is made under the same secret.
const LABEL: &[u8] = b"faregate client session token 1\0";
/// How far the clocks of two of our own machines may be apart, in seconds; never granted to the end.
const LEEWAY_SECONDS: u64 = 5;

#[cfg(test)]
mod tests;
