//! The dialect of a product: its words for our codes, its bodies, its header names.

use std::collections::BTreeMap;

mod header;
mod json;
mod template;

use crate::header::PROBLEM_TYPE;

pub use header::{HeaderNames, InvalidHeaderNames};
pub use json::Json;
pub use template::Template;
pub(super) use template::{Known, Step};

/// How a product words its answers. The default one speaks of problem details (RFC 9457) and wraps answers in `data`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dialect {
    pub(super) content_type: Option<String>,
    pub(super) codes: BTreeMap<String, String>,
    pub(super) error: Option<Template>,
    pub(super) headers: HeaderNames,
    pub(super) answers: BTreeMap<KeyAnswer, Template>,
}

impl Dialect {
    /// The content type of errors.
    #[must_use]
    pub fn content_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or(PROBLEM_TYPE)
    }

    /// The product's word for one of our codes.
    #[must_use]
    pub fn word<'w>(&'w self, code: &'w str) -> &'w str {
        self.codes.get(code).map_or(code, String::as_str)
    }

    /// The names under which our headers are sent.
    #[must_use]
    pub fn headers(&self) -> &HeaderNames {
        &self.headers
    }

    /// The body of an error: `standard` finds the members that every error has, `others` are those beside them. `None`
    /// where the product has no form of its own.
    #[must_use]
    pub fn error(&self, standard: &dyn Fn(&str) -> Json, others: &[(String, Json)]) -> Option<Json> {
        Some(self.error.as_ref()?.render(standard, others))
    }

    /// The product's own form of an answer of key management.
    #[must_use]
    pub fn answer(&self, kind: KeyAnswer) -> Option<&Template> {
        self.answers.get(&kind).or_else(|| self.answers.get(&kind.stand_in()?))
    }
}

/// The answers of key management.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyAnswer {
    /// A new key, with its text.
    Created,
    /// A key that was read or changed.
    Key,
    /// A key with a new text.
    Rotated,
    /// A page of keys.
    Page,
    /// One key of a page.
    Item,
}

impl KeyAnswer {
    /// Every answer.
    pub const ALL: [Self; 5] = [Self::Created, Self::Key, Self::Rotated, Self::Page, Self::Item];

    /// The answer whose form serves where this one has none.
    fn stand_in(self) -> Option<Self> {
        (self == Self::Rotated).then_some(Self::Created)
    }

    /// What a template of this answer may name.
    #[must_use]
    pub fn members(self) -> &'static [&'static str] {
        match self {
            Self::Created | Self::Rotated => &SHOWN_KEY_MEMBERS,
            Self::Key | Self::Item => SHOWN_KEY_MEMBERS.split_first().map_or(&[], |(_, rest)| rest),
            Self::Page => &["items", "next_cursor"],
        }
    }
}

/// What an error's template may name.
pub(super) const ERROR_MEMBERS: &[&str] = &["type", "title", "status", "detail", "code", "request_id"];

/// The members of a key in an answer; its text comes first and stands in two answers only.
const SHOWN_KEY_MEMBERS: [&str; 15] = [
    "key",
    "id",
    "key_prefix",
    "name",
    "project_id",
    "environment",
    "scopes",
    "allowlist",
    "budget_usd",
    "expires_at",
    "created_at",
    "status",
    "limits",
    "rotation",
    "usage",
];

/// Every problem code, one for each page in `docs/problems`.
pub const CODES: [&str; 52] = [
    "allocation_exceeded",
    "allowlist_exceeded",
    "already_settled",
    "ambiguous_credentials",
    "bad_gateway",
    "balance_exceeded",
    "body_too_large",
    "budget_exceeded",
    "expiry_exceeded",
    "forbidden_environment",
    "gate_unavailable",
    "gateway_timeout",
    "idempotency_key_reused",
    "insufficient_credits",
    "insufficient_scope",
    "invalid_address",
    "invalid_api_key",
    "invalid_client_secret",
    "invalid_event_signature",
    "invalid_request",
    "invalid_signature",
    "invalid_signed_url",
    "invalid_token",
    "key_required",
    "key_revoked",
    "key_rotated",
    "limits_exceeded",
    "method_not_allowed",
    "missing_credentials",
    "not_found",
    "operator_required",
    "origin_not_allowed",
    "plan_required",
    "rate_limited",
    "rate_limited_concurrent",
    "rate_limited_daily",
    "rate_limited_project",
    "reference_reused",
    "request_in_flight",
    "request_timeout",
    "session_required",
    "signed_url_expired",
    "too_many_projects",
    "too_many_sessions",
    "too_many_webhooks",
    "unavailable",
    "unknown_route",
    "unsupported_media_type",
    "unsupported_wallet",
    "uri_too_long",
    "webhook_disabled",
    "webhook_secret_unknown",
];
