//! Projects and entries as their owner sees them.

use faregate_domain::{
    books::Sequence,
    ledger::{Entry, Reference},
    limit::Rate,
    money::MicroUsd,
    window::WindowLength,
};
use faregate_edge::input::Usd;
use faregate_gate::project::ProjectState;
use faregate_store::{KeyDescription, Movement};
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

/// A grant of the project's money to a key, or what went back, as an entry.
#[derive(Serialize)]
pub(crate) struct GrantView {
    id: String,
    kind: &'static str,
    amount_usd: Usd,
    project_id: Option<String>,
    key_id: String,
    reference: Option<&'static str>,
    created_at: String,
}

impl GrantView {
    pub(crate) fn of(key: &KeyDescription, movement: &Movement) -> Self {
        let is_back = movement.sequence == Sequence::Returns || movement.micro_usd < 0;
        let prefix = if movement.sequence == Sequence::Returns { "ret" } else { "gnt" };
        Self {
            id: format!("{prefix}_{}{:019}", key.id.suffix(), movement.seq),
            kind: if is_back { "grant_returned" } else { "grant" },
            amount_usd: Usd(MicroUsd::new(movement.micro_usd.unsigned_abs()).unwrap_or(MicroUsd::MAX)),
            project_id: Some(key.project.to_string()),
            key_id: key.id.to_string(),
            reference: None,
            created_at: movement.at.to_string(),
        }
    }
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
