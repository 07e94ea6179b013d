//! Money as whole millionths of a US dollar, read from literal decimal text and never through a float.

use std::{
    fmt,
    num::{IntErrorKind, ParseIntError},
};

/// Millionths of a US dollar, between 0 and [`MicroUsd::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroUsd(u64);

impl MicroUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One billion dollars: far below where sums could overflow 64 bits.
    pub const MAX: Self = Self(1_000_000_000_000_000);

    /// An amount in millionths.
    ///
    /// # Errors
    /// [`InvalidAmount::TooLarge`] above [`MicroUsd::MAX`].
    pub const fn new(micro_usd: u64) -> Result<Self, InvalidAmount> {
        if micro_usd > Self::MAX.0 { Err(InvalidAmount::TooLarge) } else { Ok(Self(micro_usd)) }
    }

    /// The amount in millionths of a dollar.
    #[must_use]
    pub fn micro_usd(self) -> u64 {
        self.0
    }

    /// The amount in millionths of a dollar, for sums that may go below zero.
    #[must_use]
    pub fn signed(self) -> i64 {
        // At most a billion dollars, far below where 63 bits end.
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The sum, held at [`MicroUsd::MAX`].
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(Self::MAX.0))
    }

    /// The difference, held at zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Reads decimal dollars: digits, then at most 6 fractional digits; no sign, exponent or leading `+`.
    ///
    /// # Errors
    /// [`InvalidAmount`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        Self::parse_scaled(text, 0)
    }

    /// Reads the text of a JSON value: a number literal, which may have an exponent (RFC 8259, section 6), or a string
    /// that holds plain digits.
    ///
    /// # Errors
    /// [`InvalidAmount`] says which rule the literal breaks.
    pub fn parse_json_literal(literal: &str) -> Result<Self, InvalidAmount> {
        let (text, exponent) = split_exponent(literal)?;
        Self::parse_scaled(text, exponent)
    }

    /// Reads decimal dollars that a power of ten is to be multiplied with.
    pub(crate) fn parse_scaled(text: &str, exponent: i32) -> Result<Self, InvalidAmount> {
        if text.len() > MAX_LITERAL_BYTES {
            return Err(InvalidAmount::Malformed);
        }
        if text.starts_with('-') {
            return Err(InvalidAmount::Negative);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || (whole.len() > 1 && whole.starts_with('0')) {
            return Err(InvalidAmount::Malformed);
        }
        if exponent == 0 && fraction.len() > FRACTION_DIGITS {
            return Err(InvalidAmount::TooPrecise);
        }
        // No literal has more digits than this has room for.
        let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| InvalidAmount::Malformed)?;
        if digits == 0 {
            return Ok(Self::ZERO);
        }
        let down = u32::try_from(fraction.len()).map_err(|_| InvalidAmount::Malformed)?;
        let power = |places: u32| 10_u128.checked_pow(places);
        let micro_usd = match exponent.saturating_add(MICRO_DIGITS).checked_sub_unsigned(down) {
            Some(up @ 0..) => power(up.unsigned_abs()).and_then(|power| digits.checked_mul(power)),
            down => {
                let power = down.and_then(|down| power(down.unsigned_abs())).ok_or(InvalidAmount::TooPrecise)?;
                Some(digits / power).filter(|_| digits.is_multiple_of(power)).ok_or(InvalidAmount::TooPrecise)?.into()
            }
        };
        let micro_usd = micro_usd.and_then(|amount| u64::try_from(amount).ok());
        Self::new(micro_usd.ok_or(InvalidAmount::TooLarge)?)
    }
}

/// The digits of a JSON value, without quotes, and its exponent: many programs write `5e-05` for 0.00005. A string has none.
pub(crate) fn split_exponent(literal: &str) -> Result<(&str, i32), InvalidAmount> {
    if let Some(text) = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Ok((text, 0));
    }
    let Some((text, exponent)) = literal.split_once(['e', 'E']) else { return Ok((literal, 0)) };
    let exponent = exponent.parse().or_else(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => Ok(i32::MAX),
        IntErrorKind::NegOverflow => Ok(i32::MIN),
        _ => Err(InvalidAmount::Malformed),
    })?;
    Ok((text, exponent))
}

/// Prints decimal dollars without trailing zeros: `50`, `0.01`, `1.000001`.
impl fmt::Display for MicroUsd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:06}", self.0 % 1_000_000);
        let fraction = fraction.trim_end_matches('0');
        write!(out, "{}", self.0 / 1_000_000)?;
        if fraction.is_empty() { Ok(()) } else { write!(out, ".{fraction}") }
    }
}

