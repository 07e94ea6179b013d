//! Signed URLs: whoever holds one may make one request of one method, path and query until it ends, and needs no credential.
//!
//! ```text
//! /demo/media/cat.png?size=2&faregate-expires=1792541700&faregate-for=acc_….prj_….key_….sandbox.prj_…&faregate-signature=9f…
//!                     │      │                           │            whom it acts for                 │
//!                     │      │                           └ faregate-origin: from where, where the key has an allowlist
//!                     │      └ seconds since the epoch                                                 │
//!                     └ its own query                                                                  │
//!   64 hex digits of HMAC-SHA256 over label, method, path, canonical query without this parameter, and the route's scope ┘
//! ```
//! It says all that a request's context needs, so checking it reads nothing. The signature is compared as text, digit by
//! digit: a byte that is spelled otherwise is another one.

use subtle::ConstantTimeEq;

use crate::{
    cell::{CellId, Owner},
    id::{AccountId, ProjectId},
    origin::Origin,
    policy::{Method, RequestPath},
    query::Query,
    scope::Scope,
    secret::{MacSecret, Versions},
    time::Timestamp,
};

/// A request that somebody may make without a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    /// Its method; GET goes for HEAD too.
    pub method: Method,
    /// Its path.
    pub path: RequestPath,
    /// Its own query.
    pub query: Query,
    /// What the route asks of those who have a credential.
    pub scope: Scope,
    /// Until when and for whom.
    pub terms: Terms,
}

/// Until when a signed URL opens something, for whom and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The cell of the key or sessions that made it.
    pub cell: CellId,
    /// Whom it acts for.
    pub owner: Owner,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The one origin that it may be used from; `None` for any and for none, as its maker had no allowlist.
    pub origin: Option<Origin>,
}

impl SignedUrl {
    /// The longest time for which one is made, in seconds.
    pub const MAX_SECONDS: u64 = 900;
    /// The longest query of its own, spelled in the one way that is signed, in bytes.
    pub const MAX_QUERY_BYTES: usize = 2_048;

    /// Whether a query carries a signature, whatever it is worth.
    #[must_use]
    pub fn is_signed(query: &Query) -> bool {
        !query.values(SIGNATURE).is_empty()
    }

    /// Whether a parameter's name is one of ours, or kept for us.
    #[must_use]
    pub fn is_reserved(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// Path and query, signed.
    #[must_use]
    pub fn target(&self, secret: &MacSecret) -> String {
        let query = self.terms.write_into(self.query.clone());
        let text = query.canonical();
        let signature = hex::encode(secret.mac(&[&signed_text(&self.method, &self.path, &text, &self.scope)]));
        format!("{}?{text}&{SIGNATURE}={signature}", self.path.as_str())
    }

    /// Path and query without what signs them.
    #[must_use]
    pub fn bare_target(&self) -> String {
        let query = self.query.canonical();
        if query.is_empty() { self.path.as_str().to_owned() } else { format!("{}?{query}", self.path.as_str()) }
    }
}

/// A request that carries a signature, before anything of it is believed.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'r> {
    /// Its method.
    pub method: &'r Method,
    /// Its path.
    pub path: &'r RequestPath,
    /// Its query, ours included.
    pub query: &'r Query,
    /// What its route asks for.
    pub scope: &'r Scope,
}

impl Presented<'_> {
    /// The terms of its signature, if it is one of ours under one of the secrets; compared in constant time.
    ///
    /// # Errors
    /// [`InvalidSignature`] where it is not; the same whatever is wrong.
    pub fn open(&self, secrets: &Versions<MacSecret>) -> Result<Terms, InvalidSignature> {
        let [signature] = self.query.values(SIGNATURE) else { return Err(InvalidSignature) };
        let text = self.query.without(SIGNATURE).canonical();
        // Where a gateway tells one value of each parameter, another may have come that only the API sees.
        let hides_values = self.query.lacks_values() && self.query.names().any(|name| !SignedUrl::is_reserved(name));
        if signature.len() != SIGNATURE_CHARS || text.len() > MAX_SIGNED_QUERY_BYTES || hides_values {
            return Err(InvalidSignature);
        }
        let method = if self.method.as_str() == "HEAD" {
            Method::parse("GET").map_err(|_| InvalidSignature)?
        } else {
            self.method.clone()
        };
        let signed = signed_text(&method, self.path, &text, self.scope);
        let mut is_ours = subtle::Choice::from(0);
        for secret in secrets.iter() {
            is_ours |= hex::encode(secret.mac(&[&signed])).as_bytes().ct_eq(signature.as_bytes());
        }
        if !bool::from(is_ours) {
            return Err(InvalidSignature);
        }
        // From here on it is our own writing that is read.
        Terms::read(self.query).ok_or(InvalidSignature)
    }
}

/// Not a signature of this very request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a signature of this request")]
pub struct InvalidSignature;

impl Terms {
    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// Whether it ends later than any that is made now, whoever signed it.
    #[must_use]
    pub fn is_overlong(&self, now: Timestamp) -> bool {
        self.expires_at > now.plus_s(SignedUrl::MAX_SECONDS + LEEWAY_SECONDS)
    }

    /// Whether it may be used from there.
    #[must_use]
    pub fn admits(&self, origin: Option<&Origin>) -> bool {
        self.origin.is_none() || self.origin.as_ref() == origin
    }

    fn write_into(&self, query: Query) -> Query {
        let Owner { account, project, environment, gallery } = &self.owner;
        let whom = format!("{account}.{project}.{}.{environment}.{gallery}", self.cell.partition());
        let query = query.with(EXPIRES, &self.expires_at.epoch_s().to_string()).with(FOR, &whom);
        match &self.origin {
            Some(origin) => query.with(ORIGIN, &origin.to_string()),
            None => query,
        }
    }

    fn read(query: &Query) -> Option<Self> {
        let ([expires], [whom]) = (query.values(EXPIRES), query.values(FOR)) else { return None };
        let parts: Vec<&str> = whom.split('.').collect();
        let [account, project, cell, environment, gallery] = parts[..] else { return None };
        let origin = match query.values(ORIGIN) {
            [] => None,
            [origin] => Some(Origin::parse(origin).ok()?),
            _ => return None,
        };
        Some(Self {
            cell: CellId::parse(cell).ok()?,
            owner: Owner {
                account: AccountId::parse(account).ok()?,
                project: ProjectId::parse(project).ok()?,
                environment: environment.to_owned(),
                gallery: gallery.to_owned(),
            },
            expires_at: Timestamp::from_epoch_s(expires.parse().ok()?),
            origin,
        })
    }
}

/// One line for each part, of which none can hold a line's end: the label keeps other uses of the secret apart.
fn signed_text(method: &Method, path: &RequestPath, query: &str, scope: &Scope) -> Vec<u8> {
    [LABEL, method.as_str(), path.as_str(), query, scope.as_str()].join("\n").into_bytes()
}

const LABEL: &str = "faregate signed url v1";
/// What the names of our own parameters begin with.
const PREFIX: &str = "faregate-";
const EXPIRES: &str = "faregate-expires";
const FOR: &str = "faregate-for";
const ORIGIN: &str = "faregate-origin";
const SIGNATURE: &str = "faregate-signature";
/// How far the clocks of two of our own machines may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 5;
/// 256 bits.
const SIGNATURE_CHARS: usize = 64;
/// More than the longest query of its own and ours beside it.
const MAX_SIGNED_QUERY_BYTES: usize = 8_192;

#[cfg(test)]
mod tests;
