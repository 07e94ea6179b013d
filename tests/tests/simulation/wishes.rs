//! What the keys' owner asked for and was promised.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    image::CellImage,
    ledger::{Ledger, Violation},
    script::Change,
};

/// One change that the owner asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) partition: String,
    pub(crate) change: Change,
    pub(crate) began: u64,
    /// The moment in which it was answered, and the status; nothing where its instance crashed.
    pub(crate) told: Option<(u64, u16)>,
}

/// Checks that what was confirmed is so. Senders in `strays` had something carried out that nobody waited for any more.
///
/// # Errors
/// The first promise that was broken.
pub(crate) fn check(wishes: &BTreeMap<u64, Wish>, strays: &BTreeSet<u64>, ledger: &Ledger) -> Result<(), Violation> {
    for (number, wish) in wishes {
        let Some((told, status)) = wish.told else { continue };
        let cells = || ledger.cells[&wish.partition].during(wish.began, told).map(|(_, cell)| cell);
        let is_kept = match status {
            200 | 204 => cells().any(|cell| wish.is_fulfilled(cell)),
            409 => cells().any(|cell| cell.status == "R"),
            _ => status >= 500,
        };
        if !is_kept {
            return Err(format!("wish {number} was told {status}, which is not so: {wish:?}"));
        }
        if matches!(status, 200 | 204) {
            let is_rival = |(other, rival): &(&u64, &Wish)| *other != number && rival.is_about_the_same(wish);
            let rivals: Vec<_> = wishes.iter().filter(is_rival).collect();
            // Changes have no numbers: a stray copy of another one is carried out like a new one.
            let is_open = |(other, rival): &(&u64, &Wish)| strays.contains(other) || rival.overlaps(wish.began, told);
            if !rivals.iter().any(is_open) {
                let next = rivals.iter().map(|(_, rival)| rival.began).filter(|began| *began > told).min();
                wish.check_lasting(told, next.unwrap_or(ledger.moment()), ledger)?;
            }
        }
    }
    Ok(())
}

impl Wish {
    fn is_about_the_same(&self, other: &Self) -> bool {
        self.partition == other.partition && self.change.is_about_the_same(&other.change)
    }

    /// Whether it was on its way at some moment between these.
    fn overlaps(&self, began: u64, told: u64) -> bool {
        self.began <= told && self.told.is_none_or(|(at, status)| at >= began || status >= 500)
    }

    /// What was confirmed stays until somebody asks for something else, or the key ends.
    fn check_lasting(&self, told: u64, until: u64, ledger: &Ledger) -> Result<(), Violation> {
        let is_kept = |cell: &CellImage| self.is_fulfilled(cell) || cell.status == "R";
        let undone = ledger.cells[&self.partition].during(told, until).find(|(_, cell)| !is_kept(cell));
        undone.map_or(Ok(()), |(moment, _)| Err(format!("what was confirmed was undone in moment {moment}: {self:?}")))
    }

    fn is_fulfilled(&self, cell: &CellImage) -> bool {
        match &self.change {
            Change::Freeze(true) => cell.status == "F",
            Change::Freeze(false) => cell.status == "A",
            Change::Revoke => cell.status == "R",
            Change::Budget { cents } => cell.budget == cents.map(|cents| i64::try_from(cents).unwrap() * 10_000),
            Change::Limits(limits) => {
                [cell.limit, cell.burst, cell.per_day, cell.concurrent]
                    == limits.numbers().map(|limit| i64::try_from(limit).unwrap())
            }
        }
    }
}
