//! The secrets of one key: the one in force, and the one that the last rotation put out, as long as its grace lasts.
//!
//! ```text
//!            rotation                 first use of the new secret      end of the grace
//! ───────────────┼──────────────────────────────┼────────────────────────────┼──────────▶
//! old secret     in force ·········································· in force │ refused
//! new secret     │ in force ·······························································
//! ```
//! From a rotation the grace is counted at once, or only from the new secret's first use. A second rotation ends it.

use crate::{key::KeyHash, time::Timestamp};

/// What a key is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySecrets {
    /// The hash of the secret in force.
    pub current: KeyHash,
    /// The last rotation; `None` for a key that still has its first secret.
    pub rotation: Option<Rotation>,
}

/// One rotation of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Its number, from 1.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// The hash of the secret that it put out.
    pub old: KeyHash,
    /// For how long that one still works.
    pub grace: Grace,
    /// When that one was last used after it was put out.
    pub old_used_at: Option<Timestamp>,
}

/// For how long a secret works that was put out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// Until then.
    Until(Timestamp),
    /// For so many seconds from the new secret's first use, which nobody has seen yet.
    FromFirstUse {
        /// At most [`Grace::MAX_SECONDS`].
        seconds: u64,
    },
}

impl Grace {
    /// The longest grace: a week.
    pub const MAX_SECONDS: u64 = 604_800;
    /// The grace of a rotation that names none: a day.
    pub const DEFAULT_SECONDS: u64 = 86_400;

    /// When it ends, where that is known.
    #[must_use]
    pub fn end(self) -> Option<Timestamp> {
        match self {
            Self::Until(end) => Some(end),
            Self::FromFirstUse { .. } => None,
        }
    }

    /// Whether the old secret works no more.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        self.end().is_some_and(|end| end <= now)
    }
}

/// Which of a key's secrets a request presents, and so what the write that admits it does beside admitting it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// The one in force, and nothing about the old one depends on its use.
    Current,
    /// The one in force for the first time: the old one's grace begins.
    Fresh {
        /// How long the grace lasts.
        grace_seconds: u64,
    },
    /// The old one: when it was used is written down.
    Old,
}

impl KeySecrets {
    /// Which of the secrets is among `hashes` and still works; without telling by time which.
    #[must_use]
    pub fn find(&self, hashes: &[KeyHash], now: Timestamp) -> Option<Secret> {
        let is_current = self.current.is_among(hashes);
        let is_old = self.rotation.is_some_and(|rotation| rotation.old.is_among(hashes));
        match (self.rotation.map(|rotation| rotation.grace), is_current, is_old) {
            (Some(Grace::FromFirstUse { seconds }), true, _) => Some(Secret::Fresh { grace_seconds: seconds }),
            (_, true, _) => Some(Secret::Current),
            (Some(grace), false, true) if !grace.is_over(now) => Some(Secret::Old),
            _ => None,
        }
    }

    /// The secrets after a rotation to `new`: whatever was old before is refused from then on.
    #[must_use]
    pub fn rotated(&self, new: KeyHash, grace: Grace, now: Timestamp) -> Self {
        let number = self.rotations() + 1;
        let rotation = Rotation { number, at: now, old: self.current, grace, old_used_at: None };
        Self { current: new, rotation: Some(rotation) }
    }

    /// How often the key was rotated.
    #[must_use]
    pub fn rotations(&self) -> u64 {
        self.rotation.map_or(0, |rotation| rotation.number)
    }
}

impl From<KeyHash> for KeySecrets {
    fn from(current: KeyHash) -> Self {
        Self { current, rotation: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(digit: u8) -> KeyHash {
        KeyHash::from_bytes([digit; 32])
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_epoch_s(second)
    }

    #[test]
    fn both_secrets_work_until_the_grace_ends() {
        let secrets = KeySecrets::from(hash(1)).rotated(hash(2), Grace::Until(at(100)), at(40));
        for (second, old) in [(40, Some(Secret::Old)), (99, Some(Secret::Old)), (100, None), (101, None)] {
            assert_eq!(secrets.find(&[hash(1)], at(second)), old, "{second}");
            assert_eq!(secrets.find(&[hash(2)], at(second)), Some(Secret::Current), "{second}");
            assert_eq!(secrets.find(&[hash(3)], at(second)), None, "{second}");
        }
    }

    #[test]
    fn a_grace_from_the_first_use_waits_for_it() {
        let secrets = KeySecrets::from(hash(1)).rotated(hash(2), Grace::FromFirstUse { seconds: 0 }, at(40));
        assert_eq!(secrets.find(&[hash(1)], at(1_000_000)), Some(Secret::Old));
        assert_eq!(secrets.find(&[hash(2)], at(1_000_000)), Some(Secret::Fresh { grace_seconds: 0 }));
    }

    #[test]
    fn a_second_rotation_ends_the_first_ones_grace() {
        let first = KeySecrets::from(hash(1)).rotated(hash(2), Grace::Until(at(1_000)), at(40));
        let second = first.rotated(hash(3), Grace::Until(at(500)), at(50));
        let found = [1, 2, 3].map(|digit| second.find(&[hash(digit)], at(60)));
        assert_eq!(found, [None, Some(Secret::Old), Some(Secret::Current)]);
        assert_eq!((first.rotations(), second.rotations()), (1, 2));
    }

    #[test]
    fn each_secret_is_known_under_every_version_of_the_pepper() {
        let secrets = KeySecrets::from(hash(1)).rotated(hash(2), Grace::Until(at(100)), at(40));
        assert_eq!(secrets.find(&[hash(9), hash(2)], at(50)), Some(Secret::Current));
        assert_eq!(secrets.find(&[hash(9), hash(1)], at(50)), Some(Secret::Old));
        assert_eq!(secrets.find(&[], at(50)), None);
    }
}
