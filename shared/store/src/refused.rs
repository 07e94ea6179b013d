//! Refused calls by cell and day: numbers that grow, one write for all that a process has gathered for an hour.
//!
//! ```text
//! pk refused_<account|->   sk day_<YYYYMMDD>_<cell|->   prj env project and environment, where the cell is known
//!                                                       h00 … h23 reason → count · w newest number
//!                                                       q<writer> its last number · ttl
//! ```
//! The hours are maps, so that a condition can bound them, and `h07` is there when its first refusal is. See
//! [`faregate_domain::refused`] for who writes when.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::CellId,
    id::{AccountId, ProjectId},
    refused::{Entry, Form, KnownCell, Reason, Reasons, RefusedDay, Sheet, Whose},
    time::{Day, Timestamp},
};

use crate::{
    Store, StoreError,
    cell::parse_number,
    client::{Item, Written},
    expression::{Builder, Write},
};

mod newest;

/// What an entry met.
#[derive(Debug)]
pub enum EntryOutcome {
    /// It was added, and left this.
    Added(RefusedDay),
    /// It was not added to this; `None` where nothing was there.
    Refused(Option<RefusedDay>),
}

impl Store {
    /// Adds an entry to its sheet, in one try: whoever gathers may send it again later.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer. The same entry may be sent again in any form, and is added once.
    pub async fn add_refused(&self, entry: &Entry, form: Form) -> Result<EntryOutcome, StoreError> {
        let parse = |item: Item| parse_day(&item);
        match self.update_once(&addition(entry, form)).await? {
            Written::Applied(item) => parse(item).map(EntryOutcome::Added),
            Written::Refused(item) => item.map(parse).transpose().map(EntryOutcome::Refused),
        }
    }

    /// Forgets the numbers of writers, all or none, if each is still below `horizon`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; nothing depends on it.
    pub async fn sweep_refused(&self, sheet: &Sheet, writers: &[String], horizon: u64) -> Result<(), StoreError> {
        self.update_once(&sweep(sheet, writers, horizon)).await.map(|_| ())
    }

