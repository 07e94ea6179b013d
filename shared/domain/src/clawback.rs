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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attempt::tests::cell, charge::ChargeNonce, counters::Counters};

    #[test]
    fn a_busy_cell_gives_what_is_lacking_and_an_idle_one_all() {
        let row = |back_ms: u64| Row {
            charge: ChargeNonce::mint(&mut |pool| pool.fill(1)),
            at: Timestamp::from_epoch_ms(1_760_000_000_000 - back_ms),
            cost: MicroUsd::ZERO,
            class: "abcd".into(),
            network: "-".into(),
            agent: "-".into(),
        };
        let (now, usd) = (Timestamp::from_epoch_ms(1_760_000_000_000), |amount| MicroUsd::new(amount).unwrap());
        for (last_row, lacking, amount) in [
            (Some(row(9_999).to_string()), 20, 20),
            (Some(row(9_999).to_string()), 70, 50),
            (Some(row(10_000).to_string()), 20, 50),
            (Some("no row".to_owned()), 20, 50),
            (None, 20, 50),
        ] {
            let counters = Counters { last_row, ..Counters::default() };
            assert_eq!(reclaimable(&Cell { counters, ..cell() }, usd(lacking), now), usd(amount), "{lacking}");
        }
    }
}