/// Why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAmount {
    /// Not plain decimal digits.
    #[error("not a plain decimal number")]
    Malformed,
    /// Below zero.
    #[error("below zero")]
    Negative,
    /// Nothing, where something must be moved.
    #[error("must not be zero")]
    Zero,
    /// More than six fractional digits.
    #[error("more than 6 fractional digits")]
    TooPrecise,
    /// Above one billion dollars.
    #[error("above one billion dollars")]
    TooLarge,
}

const MAX_LITERAL_BYTES: usize = 32;
const FRACTION_DIGITS: usize = 6;
const MICRO_DIGITS: i32 = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_from_their_digits() {
        for (text, micro_usd) in
            [("0", 0), ("50", 50_000_000), ("50.00", 50_000_000), ("0.000001", 1), ("0.29", 290_000)]
        {
            assert_eq!(MicroUsd::parse(text).map(MicroUsd::micro_usd), Ok(micro_usd), "{text}");
        }
        assert_eq!(MicroUsd::parse_json_literal("\"0.10\""), MicroUsd::new(100_000));
    }

    #[test]
    fn each_broken_rule_has_its_own_word() {
        for (text, error) in [
            ("-1", InvalidAmount::Negative),
            ("0.0000001", InvalidAmount::TooPrecise),
            ("1000000000.000001", InvalidAmount::TooLarge),
            ("99999999999999999999999", InvalidAmount::TooLarge),
            ("1e3", InvalidAmount::Malformed),
            ("01", InvalidAmount::Malformed),
            (".5", InvalidAmount::Malformed),
            ("5.", InvalidAmount::Malformed),
            ("", InvalidAmount::Malformed),
            ("٣", InvalidAmount::Malformed),
            ("\"\"5", InvalidAmount::Malformed),
        ] {
            assert_eq!(MicroUsd::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_exponent_moves_the_point_of_a_number_and_of_no_string() {
        for (literal, amount) in [
            ("1e3", Ok(1_000_000_000)),
            ("1E+3", Ok(1_000_000_000)),
            ("5e-05", Ok(50)),
            ("1e-06", Ok(1)),
            ("12.50e-1", Ok(1_250_000)),
            ("0.000001e6", Ok(1_000_000)),
            ("1000000000e0", Ok(MicroUsd::MAX.micro_usd())),
            ("100000000000000000000e-20", Ok(1_000_000)),
            ("0e99999999999999999999", Ok(0)),
            ("0.0e-9", Ok(0)),
            ("1e-7", Err(InvalidAmount::TooPrecise)),
            ("1e-99999999999999999999", Err(InvalidAmount::TooPrecise)),
            ("1.0000001e0", Err(InvalidAmount::TooPrecise)),
            ("1.000001e9", Err(InvalidAmount::TooLarge)),
            ("1e10", Err(InvalidAmount::TooLarge)),
            ("1e99999999999999999999", Err(InvalidAmount::TooLarge)),
            ("-1e3", Err(InvalidAmount::Negative)),
            ("01e3", Err(InvalidAmount::Malformed)),
            ("1e", Err(InvalidAmount::Malformed)),
            ("1e+-3", Err(InvalidAmount::Malformed)),
            ("1e3.0", Err(InvalidAmount::Malformed)),
            (".5e1", Err(InvalidAmount::Malformed)),
            ("5.e1", Err(InvalidAmount::Malformed)),
            ("1e3e3", Err(InvalidAmount::Malformed)),
            ("true", Err(InvalidAmount::Malformed)),
            ("\"1e3\"", Err(InvalidAmount::Malformed)),
            ("\"5e-05\"", Err(InvalidAmount::Malformed)),
        ] {
            assert_eq!(MicroUsd::parse_json_literal(literal).map(MicroUsd::micro_usd), amount, "{literal}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_is_read_from_any_notation(micro_usd in 0..=MicroUsd::MAX.micro_usd(), moved in 0..=12_usize) {
            let text = micro_usd.to_string();
            let at = text.len().saturating_sub(moved).max(1);
            let places = text.len() - at;
            let literal = if places == 0 {
                format!("{text}e-6")
            } else {
                format!("{}.{}e{}", &text[..at], &text[at..], i64::try_from(places).unwrap() - 6)
            };
            prop_assert_eq!(MicroUsd::parse_json_literal(&literal), MicroUsd::new(micro_usd), "{}", literal);
        }

        #[test]
        fn every_amount_prints_and_reads_as_itself(micro_usd in 0..=MicroUsd::MAX.micro_usd()) {
            let amount = MicroUsd::new(micro_usd).unwrap();
            prop_assert_eq!(MicroUsd::parse(&amount.to_string()), Ok(amount));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = MicroUsd::parse_json_literal(&text);
        }
    }

    #[test]
    fn an_amount_has_at_most_32_letters() {
        assert_eq!(MicroUsd::parse(&"1".repeat(32)), Err(InvalidAmount::TooLarge));
        assert_eq!(MicroUsd::parse(&"1".repeat(33)), Err(InvalidAmount::Malformed));
    }
}
