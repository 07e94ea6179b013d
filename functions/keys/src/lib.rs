//! Manages API keys: `/v1/api-keys`.

mod body;
mod change;
mod create;
mod field;
mod find;
mod list;
mod replay;
mod revoke;
mod view;

use faregate_domain::{delegation::Overreach, denial::Denial, scope::Scope};
use faregate_edge::{input, problem::Problem, seal::SealError, secrets::SecretsError};
use faregate_gate::{Caller, Gate, GateError, Services};
use faregate_store::StoreError;
use lambda_http::{Body, Request, Response, http::Method};
use serde::Serialize;

/// What this function serves.
pub const ROUTES: &[(&str, &str)] = &[
    ("POST", "/v1/api-keys"),
    ("GET", "/v1/api-keys"),
    ("GET", "/v1/api-keys/{id}"),
    ("PATCH", "/v1/api-keys/{id}"),
    ("DELETE", "/v1/api-keys/{id}"),
];

/// The keys function; cheap to clone.
#[derive(Clone)]
pub struct App {
    gate: Gate,
}

impl App {
    /// The function over ready services.
    #[must_use]
    pub fn new(services: Services) -> Self {
        Self { gate: Gate::new(services) }
    }

    /// Answers one request; every failure is a problem document.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let request_id = input::request_id(&request);
        match self.route(&request).await {
            Ok(response) => response,
            Err(Refusal::Problem(problem)) => problem.response(&request_id),
            Err(Refusal::Failure(failure)) => {
                let method = request.method().as_str();
                tracing::error!(request_id, method, path = input::path(&request), %failure, "key management failed");
                Problem::unavailable().response(&request_id)
            }
        }
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let path = input::path(request);
        if path == COLLECTION {
            return match *request.method() {
                Method::GET => self.list(request).await,
                Method::POST => self.create(request).await,
                _ => Err(Problem::method_not_allowed("GET, POST").into()),
            };
        }
        let id = path.strip_prefix(COLLECTION).and_then(|rest| rest.strip_prefix('/'));
        let id = id.filter(|id| !id.is_empty() && !id.contains('/')).ok_or_else(Problem::not_found)?;
        match *request.method() {
            Method::GET => self.read(request, id).await,
            Method::PATCH => self.change(request, id).await,
            Method::DELETE if id == OWN => self.revoke_own(request).await,
            Method::DELETE => self.revoke(request, id).await,
            _ => Err(Problem::method_not_allowed("GET, PATCH, DELETE").into()),
        }
    }

    fn services(&self) -> &Services {
        self.gate.services()
    }

    async fn authenticate(&self, request: &Request) -> Result<Caller, Refusal> {
        let Ok(scope) = Scope::parse(REQUIRED_SCOPE) else { unreachable!("two words and a colon are a scope") };
        Ok(self.gate.authenticate(request.method(), request.headers(), &scope).await?)
    }
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

impl From<Overreach> for Refusal {
    fn from(overreach: Overreach) -> Self {
        let problem = Problem::new(403, overreach.code(), overreach.detail()).with_member("field", overreach.field());
        match &overreach {
            Overreach::Grant(grant) | Overreach::Reserved(grant) => {
                let challenge = Denial::InsufficientScope { required: grant.to_string() }.challenge();
                let problem = problem.with_member("required_scope", grant.as_str());
                challenge.into_iter().fold(problem, |problem, it| problem.with_header("www-authenticate", it)).into()
            }
            _ => problem.into(),
        }
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
    Gate(#[from] GateError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the response could not be built")]
    Response(#[from] lambda_http::http::Error),
    #[error("the answer could not be written as json")]
    Render(#[from] serde_json::Error),
    #[error("the {item} is missing")]
    Missing { item: &'static str },
    #[error("the policy has no plan {plan}")]
    NoSuchPlan { plan: String },
    #[error("the {item} was changed by others at every attempt")]
    Contended { item: &'static str },
}

/// A JSON answer that nobody may keep.
fn answer(status: u16, body: String) -> Result<Response<Body>, Refusal> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .body(Body::Text(body))?;
    Ok(response)
}

/// The envelope of every single answer.
#[derive(Serialize)]
struct Data<T> {
    data: T,
}

const COLLECTION: &str = "/v1/api-keys";
const OWN: &str = "self";
const REQUIRED_SCOPE: &str = "keys:manage";

#[cfg(test)]
mod tests;
