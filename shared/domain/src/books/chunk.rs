//! What a run of a cell's facts adds to one hour or one day.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::time::{Day, Timestamp};

use super::{
    Durations, Sequence,
    settled::{OK, UNEXPLAINED},
};

/// A stretch of time that numbers are kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A UTC hour, counted since the epoch.
    Hour(u64),
    /// A UTC day.
    Day(Day),
}

impl Period {
    /// The hour of an instant.
    #[must_use]
    pub fn hour_of(at: Timestamp) -> Self {
        Self::Hour(at.epoch_s() / HOUR_SECONDS)
    }

    /// The day of an instant.
    #[must_use]
    pub fn day_of(at: Timestamp) -> Self {
        Self::Day(at.minute().day())
    }

    /// When it begins.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_epoch_s(match self {
            Self::Hour(hour) => hour.saturating_mul(HOUR_SECONDS),
            Self::Day(day) => day.0.saturating_mul(Day::SECONDS),
        })
    }

    /// When it ends, which is where the next one begins.
    #[must_use]
    pub fn end(self) -> Timestamp {
        match self {
            Self::Hour(hour) => Self::Hour(hour.saturating_add(1)).start(),
            Self::Day(day) => day.end(),
        }
    }
}

/// Prints the beginning as digits, the longer the shorter: `2026013123` is an hour, `20260131` a day.
impl fmt::Display for Period {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.start().to_string().chars().filter(char::is_ascii_digit).collect();
        let digits = match self {
            Self::Hour(_) => 10,
            Self::Day(_) => 8,
        };
        out.write_str(text.get(..digits).unwrap_or(&text))
    }
}

/// What numbers are kept apart by, within a cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The route, `GET /demo/free`.
    pub route: String,
    /// `ok`, or why a call failed.
    pub code: String,
}

impl Slot {
    /// The same slot without the backend's own word for a failure: where so many words stand in a period already that its
    /// item would grow without end.
    #[must_use]
    pub fn without_word(&self) -> Self {
        let code = if self.code == OK { OK } else { UNEXPLAINED };
        Self { route: self.route.clone(), code: code.to_owned() }
    }

    /// The slot of an admitted call that nobody has reported as failed.
    #[must_use]
    pub fn admitted(route: &str) -> Self {
        Self { route: route.to_owned(), code: OK.to_owned() }
    }

    /// Reads the printed form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (route, code) = text.rsplit_once('|')?;
        Some(Self { route: route.to_owned(), code: code.to_owned() })
    }
}

/// Prints `GET /demo/free|ok`; a code has no `|`.
impl fmt::Display for Slot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}|{}", self.route, self.code)
    }
}

/// Calls, their price and how long they took; a correction may be below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Calls.
    pub calls: i64,
    /// Micro-dollars charged, reserved ones included until they are settled.
    pub micro_usd: i64,
    /// From admission to settlement, of those that were settled.
    pub took: Durations,
}

impl Numbers {
    /// Of calls whose end nobody reported.
    #[must_use]
    pub fn unsettled(calls: i64, micro_usd: i64) -> Self {
        Self { calls, micro_usd, took: Durations::default() }
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            micro_usd: self.micro_usd.saturating_add(other.micro_usd),
            took: self.took.plus(other.took),
        }
    }

    /// The numbers one by one, without those that are zero.
    pub fn counts(self) -> impl Iterator<Item = (Count, i64)> {
        let took = self.took.counts.into_iter().enumerate().map(|(magnitude, calls)| (Count::Took(magnitude), calls));
        [(Count::Calls, self.calls), (Count::MicroUsd, self.micro_usd), (Count::TookMs, self.took.sum_ms)]
            .into_iter()
            .chain(took)
            .filter(|(_, number)| *number != 0)
    }

    /// Where one of the numbers stands; `None` where there is no such magnitude.
    pub fn count_mut(&mut self, count: Count) -> Option<&mut i64> {
        match count {
            Count::Calls => Some(&mut self.calls),
            Count::MicroUsd => Some(&mut self.micro_usd),
            Count::TookMs => Some(&mut self.took.sum_ms),
            Count::Took(magnitude) => self.took.counts.get_mut(magnitude),
        }
    }
}

/// One of a slot's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// Calls.
    Calls,
    /// What they cost.
    MicroUsd,
    /// How long they took together.
    TookMs,
    /// Those that took that long.
    Took(usize),
}

