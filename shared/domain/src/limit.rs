//! The algebra of limits: a window-quantised token bucket and what a caller is told of it.

use std::num::NonZeroU32;

use crate::window::WindowLength;

/// A sustained rate per window with room for a burst.
///
/// The bucket holds at most `limit + burst` tokens and gains `limit` at every window's start, so any
/// `n` consecutive windows admit at most `n × limit + burst` requests. With no burst it is a fixed window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuotaPolicy {
    limit: NonZeroU32,
    burst: u32,
}

impl QuotaPolicy {
    /// The largest sustained limit or burst: a million per window.
    pub const MAX: u32 = 1_000_000;

    /// A policy of `limit` requests per window and `burst` more after a quiet window.
    ///
    /// # Errors
    /// [`InvalidQuota`] when the limit is zero, the burst exceeds the limit, or either exceeds [`QuotaPolicy::MAX`].
    pub fn new(limit: u32, burst: u32) -> Result<Self, InvalidQuota> {
        let limit = NonZeroU32::new(limit).ok_or(InvalidQuota::Zero)?;
        if limit.get() > Self::MAX {
            return Err(InvalidQuota::TooLarge);
        }
        if burst > limit.get() {
            return Err(InvalidQuota::BurstOverLimit);
        }
        Ok(Self { limit, burst })
    }

    /// Requests per window that can be sustained for ever.
    #[must_use]
    pub fn limit(self) -> u32 {
        self.limit.get()
    }

    /// Requests above the limit that a window may admit after a quiet one.
    #[must_use]
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// Tokens in a full bucket.
    #[must_use]
    pub fn capacity(self) -> u32 {
        self.limit.get() + self.burst
    }

    /// Tokens at the start of a window, given what the previous window left (`None`: it admitted nothing).
    #[must_use]
    pub fn refill(self, previous_left: Option<u32>) -> u32 {
        match previous_left {
            Some(left) if left < self.burst => left + self.limit(),
            _ => self.capacity(),
        }
    }
}

/// A quota and the window it counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Requests per window, and the burst.
    pub quota: QuotaPolicy,
    /// The window.
    pub window: WindowLength,
}

/// With how many tokens a window begins; each is one form of a write's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// With a full bucket, because the window before was quiet enough or empty; or not any more, being open already.
    Full,
    /// With what the window before left, and this limit.
    Carried {
        /// Tokens that a window adds.
        limit: u32,
    },
    /// With this limit alone: the window before ended below zero, because the limit was lowered within it.
    Drained {
        /// Tokens that a window adds.
        limit: u32,
    },
}

impl Opening {
    /// How a window opens, given the tokens left in it and in the one before (`None`: it admitted nothing).
    #[must_use]
    pub fn of(current: Option<i64>, previous: Option<i64>, quota: QuotaPolicy) -> Self {
        match previous {
            _ if current.is_some() => Self::Full,
            Some(left) if left < 0 => Self::Drained { limit: quota.limit() },
            Some(left) if left < i64::from(quota.burst()) => Self::Carried { limit: quota.limit() },
            _ => Self::Full,
        }
    }
}

/// Why two numbers are not a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuota {
    /// A limit of zero would refuse everything.
    #[error("a limit must be at least 1")]
    Zero,
    /// The burst exceeds the limit.
    #[error("a burst must not exceed its limit")]
    BurstOverLimit,
    /// Above a million.
    #[error("a limit must be at most 1000000")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn impossible_quotas_are_refused() {
        assert_eq!(QuotaPolicy::new(0, 0), Err(InvalidQuota::Zero));
        assert_eq!(QuotaPolicy::new(5, 6), Err(InvalidQuota::BurstOverLimit));
        assert_eq!(QuotaPolicy::new(QuotaPolicy::MAX + 1, 0), Err(InvalidQuota::TooLarge));
    }

    #[test]
    fn a_fresh_window_admits_the_limit_and_the_burst() {
        let quota = QuotaPolicy::new(5, 2).unwrap();
        assert_eq!(quota.refill(None), 7);
        assert_eq!(quota.refill(Some(0)), 5);
        assert_eq!(quota.refill(Some(1)), 6);
        assert_eq!(quota.refill(Some(2)), 7);
    }

    proptest! {
        #[test]
        fn any_run_of_windows_admits_at_most_its_share_and_one_burst(
            limit in 1_u32..50, burst in 0_u32..50, wants in prop::collection::vec(0_u32..200, 1..40),
        ) {
            let quota = QuotaPolicy::new(limit, burst.min(limit)).unwrap();
            let mut left = None;
            let mut admitted = 0;
            for (windows, want) in (1_u32..).zip(&wants) {
                let tokens = quota.refill(left);
                let took = tokens.min(*want);
                left = (took > 0).then(|| tokens - took);
                admitted += took;
                prop_assert!(admitted <= windows * quota.limit() + quota.burst());
            }
        }
    }

    #[test]
    fn what_a_window_left_above_the_burst_is_lost() {
        let quota = QuotaPolicy::new(10, 4).unwrap();
        for (left, tokens) in [(None, 14), (Some(0), 10), (Some(3), 13), (Some(4), 14), (Some(9), 14)] {
            assert_eq!(quota.refill(left), tokens, "{left:?}");
        }
    }
}
