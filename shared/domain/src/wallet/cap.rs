//! How many nonces one caller may ask for.

use std::fmt;
use std::net::IpAddr;

use crate::time::Timestamp;

/// The part of an IP address that one caller holds: all of an IPv4 address, the first 64 bits of an IPv6 one.
///
/// `Display` prints lower hex digits, 8 or 16 of them, or `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerNetwork {
    /// An IPv4 address, an IPv4-mapped IPv6 address included.
    V4([u8; 4]),
    /// An IPv6 network of 64 bits.
    V6([u8; 8]),
    /// The gateway did not say; all such callers share one cap.
    Unknown,
}

impl From<Option<IpAddr>> for CallerNetwork {
    fn from(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
            None => Self::Unknown,
        }
    }
}

impl fmt::Display for CallerNetwork {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(bytes) => formatter.write_str(&hex::encode(bytes)),
            Self::V6(bytes) => formatter.write_str(&hex::encode(bytes)),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

/// The most nonces that one network gets per UTC minute and per UTC hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonceCap {
    /// Per UTC minute.
    pub per_minute: u32,
    /// Per UTC hour.
    pub per_hour: u32,
}

impl Default for NonceCap {
    fn default() -> Self {
        Self { per_minute: 120, per_hour: 1_200 }
    }
}

impl NonceCap {
    /// When a network that has used up `counts` may ask again; the longer wait where both windows are full.
    #[must_use]
    pub fn reopens_at(&self, counts: NonceCounts, now: Timestamp) -> Option<Timestamp> {
        let hour = now.epoch_s() / SECONDS_PER_HOUR;
        if counts.this_hour >= self.per_hour {
            Some(Timestamp::from_epoch_s((hour + 1).saturating_mul(SECONDS_PER_HOUR)))
        } else if counts.this_minute >= self.per_minute {
            Some(now.minute().end())
        } else {
            None
        }
    }
}

/// How many nonces a network has had in the windows that are open now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonceCounts {
    /// In this UTC minute.
    pub this_minute: u32,
    /// In this UTC hour.
    pub this_hour: u32,
}

/// Seconds in the longer window.
pub const SECONDS_PER_HOUR: u64 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> CallerNetwork {
        CallerNetwork::from(Some(text.parse().unwrap()))
    }

    #[test]
    fn all_addresses_of_one_64_bit_network_are_one_caller() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }

    #[test]
    fn networks_print_as_hex() {
        assert_eq!(network("192.0.2.1").to_string(), "c0000201");
        assert_eq!(network("2001:db8:1:2::1").to_string(), "20010db800010002");
        assert_eq!(CallerNetwork::from(None).to_string(), "unknown");
    }

    #[test]
    fn the_wait_lasts_until_the_full_window_ends() {
        let cap = NonceCap { per_minute: 2, per_hour: 4 };
        let now = Timestamp::from_epoch_s(3_600 + 61);
        let wait = |this_minute, this_hour| cap.reopens_at(NonceCounts { this_minute, this_hour }, now);
        assert_eq!(wait(1, 3), None);
        assert_eq!(wait(2, 3), Some(Timestamp::from_epoch_s(3_600 + 120)));
        assert_eq!(wait(1, 4), Some(Timestamp::from_epoch_s(7_200)));
        assert_eq!(wait(2, 4), Some(Timestamp::from_epoch_s(7_200)));
    }
}
