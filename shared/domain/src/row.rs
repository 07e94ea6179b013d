//! The row of one admitted request, compact enough to ride in the one write.
//!
//! ```text
//! 4fGh…22 1760000000123 10000 kRtz 203.0.113.0/24 curl
//! └charge └epoch ms     └µUSD └route class └network └agent family
//! ```

use std::{fmt, net::IpAddr};

use crate::{base62, charge::ChargeNonce, id::InvalidId, money::MicroUsd, time::Timestamp};

/// What the table's stream carries of one admitted request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The charge's name within the cell that the row stands in.
    pub charge: ChargeNonce,
    /// When it was admitted.
    pub at: Timestamp,
    /// What it cost.
    pub cost: MicroUsd,
    /// The route's class.
    pub class: String,
    /// The caller's network, truncated.
    pub network: String,
    /// The family of the caller's user agent.
    pub agent: String,
}

impl Row {
    /// Reads the printed form.
    ///
    /// # Errors
    /// [`InvalidId`] when the text is not a row.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut words = text.split(' ');
        let mut word = || words.next().filter(|word| !word.is_empty() && word.len() <= MAX_WORD_BYTES).ok_or(InvalidId);
        let row = Self {
            charge: ChargeNonce::parse(word()?)?,
            at: Timestamp::from_epoch_ms(word()?.parse().map_err(|_| InvalidId)?),
            cost: MicroUsd::new(word()?.parse().map_err(|_| InvalidId)?).map_err(|_| InvalidId)?,
            class: word()?.to_owned(),
            network: word()?.to_owned(),
            agent: word()?.to_owned(),
        };
        if words.next().is_some() { Err(InvalidId) } else { Ok(row) }
    }
}

impl Row {
    /// The caller's network, where the gateway knew an address.
    #[must_use]
    pub fn known_network(&self) -> Option<&str> {
        Some(self.network.as_str()).filter(|network| *network != NONE)
    }

    /// The family of the caller's user agent, where it named one.
    #[must_use]
    pub fn known_agent(&self) -> Option<&str> {
        Some(self.agent.as_str()).filter(|agent| *agent != NONE)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, cost) = (self.at.epoch_ms(), self.cost.micro_usd());
        write!(out, "{} {at} {cost} {} {} {}", self.charge.as_str(), self.class, self.network, self.agent)
    }
}

/// The /24 of an IPv4 address or the /48 of an IPv6 one: enough to notice a move, too little to name a person.
#[must_use]
pub fn network_of(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Some(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
        None => NONE.to_owned(),
    }
}

/// The first product of a `User-Agent` (RFC 9110, section 10.1.5) without its version, in lower case.
#[must_use]
pub fn agent_family(user_agent: Option<&str>) -> String {
    let product = user_agent.unwrap_or_default().split(['/', ' ', '(']).next().unwrap_or_default();
    let family: String = product
        .chars()
        .take(MAX_AGENT_CHARS)
        .map(|letter| letter.to_ascii_lowercase())
        .filter(|letter| base62::is_base62(letter.encode_utf8(&mut [0; 4])) || "-_.".contains(*letter))
        .collect();
    if family.is_empty() { NONE.to_owned() } else { family }
}

const NONE: &str = "-";
const MAX_AGENT_CHARS: usize = 16;
const MAX_WORD_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_prints_and_reads_as_itself() {
        let row = Row {
            charge: ChargeNonce::mint(&mut |pool| pool.fill(3)),
            at: Timestamp::from_epoch_ms(1_760_000_000_123),
            cost: MicroUsd::new(10_000).unwrap(),
            class: "kRtz".into(),
            network: network_of("2001:db8:1:2::3".parse().ok()),
            agent: agent_family(Some("Mozilla/5.0 (X11)")),
        };
        assert_eq!(row.to_string(), "3333333333333333333333 1760000000123 10000 kRtz 2001:db8:1::/48 mozilla");
        assert_eq!(Row::parse(&row.to_string()), Ok(row));
    }

    #[test]
    fn what_is_not_known_of_a_caller_is_not_told() {
        let text = "3333333333333333333333 1 1 kRtz - -";
        let row = Row::parse(text).unwrap();
        assert_eq!((row.known_network(), row.known_agent()), (None, None));
        let row = Row::parse(&text.replace("- -", "10.0.0.0/24 curl")).unwrap();
        assert_eq!((row.known_network(), row.known_agent()), (Some("10.0.0.0/24"), Some("curl")));
    }

    #[test]
    fn callers_are_blurred() {
        assert_eq!(network_of("203.0.113.77".parse().ok()), "203.0.113.0/24");
        assert_eq!(network_of("::ffff:203.0.113.77".parse().ok()), "203.0.113.0/24");
        assert_eq!(network_of(None), "-");
        assert_eq!(agent_family(Some("python-requests/2.32")), "python-requests");
        assert_eq!(agent_family(Some("é \u{0}")), "-");
        assert_eq!(agent_family(None), "-");
    }

    #[test]
    fn odd_rows_are_refused() {
        for text in ["", "a b", "3333333333333333333333 1 1 a b", "3333333333333333333333 x 1 a b c"] {
            assert_eq!(Row::parse(text), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn words_that_are_empty_or_too_long_make_no_row() {
        let row = |class: &str| Row::parse(&format!("3333333333333333333333 1 1 {class} - -"));
        assert!(row(&"k".repeat(32)).is_ok());
        assert_eq!(row(&"k".repeat(33)), Err(InvalidId));
        assert_eq!(row(""), Err(InvalidId));
    }
}
