//! One record of the table's stream, as Lambda hands it over.

use std::collections::HashMap;

use faregate_domain::{
    books::{Change, Fact, Unreadable},
    refused::RefusedDay,
};
use faregate_store::{StoreError, is_cell, is_refused, parse_change, parse_refused};
use faregate_stream::{self as stream, NotARecord};
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
        let stream::Record { keys, before, after, sequence_number, written_at } = stream::Record::parse(value)?;
        // Neither is ever deleted; one that is gone was removed by hand.
        let Some(after) = after else { return Ok(Self::Other) };
        if is_refused(&keys) {
            let before = before.as_ref().map(parse_refused).transpose()?;
            return Ok(Self::Refused(Box::new((before, parse_refused(&after)?))));
        }
        if !is_cell(&keys) {
            return Ok(Self::Other);
        }
        let change = parse_change(before.as_ref(), &after, written_at)?;
        let facts = change.facts()?;
        Ok(Self::Cell(Box::new(Told { sequence_number, change, facts })))
    }
}

/// Why a record cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Poison {
    /// It is no record of a stream.
    #[error(transparent)]
    Shape(#[from] NotARecord),
    /// An item in it has another shape.
    #[error(transparent)]
    Item(#[from] StoreError),
    /// The two images do not belong together.
    #[error(transparent)]
    Difference(#[from] Unreadable),
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
