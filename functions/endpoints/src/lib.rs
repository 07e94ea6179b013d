//! Manages webhook endpoints: `/v1/webhooks`. It writes the table alone; whatever is to be delivered, the table's stream
//! tells of.

mod body;
mod change;
mod create;
mod deliveries;
mod find;
mod secret;
mod view;

use faregate_domain::{rotation::Secret, scope::Scope};
use faregate_edge::{input, problem::Problem};
use faregate_gate::{
    Caller, Gate, Services, Tally,
    management::{Refusal, respond},
};
use lambda_http::{Body, Request, Response, http::Method};

/// The endpoints function; cheap to clone.
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
        let place = Place::of(input::path(request)).ok_or_else(Problem::not_found)?;
        match (place, request.method()) {
            (Place::All, &Method::GET) => self.list(request).await,
            (Place::All, &Method::POST) => self.create(request).await,
            (Place::One(id), &Method::GET) => self.read(request, id).await,
            (Place::One(id), &Method::PATCH) => self.change(request, id).await,
            (Place::One(id), &Method::DELETE) => self.delete(request, id).await,
            (Place::Test(id), &Method::POST) => self.test(request, id).await,
            (Place::Deliveries(id), &Method::GET) => self.deliveries(request, id).await,
            (Place::Redeliver(id, message), &Method::POST) => self.redeliver(request, id, message).await,
            (place, _) => Err(Problem::method_not_allowed(place.methods()).into()),
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

/// One of this function's places, with the ids in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'p> {
    All,
    One(&'p str),
    Test(&'p str),
    Deliveries(&'p str),
    Redeliver(&'p str, &'p str),
}

impl<'p> Place<'p> {
    fn of(path: &'p str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix("/v1/webhooks")?.split('/').collect();
        Some(match *segments.as_slice() {
            [""] => Self::All,
            ["", id] if !id.is_empty() => Self::One(id),
            ["", id, "test"] if !id.is_empty() => Self::Test(id),
            ["", id, "deliveries"] if !id.is_empty() => Self::Deliveries(id),
            ["", id, "deliveries", message, "redeliver"] if !id.is_empty() && !message.is_empty() => {
                Self::Redeliver(id, message)
            }
            _ => return None,
        })
    }

    fn methods(self) -> &'static str {
        match self {
            Self::All => "GET, POST",
            Self::One(_) => "GET, PATCH, DELETE",
            Self::Deliveries(_) => "GET",
            Self::Test(_) | Self::Redeliver(..) => "POST",
        }
    }
}

/// A secret that was rotated out works until its grace ends, and makes nothing that outlasts it.
fn require_current_secret(caller: &Caller) -> Result<(), Problem> {
    if caller.secret != Secret::Old {
        return Ok(());
    }
    let detail = "The key was rotated; only its secret in force may change where events go.";
    Err(Problem::new(409, "key_rotated", detail))
}

const REQUIRED_SCOPE: &str = "webhooks:manage";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_path() {
        for (path, wanted) in [
            ("/v1/webhooks", Some(Place::All)),
            ("/v1/webhooks/whk_1", Some(Place::One("whk_1"))),
            ("/v1/webhooks/whk_1/test", Some(Place::Test("whk_1"))),
            ("/v1/webhooks/whk_1/deliveries", Some(Place::Deliveries("whk_1"))),
            ("/v1/webhooks/whk_1/deliveries/msg_1/redeliver", Some(Place::Redeliver("whk_1", "msg_1"))),
            ("/v1/webhooks/", None),
            ("/v1/webhooksx", None),
            ("/v1/webhooks//test", None),
            ("/v1/webhooks/whk_1/deliveries/", None),
            ("/v1/webhooks/whk_1/deliveries//redeliver", None),
            ("/v1", None),
        ] {
            assert_eq!(Place::of(path), wanted, "{path}");
        }
    }
}
