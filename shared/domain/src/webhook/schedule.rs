//! When a delivery that failed is tried again (Standard Webhooks, "Deliverability and reliability").

use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::time::Timestamp;

/// How often a delivery is tried before it is given up.
pub const MAX_ATTEMPTS: u32 = 10;

/// When the attempt after `failed` ones is made, or `None` when there is none.
///
/// `spread` is a random byte: pauses are longer by up to a tenth, so that what failed together does not come back together.
/// `retry_after` is what the receiver asked for; it makes a pause longer, up to [`LONGEST_SECONDS`], and never shorter.
#[must_use]
pub fn next_attempt(failed: u32, now: Timestamp, retry_after: Option<u64>, spread: u8) -> Option<Timestamp> {
    let place = usize::try_from(failed.checked_sub(1)?).ok()?;
    let pause_ms = PAUSES_SECONDS.get(place)?.saturating_mul(1_000);
    let pause_ms = pause_ms + pause_ms / 10 * u64::from(spread) / 255;
    let asked_ms = retry_after.unwrap_or(0).min(LONGEST_SECONDS).saturating_mul(1_000);
    Some(Timestamp::from_epoch_ms(now.epoch_ms().saturating_add(pause_ms.max(asked_ms))))
}

/// The seconds that a `Retry-After` asks for (RFC 9110 §10.2.3): a number, or a date.
#[must_use]
pub fn retry_after(text: &str, now: Timestamp) -> Option<u64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are longer than anybody waits.
        return Some(text.parse().unwrap_or(u64::MAX));
    }
    if text.len() > MAX_DATE_BYTES {
        return None;
    }
    // HTTP's dates are those of mail, in Greenwich.
    let date = OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok()?;
    let seconds = u64::try_from(date.unix_timestamp()).ok()?;
    Some(now.seconds_until(Timestamp::from_epoch_s(seconds)))
}

/// The longest pause that a receiver can ask for.
pub const LONGEST_SECONDS: u64 = 24 * 3_600;
/// From each failed attempt to the next.
const PAUSES_SECONDS: [u64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 24 * 3_600];
const _: () = assert!(PAUSES_SECONDS.len() + 1 == 10);
const MAX_DATE_BYTES: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_epoch_s(second)
    }

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> =
            (1..=MAX_ATTEMPTS).map(|failed| next_attempt(failed, at(0), None, 0).map(Timestamp::epoch_s)).collect();
        let hours = [2, 5, 10, 14, 20, 24].map(|hours| Some(hours * 3_600));
        assert_eq!(pauses[..3], [Some(5), Some(300), Some(1_800)]);
        assert_eq!(pauses[3..9], hours);
        assert_eq!(pauses[9], None);
        assert_eq!(next_attempt(u32::MAX, at(0), Some(1), 0), None);
    }

    #[test]
    fn pauses_are_spread_by_a_tenth_at_most() {
        assert_eq!(next_attempt(2, at(0), None, 255), Some(at(330)));
        assert_eq!(next_attempt(1, at(0), None, 255), Some(Timestamp::from_epoch_ms(5_500)));
    }

    #[test]
    fn a_receiver_can_ask_for_a_longer_pause_and_for_no_shorter_one() {
        assert_eq!(next_attempt(1, at(0), Some(60), 0), Some(at(60)));
        assert_eq!(next_attempt(3, at(0), Some(60), 0), Some(at(1_800)));
        assert_eq!(next_attempt(1, at(0), Some(u64::MAX), 0), Some(at(LONGEST_SECONDS)));
    }

    #[test]
    fn a_wish_to_wait_is_a_number_or_a_date() {
        let now = Timestamp::parse_rfc3339("1999-12-31T23:59:00Z").unwrap();
        for (text, wanted) in [
            ("3", Some(3)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some(59)),
            ("Fri, 31 Dec 1999 23:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("soon", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT and so on and so on and so on", None),
        ] {
            assert_eq!(retry_after(text, now), wanted, "{text}");
        }
    }
}
