//! Tells the gate how a charge ended: never in the way of a response, and not forgotten when its caller goes away.

use std::{fmt, sync::Arc, time::Duration};

use faregate_client::{Backoff, BoxError, Charge, Client, ServiceKey, Settlement};
pub use faregate_client::{CallError as SettleError, InvalidClient as InvalidSettler};
use http::{Request, Response};
use http_body::Body;
use tokio::{runtime::Handle, sync::watch, task::JoinHandle};
use tower_service::Service;

/// Settles charges at a gate; clones share connections.
///
/// One settlement takes up to 3 attempts of 3 seconds, as every call of a [`Client`] does, with shorter pauses: a
/// response may be waiting. A repeated settlement is harmless: the gate answers it as it did the first time.
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
    client: Client,
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
        Client::new(gate, key).map(Self::over)
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
        Client::with_client(gate, key, client).map(Self::over)
    }

    fn over(client: Client) -> Self {
        Self(Arc::new(Shared { client: client.with_backoff(BACKOFF), running: watch::Sender::new(0) }))
    }

    /// Settles a charge, for work that goes on after its response. A charge can be settled once; to say the same again
    /// does nothing.
    ///
    /// # Errors
    /// [`SettleError`] when the gate refused or did not answer: 409 says that the charge was settled with another
    /// result, 404 that there is nothing to settle. The whole reserved amount is charged when the reservation expires;
    /// to settle after that still gives the difference back.
    pub async fn settle(&self, charge: &Charge, settlement: &Settlement) -> Result<(), SettleError> {
        self.0.client.settle(charge, settlement).await
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
}

impl fmt::Debug for Settler {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settler").field("gate", &self.0.client.gate()).finish_non_exhaustive()
    }
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

/// No gateway waits for long.
const BACKOFF: Backoff = Backoff { first_bound: Duration::from_millis(200), longest_wait: Duration::from_secs(5) };

#[cfg(test)]
mod tests;
