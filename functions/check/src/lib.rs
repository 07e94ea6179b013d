//! The verify call: `POST /v1/api-keys/verify`, wherever the policy has the keys; a decision for any backend in any language.

mod body;
mod view;

use std::borrow::Cow;

use faregate_domain::policy::{Dialect, InvalidCost, MAX_CALL_COST};
use faregate_edge::{input, problem::Problem};
use faregate_gate::{Call, Decision, Gate, GateError, Once, Services, management, refusal, replay, replay::Ticket};
use lambda_http::{Body, Request, Response, http::Method};

use crate::{body::VerifyBody, view::answer};

/// The check function; cheap to clone.
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
        let answered = match self.route(&request).await {
            Ok(text) => management::answer(200, text),
            Err(problem) => Err(problem.into()),
        };
        management::respond(&request, answered, self.dialect())
    }

    /// The text of a decision, whatever it is: a refused caller is not the service's mistake.
    async fn route(&self, request: &Request) -> Result<String, Problem> {
        if input::path(request) != PATH {
            return Err(Problem::not_found());
        }
        if request.method() != Method::POST {
            return Err(Problem::method_not_allowed("POST"));
        }
        let service = self.gate.authenticate_service(request).await;
        let service =
            service.map_err(|problem| if problem.status >= 500 { refusal::gate_unavailable() } else { problem })?;
        let ticket = Ticket::of(request, &service.id, OPERATION)?;
        let body = input::json::<VerifyBody>(request)?;
        let request_id = input::request_id(request);
        let asked = body.request(&request_id)?;
        let mut route = self.gate.find_route(&asked);
        if body.cost().is_some_and(|cost| cost > MAX_CALL_COST) {
            return Err(invalid_cost(InvalidCost::TooMuch));
        }
        if let (Some(cost), Some(found)) = (body.cost(), &mut route) {
            *found = Cow::Owned(found.priced(cost).map_err(invalid_cost)?);
        }
        let call = Call { request: &asked, route, credential: body.credential() };
        let render = |decision: &Decision| {
            decision.log(&request_id);
            answer(decision, &request_id, self.dialect())
        };
        let decided = match &ticket {
            Some(ticket) => Box::pin(self.gate.decide_once(&call, ticket, render)).await,
            None => {
                Box::pin(self.gate.decide_call(&call)).await.and_then(|decision| Ok(Once::Answered(render(&decision)?)))
            }
        };
        match decided.map_err(|error| unavailable(&request_id, &error))? {
            Once::Answered(text) => Ok(text),
            Once::InFlight { retry_at } => Err(replay::in_flight(retry_at, self.gate.services().clock.now())),
            Once::Reused => Err(replay::reused()),
        }
    }

    fn dialect(&self) -> &Dialect {
        self.gate.services().config.policy.dialect()
    }
}

fn unavailable(request_id: &str, error: &GateError) -> Problem {
    tracing::error!(request_id, %error, "no decision");
    refusal::gate_unavailable()
}

fn invalid_cost(invalid: InvalidCost) -> Problem {
    let problem = Problem::invalid_field("cost_usd", &invalid.to_string());
    match invalid {
        InvalidCost::TooMuch => problem.with_member("limit_usd", refusal::dollars(MAX_CALL_COST)),
        InvalidCost::Fixed => problem,
    }
}

const PATH: &str = "/v1/api-keys/verify";
const OPERATION: &str = "POST /v1/api-keys/verify";
