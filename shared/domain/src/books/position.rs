//! How far a cell's books are: the last number of each sequence, and the numbers that are missing before it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// One of a cell's gapless sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sequence {
    /// Admitted requests.
    Requests,
    /// Settled charges.
    Settlements,
    /// Grants of the project's money.
    Grants,
    /// Money given back to the project.
    Returns,
}

impl Sequence {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Requests, Self::Settlements, Self::Grants, Self::Returns];

    /// The letter by which the table knows it.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Requests => "n",
            Self::Settlements => "s",
            Self::Grants => "g",
            Self::Returns => "r",
        }
    }

    fn of_letter(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sequence| sequence.letter() == letter)
    }
}

/// Numbers that are missing from the books: from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hole {
    /// Of which sequence.
    pub sequence: Sequence,
    /// The first that is missing.
    pub first: u64,
    /// The last that is missing.
    pub last: u64,
}

impl Hole {
    /// Reads the printed form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (letter, range) = text.split_once(':')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (1 <= first && first <= last).then_some(Self { sequence: Sequence::of_letter(letter)?, first, last })
    }

    fn contains(self, sequence: Sequence, seq: u64) -> bool {
        self.sequence == sequence && (self.first..=self.last).contains(&seq)
    }
}

/// Prints `n:5-9`.
impl fmt::Display for Hole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}-{}", self.sequence.letter(), self.first, self.last)
    }
}

/// How far a cell's books are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    last: BTreeMap<Sequence, u64>,
    holes: BTreeSet<Hole>,
}

/// Where a number stands in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is in them.
    Known,
    /// It is the next one.
    Next,
    /// It was missing so far.
    Late,
    /// Others are missing before it.
    Beyond(Hole),
}

impl Position {
    /// A position that was written down.
    #[must_use]
    pub fn new(last: impl IntoIterator<Item = (Sequence, u64)>, holes: impl IntoIterator<Item = Hole>) -> Self {
        Self { last: last.into_iter().collect(), holes: holes.into_iter().collect() }
    }

    /// The last number of a sequence that was seen; 0 before the first.
    #[must_use]
    pub fn last(&self, sequence: Sequence) -> u64 {
        self.last.get(&sequence).copied().unwrap_or(0)
    }

