//! The one write of an admitted request.

use faregate_domain::{
    attempt::Attempt,
    cell::{Cell, CellId},
    counters::Stale,
    funding::Grant,
    time::Timestamp,
    window::WindowLength,
};

use crate::{
    Store, StoreError,
    admit::write::{receive, remove_stale},
    cell::{CELL, parse_cell, parse_number},
    client::Written,
    expression::{Builder, Write},
};

mod write;

pub use write::admission;
pub(crate) use write::{advance, book};

impl Store {
    /// Sends an attempt; states what it left or what refused it.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer: the attempt may be sent again, and is then applied at most once.
    pub async fn admit(&self, attempt: &Attempt) -> Result<Outcome, StoreError> {
        self.send(&admission(attempt)).await
    }

    /// Moves the attempt's lane on past it, so that no copy of it still on its way can be applied any more.
    ///
    /// Refused when the attempt, or a later write of its lane, has been applied; this very write among them, so that the
    /// number it leaves must not look like the attempt's own.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer: a copy may then be applied yet.
    pub async fn fence(&self, attempt: &Attempt) -> Result<Outcome, StoreError> {
        self.close_lane(&attempt.cell, &attempt.lane, attempt.seq).await
    }

    /// As [`Store::fence`], for an attempt of which only its lane and its number there are known.
    ///
    /// # Errors
    /// As [`Store::fence`].
    pub async fn close_lane(&self, cell: &CellId, lane: &str, seq: u64) -> Result<Outcome, StoreError> {
        let mut builder = Builder::default();
        builder.name("#i", lane);
        builder.number(":seq", seq);
        builder.number(":passed", seq + 1);
        builder.set("q.#i = :passed");
        builder.require("attribute_exists(q)");
        builder.require("NOT q.#i >= :seq");
        self.send(&builder.build(cell.partition(), CELL)).await
    }

    /// Adds a grant's money to a cell on its own: for one that is too small to pay for the request that found it, and
    /// for one that whoever debited it did not live to credit. Its tokens are given up.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; a grant that is sent again is added once.
    pub async fn credit(&self, id: &CellId, grant: &Grant) -> Result<Outcome, StoreError> {
        let mut builder = Builder::default();
        builder.number(":grant", grant.amount.micro_usd());
        builder.set("bal = bal + :grant");
        receive(&mut builder, grant);
        self.send(&builder.build(id.partition(), CELL)).await
    }

    /// Tells a cell the window of its project's rate, or that there is none, as the project's settings of that version
    /// say; refused where the cell has followed these or later ones.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the window may have been set.
    pub async fn set_project_window(
        &self,
        id: &CellId,
        version: u64,
        window: Option<WindowLength>,
    ) -> Result<Outcome, StoreError> {
        let mut builder = Builder::default();
        builder.require("attribute_exists(pk)");
        builder.number(":version", version);
        builder.require("NOT pv >= :version");
        match window {
            Some(length) => {
                builder.number(":window", length.seconds());
                builder.set("pw = :window");
            }
            None => builder.remove("pw"),
        }
        self.send(&builder.build(id.partition(), CELL)).await
    }

    pub(crate) async fn send(&self, write: &Write) -> Result<Outcome, StoreError> {
        let (written, has_unanswered) = self.update_knowing(write).await?;
        let read = |item| parse_cell(&item).map(Box::new);
        Ok(match written {
            Written::Applied(item) => Outcome::Applied(read(item)?),
            Written::Refused(item) => Outcome::Refused { cell: item.map(read).transpose()?, has_unanswered },
        })
    }

    /// Reads a cell as it is now.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_cell(&self, id: &CellId) -> Result<Option<Cell>, StoreError> {
        self.find(&id.partition(), CELL).await?.map(|item| parse_cell(&item)).transpose()
    }

    /// A cell, and how many of its charges were settled.
    ///
    /// # Errors
    /// As [`Store::find_cell`].
    pub async fn find_counted_cell(&self, id: &CellId) -> Result<Option<(Cell, u64)>, StoreError> {
        let Some(item) = self.find(&id.partition(), CELL).await? else { return Ok(None) };
        let settlements = item.get("sn").and_then(parse_number).unwrap_or(0);
        Ok(Some((parse_cell(&item)?, settlements)))
    }

    /// Removes, all or none, counters that nothing reads any more: for cells whose writers are all newly started and never write twice.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; nothing depends on the removal.
    pub async fn sweep(&self, id: &CellId, stale: &[Stale], now: Timestamp) -> Result<(), StoreError> {
        if stale.is_empty() {
            return Ok(());
        }
        let mut builder = Builder::default();
        remove_stale(&mut builder, stale, now);
        builder.require("attribute_exists(pk)");
        self.update(&builder.build(id.partition(), CELL)).await.map(|_| ())
    }
}

/// What an attempt met.
#[derive(Debug)]
pub enum Outcome {
    /// It was applied and left this state.
    Applied(Box<Cell>),
    /// It was refused.
    Refused {
        /// The state that refused it; `None` where there is no such cell.
        cell: Option<Box<Cell>>,
        /// Whether a copy of it was sent that nobody answered, and that may arrive yet.
        has_unanswered: bool,
    },
}

#[cfg(test)]
mod tests;
