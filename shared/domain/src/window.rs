//! Windows of the clock: one second, ten seconds or a minute, in UTC, counted since the epoch.

use std::num::NonZeroU64;

use crate::time::{Minute, Timestamp};

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowLength {
    /// One second.
    Second,
    /// Ten seconds.
    TenSeconds,
    /// Sixty seconds.
    Minute,
}

impl WindowLength {
    /// Every length, the shortest first.
    pub const ALL: [Self; 3] = [Self::Second, Self::TenSeconds, Self::Minute];

    /// The length in seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.length().get()
    }

    /// The length of that many seconds: 1, 10 or 60.
    #[must_use]
    pub fn of_seconds(seconds: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|length| length.seconds() == seconds)
    }

    fn length(self) -> NonZeroU64 {
        match self {
            Self::Second => NonZeroU64::MIN,
            Self::TenSeconds => const { NonZeroU64::new(10).unwrap() },
            Self::Minute => const { NonZeroU64::new(Minute::SECONDS).unwrap() },
        }
    }
}

/// One window: its length and its number since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// How long it is.
    pub length: WindowLength,
    /// Its number: whole windows since the epoch.
    pub index: u64,
}

impl Window {
    /// The window of that length which an instant lies in.
    #[must_use]
    pub fn at(instant: Timestamp, length: WindowLength) -> Self {
        Self { length, index: instant.epoch_s() / length.length() }
    }

    /// The window before; the first is its own predecessor.
    #[must_use]
    pub fn previous(self) -> Self {
        Self { index: self.index.saturating_sub(1), ..self }
    }

    /// The instant it begins.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_epoch_s(self.index.saturating_mul(self.length.seconds()))
    }

    /// The instant it ends, which is where the next one begins.
    #[must_use]
    pub fn end(self) -> Timestamp {
        Self { index: self.index.saturating_add(1), ..self }.start()
    }

    /// Whether no request at `now` or later reads it any more: the one before the running window still opens that.
    #[must_use]
    pub fn has_passed(self, now: Timestamp) -> bool {
        self.index.saturating_add(2) <= Self::at(now, self.length).index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_where_the_next_begins() {
        let now = Timestamp::from_epoch_ms(1_760_000_019_999);
        for (length, start) in [
            (WindowLength::Second, 1_760_000_019),
            (WindowLength::TenSeconds, 1_760_000_010),
            (WindowLength::Minute, 1_759_999_980),
        ] {
            let window = Window::at(now, length);
            assert_eq!(window.start().epoch_s(), start);
            assert_eq!(window.end().epoch_s(), start + length.seconds());
            assert_eq!(Window::at(window.end(), length).previous(), window);
            assert_eq!(WindowLength::of_seconds(length.seconds()), Some(length));
        }
        assert_eq!(WindowLength::of_seconds(30), None);
    }

    #[test]
    fn a_window_has_passed_when_the_one_after_it_is_over() {
        let window = Window { length: WindowLength::TenSeconds, index: 7 };
        assert!(!window.has_passed(Timestamp::from_epoch_s(89)));
        assert!(window.has_passed(Timestamp::from_epoch_s(90)));
    }
}
