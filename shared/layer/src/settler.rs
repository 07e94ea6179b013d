//! Tells the gate how a charge ended: bounded in time, repeated where that helps, never in the way of a response.

mod backoff;
mod client;
mod key;

use std::{fmt, sync::Arc};

use http::{
    Request, Response,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body::Body;
use serde_json::json;
use tokio::{runtime::Handle, sync::watch, task::JoinHandle, time};
use tower_service::Service;
use url::Url;

use self::client::Exchange;
pub use self::{
    client::{BoxError, SettleError},
    key::{InvalidServiceKey, ServiceKey},
};
use crate::{admission::Charge, outcome::Settlement};

/// Settles charges at a gate; clones share connections.
///
/// One settlement takes up to 3 attempts of 3 seconds. An attempt is repeated when the network failed or the gate
/// answered 5xx, after a random pause that grows, or after `Retry-After` (in seconds) if that is at most 5; whatever
/// else the gate answers is final. A repeated settlement is harmless: the gate answers it as it did the first time.
///
/// # Examples
/// ```
/// use faregate_layer::{ServiceKey, Settler};
/// # let text = "sk_prod_example";
/// let settler = Settler::new("http://127.0.0.1:8080", ServiceKey::new(text)?)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Settler(Arc<Shared>);

struct Shared {
    /// Without a slash at its end.
    gate: String,
    key: ServiceKey,
    exchange: Exchange,
    /// Settlements that run by themselves.
    running: watch::Sender<usize>,
}

impl Settler {
    /// A settler for the gate at `gate`, `https://api.example.com`, that calls it with `key`. TLS trusts the system's
    /// roots.
    ///
    /// # Errors
    /// [`InvalidSettler`] when `gate` is no bare HTTP address, or the system has no roots to trust.
    pub fn new(gate: &str, key: ServiceKey) -> Result<Self, InvalidSettler> {
        let gate = base(gate)?;
        let exchange = if gate.starts_with("https:") { client::secure() } else { Ok(client::plain()) };
        Ok(Self::with_exchange(gate, key, exchange.map_err(InvalidSettler::Tls)?))
    }

    /// A settler that calls the gate through a client of its own, for another way of trusting, or through a proxy.
    ///
    /// # Errors
    /// [`InvalidSettler::Gate`] when `gate` is no bare HTTP address.
    pub fn with_client<C, B>(gate: &str, key: ServiceKey, client: C) -> Result<Self, InvalidSettler>
    where
        C: Service<Request<String>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Ok(Self::with_exchange(base(gate)?, key, client::exchange(client)))
    }

    fn with_exchange(gate: String, key: ServiceKey, exchange: Exchange) -> Self {
        Self(Arc::new(Shared { gate, key, exchange, running: watch::Sender::new(0) }))
    }

    /// Settles a charge, for work that goes on after its response. A charge can be settled once; to say the same again
    /// does nothing.
    ///
    /// # Errors
    /// [`SettleError`] when the gate refused or did not answer. The whole reserved amount is charged when the
    /// reservation expires; to settle after that still gives the difference back.
    pub async fn settle(&self, charge: &Charge, settlement: &Settlement) -> Result<(), SettleError> {
        let mut failures = 0;
        loop {
            let Err(error) = self.attempt(charge, settlement).await else { return Ok(()) };
            failures += 1;
            let Some(pause) = backoff::pause(failures, &error, random()) else { return Err(error) };
            tracing::debug!(%charge, %error, ?pause, "a settlement is tried again");
            time::sleep(pause).await;
        }
    }

    /// Waits until every settlement that runs by itself has ended: call it before the process ends, after the server
    /// has answered its last request.
    pub async fn finish(&self) {
        // The sender lives as long as this borrow.
        let _ = self.0.running.subscribe().wait_for(|running| *running == 0).await;
    }

    /// Settles on a runtime, whoever waits for it; a failure is logged.
    pub(crate) fn spawn(&self, runtime: &Handle, charge: Charge, settlement: Settlement) -> JoinHandle<()> {
        let running = Running::begin(self.clone());
        runtime.spawn(async move {
            match running.0.settle(&charge, &settlement).await {
                Ok(()) => tracing::debug!(%charge, ?settlement, "settled"),
                Err(error) => tracing::error!(%charge, ?settlement, %error, "a charge could not be settled"),
            }
        })
    }

    async fn attempt(&self, charge: &Charge, settlement: &Settlement) -> Result<(), SettleError> {
        let shared = &self.0;
        let body = match settlement {
            Settlement::Succeeded { actual: None } => json!({"outcome": "succeeded"}),
            Settlement::Succeeded { actual: Some(actual) } => {
                json!({"outcome": "succeeded", "actual_usd": actual.to_string()})
            }
            Settlement::Failed { code: None } => json!({"outcome": "failed"}),
            Settlement::Failed { code: Some(code) } => json!({"outcome": "failed", "error_code": code.as_str()}),
        };
        let request = Request::post(format!("{}/v1/charges/{charge}/settle", shared.gate))
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, shared.key.header())
            .body(body.to_string());
        let request = request.map_err(|error| SettleError::Unreachable(error.to_string()))?;
        match time::timeout(client::ATTEMPT_TIMEOUT, (shared.exchange)(request)).await {
            Ok(answered) => answered,
            Err(_) => Err(SettleError::TimedOut),
        }
    }
}

impl fmt::Debug for Settler {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settler").field("gate", &self.0.gate).finish_non_exhaustive()
    }
}

/// Why there is no settler.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSettler {
    /// Not an address that a path can be put behind.
    #[error("the gate's address is not http:// or https:// without query, fragment and credentials")]
    Gate,
    /// The system has no trusted roots.
    #[error("no trusted roots for tls: {0}")]
    Tls(#[source] std::io::Error),
}

/// A settlement that runs by itself, counted until it ends, however it ends.
struct Running(Settler);

impl Running {
    fn begin(settler: Settler) -> Self {
        settler.0.running.send_modify(|running| *running += 1);
        Self(settler)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.running.send_modify(|running| *running -= 1);
    }
}

fn base(gate: &str) -> Result<String, InvalidSettler> {
    let url = Url::parse(gate).map_err(|_| InvalidSettler::Gate)?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_bare = url.query().is_none() && url.fragment().is_none();
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    if !is_http || !is_bare || has_credentials {
        return Err(InvalidSettler::Gate);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Without randomness all waiters wait as long as they may, which is still a pause.
fn random() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
