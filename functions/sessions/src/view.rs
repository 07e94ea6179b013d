//! A client session as its backend sees it.

use std::collections::BTreeMap;

use faregate_domain::{
    cell::Cell,
    client_session::ClientSession,
    money::MicroUsd,
    origin::{Allowlist, AllowlistEntry},
    scope::Grant,
    time::Timestamp,
};
use faregate_edge::input::Usd;
use serde::Serialize;

/// One session in an answer.
#[derive(Serialize)]
pub(crate) struct SessionView<'s> {
    id: String,
    status: &'static str,
    key_id: String,
    project_id: String,
    environment: &'s str,
    client_reference_id: &'s str,
    metadata: &'s BTreeMap<String, String>,
    scopes: Vec<&'s str>,
    allowlist: Vec<&'s str>,
    max_cost_usd: Option<Usd>,
    /// Charged, and reserved for calls that are not settled.
    spent_usd: Usd,
    /// Admitted calls, as the books have them: a moment late.
    calls: u64,
    created_at: String,
    expires_at: String,
    redeemed_at: Option<String>,
    ended_at: Option<String>,
}

impl<'s> SessionView<'s> {
    /// A session, given the cell of its key as it is now; without one it has only just been made.
    pub(crate) fn of(session: &'s ClientSession, cell: Option<&Cell>, now: Timestamp) -> Self {
        let is_new = cell.is_none() && session.redeemed_at.is_none() && session.ended_at.is_none();
        let status = if is_new { "created" } else { session.status(cell, now).as_str() };
        Self {
            id: session.id.to_string(),
            status,
            key_id: session.key.to_string(),
            project_id: session.project.to_string(),
            environment: &session.environment,
            client_reference_id: session.reference.as_str(),
            metadata: session.metadata.notes(),
            scopes: session.grants.iter().map(Grant::as_str).collect(),
            allowlist: session.allowlist.iter().flat_map(Allowlist::iter).map(AllowlistEntry::as_str).collect(),
            max_cost_usd: session.ceiling.map(Usd),
            spent_usd: Usd(spent(session, cell)),
            calls: session.booked.calls,
            created_at: session.created_at.to_string(),
            expires_at: session.end.to_string(),
            redeemed_at: session.redeemed_at.map(|at| at.to_string()),
            ended_at: session.ended_at.map(|at| at.to_string()),
        }
    }
}

/// What stands on its tab, which is exact; without one, what the books say.
fn spent(session: &ClientSession, cell: Option<&Cell>) -> MicroUsd {
    let tab = cell.filter(|_| session.ceiling.is_some()).and_then(|cell| cell.tabs.open.get(&session.id));
    tab.map_or(session.booked.charged, |tab| tab.spent)
}
