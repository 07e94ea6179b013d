//! Calls to the gate: bounded in time, repeated where that helps, each of them one call however often it is sent.

use std::{fmt, sync::Arc, time::Duration};

use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body::Body;
use serde_json::Value;
use tokio::time;
use tower_service::Service;
use url::Url;

use crate::{
    Backoff, BoxError, Call, Charge, ServiceKey, Settlement, Verdict,
    exchange::{self, Content, Exchange},
};

/// A backend's client of the gate; clones share connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    backoff: Backoff,
}

struct Shared {
    /// Without a slash at its end.
    gate: String,
    key: ServiceKey,
    exchange: Exchange,
}

impl Client {
    /// A client of the gate at `gate`, `https://api.example.com`, that calls it with `key`. TLS trusts the system's roots.
    ///
    /// # Errors
    /// [`InvalidClient`] when `gate` is no bare HTTP address, or the system has no roots to trust.
    pub fn new(gate: &str, key: ServiceKey) -> Result<Self, InvalidClient> {
        let gate = base(gate)?;
        let exchange = if gate.starts_with("https:") { exchange::secure() } else { Ok(exchange::plain()) };
        Ok(Self::with_exchange(gate, key, exchange.map_err(InvalidClient::Tls)?))
    }

    /// A client that makes its connections by another, for another way of trusting, or through a proxy.
    ///
    /// # Errors
    /// [`InvalidClient::Gate`] when `gate` is no bare HTTP address.
    pub fn with_client<C, B>(gate: &str, key: ServiceKey, client: C) -> Result<Self, InvalidClient>
    where
        C: Service<Request<String>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Ok(Self::with_exchange(base(gate)?, key, exchange::exchange(client)))
    }

    /// The same client with other pauses between its attempts than [`Backoff::DOCUMENTED`].
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    fn with_exchange(gate: String, key: ServiceKey, exchange: Exchange) -> Self {
        Self { shared: Arc::new(Shared { gate, key, exchange }), backoff: Backoff::DOCUMENTED }
    }

    /// Where the gate is.
    #[must_use]
    pub fn gate(&self) -> &str {
        &self.shared.gate
    }

    /// Asks whether a call may go on; if it may, it is counted, and paid or reserved.
    ///
    /// # Errors
    /// [`CallError`] when the gate gave no verdict: the call must not go on. It may have been counted, and is counted no
    /// second time where it is asked about again under its own `Idempotency-Key`.
    pub async fn verify(&self, call: &Call) -> Result<Verdict, CallError> {
        let key = call.idempotency_key().map_or_else(fresh_key, Ok)?;
        let read = |content: Content| Verdict::parse(&content?);
        self.post("/v1/api-keys/verify", &key, &call.body(), read).await
    }

    /// Settles a charge. It can be settled once; to say the same again does nothing.
    ///
    /// # Errors
    /// [`CallError`] when the gate refused or did not answer: 409 says that the charge was settled with another result,
    /// 404 that there is nothing to settle. The whole reserved amount is charged when the reservation expires; to settle
    /// after that still gives the difference back.
    pub async fn settle(&self, charge: &Charge, settlement: &Settlement) -> Result<(), CallError> {
        // A charge is settled once for ever, so it is its own key.
        let key = HeaderValue::from_str(charge.as_str()).map_err(|_| CallError::Entropy)?;
        self.post(&format!("/v1/charges/{charge}/settle"), &key, &settlement.body(), |_| Ok(())).await
    }

    /// Sends a body until there is an answer to act on; every attempt under the same key.
    async fn post<T>(
        &self,
        path: &str,
        idempotency_key: &HeaderValue,
        body: &Value,
        read: impl Fn(Content) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut failures = 0;
        loop {
            let error = match self.attempt(path, idempotency_key, body).await.and_then(&read) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures += 1;
            let Some(pause) = self.backoff.pause(failures, &error, random()) else { return Err(error) };
            tracing::debug!(path, %error, ?pause, "a call to the gate is tried again");
            time::sleep(pause).await;
        }
    }

    async fn attempt(&self, path: &str, idempotency_key: &HeaderValue, body: &Value) -> Result<Content, CallError> {
        let shared = &self.shared;
        let request = Request::post(format!("{}{path}", shared.gate))
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, shared.key.header())
            .header(IDEMPOTENCY_KEY, idempotency_key)
            .body(body.to_string());
        let request = request.map_err(|error| CallError::Unreachable(error.to_string()))?;
        match time::timeout(ATTEMPT_TIMEOUT, (shared.exchange)(request)).await {
            Ok(answered) => answered,
            Err(_) => Err(CallError::TimedOut),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Client").field("gate", &self.shared.gate).finish_non_exhaustive()
    }
}

/// Why a call to the gate came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The gate answered, but not with success.
    #[error("the gate answered {}", [.status.as_str(), .code].join(" ").trim_end())]
    Refused {
        /// What it answered.
        status: StatusCode,
        /// The problem's code; empty where there is none.
        code: String,
        /// When it wishes to be asked again.
        retry_after: Option<Duration>,
    },
    /// The network failed.
    #[error("the gate could not be reached: {0}")]
    Unreachable(String),
    /// The gate did not answer in time.
    #[error("the gate did not answer in time")]
    TimedOut,
    /// The gate answered with success, but nothing that can be acted on.
    #[error("the gate's answer is malformed: {0}")]
    Malformed(String),
    /// The system gave no random bytes for an `Idempotency-Key`.
    #[error("there are no random bytes")]
    Entropy,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum InvalidClient {
    /// Not an address that a path can be put behind.
    #[error("the gate's address is not http:// or https:// without query, fragment and credentials")]
    Gate,
    /// The system has no trusted roots.
    #[error("no trusted roots for tls: {0}")]
    Tls(#[source] std::io::Error),
}

fn base(gate: &str) -> Result<String, InvalidClient> {
    let url = Url::parse(gate).map_err(|_| InvalidClient::Gate)?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_bare = url.query().is_none() && url.fragment().is_none();
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    if !is_http || !is_bare || has_credentials {
        return Err(InvalidClient::Gate);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// 128 random bits: a key that two calls share by chance would give one of them the other's verdict.
fn fresh_key() -> Result<HeaderValue, CallError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| CallError::Entropy)?;
    HeaderValue::from_str(&hex::encode(bytes)).map_err(|_| CallError::Entropy)
}

/// Without randomness all waiters wait as long as they may, which is still a pause.
fn random() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// From connecting to the end of the answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
