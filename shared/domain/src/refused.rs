//! Refused calls, counted: whose they were, where they went and why, by the hour. Never a row, never a cent.
//!
//! A process gathers counts and writes them down now and then, so that a flood is a number that grows and no work for the
//! table. What finds no room is told less exactly, and never dropped:
//!
//! ```text
//! key_8Jq2…  GET /demo/free|rate_limited  ─▶  key_8Jq2…  -|rate_limited  ─▶  acc_4fGh…  -|rate_limited  ─▶  -  -|rate_limited
//! ```

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    cell::{CellId, Owner},
    denial::Denial,
    id::{AccountId, ProjectId},
    policy::Route,
    time::{Day, Timestamp},
};

mod entry;

pub use entry::{Entry, Form, Next, RefusedDay};

/// What a process has counted and not written down; bounded.
#[derive(Debug, Default)]
pub struct Counts {
    places: BTreeMap<Place, Reasons>,
    distinct: usize,
}

/// How often each reason was given.
pub type Reasons = BTreeMap<Reason, u64>;

impl Counts {
    /// Counts one refusal; where there is no room for another kind of it, under the finest kind there is.
    pub fn note(&mut self, place: Place, reason: Reason) {
        self.add(place, reason, 1);
    }

    /// Takes out at most `most` batches, none for a sheet that `is_busy`: the oldest hours first, of those the largest.
    ///
    /// No two are for one sheet: the table knows the last number of each writer on a sheet, so two on their way at once
    /// could hide each other.
    pub fn take(&mut self, most: usize, is_busy: impl Fn(&Sheet) -> bool) -> Vec<(Place, Reasons)> {
        let mut waiting: Vec<(&Place, u64)> =
            self.places.iter().map(|(place, reasons)| (place, total(reasons))).collect();
        waiting.sort_by_key(|(place, count)| (place.sheet.day, place.hour, Reverse(*count)));
        let mut sheets = BTreeSet::new();
        let chosen: Vec<Place> = waiting
            .into_iter()
            .map(|(place, _)| place)
            .filter(|place| !is_busy(&place.sheet) && sheets.insert(&place.sheet))
            .take(most)
            .cloned()
            .collect();
        chosen.into_iter().map(|place| (place.clone(), self.take_out(&place))).collect()
    }

    /// Refusals that are counted here.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.places.values().map(total).fold(0, u64::saturating_add)
    }

    fn add(&mut self, place: Place, reason: Reason, count: u64) {
        let (place, reason) = self.fitted(place, reason);
        let reasons = self.places.entry(place).or_default();
        let before = reasons.len();
        let sum = reasons.entry(reason).or_default();
        *sum = sum.saturating_add(count);
        self.distinct += reasons.len() - before;
    }

    fn fitted(&self, mut place: Place, reason: Reason) -> (Place, Reason) {
        if self.distinct < MAX_DISTINCT || self.has(&place, &reason) {
            return (place, reason);
        }
        let reason = reason.without_route();
        while !self.has(&place, &reason) {
            // The codes of an hour are few: at the coarsest there is always room.
            let Some(whose) = place.sheet.whose.coarser() else { break };
            place.sheet.whose = whose;
        }
        (place, reason)
    }

    fn has(&self, place: &Place, reason: &Reason) -> bool {
        self.places.get(place).is_some_and(|reasons| reasons.contains_key(reason))
    }

    /// The most frequent reasons of a place, as many as one write takes; the others stay.
    fn take_out(&mut self, place: &Place) -> Reasons {
        let reasons = self.places.remove(place).unwrap_or_default();
        self.distinct -= reasons.len();
        let mut by_count: Vec<_> = reasons.into_iter().collect();
        by_count.sort_by_key(|(_, count)| Reverse(*count));
        for (reason, count) in by_count.split_off(by_count.len().min(MAX_REASONS_PER_WRITE)) {
            self.add(place.clone(), reason, count);
        }
        by_count.into_iter().collect()
    }
}

