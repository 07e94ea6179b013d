//! The items of the books, and the cell's item as the table's stream shows it.
//!
//! ```text
//! pk book_<cell>        sk position                 n s g r last of each sequence · hl holes · ve times written
//! pk book_<cell>        sk row_<ms>_<charge>        one admitted request, see `row`
//! pk book_<cell>        sk chg_<charge>             where a charge to be settled has its row, or how it was settled, see `charge`
//! pk book_<cell>        sk gnt_<seq> | ret_<seq>    am amount · at (epoch ms) · prj project
//! pk book_<cell>        sk evt_<ms>_<kind>          what the owner should hear of, see `event`
//! pk book_<cell>        sk known                    nw ag networks and families of agents that used the cell
//! pk book_<account>     sk hour_… | day_…           numbers of a cell and a period, see `period`
//! pk book_day_<day>     sk <account>                the account has rows of that day, see `active`
//! pk book_aside         sk <number in the stream>   a record that could not be understood, see `aside`
//! ```

mod active;
mod aside;
mod browse;
mod charge;
mod event;
mod image;
mod movement;
mod period;
mod position;
mod row;
mod sums;

pub use aside::SetAside;
pub use browse::{RowFilter, RowPage, RowPosition, RowQuery, RowSource};
pub use charge::Awaited;
pub use event::{Event, KnownCallers, parse_event};
pub use image::{Item, is_cell, parse_change};
pub use movement::Movement;
pub use period::{Booked, Booking, PeriodNumbers};
pub use position::Positioned;
pub use row::{RequestRow, RowSettlement};

use faregate_domain::cell::CellId;

/// The partition of a cell's books.
pub(crate) fn book_of(cell: &CellId) -> String {
    format!("{BOOK}{}", cell.partition())
}

pub(crate) const BOOK: &str = "book_";
