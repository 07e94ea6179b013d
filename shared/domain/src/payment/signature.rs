//! The signature of Stripe's webhooks: HMAC-SHA256 over the time of sending and the raw body.
//!
//! ```text
//! Stripe-Signature: t=1792540800,v1=5257a869e7…,v1=6ffbb59b22…,v0=…
//!                   │            │              │              └ another scheme: not looked at
//!                   │            │              └ the same under the other secret, while one is being replaced
//!                   │            └ hex of HMAC-SHA256(secret, "<t>.<body>")
//!                   └ when it was sent, seconds since the epoch
//! ```

use subtle::ConstantTimeEq;

use crate::{
    secret::{MacSecret, Versions},
    time::Timestamp,
};

/// What a `Stripe-Signature` header holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature<'h> {
    /// The time as it is written: its digits are what is signed.
    time: &'h str,
    sent_at: Timestamp,
    tags: Vec<[u8; 32]>,
}

impl<'h> Signature<'h> {
    /// Reads the header; `None` where it lacks a time or a tag, or has two times or too many tags.
    #[must_use]
    pub fn parse(header: &'h str) -> Option<Self> {
        if header.len() > MAX_HEADER_BYTES {
            return None;
        }
        let (mut time, mut tags) = (None, Vec::new());
        for (scheme, value) in header.split(',').filter_map(|part| part.split_once('=')) {
            match scheme {
                "t" if time.replace(value).is_some() => return None,
                "v1" => tags.extend(hex::decode(value).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())),
                _ => {}
            }
        }
        let time =
            time.filter(|digits| digits.len() <= MAX_TIME_DIGITS && digits.bytes().all(|it| it.is_ascii_digit()))?;
        let sent_at = Timestamp::from_epoch_s(time.parse().ok()?);
        (1..=MAX_TAGS).contains(&tags.len()).then_some(Self { time, sent_at, tags })
    }

    /// Whether it was sent within [`TOLERANCE_S`] of `now`, before or after.
    #[must_use]
    pub fn is_timely(&self, now: Timestamp) -> bool {
        self.sent_at.epoch_s().abs_diff(now.epoch_s()) <= TOLERANCE_S
    }

    /// Whether one of its tags is of this body under one of the secrets; compared in constant time.
    #[must_use]
    pub fn is_of(&self, body: &[u8], secrets: &Versions<MacSecret>) -> bool {
        let mut is_any = subtle::Choice::from(0);
        for secret in secrets.iter() {
            let wanted = secret.mac(&[self.time.as_bytes(), b".", body]);
            for tag in &self.tags {
                is_any |= tag.ct_eq(&wanted);
            }
        }
        is_any.into()
    }
}

/// How far the sender's clock and ours may lie apart, the way included, in seconds: what Stripe's own libraries allow.
pub const TOLERANCE_S: u64 = 300;
const MAX_HEADER_BYTES: usize = 2_048;
const MAX_TIME_DIGITS: usize = 12;
/// Stripe sends one for each secret in force, which are two at most.
const MAX_TAGS: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(text: &str) -> MacSecret {
        MacSecret::new(text.as_bytes().to_vec()).unwrap()
    }

    fn only(text: &str) -> Versions<MacSecret> {
        Versions { current: secret(text), previous: None }
    }

    fn tag(secret: &str, time: &str, body: &str) -> String {
        hex::encode(self::secret(secret).mac(&[time.as_bytes(), b".", body.as_bytes()]))
    }

    const NEW: &str = "whsec_0123456789abcdef0123456789abcdef";
    const OLD: &str = "whsec_fedcba9876543210fedcba9876543210";

    /// `stripe.webhooks.generateTestHeaderString` of Stripe's library for Node, 23.1.0, made this one.
    #[test]
    fn a_header_of_stripes_own_library_is_accepted() {
        let header = "t=1792540800,v1=13f007ddc7bed54c6cdb7eea1e2816e5f52077d746993dd6b2ddd3a69628ebba";
        let signature = Signature::parse(header).unwrap();
        assert!(signature.is_of(br#"{"id":"evt_1","object":"event"}"#, &only(NEW)));
        assert!(!signature.is_of(br#"{"id":"evt_1","object":"event"} "#, &only(NEW)));
        assert!(!signature.is_of(br#"{"id":"evt_1","object":"event"}"#, &only(OLD)));
    }

    #[test]
    fn any_tag_may_fit_any_secret_that_is_in_force() {
        let both = Versions { current: secret(NEW), previous: Some(secret(OLD)) };
        let (new, old) = (tag(NEW, "7", "{}"), tag(OLD, "7", "{}"));
        for (header, secrets, wanted) in [
            (format!("t=7,v1={new}"), &both, true),
            (format!("t=7,v1={old}"), &both, true),
            (format!("t=7,v1={old}"), &only(NEW), false),
            (format!("t=7,v1={old},v1={new}"), &only(NEW), true),
            (format!("v1={old},v0={new},t=7"), &only(NEW), false),
            (format!("t=8,v1={new}"), &both, false),
            (format!("t=07,v1={new}"), &both, false),
        ] {
            assert_eq!(Signature::parse(&header).unwrap().is_of(b"{}", secrets), wanted, "{header}");
        }
    }

    #[test]
    fn what_is_no_signature_is_not_read() {
        let tag = "ab".repeat(32);
        for header in [
            String::new(),
            format!("v1={tag}"),
            "t=7".into(),
            format!("t=7,v0={tag}"),
            format!("t=7,v1={}", &tag[2..]),
            format!("t=7,v1={tag}ab"),
            format!("t=7,t=7,v1={tag}"),
            format!("t=-7,v1={tag}"),
            format!("t=+7,v1={tag}"),
            format!("t=,v1={tag}"),
            format!("t=1234567890123,v1={tag}"),
            format!("t=7{}", format!(",v1={tag}").repeat(9)),
            format!("t=7,v1={tag},{}", "x".repeat(2_048)),
        ] {
            assert_eq!(Signature::parse(&header), None, "{header}");
        }
    }

    #[test]
    fn five_minutes_are_tolerated_either_way() {
        let header = format!("t=1000,v1={}", "ab".repeat(32));
        let signature = Signature::parse(&header).unwrap();
        for (now_s, wanted) in [(699, false), (700, true), (1_000, true), (1_300, true), (1_301, false)] {
            assert_eq!(signature.is_timely(Timestamp::from_epoch_s(now_s)), wanted, "{now_s}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(header in ".{0,120}", time in "[0-9]{0,14}", tag in "[0-9a-f]{60,68}") {
            let _ = Signature::parse(&header);
            let _ = Signature::parse(&format!("t={time},v1={tag}"));
        }
    }
}
