//! The books: what the ledger makes of each change of a cell, so that every admitted request, settlement, grant and return
//! is in them once.
//!
//! A cell numbers what happens to it in four gapless sequences, and the table's stream carries the cell before and after
//! each write. A [`Change`] is read as [`Fact`]s; a [`Position`] says which of them are in the books already; [`Chunk`]s
//! are what they add to the hours and days.

mod audit;
mod change;
mod chunk;
mod durations;
mod odd;
mod position;
mod series;
mod settled;
mod span;

pub use audit::{AuditedDay, AuditedRow, CellBooks, Difference, compare_account, compare_project};
pub use change::{Change, Fact, Image, Unreadable};
pub use chunk::{Chunk, Count, Numbers, Part, Period, Slot};
pub use durations::Durations;
pub use odd::{Oddity, is_spike, refusals_reached, thresholds_crossed};
pub use position::{Hole, Place, Position, Sequence};
pub use series::{Bucket, Line, Report, Series, Sums};
pub use settled::SettledCharge;
pub use span::{InvalidSpan, Span};
