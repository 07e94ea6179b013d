//! How a change of limits reaches the minute that is running: at once, and without giving anything twice.

use crate::{
    cell::Cell,
    policy::Limits,
    standing::Standing,
    time::{Minute, Timestamp},
};

/// What a change of limits does to the tokens of the running minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowShift {
    /// The running minute: that of the clock, or a later one that a writer has opened; no later one may be open.
    pub minute: Minute,
    /// Tokens to add, below zero to take; `None` where the minute has not been opened and must still not be.
    pub tokens: Option<i64>,
}

impl WindowShift {
    /// The shift from a cell's limits to `new` ones.
    ///
    /// A raised burst is not handed out in a running minute, because that minute may have opened without one.
    #[must_use]
    pub fn of(cell: &Cell, new: &Limits, now: Timestamp) -> Self {
        let minute = cell.counters.latest(now).minute();
        let (old, new) = (cell.limits.per_minute, new.per_minute);
        let limit = i64::from(new.limit()) - i64::from(old.limit());
        let burst = (i64::from(new.burst()) - i64::from(old.burst())).min(0);
        let tokens = cell.counters.minutes.contains_key(&minute).then_some(limit + burst);
        Self { minute, tokens }
    }
}

/// Requests that a cell admitted in `minute`; exact unless its limits were changed within that minute.
#[must_use]
pub fn used_in(cell: &Cell, minute: Minute) -> u64 {
    Standing::of(cell, minute.start(), None).minute.used
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
        scope::{Grant, GrantSet},
        window::WindowLength,
    };

    fn limits(limit: u32, burst: u32) -> Limits {
        Limits::new(limit, burst, 100, 1).unwrap()
    }

    fn cell(limits: Limits, window: Option<u64>, left: &[(u64, i64)]) -> Cell {
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
            limits,
            purse: Purse::empty(None),
            leases: Leases::default(),
            tabs: Tabs::default(),
            project_window: None,
            counters: Counters {
                highest: window.map(|minute| (WindowLength::Minute, minute)).into_iter().collect(),
                minutes: left.iter().map(|(minute, left)| (Minute(*minute), *left)).collect(),
                ..Counters::default()
            },
        }
    }

    fn shift(from: (u32, u32), to: (u32, u32)) -> Option<i64> {
        let cell = cell(limits(from.0, from.1), Some(7), &[(7, 3)]);
        WindowShift::of(&cell, &limits(to.0, to.1), Timestamp::from_epoch_s(420)).tokens
    }

    #[test]
    fn tokens_follow_the_limit_at_once_and_the_burst_only_downwards() {
        for (from, to, tokens) in
            [((5, 0), (2, 0), -3), ((5, 0), (9, 0), 4), ((5, 2), (5, 0), -2), ((5, 0), (5, 5), 0), ((5, 5), (10, 0), 0)]
        {
            assert_eq!(shift(from, to), Some(tokens), "{from:?} {to:?}");
        }
    }

    #[test]
    fn the_running_minute_is_the_latest_that_anybody_opened() {
        let now = Timestamp::from_epoch_s(420);
        let ahead = cell(limits(5, 0), Some(8), &[(8, 1)]);
        assert_eq!(WindowShift::of(&ahead, &limits(4, 0), now), WindowShift { minute: Minute(8), tokens: Some(-1) });
        let behind = cell(limits(5, 0), Some(6), &[(6, 1)]);
        assert_eq!(WindowShift::of(&behind, &limits(4, 0), now), WindowShift { minute: Minute(7), tokens: None });
    }

    #[test]
    fn use_is_counted_from_what_the_minute_opened_with() {
        assert_eq!(used_in(&cell(limits(5, 2), Some(7), &[(7, 3)]), Minute(7)), 4);
        assert_eq!(used_in(&cell(limits(5, 2), Some(7), &[(6, 0), (7, 3)]), Minute(7)), 2);
        assert_eq!(used_in(&cell(limits(5, 2), Some(6), &[(6, 0)]), Minute(7)), 0);
        assert_eq!(used_in(&cell(limits(5, 0), Some(7), &[(7, -2)]), Minute(7)), 7);
    }
}
