//! Requests, refusals and sums as they stand in answers.

use std::fmt;

use faregate_domain::{
    books::{Durations, Numbers, Sums},
    cell::CellId,
    charge::ChargeId,
    money::MicroUsd,
    settlement::{ErrorCode, Outcome},
};
use faregate_edge::input::Usd;
use faregate_store::{RequestRow, RowSettlement};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{
    refused::{Refused, belonging},
    wanted::Belonging,
};

/// One admitted call.
#[derive(Serialize)]
pub(crate) struct RequestView<'r> {
    pub(crate) id: String,
    pub(crate) at: String,
    pub(crate) account_id: String,
    /// `None` where somebody was signed in.
    pub(crate) key_id: Option<String>,
    pub(crate) project_id: String,
    pub(crate) environment: &'r str,
    pub(crate) route: &'r str,
    pub(crate) code: &'r str,
    pub(crate) cost_usd: Usd,
    /// What was reserved; `None` where the price is fixed.
    pub(crate) reserved_usd: Option<Usd>,
    pub(crate) outcome: Option<&'static str>,
    pub(crate) error_code: Option<&'r str>,
    pub(crate) settled_at: Option<String>,
    /// From admission to settlement.
    pub(crate) latency_ms: Option<u64>,
    pub(crate) network: Option<&'r str>,
    pub(crate) agent: Option<&'r str>,
    pub(crate) client_session_id: Option<String>,
}

impl<'r> From<&'r RequestRow> for RequestView<'r> {
    fn from(row: &'r RequestRow) -> Self {
        let charge = ChargeId { cell: row.cell.clone(), nonce: row.charge.clone() };
        let settlement = row.settled.as_ref().map(|RowSettlement { settlement, .. }| settlement);
        Self {
            id: charge.to_string(),
            at: row.at.to_string(),
            account_id: row.account.to_string(),
            key_id: key_id(&row.cell),
            project_id: row.project.to_string(),
            environment: &row.environment,
            route: &row.route,
            code: row.code(),
            cost_usd: Usd(row.cost()),
            reserved_usd: row.is_leased.then_some(Usd(row.amount)),
            outcome: settlement.map(|settlement| Outcome::as_str(settlement.outcome)),
            error_code: settlement.and_then(|settlement| settlement.error_code.as_ref()).map(ErrorCode::as_str),
            settled_at: row.settled.as_ref().map(|settled| settled.at.to_string()),
            latency_ms: row.settled.as_ref().map(|settled| row.at.ms_until(settled.at)),
            network: row.network.as_deref(),
            agent: row.agent.as_deref(),
            client_session_id: row.session.as_ref().map(ToString::to_string),
        }
    }
}

/// Calls that were refused in an hour, for one reason.
#[derive(Serialize)]
pub(crate) struct RefusedView<'r> {
    hour: String,
    /// `None` where nobody knows who called.
    account_id: Option<String>,
    key_id: Option<String>,
    project_id: Option<String>,
    environment: Option<&'r str>,
    route: Option<&'r str>,
    code: &'r str,
    calls: u64,
}

impl<'r> From<&'r Refused> for RefusedView<'r> {
    fn from(one: &'r Refused) -> Self {
        let Belonging { cell, project, environment } = belonging(&one.whose);
        Self {
            hour: one.hour.to_string(),
            account_id: one.whose.account().map(ToString::to_string),
            key_id: cell.and_then(key_id),
            project_id: project.map(ToString::to_string),
            environment,
            route: one.reason.route.as_deref(),
            code: &one.reason.code,
            calls: one.calls,
        }
    }
}

/// Numbers of calls.
#[derive(Serialize)]
pub(crate) struct SumsView {
    calls: i64,
    refused: i64,
    cost_usd: UsdSum,
    /// Calls of which it is known how long they took.
    settled: i64,
    latency_ms: Option<LatencyView>,
}

impl From<Sums> for SumsView {
    fn from(Sums { admitted: Numbers { calls, micro_usd, took }, refused }: Sums) -> Self {
        Self { calls, refused, cost_usd: UsdSum(micro_usd), settled: took.calls(), latency_ms: LatencyView::of(&took) }
    }
}

/// How long calls took, in milliseconds.
#[derive(Serialize)]
struct LatencyView {
    mean: u64,
    p50: u64,
    p95: u64,
    p99: u64,
}

impl LatencyView {
    fn of(took: &Durations) -> Option<Self> {
        let percentile = |percent| took.percentile_ms(percent);
        Some(Self { mean: took.mean_ms()?, p50: percentile(50)?, p95: percentile(95)?, p99: percentile(99)? })
    }
}

/// Dollars that were added up from micro-dollars, as a JSON number.
struct UsdSum(i64);

impl fmt::Display for UsdSum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        // More than one amount may hold is told in two parts.
        let (billions, rest) = (amount / MicroUsd::MAX.micro_usd(), amount % MicroUsd::MAX.micro_usd());
        let rest = MicroUsd::new(rest).map_err(|_| fmt::Error)?;
        match billions {
            0 => write!(out, "{sign}{rest}"),
            billions => {
                let text = rest.to_string();
                let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
                let point = if fraction.is_empty() { "" } else { "." };
                write!(out, "{sign}{billions}{whole:0>9}{point}{fraction}")
            }
        }
    }
}

impl Serialize for UsdSum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// The key's id, unless the cell is one of sessions.
pub(crate) fn key_id(cell: &CellId) -> Option<String> {
    match cell {
        CellId::Key(id) => Some(id.to_string()),
        CellId::Session(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_print_every_digit() {
        for (micro_usd, text) in [
            (0, "0"),
            (10_000, "0.01"),
            (-1, "-0.000001"),
            (1_000_000_000_000_000, "1000000000"),
            (1_000_000_000_000_001, "1000000000.000001"),
            (i64::MAX, "9223372036854.775807"),
        ] {
            assert_eq!(UsdSum(micro_usd).to_string(), text);
        }
    }
}