impl Count {
    /// Reads the printed form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "c" => Some(Self::Calls),
            "u" => Some(Self::MicroUsd),
            "d" => Some(Self::TookMs),
            _ => {
                let digits =
                    text.strip_prefix('d').filter(|digits| *digits == "0" || !digits.starts_with(['0', '+']))?;
                digits.parse().ok().filter(|magnitude| *magnitude < Durations::MAGNITUDES).map(Self::Took)
            }
        }
    }
}

/// Prints `c`, `u` and `d`, and of a magnitude its number, `d7`.
impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls => out.write_str("c"),
            Self::MicroUsd => out.write_str("u"),
            Self::TookMs => out.write_str("d"),
            Self::Took(magnitude) => write!(out, "d{magnitude}"),
        }
    }
}

/// What one fact adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Of which sequence the fact is.
    pub sequence: Sequence,
    /// Its number there.
    pub seq: u64,
    /// When the request was admitted that it is about.
    pub at: Timestamp,
    /// What it adds to each slot.
    pub adds: Vec<(Slot, Numbers)>,
}

/// What a run of facts adds to one period: applied whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where to.
    pub period: Period,
    /// The facts, their numbers rising within each sequence.
    pub parts: Vec<Part>,
}

impl Chunk {
    /// The chunks of `parts`: one for each period that they belong to, or several where one write has no room for all of
    /// their numbers.
    #[must_use]
    pub fn of(parts: &[Part], period_of: fn(Timestamp) -> Period) -> Vec<Self> {
        let mut periods: BTreeMap<Period, Vec<Part>> = BTreeMap::new();
        for part in parts {
            periods.entry(period_of(part.at)).or_default().push(part.clone());
        }
        let mut chunks = Vec::new();
        for (period, parts) in periods {
            let (mut chunk, mut counts) = (Vec::new(), BTreeSet::new());
            for part in parts {
                let counted = |(slot, numbers): &(Slot, Numbers)| {
                    numbers.counts().map(|(count, _)| (slot.clone(), count)).collect::<Vec<_>>()
                };
                let own: Vec<(Slot, Count)> = part.adds.iter().flat_map(counted).collect();
                if counts.iter().chain(&own).collect::<BTreeSet<_>>().len() > MAX_COUNTS {
                    chunks.push(Self { period, parts: std::mem::take(&mut chunk) });
                    counts.clear();
                }
                counts.extend(own);
                chunk.push(part);
            }
            chunks.push(Self { period, parts: chunk });
        }
        chunks
    }

    /// The first and the last number of a sequence; `None` where it has none.
    #[must_use]
    pub fn bounds(&self, sequence: Sequence) -> Option<(u64, u64)> {
        let seqs = || self.parts.iter().filter(|part| part.sequence == sequence).map(|part| part.seq);
        seqs().min().zip(seqs().max())
    }

    /// The same with every failure under one word.
    #[must_use]
    pub fn without_words(mut self) -> Self {
        for (slot, _) in self.parts.iter_mut().flat_map(|part| &mut part.adds) {
            *slot = slot.without_word();
        }
        self
    }

    /// What is left of it where a period says up to which number of each sequence it has counted.
    #[must_use]
    pub fn beyond(mut self, counted: impl Fn(Sequence) -> u64) -> Option<Self> {
        self.parts.retain(|part| part.seq > counted(part.sequence));
        (!self.parts.is_empty()).then_some(self)
    }

    /// What it adds to each slot; slots that nothing is added to are left out.
    #[must_use]
    pub fn sums(&self) -> BTreeMap<Slot, Numbers> {
        let mut sums: BTreeMap<Slot, Numbers> = BTreeMap::new();
        for (slot, numbers) in self.parts.iter().flat_map(|part| &part.adds) {
            let sum = sums.entry(slot.clone()).or_default();
            *sum = sum.plus(*numbers);
        }
        sums.retain(|_, numbers| *numbers != Numbers::default());
        sums
    }
}

