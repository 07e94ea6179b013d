//! How long calls took, from their admission to their settlement: counted by magnitude, so that any number of hours and
//! keys adds up and a percentile can still be told.

/// Bounds in milliseconds, each included in what lies below it; above the last there is no bound.
const BOUNDS_MS: [u64; 16] =
    [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000];

/// How long calls took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// All of them together, in milliseconds.
    pub sum_ms: i64,
    /// How many took as long as each magnitude says.
    pub counts: [i64; Durations::MAGNITUDES],
}

impl Durations {
    /// How many magnitudes there are.
    pub const MAGNITUDES: usize = BOUNDS_MS.len() + 1;

    /// Of one call.
    #[must_use]
    pub fn of(ms: u64) -> Self {
        let mut counts = [0; Self::MAGNITUDES];
        if let Some(count) = counts.get_mut(BOUNDS_MS.partition_point(|bound| *bound < ms)) {
            *count = 1;
        }
        Self { sum_ms: i64::try_from(ms).unwrap_or(i64::MAX), counts }
    }

    /// How many calls.
    #[must_use]
    pub fn calls(&self) -> i64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The sum.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        self
    }

    /// Milliseconds per call, rounded down; `None` without calls.
    #[must_use]
    pub fn mean_ms(&self) -> Option<u64> {
        let calls = u64::try_from(self.calls()).ok()?;
        u64::try_from(self.sum_ms).unwrap_or(0).checked_div(calls)
    }

    /// About as many milliseconds as `percent` of the calls took at most: the magnitude is right, and within it they are
    /// taken to lie evenly. `None` without calls.
    #[must_use]
    pub fn percentile_ms(&self, percent: u8) -> Option<u64> {
        let count = |at: usize| u128::try_from(self.counts.get(at).copied().unwrap_or(0)).unwrap_or(0);
        let calls: u128 = (0..Self::MAGNITUDES).map(count).sum();
        if calls == 0 {
            return None;
        }
        let rank = (calls * u128::from(percent)).div_ceil(100).max(1);
        let mut below = 0;
        for at in 0..Self::MAGNITUDES {
            let here = count(at);
            if below + here < rank {
                below += here;
                continue;
            }
            let low = at.checked_sub(1).and_then(|before| BOUNDS_MS.get(before)).copied().unwrap_or(0);
            // What is above every bound is known to be that much only.
            let high = BOUNDS_MS.get(at).copied().unwrap_or(low);
            // Each stands in the middle of its share; rounded up, as the lower bound belongs to the magnitude below.
            let part = (u128::from(high - low) * (2 * (rank - below) - 1)).div_ceil(2 * here);
            return Some(low.saturating_add(u64::try_from(part).unwrap_or(0)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn durations(ms: &[u64]) -> Durations {
        ms.iter().fold(Durations::default(), |sum, ms| sum.plus(Durations::of(*ms)))
    }

    #[test]
    fn a_bound_belongs_to_what_lies_below_it() {
        for (ms, at) in [(0, 0), (10, 0), (11, 1), (20, 1), (1_000_000, 15), (1_000_001, 16), (u64::MAX, 16)] {
            let counted = Durations::of(ms);
            assert_eq!(counted.counts.iter().position(|count| *count == 1), Some(at), "{ms}");
            assert_eq!(counted.calls(), 1);
        }
    }

    #[test]
    fn calls_of_a_magnitude_are_taken_to_lie_evenly() {
        let hundred = durations(&[150; 100]);
        assert_eq!((hundred.percentile_ms(50), hundred.percentile_ms(95)), (Some(150), Some(195)));
        assert_eq!(durations(&[1_600]).percentile_ms(99), Some(1_500));
        assert_eq!(hundred.mean_ms(), Some(150));
        assert_eq!(durations(&[2_000_000]).percentile_ms(50), Some(1_000_000));
        assert_eq!(Durations::default().percentile_ms(50), None);
        assert_eq!(Durations::default().mean_ms(), None);
    }

    proptest! {
        #[test]
        fn a_percentile_has_the_magnitude_of_the_call_at_its_rank(
            mut all in proptest::collection::vec(1u64..1_000_000, 1..60), percent in 1u8..=100,
        ) {
            let told = durations(&all).percentile_ms(percent).unwrap();
            all.sort_unstable();
            let rank = (all.len() * usize::from(percent)).div_ceil(100).max(1);
            let magnitude = |ms: u64| BOUNDS_MS.partition_point(|bound| *bound < ms);
            prop_assert_eq!(magnitude(told), magnitude(all[rank - 1]));
        }

        #[test]
        fn order_and_grouping_do_not_matter(all in proptest::collection::vec(0u64..2_000_000, 0..60), cut in 0usize..60) {
            let (left, right) = all.split_at(cut.min(all.len()));
            prop_assert_eq!(durations(right).plus(durations(left)), durations(&all));
            prop_assert_eq!(durations(&all).sum_ms, i64::try_from(all.iter().sum::<u64>()).unwrap());
        }
    }
}
