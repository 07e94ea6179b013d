//! The one place that reads the system clock.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use faregate_domain::time::Timestamp;

/// Tells the time: the system's, or one that a test moves.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `start` until it is moved; clones share it.
    #[must_use]
    pub fn standing_at(start: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicU64::new(start.epoch_ms()))))
    }

    /// The current instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(held) => Timestamp::from_epoch_ms(held.load(Ordering::SeqCst)),
            None => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_epoch_ms(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
            }
        }
    }

    /// Moves a standing clock forward; the system's clock is not moved.
    pub fn advance_ms(&self, milliseconds: u64) {
        if let Some(held) = &self.0 {
            held.fetch_add(milliseconds, Ordering::SeqCst);
        }
    }

    /// Sets a standing clock; the system's clock is not moved.
    pub fn set(&self, instant: Timestamp) {
        if let Some(held) = &self.0 {
            held.store(instant.epoch_ms(), Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Clock({})", self.now())
    }
}