    /// At most `limit` sheets of an account, or of callers that nobody knows, from `first` to `last` with both: by day
    /// and then by cell, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_refused_days(
        &self,
        account: Option<&AccountId>,
        (first, last): (Day, Day),
        after: Option<&Sheet>,
        limit: usize,
    ) -> Result<Vec<RefusedDay>, StoreError> {
        let partition = partition(account);
        let mut start = after.map(|sheet| key(partition.clone(), sort(sheet)));
        let mut days = Vec::new();
        while days.len() < limit {
            let left = i32::try_from(limit - days.len()).unwrap_or(i32::MAX);
            let string = |text: String| AttributeValue::S(text);
            let answer = self
                .client()
                .query()
                .table_name(self.table())
                .key_condition_expression("pk = :partition AND sk BETWEEN :first AND :last")
                .expression_attribute_values(":partition", string(partition.clone()))
                .expression_attribute_values(":first", string(format!("day_{}_", date(first))))
                // Above every cell's sheet of the day.
                .expression_attribute_values(":last", string(format!("day_{}_~", date(last))))
                .set_exclusive_start_key(start)
                .consistent_read(true)
                .limit(left)
                .send()
                .await
                .map_err(|error| StoreError::unanswered("query", &error))?;
            for item in answer.items.unwrap_or_default() {
                days.push(parse_day(&item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(days)
    }
}

fn addition(entry: &Entry, form: Form) -> Write {
    let mut builder = Builder::default();
    builder.name("#h", hour_attribute(entry.place.hour));
    builder.name("#q", format!("{WRITER}{}", entry.writer));
    builder.name("#ttl", "ttl");
    builder.number(":seq", entry.seq);
    builder.number(":ahead", entry.ahead());
    builder.number(":ttl", entry.place.sheet.day.end().plus_s(KEPT_SECONDS).epoch_s());
    match form {
        Form::Open => {
            let count = |(reason, count): (&Reason, &u64)| (reason.to_string(), AttributeValue::N(count.to_string()));
            builder.value(":reasons", AttributeValue::M(entry.reasons.iter().map(count).collect()));
            builder.set("#h = :reasons");
            builder.require("attribute_not_exists(#h)");
        }
        Form::Add | Form::Fold => {
            builder.number(":zero", 0);
            for (number, (reason, count)) in entry.reasons.iter().enumerate() {
                builder.name(&format!("#r{number}"), reason.to_string());
                builder.number(&format!(":r{number}"), *count);
                builder.set(format!("#h.#r{number} = if_not_exists(#h.#r{number}, :zero) + :r{number}"));
            }
            builder.require("attribute_exists(#h)");
            if form == Form::Add {
                builder.value(":room", AttributeValue::N(Entry::MAX_REASONS_PER_HOUR.to_string()));
                builder.require("size(#h) < :room");
            }
        }
    }
    if let Some(known) = entry.place.sheet.whose.cell() {
        builder.string(":project", known.project.suffix());
        builder.string(":environment", &known.environment);
        builder.set("prj = :project");
        builder.set("env = :environment");
    }
    builder.set("#q = :seq");
    builder.set("w = :seq");
    builder.set("#ttl = :ttl");
    builder.require("NOT #q >= :seq");
    builder.require("NOT w > :ahead");
    let sheet = &entry.place.sheet;
    builder.build(partition(sheet.whose.account()), &sort(sheet))
}

fn sweep(sheet: &Sheet, writers: &[String], horizon: u64) -> Write {
    let mut builder = Builder::default();
    builder.number(":horizon", horizon);
    for (number, writer) in writers.iter().enumerate() {
        let name = format!("#q{number}");
        builder.name(&name, format!("{WRITER}{writer}"));
        builder.require(format!("{name} < :horizon"));
        builder.remove(name);
    }
    builder.build(partition(sheet.whose.account()), &sort(sheet))
}

/// Whether a record of the stream is about a known account's refused calls.
#[must_use]
pub fn is_refused(keys: &Item) -> bool {
    let partition = keys.get("pk").and_then(|partition| partition.as_s().ok());
    let account = partition.and_then(|partition| partition.strip_prefix(PREFIX));
    account.is_some_and(|account| account.starts_with(AccountId::PREFIX))
}

/// Reads a sheet's item.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_refused(item: &Item) -> Result<RefusedDay, StoreError> {
    parse_day(item)
}

fn parse_day(item: &Item) -> Result<RefusedDay, StoreError> {
    let malformed = |attribute: &str| StoreError::malformed("refused", attribute);
    let mut day = RefusedDay {
        sheet: parse_sheet(item)?,
        hours: BTreeMap::new(),
        newest: item.get("w").and_then(parse_number).ok_or_else(|| malformed("w"))?,
        writers: BTreeMap::new(),
    };
    for (name, value) in item {
        if let Some(writer) = name.strip_prefix(WRITER) {
            day.writers.insert(writer.to_owned(), parse_number(value).ok_or_else(|| malformed(name))?);
        } else if let Some(hour) = parse_hour(name) {
            let reasons = value.as_m().ok().and_then(parse_reasons).ok_or_else(|| malformed(name))?;
            day.hours.insert(hour, reasons);
        }
    }
    Ok(day)
}

fn parse_sheet(item: &Item) -> Result<Sheet, StoreError> {
    let malformed = |attribute: &str| StoreError::malformed("refused", attribute);
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).ok_or_else(|| malformed(name));
    let account = string("pk")?.strip_prefix(PREFIX).ok_or_else(|| malformed("pk"))?;
    let rest = string("sk")?.strip_prefix("day_").and_then(|rest| rest.split_once('_'));
    let (day, cell) = rest.ok_or_else(|| malformed("sk"))?;
    let day = parse_date(day).ok_or_else(|| malformed("sk"))?;
    if account == NONE {
        return Ok(Sheet { day, whose: Whose::Nobody });
    }
    let account = AccountId::parse(account).map_err(|_| malformed("pk"))?;
    if cell == NONE {
        return Ok(Sheet { day, whose: Whose::Account(account) });
    }
    let known = KnownCell {
        account,
        cell: CellId::parse(cell).map_err(|_| malformed("sk"))?,
        project: ProjectId::from_suffix(string("prj")?).map_err(|_| malformed("prj"))?,
        environment: string("env")?.clone(),
    };
    Ok(Sheet { day, whose: Whose::Cell(Box::new(known)) })
}

fn parse_reasons(members: &HashMap<String, AttributeValue>) -> Option<Reasons> {
    members.iter().map(|(name, value)| Some((Reason::parse(name)?, parse_number(value)?))).collect()
}

fn partition(account: Option<&AccountId>) -> String {
    account.map_or_else(|| format!("{PREFIX}{NONE}"), |account| format!("{PREFIX}{account}"))
}

fn sort(sheet: &Sheet) -> String {
    let cell = sheet.whose.cell().map_or_else(|| NONE.to_owned(), |known| known.cell.partition());
    format!("day_{}_{cell}", date(sheet.day))
}

fn key(partition: String, sort: String) -> Item {
    [("pk", partition), ("sk", sort)].map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).into()
}

fn hour_attribute(hour: u8) -> String {
    format!("h{hour:02}")
}

fn parse_hour(name: &str) -> Option<u8> {
    let digits = name.strip_prefix('h').filter(|digits| digits.len() == 2)?;
    digits.parse().ok().filter(|hour| *hour < 24)
}

/// `20261126`
fn date(day: Day) -> String {
    let text = Timestamp::from_epoch_s(day.0.saturating_mul(Day::SECONDS)).to_string();
    text.chars().take_while(|letter| *letter != 'T').filter(char::is_ascii_digit).collect()
}

fn parse_date(text: &str) -> Option<Day> {
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let midnight = Timestamp::parse_rfc3339(&format!("{year}-{month}-{day}T00:00:00Z")).ok()?;
    Some(midnight.minute().day())
}

const PREFIX: &str = "refused_";
const NONE: &str = "-";
const WRITER: &str = "q";
/// As far back as anybody may ask.
const KEPT_SECONDS: u64 = 400 * Day::SECONDS;

#[cfg(test)]
mod tests;
