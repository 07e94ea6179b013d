//! One event on its way to one endpoint.

use crate::{
    id::{AccountId, MessageId, WebhookId},
    time::{Day, Timestamp},
    webhook::{Endpoint, Event, EventKind, Reason, schedule},
};

/// One event on its way to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where to.
    pub endpoint: WebhookId,
    /// Whose that is.
    pub account: AccountId,
    /// The event's name, and with the endpoint's the delivery's.
    pub id: MessageId,
    /// The event's kind.
    pub kind: EventKind,
    /// What is sent, byte for byte at each attempt.
    pub body: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was begun anew, on somebody's wish.
    pub round: u32,
    /// How often it was tried since then.
    pub tried: u32,
    /// The last attempts, the newest last.
    pub attempts: Vec<Attempt>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried at that time, or as soon after it as can be.
    Pending(Timestamp),
    /// It arrived.
    Delivered,
    /// It was tried as often as anything is.
    Failed,
    /// Its endpoint gets nothing more.
    Cancelled(Ending),
}

/// Why a delivery is not tried any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The endpoint was deleted.
    Deleted,
    /// The endpoint is disabled.
    Disabled(Reason),
}

impl Ending {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => DELETED,
            Self::Disabled(reason) => reason.as_str(),
        }
    }

    /// The ending of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == DELETED { Some(Self::Deleted) } else { Reason::parse(text).map(Self::Disabled) }
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it was made.
    pub at: Timestamp,
    /// What it came to.
    pub outcome: Outcome,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered with that status.
    Answered(u16),
    /// It did not answer, for the reason of that name.
    Unanswered(String),
}

impl Outcome {
    /// Whether the receiver has it.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered(200..=299))
    }

    /// Whether the receiver wants nothing more, ever.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Answered(410))
    }
}

impl Delivery {
    /// Seconds for which a delivery is kept and shown: 30 days.
    pub const KEPT_SECONDS: u64 = 30 * Day::SECONDS;
    /// Attempts that are remembered; older ones are forgotten first.
    pub const MAX_ATTEMPTS_KEPT: usize = 20;

    /// An event on its way to an endpoint, to be tried at once.
    #[must_use]
    pub fn new(event: &Event, endpoint: &Endpoint, now: Timestamp) -> Self {
        Self {
            endpoint: endpoint.id.clone(),
            account: endpoint.account.clone(),
            id: event.id.clone(),
            kind: event.kind,
            body: event.body(),
            created_at: now,
            state: DeliveryState::Pending(now),
            round: 0,
            tried: 0,
            attempts: Vec::new(),
        }
    }

    /// From when on it is forgotten.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus_s(Self::KEPT_SECONDS)
    }

    /// The delivery after an attempt; `retry_after` is what the receiver asked for, and `spread` a random byte.
    #[must_use]
    pub fn after(&self, attempt: Attempt, retry_after: Option<u64>, spread: u8) -> Self {
        let tried = self.tried.saturating_add(1);
        let state = if attempt.outcome.is_success() {
            DeliveryState::Delivered
        } else if attempt.outcome.is_gone() {
            DeliveryState::Failed
        } else {
            let next = schedule::next_attempt(tried, attempt.at, retry_after, spread);
            next.map_or(DeliveryState::Failed, DeliveryState::Pending)
        };
        let mut attempts = self.attempts.clone();
        attempts.push(attempt);
        let forgotten = attempts.len().saturating_sub(Self::MAX_ATTEMPTS_KEPT);
        attempts.drain(..forgotten);
        Self { state, tried, attempts, ..self.clone() }
    }

    /// The delivery begun anew; its name and body stay, and what was tried stays known.
    #[must_use]
    pub fn again(&self, now: Timestamp) -> Self {
        let round = self.round.saturating_add(1);
        Self { state: DeliveryState::Pending(now), round, tried: 0, ..self.clone() }
    }
}

const DELETED: &str = "deleted";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_epoch_s(second)
    }

    fn delivery() -> Delivery {
        Delivery {
            endpoint: WebhookId::mint(&mut |pool| pool.fill(1)),
            account: AccountId::mint(&mut |pool| pool.fill(2)),
            id: MessageId::of(at(0), &["a"]),
            kind: EventKind::KeyCreated,
            body: "{}".into(),
            created_at: at(0),
            state: DeliveryState::Pending(at(0)),
            round: 0,
            tried: 0,
            attempts: Vec::new(),
        }
    }

    fn tried(delivery: &Delivery, second: u64, outcome: Outcome) -> Delivery {
        delivery.after(Attempt { at: at(second), outcome }, None, 0)
    }

    #[test]
    fn a_success_ends_it_and_a_failure_is_tried_again() {
        for status in [200, 202, 204, 299] {
            assert_eq!(tried(&delivery(), 1, Outcome::Answered(status)).state, DeliveryState::Delivered, "{status}");
        }
        for outcome in [
            Outcome::Answered(199),
            Outcome::Answered(301),
            Outcome::Answered(400),
            Outcome::Answered(500),
            Outcome::Unanswered("timed_out".into()),
        ] {
            let after = tried(&delivery(), 10, outcome.clone());
            assert_eq!(after.state, DeliveryState::Pending(at(15)), "{outcome:?}");
            assert_eq!((after.tried, after.attempts.len()), (1, 1));
        }
        assert_eq!(tried(&delivery(), 1, Outcome::Answered(410)).state, DeliveryState::Failed);
    }

    #[test]
    fn it_is_given_up_after_the_last_attempt_and_can_begin_anew() {
        let mut delivery = delivery();
        for _ in 0..schedule::MAX_ATTEMPTS {
            assert!(matches!(delivery.state, DeliveryState::Pending(_)));
            delivery = tried(&delivery, 9, Outcome::Answered(500));
        }
        assert_eq!((delivery.state, delivery.tried), (DeliveryState::Failed, 10));
        let again = delivery.again(at(50));
        assert_eq!((again.state, again.round, again.tried), (DeliveryState::Pending(at(50)), 1, 0));
        assert_eq!((&again.id, &again.body, again.attempts.len()), (&delivery.id, &delivery.body, 10));
    }

    #[test]
    fn what_was_tried_is_remembered_up_to_a_bound() {
        let mut delivery = delivery();
        for second in 0..50 {
            delivery = tried(&delivery.again(at(second)), second, Outcome::Answered(500));
        }
        let seconds: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.at.epoch_s()).collect();
        assert_eq!(seconds, (30..50).collect::<Vec<_>>());
    }
}
