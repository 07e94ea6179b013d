//! Settlement: what a reserved call turned out to cost. A charge is settled once.

use crate::{lease::Lease, money::MicroUsd};

/// How a call ended, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// How it ended.
    pub outcome: Outcome,
    /// What it costs: at most what was reserved, nothing where it failed.
    pub actual: MicroUsd,
    /// Why it failed, in the backend's own word.
    pub error_code: Option<ErrorCode>,
}

impl Settlement {
    /// Whether it says the same of the call as `other`: then it is a repetition, else a contradiction.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.outcome == other.outcome && self.actual == other.actual
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it is paid for.
    Succeeded,
    /// It did not, and costs nothing.
    Failed,
}

impl Outcome {
    /// The word in requests and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// What a backend says of a call that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// What it costs; all that was reserved where a success names nothing.
    pub actual: Option<MicroUsd>,
    /// Why it failed.
    pub error_code: Option<ErrorCode>,
}

impl Report {
    /// What the report means for a call that reserved `lease`.
    ///
    /// # Errors
    /// [`InvalidReport`] where it costs more than was reserved, or something although it failed.
    pub fn settle(&self, lease: &Lease) -> Result<Settlement, InvalidReport> {
        let actual = match (self.outcome, self.actual) {
            (Outcome::Failed, Some(actual)) if actual > MicroUsd::ZERO => return Err(InvalidReport::FailedWithCost),
            (Outcome::Failed, _) => MicroUsd::ZERO,
            (Outcome::Succeeded, actual) => actual.unwrap_or(lease.amount),
        };
        if actual > lease.amount {
            return Err(InvalidReport::OverReserved { reserved: lease.amount });
        }
        Ok(Settlement { outcome: self.outcome, actual, error_code: self.error_code.clone() })
    }

    /// Whether it says the same as an earlier settlement of the same call. A success that names no cost agrees with
    /// any success: what was reserved is not known any more.
    #[must_use]
    pub fn agrees_with(&self, settlement: &Settlement) -> bool {
        self.outcome == settlement.outcome && self.actual.is_none_or(|actual| actual == settlement.actual)
    }
}

/// Why a report cannot be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReport {
    /// A failed call costs nothing.
    #[error("a failed call costs nothing")]
    FailedWithCost,
    /// More than was reserved.
    #[error("must not exceed the reserved amount of {reserved} USD")]
    OverReserved {
        /// What was reserved.
        reserved: MicroUsd,
    },
}

/// A backend's own word for a failure: 1 to 64 letters, digits, `_`, `-`, `.` or `:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCode(String);

impl ErrorCode {
    /// Reads a code; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        let is_code = (1..=MAX_CODE_BYTES).contains(&text.len()) && text.bytes().all(is_letter);
        is_code.then(|| Self(text.to_owned()))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const MAX_CODE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    fn lease() -> Lease {
        Lease { amount: usd(100), end: Timestamp::from_epoch_s(9) }
    }

    fn report(outcome: Outcome, actual: Option<u64>) -> Report {
        Report { outcome, actual: actual.map(usd), error_code: None }
    }

    #[test]
    fn a_call_costs_what_it_took_and_never_more_than_was_reserved() {
        let actual = |outcome, actual| report(outcome, actual).settle(&lease()).map(|settlement| settlement.actual);
        assert_eq!(actual(Outcome::Succeeded, None), Ok(usd(100)));
        assert_eq!(actual(Outcome::Succeeded, Some(37)), Ok(usd(37)));
        assert_eq!(actual(Outcome::Succeeded, Some(100)), Ok(usd(100)));
        let over = InvalidReport::OverReserved { reserved: usd(100) };
        assert_eq!(actual(Outcome::Succeeded, Some(101)), Err(over));
        assert_eq!(over.to_string(), "must not exceed the reserved amount of 0.0001 USD");
        assert_eq!(actual(Outcome::Failed, None), Ok(usd(0)));
        assert_eq!(actual(Outcome::Failed, Some(0)), Ok(usd(0)));
        assert_eq!(actual(Outcome::Failed, Some(1)), Err(InvalidReport::FailedWithCost));
    }

    #[test]
    fn a_repetition_agrees_and_a_contradiction_does_not() {
        let settled = report(Outcome::Succeeded, Some(37)).settle(&lease()).unwrap();
        assert!(report(Outcome::Succeeded, Some(37)).agrees_with(&settled));
        assert!(report(Outcome::Succeeded, None).agrees_with(&settled));
        assert!(!report(Outcome::Succeeded, Some(38)).agrees_with(&settled));
        assert!(!report(Outcome::Failed, None).agrees_with(&settled));
    }

    #[test]
    fn codes_are_short_plain_words() {
        assert_eq!(
            ErrorCode::parse("model.timeout").map(|code| code.as_str().to_owned()),
            Some("model.timeout".into())
        );
        for text in ["", "two words", "é", &"x".repeat(65)] {
            assert_eq!(ErrorCode::parse(text), None, "{text}");
        }
    }
}