/// Where a refusal is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// On which sheet.
    pub sheet: Sheet,
    /// In which hour of its day, 0 to 23.
    pub hour: u8,
}

impl Place {
    /// The place of a refusal at `now`.
    #[must_use]
    pub fn at(now: Timestamp, whose: Whose) -> Self {
        let day = now.minute().day();
        let hour = now.epoch_s() % Day::SECONDS / SECONDS_PER_HOUR;
        Self { sheet: Sheet { day, whose }, hour: u8::try_from(hour).unwrap_or_default() }
    }
}

/// What is written down together: one UTC day of one cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sheet {
    /// The day.
    pub day: Day,
    /// Whose refusals.
    pub whose: Whose,
}

/// Whose call was refused, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// Nobody's that the gate knows: no credential, junk, an unknown key, an ended session.
    Nobody,
    /// An account's; of which of its cells found no room.
    Account(AccountId),
    /// A cell's, whether or not its secret was the right one.
    Cell(Box<KnownCell>),
}

impl Whose {
    /// The holder of a cell that was read.
    #[must_use]
    pub fn of(cell: &CellId, owner: &Owner) -> Self {
        Self::Cell(Box::new(KnownCell {
            account: owner.account.clone(),
            cell: cell.clone(),
            project: owner.project.clone(),
            environment: owner.environment.clone(),
        }))
    }

    /// The account, where it is known.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Nobody => None,
            Self::Account(account) => Some(account),
            Self::Cell(known) => Some(&known.account),
        }
    }

    /// The cell and what it belongs to, where they are known.
    #[must_use]
    pub fn cell(&self) -> Option<&KnownCell> {
        match self {
            Self::Cell(known) => Some(known),
            Self::Nobody | Self::Account(_) => None,
        }
    }

    fn coarser(&self) -> Option<Self> {
        match self {
            Self::Nobody => None,
            Self::Account(_) => Some(Self::Nobody),
            Self::Cell(known) => Some(Self::Account(known.account.clone())),
        }
    }
}

/// A cell and what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownCell {
    /// Its account.
    pub account: AccountId,
    /// The cell.
    pub cell: CellId,
    /// Its project.
    pub project: ProjectId,
    /// Its environment's name.
    pub environment: String,
}

/// Why a call was refused, and on which route.
///
/// ```text
/// GET /demo/free|rate_limited        -|unknown_route
/// └ route        └ code              └ on none, or on one that found no room
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The route as the policy has it, or its class where that is longer than 64 bytes.
    pub route: Option<String>,
    /// The denial's stable word, whatever a product's dialect makes of it.
    pub code: String,
}

impl Reason {
    /// The reason of a denial.
    #[must_use]
    pub fn of(route: Option<&Route>, denial: &Denial) -> Self {
        let text = |route: &Route| {
            let is_short = route.template.len() <= MAX_ROUTE_BYTES;
            if is_short { route.template.clone() } else { route.class.clone() }
        };
        Self { route: route.map(text), code: denial.code().to_owned() }
    }

    /// Reads the printed form; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (route, code) = text.rsplit_once(SEPARATOR)?;
        let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        (is_code && !route.is_empty())
            .then(|| Self { route: Some(route.to_owned()).filter(|route| route != NONE), code: code.to_owned() })
    }

    fn without_route(self) -> Self {
        Self { route: None, ..self }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{SEPARATOR}{}", self.route.as_deref().unwrap_or(NONE), self.code)
    }
}

fn total(reasons: &Reasons) -> u64 {
    reasons.values().copied().fold(0, u64::saturating_add)
}

/// From how many kinds on new ones are counted less exactly: about 200 KB.
const MAX_DISTINCT: usize = 1_000;
/// Each takes some 50 bytes of an expression.
const MAX_REASONS_PER_WRITE: usize = 16;
const MAX_ROUTE_BYTES: usize = 64;
const SECONDS_PER_HOUR: u64 = 3_600;
const NONE: &str = "-";
const SEPARATOR: char = '|';

#[cfg(test)]
mod tests;
