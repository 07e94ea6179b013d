//! What happened, as an event: a name that follows from it, and what is told of it.

use faregate_domain::{
    id::{AccountId, KeyId},
    ledger::{Entry, Reference},
    time::Timestamp,
    webhook::{Data, Disabled, Endpoint, Event, EventKind},
};
use faregate_store::{Event as BookEvent, KeyDescription, KeySecretItem, RedeemedSession};

/// A key was made.
pub(crate) fn created(key: &KeyDescription) -> Event {
    let data = about(key)
        .with_text("environment", &key.environment)
        .with_text("key_prefix", &key.prefix)
        .with_text("created_at", &key.created_at.to_string());
    event(EventKind::KeyCreated, key.created_at, key, key.id.suffix(), data)
}

/// A key got another secret.
pub(crate) fn rotated(key: &KeyDescription, secrets: &KeySecretItem, at: Timestamp) -> Event {
    let data = about(key).with_number("rotations", secrets.newest).with_text("rotated_at", &at.to_string());
    event(EventKind::KeyRotated, at, key, &format!("{} {}", key.id.suffix(), secrets.newest), data)
}

/// A key was ended.
pub(crate) fn revoked(key: &KeyDescription, at: Timestamp) -> Event {
    event(EventKind::KeyRevoked, at, key, key.id.suffix(), about(key).with_text("revoked_at", &at.to_string()))
}

/// A key ends within a week.
pub(crate) fn expiring(key: &KeyDescription, end: Timestamp, at: Timestamp) -> Event {
    let what = format!("{} {}", key.id.suffix(), end.epoch_s());
    event(EventKind::KeyExpiring, at, key, &what, about(key).with_text("expires_at", &end.to_string()))
}

/// The ledger noticed something about a key; `None` where nobody is told.
pub(crate) fn noticed(key: &KeyDescription, noticed: &BookEvent) -> Option<Event> {
    let kind = EventKind::of_books(&noticed.kind)?;
    let what = format!("{} {}", key.id.suffix(), noticed.what);
    // What the details say must not change whose it is.
    let data = about(key).with_details(&noticed.details).with_text("key_id", &key.id.to_string());
    Some(event(kind, noticed.at, key, &what, data))
}

/// Money came in.
pub(crate) fn credited(account: &AccountId, entry: &Entry) -> Event {
    let data = Data::default()
        .with_text("entry_id", &entry.id.to_string())
        .with_usd("amount_usd", entry.amount)
        .with_optional_text("reference", entry.reference.as_ref().map(Reference::as_str));
    Event::new(EventKind::CreditReceived, entry.at, (account.clone(), None), entry.id.suffix(), data)
}

/// A client session was opened.
pub(crate) fn redeemed(session: &RedeemedSession) -> Event {
    let data = Data::default()
        .with_text("session_id", &session.id)
        .with_text("key_id", &session.key.to_string())
        .with_optional_text("client_reference_id", session.reference.as_deref())
        .with_text("redeemed_at", &session.at.to_string());
    let whose = (session.account.clone(), Some(session.project.clone()));
    Event::new(EventKind::ClientSessionRedeemed, session.at, whose, &session.id, data)
}

/// An endpoint gets nothing more.
pub(crate) fn disabled(endpoint: &Endpoint, disabled: Disabled) -> Event {
    let data = Data::default()
        .with_text("webhook_id", &endpoint.id.to_string())
        .with_text("url", &endpoint.url)
        .with_text("reason", disabled.reason.as_str());
    let whose = (endpoint.account.clone(), Some(endpoint.project.clone()));
    Event::new(EventKind::WebhookDisabled, disabled.at, whose, endpoint.id.suffix(), data)
}

fn about(key: &KeyDescription) -> Data {
    Data::default().with_text("key_id", &key.id.to_string()).with_text("name", &key.name)
}

fn event(kind: EventKind, at: Timestamp, key: &KeyDescription, what: &str, data: Data) -> Event {
    Event::new(kind, at, (key.account.clone(), Some(key.project.clone())), what, data)
}

/// Whose key it is that something is told of.
pub(crate) type Named = (AccountId, KeyId);