    /// What is missing.
    pub fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.holes.iter()
    }

    /// Where a number stands that follows `previous`.
    #[must_use]
    pub fn place(&self, sequence: Sequence, previous: u64, seq: u64) -> Place {
        let last = self.last(sequence);
        if previous > last {
            return Place::Beyond(Hole { sequence, first: last + 1, last: previous });
        }
        if seq > last {
            return Place::Next;
        }
        let is_missing = self.holes.iter().any(|hole| hole.contains(sequence, seq));
        if is_missing { Place::Late } else { Place::Known }
    }

    /// Takes note that numbers are missing.
    pub fn note(&mut self, hole: Hole) {
        let last = self.last.entry(hole.sequence).or_default();
        *last = (*last).max(hole.last);
        self.holes.insert(hole);
    }

    /// Takes note that a number is in the books.
    pub fn enter(&mut self, sequence: Sequence, previous: u64, seq: u64) {
        match self.place(sequence, previous, seq) {
            Place::Known => {}
            Place::Next => _ = self.last.insert(sequence, seq),
            Place::Late => self.fill(sequence, previous, seq),
            Place::Beyond(hole) => {
                self.note(hole);
                self.last.insert(sequence, seq);
            }
        }
    }

    fn fill(&mut self, sequence: Sequence, previous: u64, seq: u64) {
        let Some(hole) = self.holes.iter().find(|hole| hole.contains(sequence, seq)).copied() else { return };
        self.holes.remove(&hole);
        // Between a number and the one that it follows there are none.
        if hole.first <= previous {
            self.holes.insert(Hole { last: previous, ..hole });
        }
        if seq < hole.last {
            self.holes.insert(Hole { first: seq + 1, ..hole });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const N: Sequence = Sequence::Requests;

    fn place(position: &Position, seq: u64) -> Place {
        position.place(N, seq - 1, seq)
    }

    fn enter(position: &mut Position, seq: u64) {
        position.enter(N, seq - 1, seq);
    }

    fn hole(first: u64, last: u64) -> Hole {
        Hole { sequence: N, first, last }
    }

    #[test]
    fn a_hole_prints_and_reads_as_itself() {
        for sequence in Sequence::ALL {
            let hole = Hole { sequence, first: 5, last: 9 };
            assert_eq!(Hole::parse(&hole.to_string()), Some(hole));
        }
        for text in ["", "n", "n:", "n:5", "x:5-9", "n:9-5", "n:0-5", "n:a-b", "n:-5-9"] {
            assert_eq!(Hole::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_placed() {
        let mut position = Position::default();
        assert_eq!(place(&position, 1), Place::Next);
        assert_eq!(place(&position, 3), Place::Beyond(hole(1, 2)));
        enter(&mut position, 3);
        assert_eq!(
            [place(&position, 1), place(&position, 2), place(&position, 3)],
            [Place::Late, Place::Late, Place::Known]
        );
        assert_eq!(place(&position, 4), Place::Next);
        assert_eq!(position.place(Sequence::Grants, 0, 1), Place::Next);
        enter(&mut position, 2);
        assert_eq!(position.holes().copied().collect::<Vec<_>>(), [hole(1, 1)]);
        enter(&mut position, 1);
        assert_eq!(position.holes().count(), 0);
    }

    #[test]
    fn a_number_may_follow_another_from_afar() {
        let mut position = Position::default();
        position.enter(Sequence::Grants, 0, 1);
        assert_eq!(position.place(Sequence::Grants, 1, 1 << 62), Place::Next);
        let missed = Hole { sequence: Sequence::Grants, first: 2, last: 3 };
        assert_eq!(position.place(Sequence::Grants, 3, 1 << 62), Place::Beyond(missed));
        position.enter(Sequence::Grants, 1, 1 << 62);
        assert_eq!((position.last(Sequence::Grants), position.holes().count()), (1 << 62, 0));
    }

    #[test]
    fn a_late_number_takes_those_that_never_were_with_it() {
        let mut position = Position::default();
        position.enter(Sequence::Grants, 0, 1);
        position.enter(Sequence::Grants, 1 << 62, (1 << 62) + 1);
        assert_eq!(position.holes().count(), 1);
        position.enter(Sequence::Grants, 1, 1 << 62);
        assert_eq!(position.holes().count(), 0);
    }

    #[test]
    fn a_hole_that_is_noted_twice_is_one() {
        let mut position = Position::default();
        position.note(hole(1, 4));
        position.note(hole(1, 4));
        assert_eq!((position.last(N), position.holes().count()), (4, 1));
        enter(&mut position, 5);
        enter(&mut position, 2);
        enter(&mut position, 2);
        assert_eq!(position.holes().copied().collect::<Vec<_>>(), [hole(1, 1), hole(3, 4)]);
    }

    proptest! {
        #[test]
        fn every_number_is_entered_once_in_whatever_order(seqs in prop::collection::vec(1_u64..40, 0..120)) {
            let (mut position, mut entered) = (Position::default(), BTreeSet::new());
            for seq in &seqs {
                let is_new = place(&position, *seq) != Place::Known;
                prop_assert_eq!(is_new, entered.insert(*seq));
                enter(&mut position, *seq);
            }
            let missing: u64 = position.holes().map(|hole| hole.last - hole.first + 1).sum();
            let last = position.last(N);
            prop_assert_eq!(last, seqs.iter().copied().max().unwrap_or(0));
            prop_assert_eq!(u64::try_from(entered.len()).unwrap() + missing, last);
        }
    }
}
