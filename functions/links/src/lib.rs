//! Signed URLs: `POST /v1/signed-urls`, for whoever could make the call itself.

mod body;

use faregate_domain::policy::Dialect;
use faregate_edge::{input, problem::Problem};
use faregate_gate::{
    Gate, Services, Tally,
    management::{Data, Refusal, answer, respond},
    refusal,
    signed::UrlWish,
};
use lambda_http::{Body, Request, Response, http::Method};
use serde::Serialize;

use crate::body::SignBody;

/// The links function; cheap to clone.
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
        respond(&request, self.route(&request).await, self.dialect())
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        if input::path(request) != PATH {
            return Err(Problem::not_found().into());
        }
        if request.method() != Method::POST {
            return Err(Problem::method_not_allowed("POST").into());
        }
        self.sign(request).await
    }

    async fn sign(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let wish = match self.wish(request) {
            Ok(wish) => wish,
            // Whoever has no credential is told that, and not what is wrong with the body.
            Err(problem) => {
                self.gate.authenticate_self(request).await?;
                return Err(problem.into());
            }
        };
        let caller = self.gate.authenticate(request, &wish.route.scope).await?;
        let (now, method) = (self.gate.services().clock.now(), wish.method.clone());
        let handed_out = self.gate.sign_url(&caller, request, wish, now).await?;
        let handed_out = handed_out.map_err(|denial| refusal::problem(&denial, now))?;
        let view = UrlView {
            url: &handed_out.url,
            path: &handed_out.target,
            method: method.as_str(),
            expires_at: handed_out.expires_at.to_string(),
        };
        answer(201, serde_json::to_string(&Data { data: view })?)
    }

    fn wish(&self, request: &Request) -> Result<UrlWish, Problem> {
        let body = input::json::<SignBody>(request)?;
        let ((path, query), method, ttl_seconds) = (body.target()?, body.method()?, body.ttl_seconds()?);
        let route = self.gate.services().config.policy.find_route(&method, &path);
        let route = route.filter(|route| route.takes_signed_urls()).cloned();
        let route =
            route.ok_or_else(|| Problem::invalid_field("path", "belongs to no route that takes signed URLs"))?;
        Ok(UrlWish { method, path, query, route, ttl_seconds })
    }

    fn dialect(&self) -> &Dialect {
        self.gate.services().config.policy.dialect()
    }
}

#[derive(Serialize)]
struct UrlView<'u> {
    /// Everything that a browser needs, signature included.
    url: &'u str,
    path: &'u str,
    method: &'u str,
    expires_at: String,
}

const PATH: &str = "/v1/signed-urls";
