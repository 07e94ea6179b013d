//! Behaviour of a key that its owner should hear of.

use crate::money::MicroUsd;

/// What happened for the first time, or more than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// A request from a network that the key was never used from.
    NewNetwork {
        /// The /24 or /48.
        network: String,
    },
    /// A request from a family of user agents that never used the key.
    NewAgent {
        /// The family.
        agent: String,
    },
    /// An hour with far more requests than any of the seven days before.
    Spike {
        /// Requests in the hour so far.
        calls: u64,
        /// The most in an hour of the seven days before.
        usual: u64,
    },
    /// A part of the key's budget is spent.
    Budget {
        /// How much of it: 50, 80 or 100.
        percent: u8,
    },
    /// Many requests in an hour with a key's id and a wrong secret.
    Unauthorized {
        /// How many.
        calls: u64,
    },
    /// Many of a key's requests in an hour refused for other reasons.
    Refusals {
        /// How many.
        calls: u64,
    },
}

impl Oddity {
    /// What an event of it is called.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NewNetwork { .. } => "new_network",
            Self::NewAgent { .. } => "new_agent",
            Self::Spike { .. } => "spike",
            Self::Budget { .. } => "budget",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Refusals { .. } => "refusals",
        }
    }
}

/// The parts of a budget, in percent, that a key's spending has come to between two states.
#[must_use]
pub fn thresholds_crossed(budget: MicroUsd, before: MicroUsd, after: MicroUsd) -> Vec<u8> {
    let reached = |spent: MicroUsd, percent: u8| {
        u128::from(spent.micro_usd()) * 100 >= u128::from(budget.micro_usd()) * u128::from(percent)
    };
    if budget == MicroUsd::ZERO {
        return Vec::new();
    }
    THRESHOLDS.into_iter().filter(|percent| !reached(before, *percent) && reached(after, *percent)).collect()
}

/// Whether `calls` in an hour are a spike for a key whose busiest hour of the seven days before had `usual`.
#[must_use]
pub fn is_spike(calls: u64, usual: u64) -> bool {
    calls >= SPIKE_FLOOR && calls >= usual.saturating_mul(SPIKE_FACTOR)
}

/// The numbers of refused requests in an hour that are told of, as far as they are reached between two states.
#[must_use]
pub fn refusals_reached(before: u64, after: u64) -> Vec<u64> {
    REFUSALS.into_iter().filter(|number| before < *number && after >= *number).collect()
}

const REFUSALS: [u64; 4] = [100, 1_000, 10_000, 100_000];
const THRESHOLDS: [u8; 3] = [50, 80, 100];
/// Below so many calls in an hour nothing is a spike.
const SPIKE_FLOOR: u64 = 100;
/// How many times the busiest hour a spike is.
const SPIKE_FACTOR: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    #[test]
    fn a_threshold_is_crossed_once() {
        let crossed = |before, after| thresholds_crossed(usd(100), usd(before), usd(after));
        assert!(crossed(0, 49).is_empty());
        assert_eq!(crossed(49, 50), [50]);
        assert!(crossed(50, 79).is_empty());
        assert_eq!(crossed(10, 100), [50, 80, 100]);
        assert!(crossed(90, 60).is_empty());
        assert!(thresholds_crossed(usd(0), usd(0), usd(0)).is_empty());
        assert_eq!(thresholds_crossed(MicroUsd::MAX, usd(0), MicroUsd::MAX), [50, 80, 100]);
    }

    #[test]
    fn refusals_are_told_at_each_power_of_ten_once() {
        assert!(refusals_reached(0, 99).is_empty());
        assert_eq!(refusals_reached(99, 100), [100]);
        assert!(refusals_reached(100, 999).is_empty());
        assert_eq!(refusals_reached(7, 12_345), [100, 1_000, 10_000]);
    }

    #[test]
    fn a_spike_is_large_in_itself_and_beside_what_was() {
        assert!(!is_spike(99, 0));
        assert!(is_spike(100, 0));
        assert!(!is_spike(299, 100));
        assert!(is_spike(300, 100));
        assert!(!is_spike(u64::MAX - 1, u64::MAX));
    }
}
