//! Manages API keys: `/v1/api-keys`, or where the policy has them.

mod answer;
mod body;
mod change;
mod create;
mod field;
mod find;
mod list;
mod revoke;
mod view;

use faregate_domain::scope::Scope;
use faregate_edge::{input, problem::Problem};
use faregate_gate::{
    Caller, Gate, Services, Tally,
    management::{Refusal, respond},
};
use lambda_http::{Body, Request, Response, http::Method};

/// What this function serves, unless the policy has it elsewhere.
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
    pub async fn handle(&self, mut request: Request) -> Response<Body> {
        Tally::attach(&mut request);
        respond(&request, self.route(&request).await, self.services().config.policy.dialect())
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let path = input::path(request);
        let id = path.strip_prefix(self.services().config.policy.management().keys());
        if id == Some("") {
            return match *request.method() {
                Method::GET => self.list(request).await,
                Method::POST => self.create(request).await,
                _ => Err(Problem::method_not_allowed("GET, POST").into()),
            };
        }
        let id = id.and_then(|rest| rest.strip_prefix('/'));
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
        Ok(self.gate.authenticate(request, &scope).await?)
    }
}

const OWN: &str = "self";
const REQUIRED_SCOPE: &str = "keys:manage";

#[cfg(test)]
mod tests;
