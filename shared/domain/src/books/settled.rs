//! What a cell says of its last settlement, compact enough to ride in the write that ends the lease.
//!
//! ```text
//! 4fGh…22 1760000000123 100000 37000 S            4fGh…22 1760000000123 100000 0 F model.timeout
//! └charge └epoch ms     └reserved, actual µUSD └succeeded                       └failed, and why
//! ```

use std::fmt;

use crate::{
    charge::ChargeNonce,
    id::InvalidId,
    money::MicroUsd,
    settlement::{ErrorCode, Outcome, Settlement},
    time::Timestamp,
};

/// A charge that was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledCharge {
    /// The charge's name within its cell.
    pub charge: ChargeNonce,
    /// When its lease was ended.
    pub at: Timestamp,
    /// What it had reserved.
    pub reserved: MicroUsd,
    /// How it ended, and what it costs.
    pub settlement: Settlement,
}

impl SettledCharge {
    /// Reads the printed form.
    ///
    /// # Errors
    /// [`InvalidId`] when the text is no settled charge.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut words = text.split(' ');
        let mut word = || words.next().filter(|word| !word.is_empty()).ok_or(InvalidId);
        let amount = |word: &str| MicroUsd::new(word.parse().map_err(|_| InvalidId)?).map_err(|_| InvalidId);
        let charge = ChargeNonce::parse(word()?)?;
        let at = Timestamp::from_epoch_ms(word()?.parse().map_err(|_| InvalidId)?);
        let (reserved, actual) = (amount(word()?)?, amount(word()?)?);
        let outcome = match word()? {
            SUCCEEDED => Outcome::Succeeded,
            FAILED => Outcome::Failed,
            _ => return Err(InvalidId),
        };
        let error_code = words.next().map(|word| ErrorCode::parse(word).ok_or(InvalidId)).transpose()?;
        if words.next().is_some() {
            return Err(InvalidId);
        }
        Ok(Self { charge, at, reserved, settlement: Settlement { outcome, actual, error_code } })
    }

    /// The code under which the call stands in the books from now on.
    #[must_use]
    pub fn code(&self) -> &str {
        match (self.settlement.outcome, &self.settlement.error_code) {
            (Outcome::Succeeded, _) => OK,
            (Outcome::Failed, Some(code)) => code.as_str(),
            (Outcome::Failed, None) => UNEXPLAINED,
        }
    }
}

impl fmt::Display for SettledCharge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, reserved) = (self.at.epoch_ms(), self.reserved.micro_usd());
        let Settlement { outcome, actual, error_code } = &self.settlement;
        let outcome = match outcome {
            Outcome::Succeeded => SUCCEEDED,
            Outcome::Failed => FAILED,
        };
        write!(out, "{} {at} {reserved} {} {outcome}", self.charge.as_str(), actual.micro_usd())?;
        error_code.as_ref().map_or(Ok(()), |code| write!(out, " {}", code.as_str()))
    }
}

/// The code of an admitted call that nobody has reported as failed.
pub(super) const OK: &str = "ok";
/// That of a failed one whose API gave no word for it.
pub(super) const UNEXPLAINED: &str = "failed";
const SUCCEEDED: &str = "S";
const FAILED: &str = "F";

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(outcome: Outcome, actual: u64, code: Option<&str>) -> SettledCharge {
        SettledCharge {
            charge: ChargeNonce::mint(&mut |pool| pool.fill(3)),
            at: Timestamp::from_epoch_ms(1_760_000_000_123),
            reserved: MicroUsd::new(100_000).unwrap(),
            settlement: Settlement {
                outcome,
                actual: MicroUsd::new(actual).unwrap(),
                error_code: code.and_then(ErrorCode::parse),
            },
        }
    }

    #[test]
    fn a_settled_charge_prints_and_reads_as_itself() {
        for (settled, text, code) in [
            (settled(Outcome::Succeeded, 37_000, None), "1760000000123 100000 37000 S", "ok"),
            (settled(Outcome::Failed, 0, None), "1760000000123 100000 0 F", "failed"),
            (
                settled(Outcome::Failed, 0, Some("model.timeout")),
                "1760000000123 100000 0 F model.timeout",
                "model.timeout",
            ),
            (settled(Outcome::Failed, 0, Some("-")), "1760000000123 100000 0 F -", "-"),
        ] {
            assert_eq!(settled.to_string(), format!("3333333333333333333333 {text}"));
            assert_eq!(SettledCharge::parse(&settled.to_string()), Ok(settled.clone()));
            assert_eq!(settled.code(), code);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let charge = "3".repeat(22);
        for text in ["", "1", "1 1 S", "x 1 1 S", "1 1 1 X", "1 1 1 F two words", "1 1 1 F é", "1 1 1 S "] {
            assert_eq!(SettledCharge::parse(&format!("{charge} {text}")), Err(InvalidId), "{text}");
        }
    }
}
