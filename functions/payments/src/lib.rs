//! Credit that comes in through a payment provider: Stripe's events, and what an operator does with those that fit nobody.

mod assign;
mod credit;
mod level;
mod receive;
mod unmatched;
mod view;

use faregate_edge::{input, problem::Problem};
use faregate_gate::{
    Gate, Services, Tally,
    management::{Refusal, respond},
};
use lambda_http::{Body, Request, Response, http::Method};

/// The payments function; cheap to clone.
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
            (Place::Stripe, &Method::POST) => self.receive(request).await,
            (Place::Unmatched, &Method::GET) => self.unmatched(request).await,
            (Place::Assign(id), &Method::POST) => self.assign(request, id).await,
            (place, _) => Err(Problem::method_not_allowed(place.methods()).into()),
        }
    }

    fn services(&self) -> &Services {
        self.gate.services()
    }
}

/// One of this function's places, with the id in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'p> {
    Stripe,
    Unmatched,
    Assign(&'p str),
}

impl<'p> Place<'p> {
    fn of(path: &'p str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix("/v1/payments/")?.split('/').collect();
        Some(match *segments.as_slice() {
            ["stripe"] => Self::Stripe,
            ["unmatched"] => Self::Unmatched,
            [id, "assign"] if !id.is_empty() => Self::Assign(id),
            _ => return None,
        })
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Stripe | Self::Assign(_) => "POST",
            Self::Unmatched => "GET",
        }
    }
}
