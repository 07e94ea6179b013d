//! The stretch of time that somebody asks the books about.

use crate::time::{Day, Timestamp};

/// From an instant on, up to another one that is no longer in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub from: Timestamp,
    /// The instant after the last.
    pub to: Timestamp,
}

impl Span {
    /// The most days that anybody may ask about at once.
    pub const MAX_DAYS: u64 = 400;

    /// The span between two ends; where one is left open, it ends about now, and is `usual_days` long.
    ///
    /// # Errors
    /// [`InvalidSpan`] names the end that is at fault.
    pub fn of(
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        (usual_days, max_days): (u64, u64),
        now: Timestamp,
    ) -> Result<Self, InvalidSpan> {
        let horizon = now.plus_s(AHEAD_DAYS * Day::SECONDS);
        if from.is_some_and(|from| from > horizon) {
            return Err(InvalidSpan::FromAhead);
        }
        if to.is_some_and(|to| to > horizon) {
            return Err(InvalidSpan::ToAhead);
        }
        // Not all clocks that wrote into the books show the same.
        let to = to.unwrap_or_else(|| now.plus_s(LEEWAY_SECONDS));
        let from = from.unwrap_or_else(|| to.minus_s(usual_days * Day::SECONDS));
        if from >= to {
            return Err(InvalidSpan::Reversed);
        }
        if from < to.minus_s(max_days * Day::SECONDS + LEEWAY_SECONDS) {
            return Err(InvalidSpan::TooLong { max_days });
        }
        Ok(Self { from, to })
    }
}

/// A span that nobody is told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    /// It ends before it begins, or where it begins.
    #[error("must be before to")]
    Reversed,
    /// It is too long.
    #[error("must be at most {max_days} days before to")]
    TooLong {
        /// How long it may be.
        max_days: u64,
    },
    /// It begins in the far future.
    #[error("must be at most 31 days ahead")]
    FromAhead,
    /// It ends in the far future.
    #[error("must be at most 31 days ahead")]
    ToAhead,
}

impl InvalidSpan {
    /// The end that is at fault.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Reversed | Self::TooLong { .. } | Self::FromAhead => "from",
            Self::ToAhead => "to",
        }
    }
}

/// Whoever asks for a month may name its end.
const AHEAD_DAYS: u64 = 31;
const LEEWAY_SECONDS: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u64) -> Timestamp {
        Timestamp::from_epoch_s(day * Day::SECONDS)
    }

    fn span(from: Option<u64>, to: Option<u64>) -> Result<Span, InvalidSpan> {
        Span::of(from.map(day), to.map(day), (30, Span::MAX_DAYS), day(1_000))
    }

    #[test]
    fn an_open_end_is_now_and_an_open_beginning_the_usual_time_before() {
        let now = day(1_000).plus_s(LEEWAY_SECONDS);
        assert_eq!(span(None, None), Ok(Span { from: now.minus_s(30 * Day::SECONDS), to: now }));
        assert_eq!(span(Some(990), None), Ok(Span { from: day(990), to: now }));
        assert_eq!(span(None, Some(40)), Ok(Span { from: day(10), to: day(40) }));
        assert_eq!(span(None, Some(3)), Ok(Span { from: day(0), to: day(3) }));
    }

    #[test]
    fn four_hundred_days_are_the_most() {
        assert!(span(Some(600), Some(1_000)).is_ok());
        assert!(span(Some(600), None).is_ok());
        assert_eq!(span(Some(599), Some(1_000)), Err(InvalidSpan::TooLong { max_days: 400 }));
        assert_eq!(span(Some(0), Some(1_000)).unwrap_err().field(), "from");
    }

    #[test]
    fn nothing_is_asked_backwards_or_of_the_far_future() {
        assert_eq!(span(Some(9), Some(9)), Err(InvalidSpan::Reversed));
        assert_eq!(span(Some(10), Some(9)), Err(InvalidSpan::Reversed));
        assert_eq!(span(Some(1_001), None), Err(InvalidSpan::Reversed));
        assert!(span(Some(1_000), Some(1_031)).is_ok());
        assert_eq!(span(Some(1_000), Some(1_032)).unwrap_err().field(), "to");
        assert_eq!(span(Some(1_032), Some(1_033)).unwrap_err().field(), "from");
    }
}
