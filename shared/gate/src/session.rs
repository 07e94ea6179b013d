//! Checks access tokens against the published keys and the account's live logins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use faregate_domain::time::Timestamp;
use faregate_edge::token::{Issuance, Presented, PublicKey, SessionClaims, Thumbprint, TokenError};
use faregate_store::{Store, StoreError};

/// Checks tokens without being able to make one; clones share their cached keys.
#[derive(Clone, Debug)]
pub struct SessionVerifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    issuance: Issuance,
    cache: Mutex<Option<KeyCache>>,
    second_looks: Mutex<SecondLooks>,
}

impl SessionVerifier {
    /// A verifier of the tokens that `issuance` describes.
    #[must_use]
    pub fn new(store: Store, issuance: Issuance) -> Self {
        Self(Arc::new(Inner { store, issuance, cache: Mutex::default(), second_looks: Mutex::default() }))
    }

    /// Checks a token's form, signature, issuer, audience and times. Whether the login has been ended is for the
    /// gate's own write, or [`SessionVerifier::verify_live`], to say.
    ///
    /// # Errors
    /// [`SessionError::InvalidToken`], or [`SessionError::Store`] where the keys could not be read.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<SessionClaims, SessionError> {
        let presented = Presented::parse(token)?;
        let key = self.find_key(presented.key_id(), now).await?.ok_or(TokenError::UnknownKey)?;
        Ok(presented.verify(&key, &self.0.issuance, now)?)
    }

    /// As [`SessionVerifier::verify`], and the login must not have been ended.
    ///
    /// # Errors
    /// As [`SessionVerifier::verify`], and [`SessionError::Ended`].
    pub async fn verify_live(&self, token: &str, now: Timestamp) -> Result<SessionClaims, SessionError> {
        let claims = self.verify(token, now).await?;
        let sessions = self.0.store.find_sessions(&claims.account).await?;
        let is_live = sessions.is_some_and(|sessions| sessions.is_live(&claims.session, now));
        if is_live { Ok(claims) } else { Err(SessionError::Ended) }
    }

    /// The keys that are in force, by name.
    ///
    /// # Errors
    /// [`StoreError`] where the keys could not be read.
    pub async fn keys(&self, now: Timestamp) -> Result<Vec<PublicKey>, StoreError> {
        let cache = match self.cached() {
            Some(cache) if cache.is_fresh(now) => cache,
            _ => self.refresh(now).await?,
        };
        let mut keys: Vec<_> = cache.in_force(now).cloned().collect();
        keys.sort_by(|one, other| one.id().cmp(other.id()));
        Ok(keys)
    }

    async fn find_key(&self, id: &Thumbprint, now: Timestamp) -> Result<Option<PublicKey>, StoreError> {
        if let Some(cache) = self.cached().filter(|cache| cache.is_fresh(now)) {
            let found = cache.find(id, now);
            if found.is_some() || !self.0.second_looks.lock().unwrap_or_else(PoisonError::into_inner).may_take(now) {
                return Ok(found);
            }
        }
        Ok(self.refresh(now).await?.find(id, now))
    }

    async fn refresh(&self, now: Timestamp) -> Result<KeyCache, StoreError> {
        let published = self.0.store.find_published_keys().await?;
        let keys = published.iter().filter_map(|key| {
            let public = PublicKey::new(&key.x, &key.y).ok()?;
            Some((public.id().clone(), (public, key.until)))
        });
        let cache = KeyCache { keys: Arc::new(keys.collect()), read_at: now };
        *self.0.cache.lock().unwrap_or_else(PoisonError::into_inner) = Some(cache.clone());
        Ok(cache)
    }

    fn cached(&self) -> Option<KeyCache> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why a token does not speak for an account.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The token itself is not acceptable.
    #[error(transparent)]
    InvalidToken(#[from] TokenError),
    /// The login was ended, or made way for later ones.
    #[error("the session has ended")]
    Ended,
    /// The table did not answer: nothing is known about the token.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one reading of the published keys showed.
#[derive(Clone, Debug)]
struct KeyCache {
    keys: Arc<HashMap<Thumbprint, (PublicKey, Timestamp)>>,
    read_at: Timestamp,
}

impl KeyCache {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.read_at.plus_s(MAX_AGE_SECONDS)
    }

    fn find(&self, id: &Thumbprint, now: Timestamp) -> Option<PublicKey> {
        let (key, until) = self.keys.get(id)?;
        (*until > now).then(|| key.clone())
    }

    fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &PublicKey> {
        self.keys.values().filter(move |(_, until)| *until > now).map(|(key, _)| key)
    }
}

/// How often the keys were read again because a token named one that the last reading did not show.
///
/// The key of an honest new token may have been published a moment ago; a stranger who makes names up must not cause a
/// read for each of them.
#[derive(Debug, Default)]
struct SecondLooks {
    since: Option<Timestamp>,
    taken: u32,
}

impl SecondLooks {
    fn may_take(&mut self, now: Timestamp) -> bool {
        if self.since.is_none_or(|since| now >= since.plus_s(SECOND_LOOKS_WINDOW_SECONDS)) {
            *self = Self { since: Some(now), taken: 0 };
        }
        self.taken = self.taken.saturating_add(1);
        self.taken <= MAX_SECOND_LOOKS
    }
}

const MAX_AGE_SECONDS: u64 = 60;
const SECOND_LOOKS_WINDOW_SECONDS: u64 = 5;
const MAX_SECOND_LOOKS: u32 = 4;

#[cfg(test)]
mod tests;
