//! The signing key, and its public half in the table before anything is signed with it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use faregate_domain::secret::{MacSecret, Versions};
use faregate_domain::time::Timestamp;
use faregate_edge::secrets::{SecretName, Secrets};
use faregate_edge::token::{PublicKey, SigningKey};
use faregate_store::{PublishedKey, Store};

use crate::Failure;

/// Hands out the signing key; clones share what they know.
#[derive(Clone)]
pub(crate) struct Signer(Arc<Inner>);

struct Inner {
    store: Store,
    secrets: Secrets,
    published: Mutex<Option<Published>>,
}

impl Signer {
    pub(crate) fn new(store: Store, secrets: Secrets) -> Self {
        Self(Arc::new(Inner { store, secrets, published: Mutex::default() }))
    }

    /// The current key, whose public half every function can read by now.
    pub(crate) async fn key(&self, now: Timestamp) -> Result<Arc<SigningKey>, Failure> {
        let secret = self.0.secrets.find(SecretName::Signing, now).await?;
        let known = self.0.published.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known
            && Arc::ptr_eq(&known.secret, &secret)
            && known.until > now.plus_s(RENEW_BEFORE_SECONDS)
        {
            return Ok(known.key);
        }
        let current = SigningKey::derive(&secret.current)?;
        let previous = secret.previous.as_ref().map(SigningKey::derive).transpose()?;
        let until = now.plus_s(PUBLISHED_FOR_SECONDS);
        let halves = std::iter::once(&current).chain(previous.as_ref()).map(SigningKey::public);
        self.publish(halves.map(|key| published_key(key, until)).collect(), now).await?;
        let key = Arc::new(current);
        let published = Published { secret, key: Arc::clone(&key), until };
        *self.0.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(published);
        Ok(key)
    }

    /// Publishes `keys` and withdraws the others: whoever replaces a signing secret twice wants it gone. A key that was
    /// published a moment ago may be newer than what this process last read, and stays.
    async fn publish(&self, keys: Vec<PublishedKey>, now: Timestamp) -> Result<(), Failure> {
        let found = self.0.store.find_published_keys().await?;
        let is_recent = |key: &PublishedKey| now.plus_s(PUBLISHED_FOR_SECONDS) < key.until.plus_s(MAY_BE_NEWER_SECONDS);
        let is_replaced = |key: &PublishedKey| !is_recent(key) && keys.iter().all(|kept| kept.kid != key.kid);
        let withdrawn: Vec<_> = found.into_iter().filter(is_replaced).map(|key| key.kid).collect();
        Ok(self.0.store.publish_keys(&keys, &withdrawn).await?)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Signer")
    }
}

/// What this process has published last.
#[derive(Clone)]
struct Published {
    secret: Arc<Versions<MacSecret>>,
    key: Arc<SigningKey>,
    until: Timestamp,
}

fn published_key(key: &PublicKey, until: Timestamp) -> PublishedKey {
    PublishedKey { kid: key.id().to_string(), x: key.x().to_owned(), y: key.y().to_owned(), until }
}

/// Longer than any token signed in the meantime is valid.
const PUBLISHED_FOR_SECONDS: u64 = 3_600;
const RENEW_BEFORE_SECONDS: u64 = 1_800;
/// Longer than a process keeps a secret that it has read.
const MAY_BE_NEWER_SECONDS: u64 = 600;
