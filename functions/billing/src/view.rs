//! Projects and entries as their owner sees them.

use faregate_domain::{
    ledger::{Entry, Reference},
    limit::Rate,
    window::WindowLength,
};
use faregate_edge::input::Usd;
use faregate_gate::project::ProjectState;
use serde::Serialize;

/// One project in an answer.
#[derive(Serialize)]
pub(crate) struct ProjectView<'p> {
    id: String,
    name: &'p str,
    gallery_mode: &'static str,
    limits: Option<LimitsView>,
    budget_usd: Usd,
    available_usd: Usd,
    created_at: String,
}

impl<'p> ProjectView<'p> {
    pub(crate) fn of(state: &'p ProjectState) -> Self {
        let ProjectState { project, wallet } = state;
        Self {
            id: project.id.to_string(),
            name: &project.name,
            gallery_mode: project.gallery_mode.as_str(),
            limits: wallet.rate.map(LimitsView::of),
            budget_usd: Usd(wallet.allocated),
            available_usd: Usd(wallet.available),
            created_at: project.created_at.to_string(),
        }
    }
}

#[derive(Serialize)]
struct LimitsView {
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_10_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_minute: Option<u32>,
    burst: u32,
}

impl LimitsView {
    fn of(rate: Rate) -> Self {
        let limit = |window| (rate.window == window).then(|| rate.quota.limit());
        Self {
            per_second: limit(WindowLength::Second),
            per_10_seconds: limit(WindowLength::TenSeconds),
            per_minute: limit(WindowLength::Minute),
            burst: rate.quota.burst(),
        }
    }
}

/// One entry of the ledger in an answer. Its amount is never below zero: the kind says which way it went.
#[derive(Serialize)]
pub(crate) struct EntryView<'e> {
    id: String,
    kind: &'static str,
    amount_usd: Usd,
    project_id: Option<String>,
    reference: Option<&'e str>,
    created_at: String,
}

impl<'e> From<&'e Entry> for EntryView<'e> {
    fn from(entry: &'e Entry) -> Self {
        Self {
            id: entry.id.to_string(),
            kind: entry.kind.as_str(),
            amount_usd: Usd(entry.amount),
            project_id: entry.project.as_ref().map(ToString::to_string),
            reference: entry.reference.as_ref().map(Reference::as_str),
            created_at: entry.at.to_string(),
        }
    }
}
