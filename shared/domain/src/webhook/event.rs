//! What happened that somebody may want to hear of.

use std::{collections::BTreeSet, fmt};

use serde_json::json;

use crate::{
    id::{AccountId, MessageId, ProjectId},
    time::Timestamp,
    webhook::Data,
};

/// Something that happened, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name, the same however often somebody comes upon it.
    pub id: MessageId,
    /// What kind of thing.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// The account that it is about.
    pub account: AccountId,
    /// The project that it is about, unless it concerns the whole account.
    pub project: Option<ProjectId>,
    /// What is told of it; never a secret.
    pub data: Data,
}

impl Event {
    /// An event that `what` tells from all others of its kind and account.
    #[must_use]
    pub fn new(kind: EventKind, at: Timestamp, whose: (AccountId, Option<ProjectId>), what: &str, data: Data) -> Self {
        let (account, project) = whose;
        let id = MessageId::of(at, &[kind.as_str(), account.suffix(), what]);
        let data = data.with_text("account_id", &account.to_string());
        let data = match &project {
            Some(project) => data.with_text("project_id", &project.to_string()),
            None => data,
        };
        Self { id, kind, at, account, project, data }
    }

    /// The body that is delivered: type, time and data.
    #[must_use]
    pub fn body(&self) -> String {
        let (kind, at) = (json!(self.kind.as_str()), json!(self.at.to_string()));
        format!("{{\"type\":{kind},\"timestamp\":{at},\"data\":{}}}", self.data)
    }
}

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A key was made.
    KeyCreated,
    /// A key got another secret.
    KeyRotated,
    /// A key was ended.
    KeyRevoked,
    /// A key ends within a week.
    KeyExpiring,
    /// A key was found where everybody can read it.
    KeyLeaked,
    /// A key was used from a network for the first time.
    KeyNewNetwork,
    /// A key was used by a kind of program for the first time.
    KeyNewAgent,
    /// Somebody tries secrets of a key.
    KeyUnauthorizedBurst,
    /// A key is used far more than before.
    UsageSpike,
    /// Many of a key's calls are refused.
    RefusalsSpike,
    /// A part of a key's budget is spent.
    BudgetThreshold,
    /// A client session was opened with its secret.
    ClientSessionRedeemed,
    /// Money came in.
    CreditReceived,
    /// An endpoint gets nothing more.
    WebhookDisabled,
    /// Somebody wants to see an event arrive.
    WebhookTest,
}

impl EventKind {
    /// All of them, in the order in which people read them.
    pub const ALL: [Self; 15] = [
        Self::KeyCreated,
        Self::KeyRotated,
        Self::KeyRevoked,
        Self::KeyExpiring,
        Self::KeyLeaked,
        Self::KeyNewNetwork,
        Self::KeyNewAgent,
        Self::KeyUnauthorizedBurst,
        Self::UsageSpike,
        Self::RefusalsSpike,
        Self::BudgetThreshold,
        Self::ClientSessionRedeemed,
        Self::CreditReceived,
        Self::WebhookDisabled,
        Self::WebhookTest,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyCreated => "key.created",
            Self::KeyRotated => "key.rotated",
            Self::KeyRevoked => "key.revoked",
            Self::KeyExpiring => "key.expiring",
            Self::KeyLeaked => "key.leaked",
            Self::KeyNewNetwork => "key.new_network",
            Self::KeyNewAgent => "key.new_agent",
            Self::KeyUnauthorizedBurst => "key.unauthorized_burst",
            Self::UsageSpike => "usage.spike",
            Self::RefusalsSpike => "refusals.spike",
            Self::BudgetThreshold => "budget.threshold",
            Self::ClientSessionRedeemed => "client_session.redeemed",
            Self::CreditReceived => "credit.received",
            Self::WebhookDisabled => "webhook.disabled",
            Self::WebhookTest => "webhook.test",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What an event in a key's books becomes; `None` for one that nobody is told of.
    #[must_use]
    pub fn of_books(kind: &str) -> Option<Self> {
        Some(match kind {
            "new_network" => Self::KeyNewNetwork,
            "new_agent" => Self::KeyNewAgent,
            "unauthorized" => Self::KeyUnauthorizedBurst,
            "leaked" => Self::KeyLeaked,
            "spike" => Self::UsageSpike,
            "refusals" => Self::RefusalsSpike,
            "budget" => Self::BudgetThreshold,
            _ => return None,
        })
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Which kinds an endpoint wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// All, those too that come later.
    All,
    /// These.
    Some(BTreeSet<EventKind>),
}

impl Wish {
    /// Reads kinds by their names, or `*`.
    ///
    /// # Errors
    /// [`InvalidWish`] for none at all, and for a name that is none.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, InvalidWish> {
        let (mut kinds, mut wants_all) = (BTreeSet::new(), false);
        for text in texts {
            match EventKind::parse(text) {
                Some(kind) => drop(kinds.insert(kind)),
                None if text == EVERYTHING => wants_all = true,
                None => return Err(InvalidWish),
            }
        }
        match (wants_all, kinds.is_empty()) {
            (true, _) => Ok(Self::All),
            (false, false) => Ok(Self::Some(kinds)),
            (false, true) => Err(InvalidWish),
        }
    }

    /// Whether a kind is wanted.
    #[must_use]
    pub fn covers(&self, kind: EventKind) -> bool {
        match self {
            Self::All => true,
            Self::Some(kinds) => kinds.contains(&kind),
        }
    }

    /// The names.
    #[must_use]
    pub fn texts(&self) -> Vec<&'static str> {
        match self {
            Self::All => vec![EVERYTHING],
            Self::Some(kinds) => kinds.iter().map(|kind| kind.as_str()).collect(),
        }
    }
}

/// Names that are no kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of event types")]
pub struct InvalidWish;

const EVERYTHING: &str = "*";

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_kind_is_known_by_its_name() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::parse("key.deleted"), None);
    }

    #[test]
    fn a_wish_is_for_known_kinds_or_for_all() {
        assert_eq!(Wish::parse(["*"]), Ok(Wish::All));
        assert_eq!(Wish::parse(["key.created", "*"]), Ok(Wish::All));
        let some = Wish::parse(["key.revoked", "key.created", "key.created"]).unwrap();
        assert_eq!(some.texts(), ["key.created", "key.revoked"]);
        assert!(some.covers(EventKind::KeyCreated) && !some.covers(EventKind::CreditReceived));
        assert_eq!(Wish::parse([]), Err(InvalidWish));
        assert_eq!(Wish::parse(["key.*"]), Err(InvalidWish));
        assert_eq!(Wish::parse(["*", "nonsense"]), Err(InvalidWish));
    }

    #[test]
    fn a_body_says_what_when_and_about_whom() {
        let account = AccountId::mint(&mut |pool| pool.fill(1));
        let project = ProjectId::mint(&mut |pool| pool.fill(2));
        let at = Timestamp::from_epoch_s(1_792_540_800);
        let whose = (account.clone(), Some(project.clone()));
        let event = Event::new(EventKind::KeyCreated, at, whose, "key_1", Data::default().with_text("key_id", "key_1"));
        let body: Value = serde_json::from_str(&event.body()).unwrap();
        let data = json!({"account_id": account.to_string(), "key_id": "key_1", "project_id": project.to_string()});
        assert_eq!(body, json!({"type": "key.created", "timestamp": "2026-10-21T00:00:00Z", "data": data}));
        let again = Event::new(EventKind::KeyCreated, at, (account, Some(project)), "key_1", Data::default());
        assert_eq!(event.id, again.id, "a name follows from what happened, not from how it is told");
    }
}
