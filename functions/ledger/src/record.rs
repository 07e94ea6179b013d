//! One record of the table's stream, as Lambda hands it over.

use std::collections::HashMap;

use faregate_domain::{
    books::{Change, Fact, Unreadable},
    refused::RefusedDay,
    time::Timestamp,
};
use faregate_store::{Item, StoreError, is_cell, is_refused, parse_change, parse_refused};
use serde::Deserialize;
use serde_json::Value;

/// A write of a cell, and what it did.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The record's number in the stream.
    pub(crate) sequence_number: String,
    /// The write.
    pub(crate) change: Change,
    /// What it did.
    pub(crate) facts: Vec<Fact>,
}

/// What a record is about.
#[derive(Debug)]
pub(crate) enum Record {
    /// A cell.
    Cell(Box<Told>),
    /// Refused calls of a day, as they were and as they are.
    Refused(Box<(Option<RefusedDay>, RefusedDay)>),
    /// Nothing that the books keep.
    Other,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Poison`] where it is about a cell and cannot be understood.
    pub(crate) fn parse(value: &Value) -> Result<Self, Poison> {
        let StreamRecord { dynamodb: written } = StreamRecord::deserialize(value)?;
        let keys = Item::from(written.keys);
        if is_refused(&keys) {
            let Some(after) = written.new_image else { return Ok(Self::Other) };
            let before = written.old_image.map(|item| parse_refused(&item.into())).transpose()?;
            return Ok(Self::Refused(Box::new((before, parse_refused(&after.into())?))));
        }
        if !is_cell(&keys) {
            return Ok(Self::Other);
        }
        // Cells are never deleted; one that is gone was removed by hand.
        let Some(after) = written.new_image else { return Ok(Self::Other) };
        let (before, after) = (written.old_image.map(Item::from), Item::from(after));
        let at = written.approximate_creation_date_time.to_string();
        let seconds = at.split('.').next().and_then(|text| text.parse().ok());
        let at = Timestamp::from_epoch_s(seconds.ok_or(Poison::Time)?);
        let change = parse_change(before.as_ref(), &after, at)?;
        let facts = change.facts()?;
        Ok(Self::Cell(Box::new(Told { sequence_number: written.sequence_number, change, facts })))
    }
}

/// The number of a record, where it has one.
pub(crate) fn sequence_number(value: &Value) -> Option<&str> {
    value.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str)
}

/// Why a record cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Poison {
    /// It is no record of a stream.
    #[error("no record of a stream: {0}")]
    Shape(#[from] serde_json::Error),
    /// An item in it has another shape.
    #[error(transparent)]
    Item(#[from] StoreError),
    /// The two images do not belong together.
    #[error(transparent)]
    Difference(#[from] Unreadable),
    /// It has no time.
    #[error("the time of the write is missing")]
    Time,
}

#[derive(Deserialize)]
struct StreamRecord {
    dynamodb: Written,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    keys: serde_dynamo::Item,
    #[serde(default)]
    new_image: Option<serde_dynamo::Item>,
    #[serde(default)]
    old_image: Option<serde_dynamo::Item>,
    sequence_number: String,
    approximate_creation_date_time: serde_json::Number,
}

/// The records of an event.
pub(crate) fn records(event: &Value) -> Option<&Vec<Value>> {
    event.get("Records").and_then(Value::as_array)
}

/// Which cell each record's write belongs to, in the order of the records.
pub(crate) fn by_cell(told: Vec<Told>) -> Vec<Vec<Told>> {
    let (mut places, mut cells): (HashMap<String, usize>, Vec<Vec<Told>>) = (HashMap::new(), Vec::new());
    for one in told {
        let place = *places.entry(one.change.cell.partition()).or_insert_with(|| {
            cells.push(Vec::new());
            cells.len() - 1
        });
        if let Some(cell) = cells.get_mut(place) {
            cell.push(one);
        }
    }
    cells
}
