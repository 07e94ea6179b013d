//! What backends reported of calls that were to be settled, and what they were told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    ledger::{Ledger, Violation},
    script::dollars,
};

/// One report of a backend.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The charge that it settles.
    pub(crate) charge: String,
    /// What was reserved for it.
    pub(crate) reserved: i64,
    pub(crate) end: End,
    /// The moment in which it was answered, and the status; nothing where nobody heard it.
    pub(crate) told: Option<(u64, u16)>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Failed,
    /// It succeeded at that price in cents, or at what was reserved.
    Succeeded(Option<u64>),
}

impl End {
    /// The body of the report.
    pub(crate) fn body(self) -> Value {
        match self {
            Self::Failed => json!({"outcome": "failed"}),
            Self::Succeeded(None) => json!({"outcome": "succeeded"}),
            Self::Succeeded(Some(cents)) => json!({"outcome": "succeeded", "actual_usd": dollars(cents)}),
        }
    }

    /// Outcome and cost; a success that names no cost agrees with any.
    fn agrees_with(self, (outcome, cost): &(String, i64)) -> bool {
        match self {
            Self::Failed => outcome == "failed",
            Self::Succeeded(None) => outcome == "succeeded",
            Self::Succeeded(Some(cents)) => outcome == "succeeded" && *cost == micro_usd(cents),
        }
    }

    fn exceeds(self, reserved: i64) -> bool {
        matches!(self, Self::Succeeded(Some(cents)) if micro_usd(cents) > reserved)
    }
}

/// Checks that every report was told the truth.
///
/// # Errors
/// The first that was not.
pub(crate) fn check(reports: &BTreeMap<u64, Report>, ledger: &Ledger) -> Result<(), Violation> {
    for (number, report) in reports {
        let Some((_, status)) = report.told else { continue };
        let settlement = ledger.settlements.get(&report.charge);
        let agrees = settlement.is_some_and(|settlement| report.end.agrees_with(settlement));
        let is_true = match status {
            200 => agrees && !ledger.is_open(&report.charge),
            409 => settlement.is_some() && !agrees,
            400 | 422 => report.end.exceeds(report.reserved),
            _ => status >= 500,
        };
        if !is_true {
            return Err(format!("report {number} was told {status}: {report:?}, settled as {settlement:?}"));
        }
    }
    Ok(())
}

fn micro_usd(cents: u64) -> i64 {
    i64::try_from(cents).unwrap() * 10_000
}
