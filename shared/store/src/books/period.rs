//! The numbers of a cell in an hour or a day.
//!
//! ```text
//! pk book_<account>    sk hour_2026013123_<cell> | day_20260131_<cell>
//! prj env              project, environment
//! to sq                highest request and settlement that are counted
//! kn<first> ks<first>  `to` or `sq` before a booking that began with `first`, while something was missing: what lies between was
//!                      not counted with the rest
//! n<seq> s<seq>        1: such a one, counted since
//! ex                   when the first of its rows may go (epoch s)
//! c|GET /demo/free|ok  u|GET /demo/free|ok      calls, µUSD
//! d|GET /demo/free|ok  d7|GET /demo/free|ok     milliseconds from admission to settlement, how many calls took of which magnitude
//! ttl                  of an hour: when it may go (epoch s); days stay
//! ```

use std::collections::BTreeMap;

use faregate_domain::{
    books::{Chunk, Count, Numbers, Period, Sequence, Slot},
    cell::{CellId, Owner},
    id::{AccountId, ProjectId},
    time::{Day, Timestamp},
};

use super::BOOK;
use crate::{
    Store, StoreError,
    batch::Order,
    cell::{Reader, parse_number},
    client::{Item, Written},
    expression::{Builder, Write},
};

/// The numbers of a cell in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodNumbers {
    /// The cell.
    pub cell: CellId,
    /// Its project.
    pub project: ProjectId,
    /// Its environment's name.
    pub environment: String,
    /// The period.
    pub period: Period,
    /// The highest request that is counted.
    pub requests: u64,
    /// The highest settlement that is counted.
    pub settlements: u64,
    /// Stretches before those that were not counted with the rest: sequence, after which number, before which.
    pub gaps: Vec<(Sequence, u64, u64)>,
    /// From when on its rows may be gone.
    pub rows_kept_until: Timestamp,
    /// The numbers.
    pub slots: BTreeMap<Slot, Numbers>,
}

impl PeriodNumbers {
    /// The highest number of a sequence that is counted.
    #[must_use]
    pub fn counted(&self, sequence: Sequence) -> u64 {
        match sequence {
            Sequence::Settlements => self.settlements,
            _ => self.requests,
        }
    }

    /// Whether a number was counted with the rest, and not left out because it was missing then.
    #[must_use]
    pub fn has_counted(&self, sequence: Sequence, seq: u64) -> bool {
        let is_in_gap = |gap: &(Sequence, u64, u64)| gap.0 == sequence && gap.1 < seq && seq < gap.2;
        seq <= self.counted(sequence) && !self.gaps.iter().any(is_in_gap)
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> Numbers {
        self.slots.values().fold(Numbers::default(), |sum, numbers| sum.plus(*numbers))
    }
}

/// Whose numbers are counted.
#[derive(Clone, Copy, Debug)]
pub struct Booked<'b> {
    /// The cell.
    pub cell: &'b CellId,
    /// Whom it acts for.
    pub owner: &'b Owner,
    /// From when on the rows of this run may be gone.
    pub rows_kept_until: Timestamp,
}

/// What a booking met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Booking {
    /// It is counted; the period's numbers afterwards.
    Counted(Box<PeriodNumbers>),
    /// Some of it was counted before; nothing was changed.
    Outdated(Box<PeriodNumbers>),
}

impl Store {
    /// Counts a run of facts into its period, unless any of them is counted there. Takes note of where it begins in the
    /// sequences of which something is missing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be counted, and is never counted twice.
    pub async fn book(&self, account: &Booked<'_>, chunk: &Chunk, missing: &[Sequence]) -> Result<Booking, StoreError> {
        self.booked(&booking(account, chunk, missing)).await
    }

    /// Counts one fact that was missing, whether it comes after all that is counted or belongs into a gap.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be counted, and is never counted twice.
    pub async fn book_late(&self, account: &Booked<'_>, chunk: &Chunk) -> Result<(), StoreError> {
        let Some(part) = chunk.parts.first() else { return Ok(()) };
        let Booking::Outdated(numbers) = self.book(account, chunk, &[part.sequence]).await? else { return Ok(()) };
        if !numbers.has_counted(part.sequence, part.seq) {
            self.book_into_gap(account, chunk).await?;
        }
        Ok(())
    }

