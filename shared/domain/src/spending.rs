//! What cells have spent and reserved, added up.

use crate::{cell::Cell, money::MicroUsd, time::Timestamp};

/// The spending of any number of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Held by calls that are not settled.
    pub reserved: MicroUsd,
    /// Charged since the beginning.
    pub in_all: MicroUsd,
    today: i64,
    this_month: i64,
}

impl Spending {
    /// Adds what a cell has spent and reserved at `now`.
    pub fn add(&mut self, cell: &Cell, now: Timestamp) {
        let (day, month) = (now.minute().day(), now.month());
        self.reserved = self.reserved.plus(cell.purse.reserved);
        self.in_all = self.in_all.plus(cell.purse.spent());
        self.today = self.today.saturating_add(cell.counters.spent_by_day.get(&day).copied().unwrap_or(0));
        self.this_month =
            self.this_month.saturating_add(cell.counters.spent_by_month.get(&month).copied().unwrap_or(0));
    }

    /// Charged in the UTC day, less what was given back in it; nothing where more was given back than charged.
    #[must_use]
    pub fn today(&self) -> MicroUsd {
        at_least_nothing(self.today)
    }

    /// Charged in the calendar month, less what was given back in it; nothing where more was given back than charged.
    #[must_use]
    pub fn this_month(&self) -> MicroUsd {
        at_least_nothing(self.this_month)
    }
}

fn at_least_nothing(micro_usd: i64) -> MicroUsd {
    MicroUsd::new(u64::try_from(micro_usd).unwrap_or(0)).unwrap_or(MicroUsd::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cell::{Owner, Purse, Status, StoredProof},
        client_session::Tabs,
        counters::Counters,
        id::{AccountId, ProjectId},
        key::KeyHash,
        lease::Leases,
        policy::Limits,
        scope::{Grant, GrantSet},
    };

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    fn cell(now: Timestamp, reserved: u64, balance: u64, granted: u64, booked: i64) -> Cell {
        Cell {
            owner: Owner {
                account: AccountId::mint(&mut |pool| pool.fill(1)),
                project: ProjectId::mint(&mut |pool| pool.fill(2)),
                environment: "sandbox".to_owned(),
                gallery: "g".to_owned(),
            },
            status: Status::Active,
            proof: StoredProof::Key(KeyHash::from_bytes([0; 32]).into()),
            expires_at: None,
            grants: GrantSet::new([Grant::parse("*").unwrap()]).unwrap(),
            allowlist: None,
            limits: Limits::new(1, 0, 1, 1).unwrap(),
            purse: Purse {
                balance: usd(balance),
                reserved: usd(reserved),
                granted: usd(granted),
                ..Purse::empty(None)
            },
            leases: Leases::default(),
            tabs: Tabs::default(),
            project_window: None,
            counters: Counters {
                spent_by_day: [(now.minute().day(), booked)].into(),
                spent_by_month: [(now.month(), booked)].into(),
                ..Counters::default()
            },
        }
    }

    #[test]
    fn cells_are_added_up_and_a_late_refund_shows_as_nothing() {
        let now = Timestamp::from_epoch_s(1_760_000_000);
        let mut spending = Spending::default();
        spending.add(&cell(now, 3, 10, 20, -5), now);
        assert_eq!((spending.reserved, spending.in_all), (usd(3), usd(7)));
        assert_eq!((spending.today(), spending.this_month()), (usd(0), usd(0)));
        spending.add(&cell(now, 1, 0, 9, 8), now);
        assert_eq!((spending.reserved, spending.in_all), (usd(4), usd(15)));
        assert_eq!((spending.today(), spending.this_month()), (usd(3), usd(3)));
        let mut later = Spending::default();
        later.add(&cell(now, 1, 0, 9, 8), now.plus_s(40 * 86_400));
        assert_eq!((later.today(), later.this_month(), later.in_all), (usd(0), usd(0), usd(8)));
    }
}
