//! The cell: everything the gate must know and count about one key (or one account's sessions), in one item.

use std::collections::BTreeMap;

use crate::{
    id::{AccountId, InvalidId, KeyId, ProjectId, SessionId},
    key::KeyHash,
    money::MicroUsd,
    origin::Allowlist,
    policy::Limits,
    scope::GrantSet,
    time::{Day, Minute, Timestamp},
};

/// The state of one cell, as one read or write of its item showed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Whom it acts for.
    pub owner: Owner,
    /// Whether it may be used.
    pub status: Status,
    /// What proves a caller.
    pub proof: StoredProof,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// What it may do.
    pub grants: GrantSet,
    /// From which origins; `None` is anywhere.
    pub allowlist: Option<Allowlist>,
    /// How fast.
    pub limits: Limits,
    /// Its money.
    pub purse: Purse,
    /// Its counters.
    pub counters: Counters,
}

/// Whom a cell acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The account that pays.
    pub account: AccountId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// The environment's name.
    pub environment: String,
    /// The gallery that requests search: the project's own id, or the account's shared one.
    pub gallery: String,
}

/// Whether a cell may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In use.
    Active,
    /// Paused by its owner: 402 until thawed.
    Frozen,
    /// Ended for good.
    Revoked,
}

/// What the item keeps to recognise a caller by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredProof {
    /// A key's hash.
    Key(KeyHash),
    /// The account's live logins, each with its end.
    Sessions(BTreeMap<SessionId, Timestamp>),
}

/// The money a cell holds: a slice that was debited from its project, never more than its budget in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purse {
    /// Spendable now.
    pub balance: MicroUsd,
    /// Received so far, less what was returned.
    pub granted: MicroUsd,
    /// Number of the last grant received.
    pub grant_seq: u64,
    /// The most that may be spent in all; `None` leaves it to the project.
    pub budget: Option<MicroUsd>,
}

impl Purse {
    /// Captured so far.
    #[must_use]
    pub fn spent(&self) -> MicroUsd {
        self.granted.minus(self.balance)
    }

    /// What may still be granted under the budget.
    #[must_use]
    pub fn room(&self) -> MicroUsd {
        self.budget.map_or(MicroUsd::MAX, |budget| budget.minus(self.granted))
    }
}

/// What a cell has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The highest minute ever written: nothing is written into an earlier one.
    pub window: Option<Minute>,
    /// Tokens left per minute; below zero after a limit was lowered.
    pub minutes: BTreeMap<Minute, i64>,
    /// Tokens left per route class and minute.
    pub routes: BTreeMap<(String, Minute), i64>,
    /// Requests per UTC day.
    pub days: BTreeMap<Day, u64>,
    /// The last sequence number of each lane that wrote lately.
    pub slots: BTreeMap<String, u64>,
    /// Requests ever admitted: consecutive, so a missing one shows.
    pub requests: u64,
    /// The row of the last admitted request.
    pub last_row: Option<String>,
}

impl Counters {
    /// What can be removed at `minute`: windows that no later request reads, and slots idle for ten minutes.
    ///
    /// An idle slot may go because its window has passed: a late duplicate is then refused by the window itself. The
    /// write that removes it must find it idle still.
    #[must_use]
    pub fn stale(&self, minute: Minute) -> Vec<Stale> {
        let passed = |window: &Minute| window.0 + 2 <= minute.0;
        let idle_before = idle_before(minute);
        let minutes = self.minutes.keys().filter(|window| passed(window)).map(|window| Stale::Minute(*window));
        let routes = self.routes.keys().filter(|(_, window)| passed(window));
        let routes = routes.map(|(class, window)| Stale::Route(class.clone(), *window));
        let days = self.days.keys().filter(|day| day.0 < minute.day().0).map(|day| Stale::Day(*day));
        let slots = self.slots.iter().filter(|(_, seq)| **seq < idle_before).map(|(lane, _)| Stale::Slot(lane.clone()));
        minutes.chain(routes).chain(days).chain(slots).take(MAX_STALE).collect()
    }
}

/// One counter that nothing reads any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The key bucket of a minute.
    Minute(Minute),
    /// A route's bucket of a minute.
    Route(String, Minute),
    /// The count of a day.
    Day(Day),
    /// A lane's slot.
    Slot(String),
}

impl Stale {
    /// Whether a write into `minute` through `lane` may remove it: what was stale when it was seen need not be stale for
    /// an instance whose clock is behind, and a lane may have come into use since.
    #[must_use]
    pub fn is_removable(&self, minute: Minute, lane: &str) -> bool {
        match self {
            Self::Minute(window) | Self::Route(_, window) => window.0 + 2 <= minute.0,
            Self::Day(day) => day.0 < minute.day().0,
            Self::Slot(name) => name != lane,
        }
    }
}

/// The sequence number below which a slot counts as idle at `minute`; it is a time in milliseconds.
#[must_use]
pub fn idle_before(minute: Minute) -> u64 {
    minute.start().minus_s(IDLE_SLOT_S).epoch_ms()
}

/// Which cell: a key's, or the one that all logins of an account share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CellId {
    /// The cell of a key.
    Key(KeyId),
    /// The cell of an account's sessions.
    Session(AccountId),
}

impl CellId {
    /// The partition key of the cell's item.
    #[must_use]
    pub fn partition(&self) -> String {
        match self {
            Self::Key(id) => id.to_string(),
            Self::Session(account) => format!("{SESSION_PREFIX}{}", account.suffix()),
        }
    }

    /// Reads a partition key.
    ///
    /// # Errors
    /// [`InvalidId`] when it is not one of a cell.
    pub fn parse(partition: &str) -> Result<Self, InvalidId> {
        match partition.strip_prefix(SESSION_PREFIX) {
            Some(suffix) => AccountId::from_suffix(suffix).map(Self::Session),
            None => KeyId::parse(partition).map(Self::Key),
        }
    }
}

const SESSION_PREFIX: &str = "ssn_";
const IDLE_SLOT_S: u64 = 600;
/// One write removes at most this many: the rest goes with the next.
const MAX_STALE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_found_by_its_partition() {
        let key = CellId::Key(KeyId::mint(&mut |pool| pool.fill(1)));
        let session = CellId::Session(AccountId::mint(&mut |pool| pool.fill(2)));
        for cell in [key, session] {
            assert_eq!(CellId::parse(&cell.partition()), Ok(cell));
        }
        assert_eq!(CellId::parse("acc_1"), Err(InvalidId));
    }

    #[test]
    fn only_what_nothing_reads_is_stale() {
        let minute = Minute(29_000_000);
        let mut counters = Counters::default();
        for back in 0..4 {
            counters.minutes.insert(Minute(minute.0 - back), 1);
            counters.routes.insert(("abcd".into(), Minute(minute.0 - back)), 1);
        }
        counters.days.insert(minute.day(), 1);
        counters.days.insert(Day(minute.day().0 - 1), 1);
        counters.slots.insert("busy".into(), minute.start().epoch_ms());
        counters.slots.insert("idle".into(), minute.start().minus_s(601).epoch_ms());
        let stale = counters.stale(minute);
        let wanted = [
            Stale::Minute(Minute(minute.0 - 3)),
            Stale::Minute(Minute(minute.0 - 2)),
            Stale::Route("abcd".into(), Minute(minute.0 - 3)),
            Stale::Route("abcd".into(), Minute(minute.0 - 2)),
            Stale::Day(Day(minute.day().0 - 1)),
            Stale::Slot("idle".into()),
        ];
        assert_eq!(stale, wanted);
    }
}
