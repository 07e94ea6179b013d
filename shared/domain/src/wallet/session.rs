//! Which logins of an account live on when another one begins.

use std::collections::BTreeMap;

use crate::id::SessionId;
use crate::time::Timestamp;

/// The logins of one account and when each of them ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions(BTreeMap<SessionId, Timestamp>);

impl Sessions {
    /// Whether this login holds now.
    #[must_use]
    pub fn is_live(&self, session: &SessionId, now: Timestamp) -> bool {
        self.0.get(session).is_some_and(|end| end.epoch_s() > now.epoch_s())
    }

    /// The logins to drop before one more begins: every ended one, and then those that end first until fewer than
    /// [`MAX_LIVE_SESSIONS`] are left.
    #[must_use]
    pub fn displaced(&self, now: Timestamp) -> Vec<SessionId> {
        let (live, mut dropped): (Vec<_>, Vec<_>) = self.0.iter().partition(|(session, _)| self.is_live(session, now));
        let mut by_end = live;
        by_end.sort_by_key(|(session, end)| (**end, (*session).clone()));
        let surplus = (by_end.len() + 1).saturating_sub(MAX_LIVE_SESSIONS);
        dropped.extend(by_end.into_iter().take(surplus));
        dropped.into_iter().map(|(session, _)| session.clone()).collect()
    }

    /// How many logins are known, ended ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no login is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(SessionId, Timestamp)> for Sessions {
    fn from_iter<I: IntoIterator<Item = (SessionId, Timestamp)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

/// The most logins that one account holds at a time.
pub const MAX_LIVE_SESSIONS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u8) -> SessionId {
        SessionId::from_suffix(&format!("{number:022}")).unwrap()
    }

    fn sessions(ends: &[u64]) -> Sessions {
        (0..).zip(ends).map(|(number, end)| (session(number), Timestamp::from_epoch_s(*end))).collect()
    }

    #[test]
    fn a_session_is_live_until_its_end() {
        let sessions = sessions(&[100]);
        assert!(sessions.is_live(&session(0), Timestamp::from_epoch_s(99)));
        assert!(!sessions.is_live(&session(0), Timestamp::from_epoch_s(100)));
        assert!(!sessions.is_live(&session(1), Timestamp::from_epoch_s(0)));
    }

    #[test]
    fn ended_sessions_are_displaced() {
        assert_eq!(sessions(&[100, 50, 200]).displaced(Timestamp::from_epoch_s(100)), [session(0), session(1)]);
    }

    #[test]
    fn the_session_that_ends_first_makes_room() {
        let full: Vec<u64> = (0..16).map(|number| 1_000 - number).collect();
        assert_eq!(sessions(&full).displaced(Timestamp::from_epoch_s(1)), [session(15)]);
        assert!(sessions(&full[1..]).displaced(Timestamp::from_epoch_s(1)).is_empty());
    }
}
