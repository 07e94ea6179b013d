//! The cell: everything the gate must know and count about one key (or one account's sessions), in one item.

use std::collections::BTreeMap;

use crate::{
    client_session::Tabs,
    counters::Counters,
    funding::Return,
    id::{AccountId, InvalidId, KeyId, ProjectId, SessionId},
    lease::Leases,
    money::MicroUsd,
    origin::Allowlist,
    policy::Limits,
    rotation::{KeySecrets, Secret},
    scope::GrantSet,
    time::Timestamp,
    window::WindowLength,
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
    /// Its calls that are not settled.
    pub leases: Leases,
    /// What client sessions of the key have run up.
    pub tabs: Tabs,
    /// The window of its project's rate, where the project has one: each request then takes a token of the project's.
    pub project_window: Option<WindowLength>,
    /// Its counters.
    pub counters: Counters,
}

impl Cell {
    /// The key's secrets; `None` for the cell of an account's sessions.
    #[must_use]
    pub fn secrets(&self) -> Option<&KeySecrets> {
        match &self.proof {
            StoredProof::Key(secrets) => Some(secrets),
            StoredProof::Sessions(_) => None,
        }
    }

    /// Whether it was ended, by its owner or by time: no secret of it works.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.status == Status::Revoked || self.expires_at.is_some_and(|end| end <= now)
    }

    /// How soon the secret that was presented stops working, where that is within [`WARNING_SECONDS`].
    #[must_use]
    pub fn expires_in_seconds(&self, presented: Secret, now: Timestamp) -> Option<u64> {
        let rotation = self.secrets().and_then(|secrets| secrets.rotation);
        let grace_end = rotation.filter(|_| presented == Secret::Old).and_then(|rotation| rotation.grace.end());
        let end = self.expires_at.into_iter().chain(grace_end).min()?;
        Some(now.seconds_until(end)).filter(|seconds| *seconds <= WARNING_SECONDS)
    }
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
    /// A key's secrets.
    Key(KeySecrets),
    /// The account's live logins, each with its end.
    Sessions(BTreeMap<SessionId, Timestamp>),
}

/// The money a cell holds: a slice that was debited from its project, never more than its budget in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purse {
    /// Spendable now.
    pub balance: MicroUsd,
    /// Held by calls that are not settled: neither spendable nor spent.
    pub reserved: MicroUsd,
    /// Received so far, less what was returned.
    pub granted: MicroUsd,
    /// Number of the last grant received.
    pub grant_seq: u64,
    /// The last return that was begun: what left the cell, and the return's number.
    pub returns: Return,
    /// The number of the last return of which the cell was told that it has arrived; others may have since.
    pub acknowledged: u64,
    /// The most that may be spent in all; `None` leaves it to the project.
    pub budget: Option<MicroUsd>,
}

impl Purse {
    /// A purse that nothing has been put into.
    #[must_use]
    pub fn empty(budget: Option<MicroUsd>) -> Self {
        let zero = MicroUsd::ZERO;
        Self {
            balance: zero,
            reserved: zero,
            granted: zero,
            grant_seq: 0,
            returns: Return::default(),
            acknowledged: 0,
            budget,
        }
    }

    /// Captured so far.
    #[must_use]
    pub fn spent(&self) -> MicroUsd {
        self.granted.minus(self.balance).minus(self.reserved)
    }

    /// What may still be granted under the budget.
    #[must_use]
    pub fn room(&self) -> MicroUsd {
        self.budget.map_or(MicroUsd::MAX, |budget| budget.minus(self.granted))
    }
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

/// From how many seconds before its end on a key's callers are warned: a week.
pub const WARNING_SECONDS: u64 = 604_800;
const SESSION_PREFIX: &str = "ssn_";

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
}
