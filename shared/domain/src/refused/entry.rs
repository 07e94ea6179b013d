//! One entry of refused calls on its way to a sheet: added once, however often it is sent.
//!
//! Each process writes under a name of its own with rising numbers, milliseconds of its clock. A sheet keeps the last
//! number of each writer and refuses what is not above it; it keeps the newest number of all, and refuses what is far
//! behind, so that a copy that arrives after its writer's number was forgotten is refused as well.

use std::collections::BTreeMap;

use super::{Place, Reason, Reasons, Sheet};

/// Counts under the number by which the table knows them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where they belong.
    pub place: Place,
    /// What is added.
    pub reasons: Reasons,
    /// The process's name.
    pub writer: String,
    /// Above every number that it has used.
    pub seq: u64,
}

impl Entry {
    /// What to do after a sheet has refused the entry, seeing what stands there; `None` where it is still empty.
    pub fn next(&mut self, found: Option<&RefusedDay>) -> Next {
        let Some(found) = found else { return Next::Send(Form::Open) };
        if found.writers.get(&self.writer).is_some_and(|last| *last >= self.seq) {
            return Next::Done;
        }
        if found.newest > self.ahead() {
            // This clock is behind. What was sent under the old number is refused from here on.
            self.seq = found.newest;
        }
        match found.hours.get(&self.place.hour) {
            None => Next::Send(Form::Open),
            Some(reasons) if reasons.len() < Self::MAX_REASONS_PER_HOUR => Next::Send(Form::Add),
            Some(reasons) => {
                self.fold_into(reasons);
                Next::Send(Form::Fold)
            }
        }
    }

    /// The newest number that a sheet may have seen for this entry to be taken.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        self.seq.saturating_add(AHEAD_MS)
    }

    /// Leaves out the routes that the hour does not have yet.
    fn fold_into(&mut self, known: &Reasons) {
        let mut folded = Reasons::new();
        for (reason, count) in std::mem::take(&mut self.reasons) {
            let reason = if known.contains_key(&reason) { reason } else { reason.without_route() };
            let sum: &mut u64 = folded.entry(reason).or_default();
            *sum = sum.saturating_add(count);
        }
        self.reasons = folded;
    }

    /// From how many reasons on an hour gets no new ones but for codes without a route.
    pub const MAX_REASONS_PER_HOUR: usize = 32;
}

/// How an entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Into an hour that has begun and has room.
    Add,
    /// As the first of its hour.
    Open,
    /// Into an hour without room, which has all the entry's routes.
    Fold,
}

/// What to do with an entry that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it stands there.
    Done,
    /// Send it in this form.
    Send(Form),
}

/// A sheet as one read or write of its item showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedDay {
    /// Whose, and of which day.
    pub sheet: Sheet,
    /// How often each reason was given, by hour of the day.
    pub hours: BTreeMap<u8, BTreeMap<Reason, u64>>,
    /// The newest number.
    pub newest: u64,
    /// The last number of each writer that wrote lately.
    pub writers: BTreeMap<String, u64>,
}

impl RefusedDay {
    /// The writers that nothing is expected of any more, and the number below which that is so; none while they are few.
    #[must_use]
    pub fn stale(&self) -> Option<(Vec<String>, u64)> {
        let horizon = self.newest.saturating_sub(STALE_MS);
        let stale: Vec<_> =
            self.writers.iter().filter(|(_, last)| **last < horizon).map(|(name, _)| name.clone()).collect();
        (stale.len() >= SWEEP_AT).then(|| (stale.into_iter().take(MAX_SWEPT).collect(), horizon))
    }
}

/// How far clocks may differ before a number is taken from the sheet.
const AHEAD_MS: u64 = 60_000;
/// Much longer than clocks differ and than an entry is sent again.
const STALE_MS: u64 = 3_600_000;
/// 17 bytes each, which every write pays for; sweeping them is a write as well.
const SWEEP_AT: usize = 16;
const MAX_SWEPT: usize = 64;

#[cfg(test)]
mod tests;
