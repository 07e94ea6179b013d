//! Money that came into a cell from its project, or went back: one item for each. A grant's number may also take money back;
//! its amount is then below zero.

use faregate_domain::{
    books::Sequence,
    cell::{CellId, Owner},
    time::Timestamp,
};

use super::book_of;
use crate::{
    Store, StoreError,
    batch::Order,
    cell::Reader,
    client::Item,
    expression::{Builder, Write},
};

/// A grant or a return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// [`Sequence::Grants`] or [`Sequence::Returns`].
    pub sequence: Sequence,
    /// Its number there.
    pub seq: u64,
    /// How much, in millionths of a dollar.
    pub micro_usd: i64,
    /// About when.
    pub at: Timestamp,
}

impl Store {
    /// Enters a movement; one that stands there already is left as it is.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be there.
    pub async fn insert_movement(&self, cell: &CellId, owner: &Owner, movement: &Movement) -> Result<(), StoreError> {
        self.update(&moving(cell, owner, movement)).await.map(|_| ())
    }

    /// At most `limit` grants or returns of a cell, the newest first, beginning before number `before`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_newest_movements(
        &self,
        cell: &CellId,
        sequence: Sequence,
        before: Option<u64>,
        limit: u16,
    ) -> Result<Vec<Movement>, StoreError> {
        let before = before.map(|before| sort_key(sequence, before));
        let items = self.find_range(book_of(cell), prefix(sequence), before, limit, Order::Descending).await?;
        items.iter().map(|item| parse(item, sequence)).collect()
    }

    /// At most `limit` grants or returns of a cell, in their order, beginning after number `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_movements(
        &self,
        cell: &CellId,
        sequence: Sequence,
        after: u64,
        limit: u16,
    ) -> Result<Vec<Movement>, StoreError> {
        let after = (after > 0).then(|| sort_key(sequence, after));
        let items = self.find_range(book_of(cell), prefix(sequence), after, limit, Order::Ascending).await?;
        items.iter().map(|item| parse(item, sequence)).collect()
    }
}

pub(crate) fn moving(cell: &CellId, owner: &Owner, movement: &Movement) -> Write {
    let mut builder = Builder::default();
    builder.name("#at", "at");
    builder.number(":at", movement.at.epoch_ms());
    builder.number(":amount", movement.micro_usd);
    builder.string(":project", owner.project.suffix());
    for clause in ["#at = :at", "am = :amount", "prj = :project"] {
        builder.set(clause);
    }
    builder.require("attribute_not_exists(pk)");
    builder.build(book_of(cell), &sort_key(movement.sequence, movement.seq))
}

fn parse(item: &Item, sequence: Sequence) -> Result<Movement, StoreError> {
    let read = Reader { item };
    let malformed = |attribute: &str| StoreError::malformed("movement", attribute);
    let seq = read.string("sk")?.strip_prefix(prefix(sequence)).and_then(|digits| digits.parse().ok());
    let at = Timestamp::from_epoch_ms(read.number("at")?);
    Ok(Movement { sequence, seq: seq.ok_or_else(|| malformed("sk"))?, micro_usd: read.number("am")?, at })
}

fn sort_key(sequence: Sequence, seq: u64) -> String {
    format!("{}{seq:019}", prefix(sequence))
}

fn prefix(sequence: Sequence) -> &'static str {
    match sequence {
        Sequence::Returns => "ret_",
        _ => "gnt_",
    }
}
