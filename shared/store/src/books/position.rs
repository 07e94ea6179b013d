//! How far a cell's books are, as an item that is rewritten only as it was read.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    books::{Hole, Position, Sequence},
    cell::CellId,
};

use super::book_of;
use crate::{
    Store, StoreError,
    cell::parse_number,
    client::{Item, Written},
    expression::{Builder, Write},
};

/// A position, and the state of the item that it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positioned {
    /// The position.
    pub position: Position,
    /// How often the item was written.
    pub version: u64,
}

impl Store {
    /// How far a cell's books are.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_position(&self, cell: &CellId) -> Result<Positioned, StoreError> {
        let item = self.find(&book_of(cell), POSITION).await?;
        item.map_or_else(|| Ok(Positioned::default()), |item| parse(&item))
    }

    /// Writes down how far a cell's books are, unless somebody else did since `version` was read; states whether it did.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the position may have been written.
    pub async fn save_position(&self, cell: &CellId, position: &Position, version: u64) -> Result<bool, StoreError> {
        match self.update(&saving(cell, position, version)).await? {
            Written::Applied(_) => Ok(true),
            // A re-sent copy of this very write finds what it has written.
            Written::Refused(Some(item)) => {
                Ok(parse(&item)? == Positioned { position: position.clone(), version: version + 1 })
            }
            Written::Refused(None) => Ok(false),
        }
    }
}

pub(crate) fn saving(cell: &CellId, position: &Position, version: u64) -> Write {
    let mut builder = Builder::default();
    for sequence in Sequence::ALL {
        let placeholder = format!(":{}", sequence.letter());
        builder.number(&placeholder, position.last(sequence));
        builder.set(format!("{} = {placeholder}", sequence.letter()));
    }
    let holes: Vec<String> = position.holes().map(ToString::to_string).collect();
    if holes.is_empty() {
        builder.remove("hl");
    } else {
        builder.value(":holes", AttributeValue::Ss(holes));
        builder.set("hl = :holes");
    }
    builder.number(":next", version + 1);
    builder.set("ve = :next");
    if version == 0 {
        builder.require("attribute_not_exists(pk)");
    } else {
        builder.number(":version", version);
        builder.require("ve = :version");
    }
    builder.build(book_of(cell), POSITION)
}

fn parse(item: &Item) -> Result<Positioned, StoreError> {
    let malformed = |attribute: &str| StoreError::malformed("position", attribute);
    let mut last = HashMap::new();
    for sequence in Sequence::ALL {
        let value = item.get(sequence.letter()).and_then(parse_number);
        last.insert(sequence, value.ok_or_else(|| malformed(sequence.letter()))?);
    }
    let texts = item.get("hl").map(|value| value.as_ss().map_err(|_| malformed("hl"))).transpose()?;
    let holes = texts.into_iter().flatten().map(|text| Hole::parse(text).ok_or_else(|| malformed("hl")));
    let version = item.get("ve").and_then(parse_number).ok_or_else(|| malformed("ve"))?;
    Ok(Positioned { position: Position::new(last, holes.collect::<Result<Vec<_>, _>>()?), version })
}

const POSITION: &str = "position";
