//! Hands out sign-in messages: `GET /auth/nonce/{address}`.

use faregate_domain::time::Timestamp;
use faregate_domain::wallet::{
    Address, CallerNetwork, Message, NONCE_LIFETIME_SECONDS, Nonce, NonceCap, NonceCounts, RelyingParty,
    RelyingPartyError, SIGN_IN_STATEMENT,
};
use faregate_edge::problem::Problem;
use faregate_edge::{entropy, input, wording};
use faregate_gate::{Services, StartError};
use faregate_store::{IssuedNonce, StoreError};
use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};
use serde_json::json;

/// The nonce function.
#[derive(Clone)]
pub struct App {
    services: Services,
    party: RelyingParty,
    cap: NonceCap,
}

impl App {
    /// The function as its environment describes it.
    ///
    /// # Errors
    /// [`AppError`] says what is missing or malformed; the function must not start.
    pub async fn from_env() -> Result<Self, AppError> {
        Self::new(Services::from_env(&[]).await?)
    }

    /// The function over ready services.
    ///
    /// # Errors
    /// [`AppError::Party`] where the public origin cannot stand in a sign-in message.
    pub fn new(services: Services) -> Result<Self, AppError> {
        let config = &services.config;
        let party = RelyingParty::new(&config.public_origin, SIGN_IN_STATEMENT, config.chain_id)?;
        Ok(Self { services, party, cap: NonceCap::default() })
    }

    /// The same function under another cap.
    #[must_use]
    pub fn with_cap(mut self, cap: NonceCap) -> Self {
        self.cap = cap;
        self
    }

    /// Answers one request; every failure is a problem document.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let answer = self.route(&request).await;
        let dialect = wording::dialect_for(request.headers(), self.services.config.policy.dialect());
        answer.unwrap_or_else(|problem| problem.response(&input::request_id(&request), dialect))
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Problem> {
        let address = input::path(request).strip_prefix(PATH_PREFIX).ok_or_else(Problem::not_found)?;
        if request.method() != Method::GET {
            return Err(Problem::method_not_allowed("GET"));
        }
        let address: Address =
            address.parse().map_err(|error| Problem::new(400, "invalid_address", format!("{error}")))?;
        self.issue(request, address).await
    }

    async fn issue(&self, request: &Request, address: Address) -> Result<Response<Body>, Problem> {
        let now = self.services.clock.now();
        let network = CallerNetwork::from(input::source_ip(request));
        let failed = |error: StoreError| {
            tracing::error!(request_id = input::request_id(request), error = %error, "nonce not issued");
            Problem::unavailable()
        };
        let counted = self.services.store.count_nonce(network, self.cap, now).await.map_err(failed)?;
        if let Some(counts) = counted {
            return Err(self.too_many(counts, now));
        }
        let nonce = Nonce::mint(&mut entropy::fill);
        let expires_at = now.plus_s(NONCE_LIFETIME_SECONDS);
        let message = Message::issue(&self.party, address, &nonce, now, expires_at).to_string();
        let data = json!({"data": {"nonce": nonce.as_str(), "message": message, "expires_at": expires_at.to_string()}});
        self.services.store.insert_nonce(&nonce, &IssuedNonce { address, message }, now).await.map_err(failed)?;
        let response =
            Response::builder().header("content-type", "application/json").header("cache-control", "no-store");
        response.body(Body::Text(data.to_string())).map_err(|_| Problem::unavailable())
    }

    fn too_many(&self, counts: NonceCounts, now: Timestamp) -> Problem {
        let is_hour_full = counts.this_hour >= self.cap.per_hour;
        let hour = (self.cap.per_hour, counts.this_hour);
        let minute = (self.cap.per_minute, counts.this_minute);
        let (limit, used) = if is_hour_full { hour } else { minute };
        let resets_at = self.cap.reopens_at(counts, now).unwrap_or_else(|| now.minute().end());
        Problem::new(429, "rate_limited", "Too many sign-in messages were asked for from this network.")
            .with_header("retry-after", now.seconds_until(resets_at).max(1).to_string())
            .with_member("limit_source", "network")
            .with_member("limit", limit)
            .with_member("used", used)
            .with_member("resets_at", resets_at.to_string())
    }
}

/// Why the function must not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A service that it rests on is not there.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The public origin cannot stand in a sign-in message.
    #[error(transparent)]
    Party(#[from] RelyingPartyError),
}

const PATH_PREFIX: &str = "/auth/nonce/";

#[cfg(test)]
mod tests;
