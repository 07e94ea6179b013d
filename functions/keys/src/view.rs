//! A key as its owner sees it.

use faregate_domain::{
    amendment::used_in,
    cell::{Cell, Status},
    origin::{Allowlist, AllowlistEntry},
    rotation::Rotation,
    row::Row,
    scope::Grant,
    time::Timestamp,
};
use faregate_edge::input::Usd;
use faregate_store::KeyDescription;
use serde::Serialize;

/// One key in an answer. Its text has a place of its own, so that nothing else can put it there.
#[derive(Serialize)]
pub(crate) struct KeyView<'k> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'k str>,
    key_prefix: &'k str,
    name: &'k str,
    project_id: String,
    environment: &'k str,
    scopes: Vec<&'k str>,
    allowlist: Vec<&'k str>,
    budget_usd: Option<Usd>,
    expires_at: Option<String>,
    created_at: String,
    status: &'static str,
    limits: LimitsView,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation: Option<RotationView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageView>,
}

#[derive(Serialize)]
struct LimitsView {
    per_minute: u32,
    burst: u32,
    per_day: u64,
    concurrent: u32,
}

/// The last rotation, and what became of the secret that it put out.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the members of the answer are all times")]
struct RotationView {
    rotated_at: String,
    /// `null` until the new secret is first used, where the grace begins then.
    grace_ends_at: Option<String>,
    old_secret_last_used_at: Option<String>,
}

impl From<Rotation> for RotationView {
    fn from(rotation: Rotation) -> Self {
        Self {
            rotated_at: rotation.at.to_string(),
            grace_ends_at: rotation.grace.end().map(|end| end.to_string()),
            old_secret_last_used_at: rotation.old_used_at.map(|at| at.to_string()),
        }
    }
}

#[derive(Serialize)]
struct UsageView {
    today: u64,
    this_minute: u64,
    remaining_budget_usd: Option<Usd>,
    spent_usd: Usd,
    reserved_usd: Usd,
    concurrent: usize,
    last_used_at: Option<String>,
    /// The network only, of which the last request came: a /24 of IPv4, a /48 of IPv6.
    last_used_ip: Option<String>,
    /// The first word of its `User-Agent`, without the version.
    last_used_agent: Option<String>,
}

impl<'k> KeyView<'k> {
    pub(crate) fn of(description: &'k KeyDescription, cell: &'k Cell, now: Timestamp) -> Self {
        let limits = LimitsView {
            per_minute: cell.limits.per_minute.limit(),
            burst: cell.limits.per_minute.burst(),
            per_day: cell.limits.per_day,
            concurrent: cell.limits.concurrent,
        };
        Self {
            id: description.id.to_string(),
            key: None,
            key_prefix: &description.prefix,
            name: &description.name,
            project_id: description.project.to_string(),
            environment: &description.environment,
            scopes: cell.grants.iter().map(Grant::as_str).collect(),
            allowlist: cell.allowlist.iter().flat_map(Allowlist::iter).map(AllowlistEntry::as_str).collect(),
            budget_usd: cell.purse.budget.map(Usd),
            expires_at: cell.expires_at.map(|end| end.to_string()),
            created_at: description.created_at.to_string(),
            status: status(cell, now),
            limits,
            rotation: cell.secrets().and_then(|secrets| secrets.rotation).map(RotationView::from),
            usage: None,
        }
    }

    /// The same with what was used.
    pub(crate) fn with_usage(mut self, cell: &Cell, now: Timestamp) -> Self {
        let minute = cell.counters.latest(now).minute();
        let last_row = cell.counters.last_row.as_deref().and_then(|row| Row::parse(row).ok());
        self.usage = Some(UsageView {
            today: cell.counters.days.get(&minute.day()).copied().unwrap_or(0),
            this_minute: used_in(cell, minute),
            remaining_budget_usd: cell
                .purse
                .budget
                .map(|budget| Usd(budget.minus(cell.purse.spent()).minus(cell.purse.reserved))),
            spent_usd: Usd(cell.purse.spent()),
            reserved_usd: Usd(cell.purse.reserved),
            concurrent: cell.leases.held.values().filter(|lease| !lease.is_over(now)).count(),
            last_used_at: last_row.as_ref().map(|row| row.at.to_string()),
            last_used_ip: last_row.as_ref().and_then(Row::known_network).map(ToOwned::to_owned),
            last_used_agent: last_row.as_ref().and_then(Row::known_agent).map(ToOwned::to_owned),
        });
        self
    }

    /// The same with the key itself, for the one answer that shows it.
    pub(crate) fn with_key(mut self, key: &'k str) -> Self {
        self.key = Some(key);
        self
    }
}

/// Every word that [`status`] says.
pub(crate) const STATUSES: [&str; 4] = ["active", "frozen", "expired", "revoked"];

/// What holds of a key, in a word.
pub(crate) fn status(cell: &Cell, now: Timestamp) -> &'static str {
    match cell.status {
        Status::Revoked => "revoked",
        _ if cell.expires_at.is_some_and(|end| end <= now) => "expired",
        Status::Frozen => "frozen",
        Status::Active => "active",
    }
}
