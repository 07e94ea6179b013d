//! Reads the books out: `/v1/requests` and its CSV, `/v1/analytics`, and the history of a key.

mod analytics;
mod csv;
mod cursor;
mod events;
mod everybody;
mod list;
mod reading;
mod refused;
mod view;
mod wanted;

use faregate_domain::scope::Scope;
use faregate_edge::{input, problem::Problem};
use faregate_gate::{
    Caller, Gate, Services, Tally,
    management::{Refusal, respond},
};
use lambda_http::{Body, Request, Response, http::Method};

/// The requests function; cheap to clone.
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
        let keys = self.services().config.policy.management().keys();
        let place = Place::of(input::path(request), keys).ok_or_else(Problem::not_found)?;
        if request.method() != Method::GET {
            return Err(Problem::method_not_allowed("GET").into());
        }
        match place {
            Place::Requests => self.list(request).await,
            Place::Csv => self.csv(request).await,
            Place::Analytics => self.analytics(request).await,
            Place::Events(id) => self.events(request, id).await,
        }
    }

    fn services(&self) -> &Services {
        self.gate.services()
    }

    async fn authenticate(&self, request: &Request, scope: &str) -> Result<Caller, Refusal> {
        let Ok(scope) = Scope::parse(scope) else { unreachable!("two words and a colon are a scope") };
        Ok(self.gate.authenticate(request, &scope).await?)
    }
}

/// One of this function's places, with the id in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'p> {
    Requests,
    Csv,
    Analytics,
    Events(&'p str),
}

impl<'p> Place<'p> {
    fn of(path: &'p str, keys: &str) -> Option<Self> {
        Some(match path {
            "/v1/requests" => Self::Requests,
            CSV_PATH => Self::Csv,
            "/v1/analytics" => Self::Analytics,
            _ => {
                let id = path.strip_prefix(keys)?.strip_prefix('/')?.strip_suffix("/events")?;
                (!id.is_empty() && !id.contains('/')).then_some(Self::Events(id))?
            }
        })
    }
}

const BILLING_READ: &str = "billing:read";
const KEYS_MANAGE: &str = "keys:manage";
const CSV_PATH: &str = "/v1/requests.csv";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_history_stands_where_the_policy_has_keys() {
        assert_eq!(Place::of("/v1/api-keys/key_1/events", "/v1/api-keys"), Some(Place::Events("key_1")));
        assert_eq!(Place::of("/keys/key_1/events", "/keys"), Some(Place::Events("key_1")));
        assert_eq!(Place::of("/v1/requests.csv", "/keys"), Some(Place::Csv));
        for path in
            ["/v1/api-keys/key_1/events", "/keys//events", "/keys/a/b/events", "/keys/a", "/v1/requests/", "/v1"]
        {
            assert_eq!(Place::of(path, "/keys"), None, "{path}");
        }
    }
}
