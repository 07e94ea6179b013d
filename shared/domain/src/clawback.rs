//! What a project may take back from a cell before it is called empty.

use crate::{cell::Cell, money::MicroUsd, row::Row, time::Timestamp};

/// How much of a cell's balance another cell may have: all of it where the cell is idle, else what the other one lacks.
#[must_use]
pub fn reclaimable(cell: &Cell, lacking: MicroUsd, now: Timestamp) -> MicroUsd {
    if is_idle(cell, now) { cell.purse.balance } else { cell.purse.balance.min(lacking) }
}

/// Whether nothing was admitted for a while.
fn is_idle(cell: &Cell, now: Timestamp) -> bool {
    let last = cell.counters.last_row.as_deref().and_then(|row| Row::parse(row).ok());
    last.is_none_or(|row| row.at.plus_s(IDLE_SECONDS) <= now)
}

const IDLE_SECONDS: u64 = 10;
