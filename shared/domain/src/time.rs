//! Instants as whole milliseconds since the Unix epoch, and the UTC windows they fall into.

use std::fmt;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Milliseconds since 1970-01-01T00:00:00Z; bounded to the year 9999 so that it always prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last representable instant, 9999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// An instant from milliseconds since the epoch; later ones are held at [`Timestamp::MAX`].
    #[must_use]
    pub const fn from_epoch_ms(epoch_ms: u64) -> Self {
        if epoch_ms > Self::MAX.0 { Self::MAX } else { Self(epoch_ms) }
    }

    /// An instant from whole seconds since the epoch.
    #[must_use]
    pub const fn from_epoch_s(epoch_s: u64) -> Self {
        Self::from_epoch_ms(epoch_s.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn epoch_ms(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn epoch_s(self) -> u64 {
        self.0 / 1_000
    }

    /// The UTC minute this instant lies in.
    #[must_use]
    pub fn minute(self) -> Minute {
        Minute(self.epoch_s() / Minute::SECONDS)
    }

    /// The calendar month this instant lies in, UTC.
    #[must_use]
    pub fn month(self) -> Month {
        let seconds = i64::try_from(self.epoch_s()).unwrap_or_default();
        let date = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let years = u64::try_from(date.year()).unwrap_or_default().saturating_sub(1970);
        Month(years * 12 + u64::from(u8::from(date.month())) - 1)
    }

    /// This instant moved into the future.
    #[must_use]
    pub fn plus_s(self, seconds: u64) -> Self {
        Self::from_epoch_ms(self.0.saturating_add(seconds.saturating_mul(1_000)))
    }

    /// This instant moved into the past, held at the epoch.
    #[must_use]
    pub fn minus_s(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds.saturating_mul(1_000)))
    }

    /// Milliseconds from `self` until `later`; zero when `later` has passed, as where two clocks differ.
    #[must_use]
    pub fn ms_until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }

    /// Whole seconds from `self` until `later`, rounded up; zero when `later` has passed.
    #[must_use]
    pub fn seconds_until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0).div_ceil(1_000)
    }

    /// Reads an RFC 3339 date-time with any offset.
    ///
    /// # Errors
    /// [`InvalidTime`] when the text is not RFC 3339, or lies before 1970 or after 9999.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTime> {
        if text.len() > MAX_RFC3339_BYTES {
            return Err(InvalidTime);
        }
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTime)?;
        let epoch_ms = parsed.unix_timestamp_nanos().div_euclid(1_000_000);
        let epoch_ms = u64::try_from(epoch_ms).map_err(|_| InvalidTime)?;
        if epoch_ms > Self::MAX.0 {
            return Err(InvalidTime);
        }
        Ok(Self(epoch_ms))
    }
}

/// Prints RFC 3339 in UTC with whole seconds, `2026-01-31T23:59:59Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.epoch_s()).map_err(|_| fmt::Error)?;
        let instant = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fmt::Error)?;
        write!(
            out,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            instant.year(),
            u8::from(instant.month()),
            instant.day(),
            instant.hour(),
            instant.minute(),
            instant.second()
        )
    }
}

/// A text that is not an RFC 3339 instant between 1970 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an rfc 3339 time between 1970 and 9999")]
pub struct InvalidTime;

/// A UTC minute, counted since the epoch: the window of the key bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(pub u64);

impl Minute {
    /// Seconds in a minute.
    pub const SECONDS: u64 = 60;

    /// The instant the minute begins.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_epoch_s(self.0.saturating_mul(Self::SECONDS))
    }

    /// The instant the minute ends, which is where the next one begins.
    #[must_use]
    pub fn end(self) -> Timestamp {
        Self(self.0.saturating_add(1)).start()
    }

    /// The minute before; minute zero is its own predecessor.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The UTC day this minute belongs to.
    #[must_use]
    pub fn day(self) -> Day {
        Day(self.0 / 1_440)
    }
}

/// A UTC day, counted since the epoch: the window of the daily quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u64);

impl Day {
    /// Seconds in a day.
    pub const SECONDS: u64 = 86_400;

    /// Midnight UTC at the beginning of the day.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_epoch_s(self.0.saturating_mul(Self::SECONDS))
    }

    /// Midnight UTC at the end of the day.
    #[must_use]
    pub fn end(self) -> Timestamp {
        Timestamp::from_epoch_s(self.0.saturating_add(1).saturating_mul(Self::SECONDS))
    }
}

/// A calendar month in UTC, counted since January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(pub u64);

const MAX_RFC3339_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_prints_and_reads_as_the_same_second() {
        let instant = Timestamp::from_epoch_s(1_760_000_000);
        assert_eq!(instant.to_string(), "2025-10-09T08:53:20Z");
        assert_eq!(Timestamp::parse_rfc3339("2025-10-09T08:53:20Z"), Ok(instant));
        assert_eq!(Timestamp::parse_rfc3339("2025-10-09T10:53:20+02:00"), Ok(instant));
    }

    #[test]
    fn times_outside_the_range_are_refused() {
        for text in ["1969-12-31T23:59:59Z", "yesterday", "", "2025-10-09", "2025-13-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(InvalidTime), "{text}");
        }
    }

    #[test]
    fn every_representable_instant_prints() {
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(Timestamp::from_epoch_ms(u64::MAX), Timestamp::MAX);
    }

    #[test]
    fn waiting_times_round_up() {
        let now = Timestamp::from_epoch_ms(59_001);
        assert_eq!(now.seconds_until(now.minute().end()), 1);
        assert_eq!(now.seconds_until(Timestamp::from_epoch_ms(1)), 0);
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        for (text, month) in [("1970-01-31T23:59:59Z", 0), ("1970-02-01T00:00:00Z", 1), ("2026-11-25T00:00:00Z", 682)] {
            assert_eq!(Timestamp::parse_rfc3339(text).unwrap().month(), Month(month), "{text}");
        }
    }

    #[test]
    fn a_minute_ends_where_the_next_begins() {
        let minute = Timestamp::from_epoch_s(1_760_000_000).minute();
        assert_eq!(minute.end(), Minute(minute.0 + 1).start());
        assert_eq!(minute.day().end().epoch_s() % Day::SECONDS, 0);
    }

    #[test]
    fn a_time_has_at_most_64_letters_and_a_last_instant() {
        let with_digits = |bytes: usize| format!("2025-10-09T08:53:20.{}Z", "1".repeat(bytes - 21));
        assert!(Timestamp::parse_rfc3339(&with_digits(64)).is_ok());
        assert_eq!(Timestamp::parse_rfc3339(&with_digits(65)), Err(InvalidTime));
        assert_eq!(Timestamp::parse_rfc3339("9999-12-31T23:59:59.999Z"), Ok(Timestamp::MAX));
        assert_eq!(Timestamp::parse_rfc3339("9999-12-31T23:59:59-00:01"), Err(InvalidTime));
    }
}