const HOUR_SECONDS: u64 = 3_600;
/// Each takes up to 45 bytes and 3 operators of an expression, which has room for 4,096 and 300.
const MAX_COUNTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn part(sequence: Sequence, seq: u64, at_s: u64, calls: i64) -> Part {
        let adds = vec![(Slot::admitted("GET /x"), Numbers::unsettled(calls, calls * 10))];
        Part { sequence, seq, at: Timestamp::from_epoch_s(at_s), adds }
    }

    #[test]
    fn periods_print_as_their_beginning_and_sort_so() {
        let at = Timestamp::parse_rfc3339("2026-01-31T23:59:59Z").unwrap();
        assert_eq!(Period::hour_of(at).to_string(), "2026013123");
        assert_eq!(Period::day_of(at).to_string(), "20260131");
        assert_eq!(Period::hour_of(at).end(), Period::day_of(at).end());
        assert_eq!(Period::day_of(at).end().to_string(), "2026-02-01T00:00:00Z");
    }

    #[test]
    fn a_slot_prints_and_reads_as_itself() {
        let slot = Slot { route: "GET /a|b".into(), code: "model.timeout".into() };
        assert_eq!(Slot::parse(&slot.to_string()), Some(slot));
        assert_eq!(Slot::parse("GET /x"), None);
    }

    #[test]
    fn facts_are_added_up_per_period() {
        let parts = [
            part(Sequence::Requests, 4, 10, 1),
            part(Sequence::Requests, 5, 3_600, 1),
            part(Sequence::Requests, 6, 11, 1),
            part(Sequence::Settlements, 2, 12, -1),
        ];
        let hours = Chunk::of(&parts, Period::hour_of);
        assert_eq!(hours.len(), 2);
        assert_eq!(hours[0].bounds(Sequence::Requests), Some((4, 6)));
        assert_eq!(hours[0].bounds(Sequence::Settlements), Some((2, 2)));
        assert_eq!(hours[1].bounds(Sequence::Settlements), None);
        let sum = hours[0].sums();
        assert_eq!(sum[&Slot::admitted("GET /x")], Numbers::unsettled(1, 10));
        assert_eq!(Chunk::of(&parts, Period::day_of).len(), 1);
    }

    #[test]
    fn a_run_with_more_numbers_than_a_write_has_room_for_is_cut_in_order() {
        let parts: Vec<Part> = (1..=100)
            .map(|seq| {
                let slot = Slot { route: "GET /x".into(), code: format!("code{seq}") };
                let took = Durations::of(seq * 400);
                let adds = vec![(slot, Numbers { calls: 1, micro_usd: 1, took })];
                Part { sequence: Sequence::Requests, seq, at: Timestamp::from_epoch_s(1), adds }
            })
            .collect();
        let chunks = Chunk::of(&parts, Period::hour_of);
        let numbers = |chunk: &Chunk| chunk.sums().into_values().flat_map(Numbers::counts).count();
        assert!(chunks.iter().all(|chunk| numbers(chunk) <= MAX_COUNTS));
        assert!(chunks.len() > 2, "{}", chunks.len());
        let cut: Vec<Part> = chunks.into_iter().flat_map(|chunk| chunk.parts).collect();
        assert_eq!(cut, parts);
    }

    #[test]
    fn each_number_is_named_and_found_by_its_name() {
        let numbers = Numbers { calls: -1, micro_usd: 7, took: Durations::of(1_500).plus(Durations::of(3)) };
        let named: Vec<_> = numbers.counts().map(|(count, number)| (count.to_string(), number)).collect();
        let named: Vec<_> = named.iter().map(|(name, number)| (name.as_str(), *number)).collect();
        assert_eq!(named, [("c", -1), ("u", 7), ("d", 1_503), ("d0", 1), ("d7", 1)]);
        let mut read = Numbers::default();
        for (name, number) in named {
            *read.count_mut(Count::parse(name).unwrap()).unwrap() = number;
        }
        assert_eq!(read, numbers);
        for name in ["", "x", "d-1", "d+1", "d17", "d07", "d00", "c0"] {
            assert_eq!(Count::parse(name), None, "{name}");
        }
        assert_eq!(Numbers::default().count_mut(Count::Took(Durations::MAGNITUDES)), None);
    }

    #[test]
    fn what_a_period_has_counted_is_not_added_again() {
        let parts = [part(Sequence::Requests, 4, 10, 1), part(Sequence::Requests, 5, 11, 1)];
        let chunk = Chunk::of(&parts, Period::hour_of).remove(0);
        let left = chunk.clone().beyond(|_| 4).unwrap();
        assert_eq!(left.bounds(Sequence::Requests), Some((5, 5)));
        assert_eq!(chunk.beyond(|_| 5), None);
    }

    #[test]
    fn what_cancels_out_is_not_written() {
        let parts = [part(Sequence::Requests, 1, 10, 1), part(Sequence::Settlements, 1, 10, -1)];
        assert!(Chunk::of(&parts, Period::hour_of)[0].sums().is_empty());
    }
}
