//! `POST /v1/api-keys/{id}/explain`: a dry run that takes nothing.

use std::net::IpAddr;

use faregate_domain::{
    denial::{Denial, LimitSource},
    explanation::{Explanation, Outcome, Step},
    money::MicroUsd,
    policy::Dialect,
    standing::Level,
};
use faregate_edge::{
    input::{self, Usd},
    problem::Problem,
};
use faregate_gate::{
    Request as Question,
    explain::Explained,
    management::{Data, Refusal, answer},
    refusal,
};
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde_json::Value;

use crate::{App, body::ExplainBody};

impl App {
    /// Says what the gate would answer to a request with the key, by which check, and how full every limit is.
    pub(crate) async fn explain(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let body: ExplainBody = input::json(request)?;
        let cost = body.cost_usd.map(|cost| cost.0);
        let question = question(body)?;
        let (description, _) = self.find(&caller, id).await?;
        let explained = self.gate.explain(&description.id, &description.project, &question, cost).await?;
        answer(
            200,
            serde_json::to_string(&Data { data: ExplanationView::of(&explained, cost, self.dialect_for(request))? })?,
        )
    }
}

/// The request that is asked about.
fn question(body: ExplainBody) -> Result<Question, Problem> {
    let address = body.ip.map(|ip| ip.parse::<IpAddr>()).transpose();
    let source_ip = address.map_err(|_| Problem::invalid_field("ip", "must be an IP address"))?;
    let headers = body.origin.map(|origin| ("origin".to_owned(), origin)).into_iter().collect();
    Ok(Question { method: body.method, path: body.path, headers, source_ip, ..Question::default() })
}

#[derive(Serialize)]
struct ExplanationView {
    allowed: bool,
    status: u16,
    code: &'static str,
    /// The check that refuses.
    rule: Option<&'static str>,
    /// The refusal as a caller would see it, but for the id of its request.
    problem: Option<Value>,
    route: Option<RouteView>,
    checks: Vec<CheckView>,
    limits: Vec<LimitView>,
    money: MoneyView,
}

#[derive(Serialize)]
struct RouteView {
    route: String,
    scope: String,
    cost_usd: Usd,
    settle: bool,
}

#[derive(Serialize)]
struct CheckView {
    check: &'static str,
    outcome: &'static str,
    status: Option<u16>,
    code: Option<&'static str>,
}

#[derive(Serialize)]
struct LimitView {
    name: &'static str,
    source: &'static str,
    limit: u64,
    used: u64,
    remaining: u64,
    /// `null` for the calls that run at once.
    window_seconds: Option<u64>,
    resets_at: Option<String>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the members of the answer carry their unit")]
struct MoneyView {
    cost_usd: Usd,
    balance_usd: Usd,
    reserved_usd: Usd,
    spent_usd: Usd,
    budget_usd: Option<Usd>,
    project_available_usd: Usd,
    grantable_usd: Usd,
}

impl ExplanationView {
    fn of(explained: &Explained, cost: Option<MicroUsd>, dialect: &Dialect) -> Result<Self, serde_json::Error> {
        let Explained { explanation, route, cell, wallet } = explained;
        let refusal = explanation.refusal();
        let purse = &cell.purse;
        let cost = route.as_ref().map(|route| route.cost).or(cost).unwrap_or(MicroUsd::ZERO);
        Ok(Self {
            allowed: refusal.is_none(),
            status: refusal.map_or(200, |(_, denial)| denial.status()),
            code: refusal.map_or("ok", |(_, denial)| denial.code()),
            rule: refusal.map(|(step, _)| step.as_str()),
            problem: refusal.map(|(_, denial)| problem(denial, explanation, dialect)).transpose()?,
            route: route.as_ref().map(|route| RouteView {
                route: route.template.clone(),
                scope: route.scope.to_string(),
                cost_usd: Usd(route.cost),
                settle: route.lease_seconds.is_some(),
            }),
            checks: explanation.steps.iter().map(CheckView::of).collect(),
            limits: limits(explained),
            money: MoneyView {
                cost_usd: Usd(cost),
                balance_usd: Usd(purse.balance),
                reserved_usd: Usd(purse.reserved),
                spent_usd: Usd(purse.spent()),
                budget_usd: purse.budget.map(Usd),
                project_available_usd: Usd(wallet.available),
                grantable_usd: Usd(explanation.grantable),
            },
        })
    }
}

impl CheckView {
    fn of((step, outcome): &(Step, Outcome)) -> Self {
        let (word, denial) = match outcome {
            Outcome::Passed => ("passed", None),
            Outcome::Refused(denial) => ("refused", Some(denial)),
            Outcome::Skipped => ("skipped", None),
        };
        let (status, code) = (denial.map(Denial::status), denial.map(Denial::code));
        Self { check: step.as_str(), outcome: word, status, code }
    }
}

impl LimitView {
    fn of(level: &Level, source: LimitSource) -> Self {
        Self {
            name: level.name,
            source: source.as_str(),
            limit: level.limit,
            used: level.used,
            remaining: level.remaining,
            window_seconds: Some(level.seconds),
            resets_at: Some(level.resets_at.to_string()),
        }
    }
}

/// The body that the gate would answer with, but for the id of a request that there is none of.
fn problem(denial: &Denial, explanation: &Explanation, dialect: &Dialect) -> Result<Value, serde_json::Error> {
    let mut body: Value = serde_json::from_str(&refusal::problem(denial, explanation.now).body("", dialect))?;
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    Ok(body)
}

/// Every limit as it is now, whether or not the route asks for it.
fn limits(explained: &Explained) -> Vec<LimitView> {
    let Explained { explanation, cell, wallet, .. } = explained;
    let standing = explanation.standing(cell);
    let mut limits = vec![LimitView::of(&standing.minute, LimitSource::Key)];
    limits.push(LimitView::of(&standing.day, LimitSource::Key));
    limits.extend(standing.route.iter().map(|level| LimitView::of(level, LimitSource::Route)));
    let running = cell.leases.held.values().filter(|lease| !lease.is_over(explanation.now)).count();
    let (limit, used) = (u64::from(cell.limits.concurrent), u64::try_from(running).unwrap_or(u64::MAX));
    limits.push(LimitView {
        name: "concurrent",
        source: LimitSource::Key.as_str(),
        limit,
        used,
        remaining: limit.saturating_sub(used),
        window_seconds: None,
        resets_at: cell.leases.first_end().filter(|_| used >= limit).map(|end| end.to_string()),
    });
    limits.extend(wallet.level(explanation.now).iter().map(|level| LimitView::of(level, LimitSource::Project)));
    limits
}
