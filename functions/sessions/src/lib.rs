//! Client sessions: a backend makes one with its key, a frontend exchanges its secret, and browsers are told what they may do.

mod body;
mod browser;
mod create;
mod end;
mod find;
mod list;
mod redeem;
mod view;

use faregate_domain::scope::Scope;
use faregate_edge::{input, problem::Problem};
use faregate_gate::{
    Caller, Gate, Services, Tally,
    management::{Refusal, respond},
};
use lambda_http::{Body, Request, Response, http::Method};

/// The sessions function; cheap to clone.
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
        let place = Place::of(input::path(&request));
        match place {
            // API Gateway hands every preflight of the API behind the gate on to here.
            Some(Place::Redeem) | None if browser::is_preflight(&request) => self.answer_preflight(&request, place),
            Some(Place::Redeem) if request.method() == Method::POST => self.answer_redemption(&request).await,
            _ => respond(&request, self.route(&request, place).await, self.services().config.policy.dialect()),
        }
    }

    async fn route(&self, request: &Request, place: Option<Place<'_>>) -> Result<Response<Body>, Refusal> {
        let place = place.ok_or_else(Problem::not_found)?;
        match (place, request.method()) {
            (Place::All, &Method::GET) => self.list(request).await,
            (Place::All, &Method::POST) => self.create(request).await,
            (Place::One(id), &Method::GET) => self.read(request, id).await,
            (Place::One(id), &Method::DELETE) => self.end(request, id).await,
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

/// One of this function's places, with the id in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'p> {
    All,
    Redeem,
    One(&'p str),
}

impl<'p> Place<'p> {
    fn of(path: &'p str) -> Option<Self> {
        match path.strip_prefix(PREFIX)? {
            "" => Some(Self::All),
            "/redeem" => Some(Self::Redeem),
            rest => rest.strip_prefix('/').filter(|id| !id.is_empty() && !id.contains('/')).map(Self::One),
        }
    }

    fn methods(self) -> &'static str {
        match self {
            Self::All => "GET, POST",
            Self::Redeem => "POST",
            Self::One(_) => "GET, DELETE",
        }
    }
}

const PREFIX: &str = "/v1/client-sessions";
const REQUIRED_SCOPE: &str = "sessions:write";
