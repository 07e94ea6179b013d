//! Signs wallets in and out: `/auth/verify`, `/auth/logout`, and the documents by which others know us and check our tokens.

mod account;
mod documents;
mod login;
mod logout;
mod signer;

use faregate_domain::wallet::{RelyingParty, RelyingPartyError, SIGN_IN_STATEMENT};
use faregate_edge::api::ApiError;
use faregate_edge::input;
use faregate_edge::problem::Problem;
use faregate_edge::secrets::{SecretName, SecretsError};
use faregate_edge::token::{Issuance, SignError, SigningKeyError};
use faregate_edge::wording;
use faregate_gate::session::SessionVerifier;
use faregate_gate::{Services, StartError};
use faregate_store::StoreError;
use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};

use crate::signer::Signer;

/// The verify function: the only one that can sign.
#[derive(Clone)]
pub struct App {
    services: Services,
    issuance: Issuance,
    party: RelyingParty,
    signer: Signer,
    sessions: SessionVerifier,
}

impl App {
    /// The function as its environment describes it.
    ///
    /// # Errors
    /// [`AppError`] says what is missing or malformed; the function must not start.
    pub async fn from_env() -> Result<Self, AppError> {
        let services = Services::from_env(&[SecretName::Signing]).await?;
        // Whatever else is written belongs to an account, and accounts are opened here.
        services.claim_layout().await.inspect_err(StartError::log)?;
        Self::new(services)
    }

    /// The function over ready services.
    ///
    /// # Errors
    /// [`AppError::Party`] where the public origin cannot stand in a sign-in message.
    pub fn new(services: Services) -> Result<Self, AppError> {
        let config = &services.config;
        let issuance = Issuance::of(&config.public_origin);
        let party = RelyingParty::new(&config.public_origin, SIGN_IN_STATEMENT, config.chain_id)?;
        let signer = Signer::new(services.store.clone(), services.secrets.clone());
        let sessions = SessionVerifier::new(services.store.clone(), issuance.clone());
        Ok(Self { services, issuance, party, signer, sessions })
    }

    /// Answers one request; every failure is a problem document.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let request_id = input::request_id(&request);
        let dialect = wording::dialect_for(request.headers(), self.services.config.policy.dialect());
        match self.route(&request).await {
            Ok(response) => response,
            Err(Refusal::Problem(problem)) => problem.response(&request_id, dialect),
            Err(Refusal::Failure(failure)) => {
                tracing::error!(request_id, path = input::path(&request), %failure, "wallet login failed");
                Problem::unavailable().response(&request_id, dialect)
            }
        }
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let (allowed, is_allowed) = match input::path(request) {
            "/auth/verify" | "/auth/logout" => ("POST", request.method() == Method::POST),
            "/.well-known/jwks.json" | "/.well-known/openid-configuration" | "/openapi.json" => {
                ("GET", request.method() == Method::GET)
            }
            _ => return Err(Problem::not_found().into()),
        };
        if !is_allowed {
            return Err(Problem::method_not_allowed(allowed).into());
        }
        match input::path(request) {
            "/auth/verify" => self.login(request).await,
            "/auth/logout" => self.logout(request).await,
            "/.well-known/jwks.json" => self.key_set().await,
            "/openapi.json" => self.description(),
            _ => self.discovery(),
        }
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

/// Why a request gets no success: the caller's doing, or ours.
#[derive(Debug)]
enum Refusal {
    Problem(Problem),
    Failure(Failure),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

/// What of ours failed; told to the log, never to the caller.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("the response could not be built")]
    Response(#[from] lambda_http::http::Error),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("the policy has no plan {plan}")]
    NoSuchPlan { plan: String },
    #[error("the {item} was changed by others at every attempt")]
    Contended { item: &'static str },
}

#[cfg(test)]
mod tests;
