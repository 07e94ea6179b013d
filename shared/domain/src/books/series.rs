//! Numbers over time: one row of buckets for each group, empty ones included, and the small groups together.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::time::{Day, Timestamp};

use super::{Numbers, Span};

/// How long a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// A UTC hour.
    Hour,
    /// A UTC day.
    Day,
}

impl Bucket {
    /// Reads `hour` or `day`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hour, Self::Day].into_iter().find(|bucket| bucket.as_str() == text)
    }

    /// `hour` or `day`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length in seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        match self {
            Self::Hour => 3_600,
            Self::Day => Day::SECONDS,
        }
    }

    /// The whole buckets that a span touches.
    #[must_use]
    pub fn around(self, span: Span) -> Span {
        let floor = |at: Timestamp| at.epoch_s() / self.seconds() * self.seconds();
        let end = span.to.epoch_ms().div_ceil(1_000).div_ceil(self.seconds()) * self.seconds();
        Span { from: Timestamp::from_epoch_s(floor(span.from)), to: Timestamp::from_epoch_s(end) }
    }
}

/// Numbers of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Of the calls that were admitted.
    pub admitted: Numbers,
    /// Calls refused.
    pub refused: i64,
}

impl Sums {
    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { admitted: self.admitted.plus(other.admitted), refused: self.refused.saturating_add(other.refused) }
    }
}

/// Numbers that are being added up, by group and bucket.
#[derive(Clone, Debug)]
pub struct Series {
    bucket: Bucket,
    span: Span,
    all: BTreeMap<u64, Sums>,
    groups: BTreeMap<String, BTreeMap<u64, Sums>>,
}

impl Series {
    /// No numbers yet, for the whole buckets that `span` touches.
    #[must_use]
    pub fn new(bucket: Bucket, span: Span) -> Self {
        Self { bucket, span: bucket.around(span), all: BTreeMap::new(), groups: BTreeMap::new() }
    }

    /// The whole buckets.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// Adds numbers of an instant, to their group where there are groups; what lies outside is left out.
    pub fn add(&mut self, at: Timestamp, group: Option<&str>, sums: Sums) {
        if at < self.span.from || at >= self.span.to {
            return;
        }
        let index = at.epoch_s() / self.bucket.seconds();
        let buckets = group.map(|group| self.groups.entry(group.to_owned()).or_default());
        for buckets in [Some(&mut self.all), buckets].into_iter().flatten() {
            let sum = buckets.entry(index).or_default();
            *sum = sum.plus(sums);
        }
    }

    /// The result: the `most` groups that cost the most, and of equal ones those with the most calls; the others together.
    #[must_use]
    pub fn finish(self, most: usize) -> Report {
        let (first, end) =
            (self.span.from.epoch_s() / self.bucket.seconds(), self.span.to.epoch_s() / self.bucket.seconds());
        let line = |buckets: &BTreeMap<u64, Sums>| {
            let values: Vec<Sums> =
                (first..end).map(|index| buckets.get(&index).copied().unwrap_or_default()).collect();
            Line { total: values.iter().fold(Sums::default(), |sum, value| sum.plus(*value)), values }
        };
        let mut groups: Vec<_> = self.groups.into_iter().map(|(name, buckets)| (name, line(&buckets))).collect();
        // The names are in order, and sorting keeps that among equals.
        groups.sort_by_key(|(_, line)| {
            Reverse((line.total.admitted.micro_usd, line.total.admitted.calls, line.total.refused))
        });
        let rest = groups.split_off(groups.len().min(most));
        let other = rest.into_iter().map(|(_, line)| line).reduce(|sum, line| Line {
            total: sum.total.plus(line.total),
            values: sum.values.iter().zip(line.values).map(|(sum, value)| sum.plus(value)).collect(),
        });
        let starts = (first..end).map(|index| Timestamp::from_epoch_s(index.saturating_mul(self.bucket.seconds())));
        Report { starts: starts.collect(), all: line(&self.all), groups, other }
    }
}

/// Numbers over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// When each bucket begins.
    pub starts: Vec<Timestamp>,
    /// All calls.
    pub all: Line,
    /// The largest groups, the largest first.
    pub groups: Vec<(String, Line)>,
    /// The others together, where there are more.
    pub other: Option<Line>,
}

/// One value for each bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The sum.
    pub total: Sums,
    /// The values, as many as there are buckets.
    pub values: Vec<Sums>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::books::Durations;

    fn sums(calls: i64, micro_usd: i64) -> Sums {
        let took = (0..calls).fold(Durations::default(), |sum, call| sum.plus(Durations::of(call.unsigned_abs())));
        Sums { admitted: Numbers { calls, micro_usd, took }, refused: 0 }
    }

    fn hours(from_s: u64, to_s: u64) -> Series {
        let span = Span { from: Timestamp::from_epoch_s(from_s), to: Timestamp::from_epoch_s(to_s) };
        Series::new(Bucket::Hour, span)
    }

    #[test]
    fn empty_buckets_are_there_and_partial_ones_are_whole() {
        let mut series = hours(3_599, 7_201);
        series.add(Timestamp::from_epoch_s(3_600), Some("a"), sums(1, 5));
        series.add(Timestamp::from_epoch_s(10_800), Some("a"), sums(9, 9));
        let report = series.finish(1);
        let starts: Vec<_> = report.starts.iter().map(|start| start.epoch_s()).collect();
        assert_eq!(starts, [0, 3_600, 7_200]);
        assert_eq!(report.all.values, [sums(0, 0), sums(1, 5), sums(0, 0)]);
        assert_eq!(report.groups, [("a".to_owned(), report.all.clone())]);
        assert_eq!(report.other, None);
        assert_eq!(hours(0, 3_600).finish(1).starts.len(), 1);
        assert_eq!(
            Bucket::Day.around(Span { from: Timestamp::from_epoch_ms(1), to: Timestamp::from_epoch_ms(2) }).to,
            Day(0).end()
        );
    }

    #[test]
    fn the_dearest_groups_stand_first_and_the_rest_together() {
        let mut series = hours(0, 3_600);
        for (name, calls, cost) in [("d", 1, 1), ("c", 9, 0), ("b", 1, 7), ("a", 1, 1), ("e", 0, 0)] {
            series.add(Timestamp::from_epoch_s(0), Some(name), sums(calls, cost));
        }
        let report = series.finish(3);
        let names: Vec<_> = report.groups.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a", "d"]);
        assert_eq!(report.other.unwrap().total, sums(9, 0));
    }

    #[test]
    fn words_are_read_as_they_are_printed() {
        for bucket in [Bucket::Hour, Bucket::Day] {
            assert_eq!(Bucket::parse(bucket.as_str()), Some(bucket));
        }
        assert_eq!(Bucket::parse("week"), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_between_groups_and_the_whole(
            adds in proptest::collection::vec((0u64..20_000, 0usize..9, 0i64..9, 0i64..99), 0..99), most in 0usize..9,
        ) {
            let mut series = hours(3_600, 14_400);
            for (at, group, calls, cost) in adds {
                series.add(Timestamp::from_epoch_s(at), Some(&group.to_string()), sums(calls, cost));
            }
            let report = series.finish(most);
            prop_assert_eq!(report.starts.len(), 3);
            for bucket in 0..3 {
                let lines = report.groups.iter().map(|(_, line)| line).chain(&report.other);
                let sum = lines.fold(Sums::default(), |sum, line| sum.plus(line.values[bucket]));
                prop_assert_eq!(sum, report.all.values[bucket]);
            }
        }
    }
}
