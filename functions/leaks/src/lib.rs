//! Keys that others have found in public: GitHub's secret scanning tells of them, and they end.

mod judge;
mod publisher;
mod report;

use std::sync::Arc;

use faregate_domain::outbound::{InvalidTarget, Reach, Target};
use faregate_edge::{input, problem::Problem};
use faregate_gate::{
    Gate, Services,
    management::{Refusal, answer, respond},
};
use faregate_outbound::Outbound;
use lambda_http::{Body, Request, Response, http::Method};

use crate::{
    publisher::{NoKeys, Publisher},
    report::{Report, Seal},
};

/// The leaks function; cheap to clone.
#[derive(Clone)]
pub struct App {
    gate: Gate,
    publisher: Arc<Publisher>,
}

impl App {
    /// Where GitHub publishes the keys that it signs its reports with.
    pub const GITHUB_KEYS: &'static str = "https://api.github.com/meta/public_keys/secret_scanning";

    /// The function over ready services; GitHub's keys are at `keys`, and `outbound` fetches them.
    #[must_use]
    pub fn new(services: Services, outbound: Outbound, keys: Target) -> Self {
        Self { gate: Gate::new(services), publisher: Arc::new(Publisher::new(outbound, keys)) }
    }

    /// As [`App::new`], as the process's environment says: `FAREGATE_GITHUB_KEYS` is where GitHub's keys are, or they are
    /// where GitHub has them.
    ///
    /// # Errors
    /// [`LeaksStartError`] says what is missing.
    pub fn from_env(services: Services) -> Result<Self, LeaksStartError> {
        // In the words that the alarm counts.
        Self::connect(services).inspect_err(|error| tracing::error!("the function does not start: {error}"))
    }

    fn connect(services: Services) -> Result<Self, LeaksStartError> {
        let text = std::env::var("FAREGATE_GITHUB_KEYS").ok().filter(|text| !text.is_empty());
        let keys = Target::parse(text.as_deref().unwrap_or(Self::GITHUB_KEYS), Reach::Public)?;
        Ok(Self::new(services, Outbound::new()?, keys))
    }

    /// Answers one request; every failure is a problem document.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        respond(&request, self.route(&request).await, self.gate.services().config.policy.dialect())
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        if input::path(request) != PATH {
            return Err(Problem::not_found().into());
        }
        if request.method() != Method::POST {
            return Err(Problem::method_not_allowed("POST").into());
        }
        self.receive(request).await
    }

    /// Takes a report. What fails here is 503, and GitHub's sending again makes it good.
    async fn receive(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let now = self.gate.services().clock.now();
        let unsigned = || Problem::new(400, "invalid_event_signature", UNSIGNED);
        let seal = Seal::find(request.headers()).ok_or_else(unsigned)?;
        let body = input::bounded_body(request)?;
        let key = self.publisher.find(&seal.key_id, now).await.map_err(|NoKeys| Problem::unavailable())?;
        // Nothing of the body is read before this, so nobody but GitHub has it parsed.
        if !key.is_some_and(|key| seal.is_of(body, &key)) {
            return Err(unsigned().into());
        }
        let report = Report::parse(body)?;
        // How long an answer takes must not tell what was found.
        let (labels, ()) = tokio::join!(self.judge(&report, now), tokio::time::sleep(LEAST_TIME));
        answer(200, serde_json::to_string(&labels?)?)
    }
}

/// Why the function must not start.
#[derive(Debug, thiserror::Error)]
pub enum LeaksStartError {
    /// The place of GitHub's keys is none that may be called.
    #[error("FAREGATE_GITHUB_KEYS {0}")]
    Keys(#[from] InvalidTarget),
    /// The system has no trusted roots for TLS.
    #[error("no trusted roots for tls: {0}")]
    Tls(#[from] std::io::Error),
}

const PATH: &str = "/v1/leaks/github";
/// The one answer to whoever is not GitHub.
const UNSIGNED: &str = "The event carries no signature that is valid here and now.";
/// More than the end of a key takes.
const LEAST_TIME: std::time::Duration = std::time::Duration::from_millis(300);
