//! Environments: what a key's prefix decides, and the limits its keys start with.

use crate::limit::{InvalidQuota, QuotaPolicy};

/// One environment of the product, `sandbox` or `production`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The name in answers, `[a-z0-9-]{1,32}`.
    pub name: String,
    /// What its keys begin with, `[A-Za-z0-9_]{1,16}`; no other environment's prefix begins with it.
    pub prefix: String,
    /// The limits of a key that sets none.
    pub limits: Limits,
    /// Days for which request rows and sessions are kept, 1 to 3,650.
    pub retention_days: u32,
}

/// How fast one key may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests per UTC minute, with burst.
    pub per_minute: QuotaPolicy,
    /// Requests per UTC day.
    pub per_day: u64,
    /// Requests that may be waiting for their settlement at once.
    pub concurrent: u32,
}

impl Limits {
    /// The largest daily quota.
    pub const MAX_PER_DAY: u64 = 1_000_000_000;
    /// The largest concurrency cap: each open call takes room in the key's item.
    pub const MAX_CONCURRENT: u32 = 1_000;

    /// Limits from their numbers.
    ///
    /// # Errors
    /// [`InvalidLimits`] names the field.
    pub fn new(per_minute: u32, burst: u32, per_day: u64, concurrent: u32) -> Result<Self, InvalidLimits> {
        let per_minute = QuotaPolicy::new(per_minute, burst).map_err(|error| match error {
            InvalidQuota::BurstOverLimit => InvalidLimits::Burst,
            InvalidQuota::Zero | InvalidQuota::TooLarge => InvalidLimits::PerMinute,
        })?;
        if per_day == 0 || per_day > Self::MAX_PER_DAY {
            return Err(InvalidLimits::PerDay);
        }
        if concurrent == 0 || concurrent > Self::MAX_CONCURRENT {
            return Err(InvalidLimits::Concurrent);
        }
        Ok(Self { per_minute, per_day, concurrent })
    }

    /// These limits with some of them replaced; a burst that no longer fits a lowered limit shrinks with it,
    /// unless the change names the burst itself.
    ///
    /// # Errors
    /// [`InvalidLimits`] names the field.
    pub fn patched(self, patch: LimitsPatch) -> Result<Self, InvalidLimits> {
        let per_minute = patch.per_minute.unwrap_or(self.per_minute.limit());
        let burst = patch.burst.unwrap_or(self.per_minute.burst().min(per_minute));
        Self::new(per_minute, burst, patch.per_day.unwrap_or(self.per_day), patch.concurrent.unwrap_or(self.concurrent))
    }

    /// The first of these limits that exceeds the ceiling's.
    #[must_use]
    pub fn exceeded(&self, ceiling: &Self) -> Option<InvalidLimits> {
        if self.per_minute.limit() > ceiling.per_minute.limit() {
            Some(InvalidLimits::PerMinute)
        } else if self.per_minute.burst() > ceiling.per_minute.burst() {
            Some(InvalidLimits::Burst)
        } else if self.per_day > ceiling.per_day {
            Some(InvalidLimits::PerDay)
        } else if self.concurrent > ceiling.concurrent {
            Some(InvalidLimits::Concurrent)
        } else {
            None
        }
    }

    /// Each limit held at the ceiling's.
    #[must_use]
    pub fn held_under(self, ceiling: &Self) -> Self {
        let per_minute = self.per_minute.limit().min(ceiling.per_minute.limit());
        let burst = self.per_minute.burst().min(ceiling.per_minute.burst()).min(per_minute);
        // A burst no larger than its limit is always a quota.
        let per_minute = QuotaPolicy::new(per_minute, burst).unwrap_or(ceiling.per_minute);
        Self {
            per_minute,
            per_day: self.per_day.min(ceiling.per_day),
            concurrent: self.concurrent.min(ceiling.concurrent),
        }
    }
}

/// Some limits, each optional: what a caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsPatch {
    /// Requests per UTC minute.
    pub per_minute: Option<u32>,
    /// Requests above that after a quiet minute.
    pub burst: Option<u32>,
    /// Requests per UTC day.
    pub per_day: Option<u64>,
    /// Requests waiting for their settlement at once.
    pub concurrent: Option<u32>,
}

/// Which limit is zero, too large, or over its ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimits {
    /// `per_minute`
    #[error("per_minute must be between 1 and 1000000")]
    PerMinute,
    /// `burst`
    #[error("burst must not exceed per_minute")]
    Burst,
    /// `per_day`
    #[error("per_day must be between 1 and 1000000000")]
    PerDay,
    /// `concurrent`
    #[error("concurrent must be between 1 and 1000")]
    Concurrent,
}

impl InvalidLimits {
    /// The field's name in requests and policies.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::PerMinute => "per_minute",
            Self::Burst => "burst",
            Self::PerDay => "per_day",
            Self::Concurrent => "concurrent",
        }
    }
}
