//! An endpoint: where events go, which of them, and what ends that.

use crate::{
    id::{AccountId, KeyId, ProjectId, WebhookId},
    time::{Day, Timestamp},
    webhook::{Event, Wish},
};

/// Where events of a key's project are delivered, signed under that key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: WebhookId,
    /// The account.
    pub account: AccountId,
    /// The key that owns it.
    pub key: KeyId,
    /// The key's project: what it hears of.
    pub project: ProjectId,
    /// The key's environment.
    pub environment: String,
    /// Where events go.
    pub url: String,
    /// Which.
    pub wish: Wish,
    /// What its owner calls it.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why nothing is delivered, where nothing is.
    pub disabled: Option<Disabled>,
    /// Since when every attempt failed; `None` where the last one succeeded.
    pub failing_since: Option<Timestamp>,
    /// How often it was changed.
    pub version: u64,
}

impl Endpoint {
    /// The most that an account may have.
    pub const MAX_PER_ACCOUNT: u32 = 20;
    /// After how many seconds of nothing but failures an endpoint gets nothing more: five days.
    pub const MAX_FAILING_SECONDS: u64 = 5 * Day::SECONDS;

    /// Whether it is told of an event: of its project's, and of those of the whole account.
    #[must_use]
    pub fn hears(&self, event: &Event) -> bool {
        self.disabled.is_none()
            && self.account == event.account
            && event.project.as_ref().is_none_or(|project| *project == self.project)
            && self.wish.covers(event.kind)
    }

    /// The endpoint once an attempt has failed at `now`; the same one where that changes nothing.
    #[must_use]
    pub fn after_failure(&self, is_gone: bool, now: Timestamp) -> Self {
        let since = self.failing_since.unwrap_or(now);
        let is_hopeless = since.plus_s(Self::MAX_FAILING_SECONDS) <= now;
        let reason = if is_gone { Some(Reason::Gone) } else { is_hopeless.then_some(Reason::Failing) };
        let disabled = self.disabled.or_else(|| reason.map(|reason| Disabled { reason, at: now }));
        Self { failing_since: Some(since), disabled, ..self.clone() }
    }

    /// The endpoint once an attempt has succeeded.
    #[must_use]
    pub fn after_success(&self) -> Self {
        Self { failing_since: None, ..self.clone() }
    }

    /// The endpoint when nothing is delivered any more, for a reason; one that has a reason already keeps it.
    #[must_use]
    pub fn disabled_for(&self, reason: Reason, now: Timestamp) -> Self {
        Self { disabled: self.disabled.or(Some(Disabled { reason, at: now })), ..self.clone() }
    }
}

/// That an endpoint gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub at: Timestamp,
}

/// Why an endpoint gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its owner said so.
    ByOwner,
    /// Nothing but failures for five days.
    Failing,
    /// It answered 410.
    Gone,
    /// Its key was revoked.
    KeyRevoked,
    /// Its key has expired.
    KeyExpired,
    /// The key's signing secret is not known: the key was rotated by an earlier version, or the seal was rotated twice.
    SecretUnknown,
}

impl Reason {
    const ALL: [Self; 6] =
        [Self::ByOwner, Self::Failing, Self::Gone, Self::KeyRevoked, Self::KeyExpired, Self::SecretUnknown];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByOwner => "by_owner",
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::KeyRevoked => "key_revoked",
            Self::KeyExpired => "key_expired",
            Self::SecretUnknown => "secret_unknown",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::{Data, EventKind};

    fn endpoint() -> Endpoint {
        Endpoint {
            id: WebhookId::mint(&mut |pool| pool.fill(1)),
            account: AccountId::mint(&mut |pool| pool.fill(2)),
            key: KeyId::mint(&mut |pool| pool.fill(3)),
            project: ProjectId::mint(&mut |pool| pool.fill(4)),
            environment: "sandbox".into(),
            url: "https://example.com/".into(),
            wish: Wish::parse(["key.created", "credit.received"]).unwrap(),
            description: None,
            created_at: at(0),
            disabled: None,
            failing_since: None,
            version: 1,
        }
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_epoch_s(second)
    }

    #[test]
    fn an_endpoint_hears_of_its_project_and_of_the_whole_account() {
        let own = endpoint();
        let event = |kind, account: &AccountId, project: Option<&ProjectId>| {
            Event::new(kind, at(1), (account.clone(), project.cloned()), "a", Data::default())
        };
        let other_project = ProjectId::mint(&mut |pool| pool.fill(9));
        let other_account = AccountId::mint(&mut |pool| pool.fill(9));
        assert!(own.hears(&event(EventKind::KeyCreated, &own.account, Some(&own.project))));
        assert!(own.hears(&event(EventKind::CreditReceived, &own.account, None)));
        for event in [
            event(EventKind::KeyCreated, &own.account, Some(&other_project)),
            event(EventKind::CreditReceived, &other_account, None),
            event(EventKind::KeyCreated, &other_account, Some(&own.project)),
            event(EventKind::KeyRevoked, &own.account, Some(&own.project)),
        ] {
            assert!(!own.hears(&event), "{event:?}");
        }
        let ended = own.disabled_for(Reason::KeyRevoked, at(5));
        assert!(!ended.hears(&event(EventKind::CreditReceived, &own.account, None)));
        assert_eq!(ended.disabled_for(Reason::ByOwner, at(6)), ended);
    }

    #[test]
    fn five_days_of_nothing_but_failures_end_an_endpoint() {
        let first = endpoint().after_failure(false, at(100));
        assert_eq!((first.failing_since, first.disabled), (Some(at(100)), None));
        let late = at(100 + Endpoint::MAX_FAILING_SECONDS - 1);
        assert_eq!(first.after_failure(false, late).disabled, None);
        let over = at(100 + Endpoint::MAX_FAILING_SECONDS);
        let wanted = Disabled { reason: Reason::Failing, at: over };
        assert_eq!(first.after_failure(false, over).disabled, Some(wanted));
        // One success in between, and the days are counted anew.
        let again = first.after_success().after_failure(false, late);
        assert_eq!(again.after_failure(false, over).disabled, None);
    }

    #[test]
    fn who_is_gone_is_asked_no_more() {
        let wanted = Disabled { reason: Reason::Gone, at: at(7) };
        assert_eq!(endpoint().after_failure(true, at(7)).disabled, Some(wanted));
    }

    #[test]
    fn every_reason_is_known_by_its_name() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
    }
}
