//! Settles charges: `POST /v1/charges/{id}/settle`, for the backends behind the gate.

use faregate_domain::{
    charge::ChargeId,
    settlement::{ErrorCode, InvalidReport, Outcome, Report, Settlement},
};
use faregate_edge::{
    input::{self, Usd, present},
    problem::Problem,
};
use faregate_gate::{
    Gate, Services, Tally,
    management::{Refusal, respond},
    refusal,
    settle::Settled,
};
use lambda_http::{Body, Request, Response, http::Method};
use serde::{Deserialize, Serialize};

/// The charges function; cheap to clone.
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
        let answered = self.route(&request).await.map_err(Refusal::from);
        respond(&request, answered, self.gate.services().config.policy.dialect())
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Problem> {
        let id = input::path(request).strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
        let id = id.filter(|id| !id.is_empty() && !id.contains('/')).ok_or_else(Problem::not_found)?;
        if request.method() != Method::POST {
            return Err(Problem::method_not_allowed("POST"));
        }
        self.gate.authenticate_service(request).await?;
        let report = input::json::<SettleBody>(request)?.report()?;
        let charge = ChargeId::parse(id).map_err(|_| Problem::not_found())?;
        let settled = self.gate.settle(&charge, &report).await.map_err(|error| {
            tracing::error!(request_id = input::request_id(request), %charge, %error, "a charge is not settled");
            Problem::unavailable()
        })?;
        match settled {
            Settled::Done(settlement) => answer(&charge, &settlement),
            Settled::Otherwise(settlement) => Err(otherwise(&settlement)),
            Settled::Invalid(invalid) => Err(invalid_report(invalid)),
            Settled::Unknown => Err(Problem::not_found()),
        }
    }
}

/// `POST /v1/charges/{id}/settle`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettleBody {
    outcome: String,
    #[serde(default, deserialize_with = "present")]
    actual_usd: Option<Usd>,
    #[serde(default, deserialize_with = "present")]
    error_code: Option<String>,
}

impl SettleBody {
    fn report(&self) -> Result<Report, Problem> {
        let outcome = Outcome::parse(&self.outcome)
            .ok_or_else(|| Problem::invalid_field("outcome", "must be succeeded or failed"))?;
        let code = |text: &String| {
            let rule = "must have 1 to 64 letters, digits and signs out of _ - . :";
            ErrorCode::parse(text).ok_or_else(|| Problem::invalid_field("error_code", rule))
        };
        let error_code = self.error_code.as_ref().map(code).transpose()?;
        if error_code.is_some() && outcome == Outcome::Succeeded {
            return Err(Problem::invalid_field("error_code", "a success has none"));
        }
        Ok(Report { outcome, actual: self.actual_usd.map(|actual| actual.0), error_code })
    }
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

#[derive(Serialize)]
struct SettlementView<'s> {
    charge_id: String,
    outcome: &'static str,
    actual_usd: Usd,
    error_code: Option<&'s str>,
}

fn answer(charge: &ChargeId, settlement: &Settlement) -> Result<Response<Body>, Problem> {
    let data = SettlementView {
        charge_id: charge.to_string(),
        outcome: settlement.outcome.as_str(),
        actual_usd: Usd(settlement.actual),
        error_code: settlement.error_code.as_ref().map(ErrorCode::as_str),
    };
    let text = serde_json::to_string(&Data { data }).map_err(|_| Problem::unavailable())?;
    let response = Response::builder().header("content-type", "application/json").header("cache-control", "no-store");
    response.body(Body::Text(text)).map_err(|_| Problem::unavailable())
}

fn otherwise(settlement: &Settlement) -> Problem {
    let detail = "The charge is settled already, with another result.";
    Problem::new(409, "already_settled", detail)
        .with_member("outcome", settlement.outcome.as_str())
        .with_member("actual_usd", refusal::dollars(settlement.actual))
}

fn invalid_report(invalid: InvalidReport) -> Problem {
    let problem = Problem::invalid_field("actual_usd", &invalid.to_string());
    match invalid {
        InvalidReport::OverReserved { reserved } => problem.with_member("reserved_usd", refusal::dollars(reserved)),
        InvalidReport::FailedWithCost => problem,
    }
}

const PREFIX: &str = "/v1/charges/";
const SUFFIX: &str = "/settle";
