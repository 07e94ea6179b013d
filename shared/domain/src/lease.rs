//! Leases: money reserved for a call that is not settled yet, and the place it takes among the concurrent ones.

use std::collections::BTreeMap;

use crate::{charge::ChargeNonce, money::MicroUsd, time::Timestamp};

/// What one call holds until it is settled, or until its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Reserved; what the call costs unless it is settled for less.
    pub amount: MicroUsd,
    /// From when on it no longer counts as running and is charged as reserved; whole seconds.
    pub end: Timestamp,
}

impl Lease {
    /// A lease that begins now. Its end is rounded up to a whole second.
    #[must_use]
    pub fn starting(now: Timestamp, seconds: u64, amount: MicroUsd) -> Self {
        let end = Timestamp::from_epoch_s(now.epoch_ms().div_ceil(1_000)).plus_s(seconds);
        Self { amount, end }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.end <= now
    }

    /// Both parts as one whole number, because that is what an item stores in the fewest bytes: the end in seconds,
    /// then 16 digits of micro-dollars.
    #[must_use]
    pub fn packed(&self) -> u128 {
        u128::from(self.end.epoch_s()) * AMOUNTS + u128::from(self.amount.micro_usd())
    }

    /// Reads the packed form; `None` where the amount is none.
    #[must_use]
    pub fn unpacked(packed: u128) -> Option<Self> {
        let amount = u64::try_from(packed % AMOUNTS).ok()?;
        let end = u64::try_from(packed / AMOUNTS).ok()?;
        Some(Self { amount: MicroUsd::new(amount).ok()?, end: Timestamp::from_epoch_s(end) })
    }
}

/// The leases of one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases {
    /// Not settled; each counts against the concurrency cap until a write finds its time over.
    pub held: BTreeMap<ChargeNonce, Lease>,
    /// Over, charged as reserved, and kept so that a late settlement can still give back the difference.
    pub lapsed: BTreeMap<ChargeNonce, Lease>,
}

impl Leases {
    /// Reserved and not charged yet.
    #[must_use]
    pub fn reserved(&self) -> MicroUsd {
        self.held.values().fold(MicroUsd::ZERO, |sum, lease| sum.plus(lease.amount))
    }

    /// Leases whose time is over and which still count; the longest over first, at most as many as one write moves.
    #[must_use]
    pub fn over(&self, now: Timestamp) -> Vec<(ChargeNonce, Lease)> {
        let mut over: Vec<_> = self.held.iter().filter(|(_, lease)| lease.is_over(now)).collect();
        over.sort_by_key(|(nonce, lease)| (lease.end, (*nonce).clone()));
        over.into_iter().take(MAX_MOVED).map(|(nonce, lease)| (nonce.clone(), *lease)).collect()
    }

    /// Lapsed leases that should leave the cell, because so many have gathered that they make every write dearer; the
    /// oldest first.
    #[must_use]
    pub fn to_retire(&self) -> Vec<(ChargeNonce, Lease)> {
        if self.lapsed.len() <= MAX_LAPSED {
            return Vec::new();
        }
        let mut lapsed: Vec<_> = self.lapsed.iter().map(|(nonce, lease)| (nonce.clone(), *lease)).collect();
        lapsed.sort_by_key(|(nonce, lease)| (lease.end, nonce.clone()));
        lapsed.truncate(MAX_RETIRED);
        lapsed
    }

    /// When the first of the held leases ends.
    #[must_use]
    pub fn first_end(&self) -> Option<Timestamp> {
        self.held.values().map(|lease| lease.end).min()
    }
}

const AMOUNTS: u128 = 10_000_000_000_000_000;
/// Each takes a dozen words of the write's expression.
const MAX_MOVED: usize = 8;
/// Lapsed leases that a cell keeps for late settlements; about 40 bytes each.
const MAX_LAPSED: usize = 8;
/// As many as one transaction moves, which has room for a hundred items.
const MAX_RETIRED: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(digit: u8) -> ChargeNonce {
        ChargeNonce::mint(&mut |pool| pool.fill(digit))
    }

    fn lease(amount: u64, end: u64) -> Lease {
        Lease { amount: MicroUsd::new(amount).unwrap(), end: Timestamp::from_epoch_s(end) }
    }

    #[test]
    fn a_lease_packs_and_unpacks_as_itself() {
        for lease in [lease(0, 0), lease(MicroUsd::MAX.micro_usd(), 253_402_300_799), lease(100_000, 1_760_000_000)] {
            assert_eq!(Lease::unpacked(lease.packed()), Some(lease));
        }
        assert_eq!(Lease::unpacked(AMOUNTS - 1), None);
    }

    #[test]
    fn a_lease_lasts_at_least_its_seconds() {
        let lease = Lease::starting(Timestamp::from_epoch_ms(1_500), 60, MicroUsd::ZERO);
        assert_eq!(lease.end, Timestamp::from_epoch_s(62));
        assert!(!lease.is_over(Timestamp::from_epoch_ms(61_999)));
        assert!(lease.is_over(Timestamp::from_epoch_s(62)));
    }

    #[test]
    fn lapsed_leases_leave_when_there_are_too_many() {
        let mut leases = Leases::default();
        for number in 0..8 {
            leases.lapsed.insert(nonce(number), lease(1, 100 - u64::from(number)));
        }
        assert!(leases.to_retire().is_empty());
        leases.lapsed.insert(nonce(8), lease(1, 50));
        let retired = leases.to_retire();
        assert_eq!((retired.len(), &retired[0].0), (9, &nonce(8)));
    }

    #[test]
    fn leases_that_are_over_are_found_the_oldest_first() {
        let leases = Leases {
            held: [(nonce(1), lease(1, 20)), (nonce(2), lease(2, 10)), (nonce(3), lease(4, 30))].into(),
            lapsed: [(nonce(4), lease(8, 5))].into(),
        };
        assert_eq!(leases.reserved(), MicroUsd::new(7).unwrap());
        assert_eq!(leases.first_end(), Some(Timestamp::from_epoch_s(10)));
        let over = leases.over(Timestamp::from_epoch_s(20));
        assert_eq!(over, [(nonce(2), lease(2, 10)), (nonce(1), lease(1, 20))]);
    }
}
