//! Endpoints and deliveries as their owner sees them.

use faregate_domain::{
    cell::{Cell, Status},
    time::Timestamp,
    webhook::{Delivery, DeliveryState, Disabled, Endpoint, Outcome, Reason},
};
use serde::Serialize;

/// One endpoint in an answer.
#[derive(Serialize)]
pub(crate) struct EndpointView<'e> {
    id: String,
    url: &'e str,
    events: Vec<&'static str>,
    description: Option<&'e str>,
    key_id: String,
    project_id: String,
    environment: &'e str,
    status: &'static str,
    disabled_reason: Option<&'static str>,
    disabled_at: Option<String>,
    failing_since: Option<String>,
    created_at: String,
    /// For the key that makes it, in the answer to that alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'e str>,
}

impl<'e> EndpointView<'e> {
    /// An endpoint of a key whose cell is like that.
    pub(crate) fn of(endpoint: &'e Endpoint, cell: Option<&Cell>, now: Timestamp) -> Self {
        let disabled = endpoint.disabled.or_else(|| ended_with(cell, now));
        Self {
            id: endpoint.id.to_string(),
            url: &endpoint.url,
            events: endpoint.wish.texts(),
            description: endpoint.description.as_deref(),
            key_id: endpoint.key.to_string(),
            project_id: endpoint.project.to_string(),
            environment: &endpoint.environment,
            status: if disabled.is_none() { "enabled" } else { "disabled" },
            disabled_reason: disabled.map(|disabled| disabled.reason.as_str()),
            disabled_at: disabled.map(|disabled| disabled.at.to_string()),
            failing_since: endpoint.failing_since.map(|since| since.to_string()),
            created_at: endpoint.created_at.to_string(),
            secret: None,
        }
    }

    /// The same, with the secret that deliveries to it are signed under.
    pub(crate) fn with_secret(self, secret: &'e str) -> Self {
        Self { secret: Some(secret), ..self }
    }
}

/// An endpoint ends with its key, also before anybody has written that down.
pub(crate) fn ended_with(cell: Option<&Cell>, now: Timestamp) -> Option<Disabled> {
    match cell {
        Some(cell) if cell.status == Status::Revoked => Some(Disabled { reason: Reason::KeyRevoked, at: now }),
        Some(cell) if cell.is_over(now) => {
            Some(Disabled { reason: Reason::KeyExpired, at: cell.expires_at.unwrap_or(now) })
        }
        _ => None,
    }
}

/// One delivery in an answer.
#[derive(Serialize)]
pub(crate) struct DeliveryView<'d> {
    id: String,
    r#type: &'static str,
    status: &'static str,
    /// Why it is not tried any more.
    reason: Option<&'static str>,
    created_at: String,
    next_attempt_at: Option<String>,
    attempts: Vec<AttemptView<'d>>,
}

#[derive(Serialize)]
struct AttemptView<'d> {
    at: String,
    status_code: Option<u16>,
    error: Option<&'d str>,
}

impl<'d> From<&'d Delivery> for DeliveryView<'d> {
    fn from(delivery: &'d Delivery) -> Self {
        let (status, reason, next) = match delivery.state {
            DeliveryState::Pending(next) => ("pending", None, Some(next)),
            DeliveryState::Delivered => ("delivered", None, None),
            DeliveryState::Failed => ("failed", None, None),
            DeliveryState::Cancelled(ending) => ("cancelled", Some(ending.as_str()), None),
        };
        let attempt = |attempt: &'d faregate_domain::webhook::Attempt| AttemptView {
            at: attempt.at.to_string(),
            status_code: match attempt.outcome {
                Outcome::Answered(status) => Some(status),
                Outcome::Unanswered(_) => None,
            },
            error: error_of(&attempt.outcome),
        };
        Self {
            id: delivery.id.to_string(),
            r#type: delivery.kind.as_str(),
            status,
            reason,
            created_at: delivery.created_at.to_string(),
            next_attempt_at: next.map(|next| next.to_string()),
            attempts: delivery.attempts.iter().map(attempt).collect(),
        }
    }
}

fn error_of(outcome: &Outcome) -> Option<&str> {
    match outcome {
        outcome if outcome.is_success() => None,
        Outcome::Answered(300..=399) => Some("redirect_not_followed"),
        Outcome::Answered(_) => Some("unsuccessful_status"),
        Outcome::Unanswered(word) => Some(word),
    }
}
