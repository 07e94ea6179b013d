//! How a wallet forgets the cells that nothing is on its way to or from, so that it stays small however many there are.
//!
//! An entry keeps a copy of a debit, or of a return's receipt, from being applied twice. Where it is removed, the count of
//! sweeps does so in its place: a debit, or a receipt, requires the count that its sender knew before it read the cell. If
//! that is still the count, no entry was removed since, and the one that would refuse the copy is still there.

use std::collections::BTreeMap;

use crate::{
    cell::{CellId, Purse},
    funding::{Child, Wallet},
};

/// One removal of entries: applied as a whole, and only while they are as they were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// How often entries had been removed before.
    pub sweeps: u64,
    /// The entries to remove.
    pub settled: BTreeMap<CellId, Child>,
}

/// What a sweep may do about one entry, given the cell as it was read after the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Remove it: whatever it tells of has arrived, and the cell knows.
    Now,
    /// Remove it once the cell was told that this return has arrived.
    AfterAcknowledging(u64),
    /// Keep it: something is on its way, or it has changed since it was seen.
    Not,
}

impl Wallet {
    /// Whether there are so many entries that some should be removed.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.children.len() >= CROWDED
    }

    /// The cells to look at in one sweep; those that took tokens of the project's rate last are left the longest, because
    /// what they are given next depends on it.
    #[must_use]
    pub fn candidates(&self) -> Vec<CellId> {
        let mut children: Vec<_> = self.children.iter().collect();
        children.sort_by_key(|(_, child)| child.last.tokens.map(|tokens| tokens.index));
        let count = children.len().saturating_sub(KEPT).min(MAX_SWEPT);
        children.into_iter().take(count).map(|(id, _)| id.clone()).collect()
    }
}

impl Child {
    /// What may be done about this entry, given its cell.
    #[must_use]
    pub fn removal(&self, purse: &Purse) -> Removal {
        let is_on_its_way =
            self.last.seq > purse.grant_seq || purse.returns.seq > self.returned.max(purse.acknowledged);
        // The cell has come further than the entry says: it is not as it was seen any more.
        let is_older = |seen, known| 0 < seen && seen < known;
        if is_on_its_way || is_older(self.last.seq, purse.grant_seq) || is_older(self.returned, purse.acknowledged) {
            return Removal::Not;
        }
        if self.returned > purse.acknowledged { Removal::AfterAcknowledging(self.returned) } else { Removal::Now }
    }
}

impl Sweep {
    /// Whether it removes so many that others, whose debits it refuses, should have to read their cells again for it.
    #[must_use]
    pub fn is_worthwhile(&self) -> bool {
        self.settled.len() >= FEWEST_SWEPT
    }
}

/// A sweep of fewer can wait.
const FEWEST_SWEPT: usize = 4;
/// With this many entries a wallet's item is about as large as one write unit pays for.
const CROWDED: usize = 24;
/// So many stay.
const KEPT: usize = 12;
/// One write removes at most this many: its condition names each of them.
const MAX_SWEPT: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        funding::{Grant, Return, TokenSlice},
        id::KeyId,
        money::MicroUsd,
    };

    fn cell(number: u8) -> CellId {
        CellId::Key(KeyId::from_suffix(&format!("{number:0>16}")).unwrap())
    }

    fn child(seq: u64, returned: u64) -> Child {
        Child { last: Grant { seq, ..Grant::default() }, returned }
    }

    fn purse(grant_seq: u64, returned: u64, acknowledged: u64) -> Purse {
        let returns = Return { amount: MicroUsd::ZERO, seq: returned };
        Purse { grant_seq, returns, acknowledged, ..Purse::empty(None) }
    }

    #[test]
    fn an_entry_stays_while_something_is_on_its_way() {
        for (entry, purse, removal) in [
            (child(4, 0), purse(4, 0, 0), Removal::Now),
            (child(4, 0), purse(3, 0, 0), Removal::Not),
            (child(4, 0), purse(5, 0, 0), Removal::Not),
            (child(4, 1), purse(4, 2, 2), Removal::Not),
            (child(0, 2), purse(5, 2, 2), Removal::Now),
            (child(4, 1), purse(4, 1, 1), Removal::Now),
            (child(4, 1), purse(4, 1, 0), Removal::AfterAcknowledging(1)),
            (child(4, 1), purse(4, 2, 1), Removal::Not),
            (child(4, 1), purse(4, 2, 0), Removal::Not),
            (child(0, 0), purse(4, 3, 3), Removal::Now),
            (child(4, 0), purse(4, 1, 0), Removal::Not),
        ] {
            assert_eq!(entry.removal(&purse), removal, "{entry:?} {purse:?}");
        }
    }

    #[test]
    fn what_is_removed_and_what_stays_is_bounded() {
        let of = |count: u8| Wallet {
            children: (0..count).map(|number| (cell(number), child(1, 0))).collect(),
            ..Wallet::default()
        };
        let looked_at = |count| (of(count).is_crowded(), of(count).candidates().len());
        for (count, expected) in [(0, (false, 0)), (23, (false, 11)), (24, (true, 12)), (200, (true, 24))] {
            assert_eq!(looked_at(count), expected, "{count}");
        }
    }

    #[test]
    fn who_took_tokens_last_is_left_the_longest() {
        let with_tokens = |index| Child {
            last: Grant { tokens: Some(TokenSlice { index, count: 1 }), ..child(1, 0).last },
            ..child(1, 0)
        };
        let entry = |number: u8| match number {
            0..13 => (cell(number), with_tokens(9)),
            13..20 => (cell(number), child(1, 0)),
            _ => (cell(number), with_tokens(8)),
        };
        let wallet = Wallet { children: (0..26).map(entry).collect(), ..Wallet::default() };
        let chosen = wallet.candidates();
        let newest = |id: &&CellId| wallet.children[*id].last.tokens.is_some_and(|tokens| tokens.index == 9);
        assert_eq!((chosen.len(), chosen.iter().filter(newest).count()), (14, 1));
    }
}