    /// Counts facts that belong into gaps of the period, unless any of them is counted there.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; they may be counted, and are never counted twice.
    pub async fn book_into_gap(&self, account: &Booked<'_>, chunk: &Chunk) -> Result<Booking, StoreError> {
        self.booked(&late_booking(account, chunk)).await
    }

    /// The numbers of a cell in the hours from `from` to before `to`; hours without numbers are left out.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_hours(
        &self,
        account: &AccountId,
        cell: &CellId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<PeriodNumbers>, StoreError> {
        let mut keys = Vec::new();
        let mut at = from;
        while at < to {
            let hour = Period::hour_of(at);
            keys.push((partition(account), sort_key(hour, cell)));
            at = hour.end();
        }
        let mut found = Vec::new();
        for some in keys.chunks(MAX_BATCH) {
            let items = self.find_each(some.iter().cloned()).await?;
            found.extend(items.iter().map(parse_period).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(found)
    }

    /// The numbers of all cells of an account in all days.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_all_days(&self, account: &AccountId) -> Result<Vec<PeriodNumbers>, StoreError> {
        let (mut days, mut after) = (Vec::new(), None);
        loop {
            let items = self.find_range(partition(account), DAY, after, PAGE, Order::Ascending).await?;
            let Some(last) = items.last() else { return Ok(days) };
            after = Some(Reader { item: last }.string("sk")?.to_owned());
            days.extend(items.iter().map(parse_period).collect::<Result<Vec<_>, _>>()?);
        }
    }

    async fn booked(&self, write: &Write) -> Result<Booking, StoreError> {
        match self.update(write).await? {
            Written::Applied(item) => Ok(Booking::Counted(Box::new(parse_period(&item)?))),
            Written::Refused(Some(item)) => Ok(Booking::Outdated(Box::new(parse_period(&item)?))),
            Written::Refused(None) => Err(StoreError::malformed("period", "pk")),
        }
    }
}

pub(crate) fn booking(account: &Booked<'_>, chunk: &Chunk, missing: &[Sequence]) -> Write {
    let mut builder = started(account, chunk);
    for (sequence, attribute) in COUNTED {
        let Some((first, last)) = chunk.bounds(sequence) else { continue };
        let letter = sequence.letter();
        builder.number(&format!(":{letter}f"), first);
        builder.number(&format!(":{letter}l"), last);
        // `to` is one of DynamoDB's own words.
        builder.name(&format!("#{letter}"), attribute);
        builder.require(format!("NOT #{letter} >= :{letter}f"));
        builder.set(format!("#{letter} = :{letter}l"));
        if missing.contains(&sequence) {
            builder.name(&format!("#{letter}k"), format!("k{letter}{first}"));
            builder.number(":zero", 0);
            builder.set(format!("#{letter}k = if_not_exists(#{letter}, :zero)"));
        }
    }
    builder.build(partition(&account.owner.account), &sort_key(chunk.period, account.cell))
}

pub(crate) fn late_booking(account: &Booked<'_>, chunk: &Chunk) -> Write {
    let mut builder = started(account, chunk);
    for (number, part) in chunk.parts.iter().enumerate() {
        let alias = format!("#l{number}");
        builder.name(&alias, format!("{}{}", part.sequence.letter(), part.seq));
        builder.number(":one", 1);
        builder.set(format!("{alias} = :one"));
        builder.require(format!("attribute_not_exists({alias})"));
    }
    builder.build(partition(&account.owner.account), &sort_key(chunk.period, account.cell))
}

fn started(account: &Booked<'_>, chunk: &Chunk) -> Builder {
    let mut builder = Builder::default();
    builder.string(":project", account.owner.project.suffix());
    builder.string(":environment", account.owner.environment.clone());
    builder.number(":expiry", account.rows_kept_until.epoch_s());
    builder.set("ex = if_not_exists(ex, :expiry)");
    builder.set("prj = :project");
    builder.set("env = :environment");
    if let Period::Hour(_) = chunk.period {
        builder.name("#ttl", "ttl");
        builder.number(":ttl", chunk.period.end().plus_s(HOURS_ARE_KEPT_SECONDS).epoch_s());
        builder.set("#ttl = :ttl");
    }
    for (place, (slot, numbers)) in chunk.sums().into_iter().enumerate() {
        for (count, add) in numbers.counts() {
            let (alias, placeholder) = (format!("#{count}_{place}"), format!(":{count}_{place}"));
            builder.name(&alias, format!("{count}|{slot}"));
            builder.number(":zero", 0);
            builder.number(&placeholder, add);
            builder.set(format!("{alias} = if_not_exists({alias}, :zero) + {placeholder}"));
        }
    }
    builder
}

/// Reads the numbers of a cell and a period.
pub(crate) fn parse_period(item: &Item) -> Result<PeriodNumbers, StoreError> {
    let read = Reader { item };
    let malformed = |attribute: &str| StoreError::malformed("period", attribute);
    let (period, cell) = parse_sort_key(read.string("sk")?).ok_or_else(|| malformed("sk"))?;
    let mut slots: BTreeMap<Slot, Numbers> = BTreeMap::new();
    for (name, value) in item {
        let Some((count, slot)) = name.split_once('|') else { continue };
        let Some(count) = Count::parse(count) else { continue };
        let slot = Slot::parse(slot).ok_or_else(|| malformed(name))?;
        let amount = parse_number(value).ok_or_else(|| malformed(name))?;
        if let Some(number) = slots.entry(slot).or_default().count_mut(count) {
            *number = amount;
        }
    }
    Ok(PeriodNumbers {
        cell,
        project: ProjectId::from_suffix(read.string("prj")?).map_err(|_| malformed("prj"))?,
        environment: read.string("env")?.to_owned(),
        period,
        requests: read.find_number("to")?.unwrap_or(0),
        settlements: read.find_number("sq")?.unwrap_or(0),
        gaps: gaps(item)?,
        rows_kept_until: Timestamp::from_epoch_s(read.find_number("ex")?.unwrap_or(0)),
        slots,
    })
}

fn gaps(item: &Item) -> Result<Vec<(Sequence, u64, u64)>, StoreError> {
    let mut gaps = Vec::new();
    for (name, value) in item {
        for (sequence, _) in COUNTED {
            let first = name.strip_prefix('k').and_then(|rest| rest.strip_prefix(sequence.letter()));
            let Some(Ok(first)) = first.map(str::parse::<u64>) else { continue };
            let after = parse_number(value).ok_or_else(|| StoreError::malformed("period", name))?;
            gaps.push((sequence, after, first));
        }
    }
    Ok(gaps)
}

fn parse_sort_key(text: &str) -> Option<(Period, CellId)> {
    let (kind, rest) = text.split_once('_')?;
    let (digits, cell) = rest.split_once('_')?;
    let part = |from: usize, to: usize| digits.get(from..to);
    let hour = if kind == "hour" { part(8, 10)? } else { "00" };
    let text = format!("{}-{}-{}T{hour}:00:00Z", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let start = Timestamp::parse_rfc3339(&text).ok()?;
    let period = if kind == "hour" { Period::hour_of(start) } else { Period::day_of(start) };
    Some((period, CellId::parse(cell).ok()?))
}

pub(crate) fn partition(account: &AccountId) -> String {
    format!("{BOOK}{account}")
}

pub(crate) fn sort_key(period: Period, cell: &CellId) -> String {
    format!("{}{period}_{}", prefix(period), cell.partition())
}

/// What the sort keys of all periods of that length begin with.
pub(crate) fn prefix(period: Period) -> &'static str {
    match period {
        Period::Hour(_) => "hour_",
        Period::Day(_) => DAY,
    }
}

const COUNTED: [(Sequence, &str); 2] = [(Sequence::Requests, "to"), (Sequence::Settlements, "sq")];
/// The longest range that anybody may ask for.
const HOURS_ARE_KEPT_SECONDS: u64 = 401 * Day::SECONDS;
const DAY: &str = "day_";
const PAGE: u16 = 1_000;
/// As many as one call reads.
const MAX_BATCH: usize = 100;
