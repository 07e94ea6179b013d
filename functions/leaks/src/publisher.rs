//! The keys that GitHub signs with: fetched from where they are published, kept, and fetched again for a name that is new, as
//! seldom as a stranger who makes names up must not cause a fetch for each of them.

use std::collections::HashMap;

use faregate_domain::{outbound::Target, time::Timestamp};
use faregate_outbound::{Outbound, OutboundError};
use http::{HeaderMap, HeaderValue, header::ACCEPT};
use p256::{ecdsa::VerifyingKey, pkcs8::DecodePublicKey as _};
use serde::Deserialize;
use tokio::sync::Mutex;

/// The published keys; one request at a time fetches them.
pub(crate) struct Publisher {
    outbound: Outbound,
    place: Target,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    list: Option<List>,
    tried_at: Option<Timestamp>,
}

struct List {
    keys: HashMap<String, VerifyingKey>,
    read_at: Timestamp,
}

/// Which keys there are cannot be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoKeys;

impl Publisher {
    pub(crate) fn new(outbound: Outbound, place: Target) -> Self {
        Self { outbound, place, seen: Mutex::default() }
    }

    /// The key of that name; `Ok(None)` where a list that was fetched a moment ago has none.
    ///
    /// # Errors
    /// [`NoKeys`] where there is no list that could say so.
    pub(crate) async fn find(&self, id: &str, now: Timestamp) -> Result<Option<VerifyingKey>, NoKeys> {
        let mut seen = self.seen.lock().await;
        if let Some(key) =
            seen.list.as_ref().filter(|list| list.is_younger(MAX_AGE_S, now)).and_then(|list| list.keys.get(id))
        {
            return Ok(Some(*key));
        }
        if seen.tried_at.is_none_or(|at| at.plus_s(MIN_REFRESH_S) <= now) {
            seen.tried_at = Some(now);
            match self.fetch().await {
                Ok(keys) => seen.list = Some(List { keys, read_at: now }),
                Err(error) => tracing::warn!(%error, "the keys of leak reports could not be fetched"),
            }
        }
        let list = seen.list.as_ref().filter(|list| list.is_younger(MAX_STALE_S, now)).ok_or(NoKeys)?;
        match list.keys.get(id) {
            Some(key) => Ok(Some(*key)),
            // A name that is not on an older list may have been published since.
            None if list.is_younger(MIN_REFRESH_S, now) => Ok(None),
            None => Err(NoKeys),
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, VerifyingKey>, FetchError> {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        let answer = self.outbound.get(&self.place, headers, MAX_LIST_BYTES).await?;
        if answer.status != 200 {
            return Err(FetchError::Status(answer.status.as_u16()));
        }
        let file: ListFile = serde_json::from_slice(&answer.body).map_err(|_| FetchError::Form)?;
        // A key of a kind that this code does not know checks nothing.
        let read = |one: KeyFile| Some((one.key_identifier, VerifyingKey::from_public_key_pem(&one.key).ok()?));
        let keys: HashMap<_, _> = file.public_keys.into_iter().filter_map(read).collect();
        if keys.is_empty() { Err(FetchError::Form) } else { Ok(keys) }
    }
}

impl List {
    fn is_younger(&self, seconds: u64, now: Timestamp) -> bool {
        self.read_at.plus_s(seconds) > now
    }
}

/// Why the list is not there.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    /// No answer.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// An answer that is none.
    #[error("status {0}")]
    Status(u16),
    /// Not the list of such keys.
    #[error("not a list of keys")]
    Form,
}

#[derive(Deserialize)]
struct ListFile {
    public_keys: Vec<KeyFile>,
}

#[derive(Deserialize)]
struct KeyFile {
    key_identifier: String,
    key: String,
}

/// Seconds for which a list is good without another look.
const MAX_AGE_S: u64 = 3_600;
/// Seconds for which the last list serves while no other can be fetched.
const MAX_STALE_S: u64 = 86_400;
/// Seconds between two fetches, whatever is asked for.
const MIN_REFRESH_S: u64 = 30;
const MAX_LIST_BYTES: usize = 65_536;
