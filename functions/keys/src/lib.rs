//! Manages API keys: `/v1/api-keys`, or where the policy has them.

mod answer;
mod body;
mod change;
mod create;
mod explain;
mod field;
mod find;
mod list;
mod revoke;
mod rotate;
mod view;

use faregate_domain::scope::Scope;
use faregate_edge::{input, problem::Problem};
use faregate_gate::{
    Caller, Gate, Services, Tally,
    management::{Refusal, respond},
};
use lambda_http::{Body, Request, Response, http::Method};

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
        let below = id.and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
        let (id, action) = below.split_once('/').map_or((below, None), |(id, action)| (id, Some(action)));
        if id.is_empty() {
            return Err(Problem::not_found().into());
        }
        match action {
            None => self.route_key(request, id).await,
            Some(action) => self.route_action(request, id, action).await,
        }
    }

    async fn route_key(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        match *request.method() {
            Method::DELETE if id == OWN => self.revoke_own(request).await,
            _ if id == OWN => Err(Problem::method_not_allowed("DELETE").into()),
            Method::GET => self.read(request, id).await,
            Method::PATCH => self.change(request, id).await,
            Method::DELETE => self.revoke(request, id).await,
            _ => Err(Problem::method_not_allowed("GET, PATCH, DELETE").into()),
        }
    }

    async fn route_action(&self, request: &Request, id: &str, action: &str) -> Result<Response<Body>, Refusal> {
        match (action, request.method()) {
            ("rotate", &Method::POST) => self.rotate(request, id).await,
            ("explain", &Method::POST) => self.explain(request, id).await,
            ("rotate" | "explain", _) => Err(Problem::method_not_allowed("POST").into()),
            _ => Err(Problem::not_found().into()),
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
