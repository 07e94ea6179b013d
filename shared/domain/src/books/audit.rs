//! Recomputes what the cells and wallets hold from what was written down of each movement, and says where they differ.
//!
//! Cells and wallets are read while money moves. Each says up to which number of its sequences it has come, so the books are
//! added up to exactly those numbers, however much further they are by then.

use std::{collections::BTreeMap, fmt};

use crate::{
    cell::{Cell, CellId},
    charge::ChargeNonce,
    funding::{Child, Wallet},
    id::ProjectId,
    ledger::{AccountWallet, Entry, EntryKind},
    money::MicroUsd,
    time::Timestamp,
};

use super::{Numbers, Period};

/// One admitted request as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedRow {
    /// Its charge.
    pub charge: ChargeNonce,
    /// When it was admitted.
    pub at: Timestamp,
    /// Its number among the cell's requests.
    pub seq: u64,
    /// What it was charged, or what it reserved.
    pub amount: MicroUsd,
    /// Whether that is only reserved until it is settled.
    pub is_leased: bool,
    /// The settlement's number, and what the call cost.
    pub settled: Option<(u64, MicroUsd)>,
}

/// The sums of a cell and a day of which all rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditedDay {
    /// The day.
    pub period: Period,
    /// The highest request that is counted.
    pub requests: u64,
    /// The highest settlement that is counted.
    pub settlements: u64,
    /// The sums.
    pub sum: Numbers,
    /// Whether nothing below those numbers was ever left out.
    pub is_whole: bool,
}

/// What the books have of one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellBooks {
    /// Requests whose rows are kept no more, by their days.
    pub older: Numbers,
    /// All others.
    pub rows: Vec<AuditedRow>,
    /// The sums of the days of those.
    pub days: Vec<AuditedDay>,
    /// Grants by number, in millionths of a dollar; one that brought no money counts too.
    pub grants: BTreeMap<u64, i64>,
    /// Returns by number, in millionths of a dollar.
    pub returns: BTreeMap<u64, i64>,
    /// Leases that were moved out of the cell.
    pub retired: BTreeMap<ChargeNonce, MicroUsd>,
    /// What is missing from the books.
    pub holes: Vec<String>,
}

/// A number that is not what the books say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Of which item.
    pub item: String,
    /// Which number.
    pub what: &'static str,
    /// What the books say.
    pub books: String,
    /// What the item holds.
    pub held: String,
}

impl Difference {
    /// Entries that no wallet has ever come to.
    #[must_use]
    pub fn surplus(item: String, written: u64, counted: u64) -> Self {
        Self { item, what: "entries", books: written.to_string(), held: counted.to_string() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}: the books say {}, it holds {}", self.item, self.what, self.books, self.held)
    }
}

impl CellBooks {
    /// Compares a cell with its books, which must have come at least as far as the cell.
    #[must_use]
    pub fn compare(&self, id: &CellId, cell: &Cell, settlements: u64) -> Vec<Difference> {
        let mut found = Findings { item: id.partition(), differences: Vec::new() };
        let requests = cell.counters.requests;
        let rows: Vec<_> = self.rows.iter().filter(|row| row.seq <= requests).collect();
        let counted = i128::from(self.older.calls) + i128::from(count(rows.len()));
        found.compare("requests", counted, i128::from(requests));
        let granted = up_to(&self.grants, cell.purse.grant_seq) - up_to(&self.returns, cell.purse.returns.seq);
        found.compare("granted, µUSD", granted, amount(cell.purse.granted));
        let charged = rows.iter().fold(i128::from(self.older.micro_usd), |sum, row| {
            let settled = row.settled.filter(|(seq, _)| *seq <= settlements);
            sum + amount(settled.map_or(row.amount, |(_, actual)| actual))
        });
        let taken = amount(cell.purse.granted) - amount(cell.purse.balance);
        found.compare("spent and reserved, µUSD", charged, taken);
        found.compare("balance, µUSD", granted - charged, amount(cell.purse.balance));
        self.compare_leases(&mut found, cell, &rows, settlements);
        self.compare_days(&mut found);
        for hole in &self.holes {
            found.note("gap", format!("{hole} is missing"), "all of them".to_owned());
        }
        found.differences
    }

    /// The sums of a day are those of its rows. A day with a gap is left to the gap.
    fn compare_days(&self, found: &mut Findings) {
        for day in self.days.iter().filter(|day| day.is_whole) {
            let of_day = |row: &&AuditedRow| Period::day_of(row.at) == day.period && row.seq <= day.requests;
            let rows = self.rows.iter().filter(of_day);
            let (calls, charged) = rows.fold((0_i128, 0_i128), |(calls, charged), row| {
                let settled = row.settled.filter(|(seq, _)| *seq <= day.settlements);
                (calls + 1, charged + amount(settled.map_or(row.amount, |(_, actual)| actual)))
            });
            found.compare("rows of a day and its calls", calls, i128::from(day.sum.calls));
            found.compare("rows of a day and its sum, µUSD", charged, i128::from(day.sum.micro_usd));
        }
    }

    /// Each call that nobody has settled holds a lease, or has held one; and each lease is such a call's.
    fn compare_leases(&self, found: &mut Findings, cell: &Cell, rows: &[&AuditedRow], settlements: u64) {
        let mut open: BTreeMap<&ChargeNonce, MicroUsd> = BTreeMap::new();
        for row in rows {
            let is_settled = row.settled.is_some_and(|(seq, _)| seq <= settlements);
            if row.is_leased && !is_settled {
                open.insert(&row.charge, row.amount);
            }
        }
        let kept = cell.leases.held.iter().chain(&cell.leases.lapsed).map(|(charge, lease)| (charge, lease.amount));
        for (charge, reserved) in kept {
            match open.remove(charge) {
                Some(known) if known == reserved => {}
                Some(known) => found.note("lease, µUSD", known.to_string(), reserved.to_string()),
                // Its row is kept no more.
                None if self.older.calls > 0 => {}
                None => found.note("lease", "no such call is open".to_owned(), charge.as_str().to_owned()),
            }
        }
        for (charge, reserved) in open {
            if self.retired.get(charge) != Some(&reserved) {
                found.note("lease", format!("{} reserves {reserved}", charge.as_str()), "none".to_owned());
            }
        }
    }
}

/// Compares a project's wallet with what its account's entries moved to it, and with what its cells received of it;
/// `children` says of each cell how far it had come when the wallet was as it is here.
#[must_use]
pub fn compare_project(
    id: &ProjectId,
    wallet: &Wallet,
    children: &BTreeMap<CellId, Child>,
    entries: &[Entry],
    books: &BTreeMap<CellId, CellBooks>,
) -> Vec<Difference> {
    let mut found = Findings { item: id.to_string(), differences: Vec::new() };
    let allocated: i128 = entries.iter().filter(|entry| entry.project.as_ref() == Some(id)).map(to_project).sum();
    found.compare("allocated, µUSD", allocated, amount(wallet.allocated));
    let granted: i128 = children
        .iter()
        .map(|(cell, child)| {
            let empty = CellBooks::default();
            let books = books.get(cell).unwrap_or(&empty);
            // The last grant may have been debited and not have arrived yet.
            let on_the_way = if books.grants.contains_key(&child.last.seq) { 0 } else { amount(child.last.amount) };
            up_to(&books.grants, child.last.seq) + on_the_way - up_to(&books.returns, child.returned)
        })
        .sum();
    found.compare("available, µUSD", amount(wallet.allocated) - granted, amount(wallet.available));
    found.differences
}

/// Compares an account's wallet with its entries, the first `wallet.entries` of which it has come to.
#[must_use]
pub fn compare_account(item: &str, wallet: &AccountWallet, entries: &[Entry]) -> Vec<Difference> {
    let mut found = Findings { item: item.to_owned(), differences: Vec::new() };
    found.compare("entries", i128::from(count(entries.len())), i128::from(wallet.entries));
    let sum: i128 = entries.iter().map(to_account).sum();
    found.compare("wallet, µUSD", sum, amount(wallet.available));
    found.differences
}

fn to_account(entry: &Entry) -> i128 {
    match entry.kind {
        EntryKind::SignUp | EntryKind::Credit | EntryKind::Return | EntryKind::RefundReversed => amount(entry.amount),
        EntryKind::Allocation | EntryKind::Refund => -amount(entry.amount),
    }
}

fn to_project(entry: &Entry) -> i128 {
    match entry.kind {
        EntryKind::Allocation => amount(entry.amount),
        EntryKind::Return => -amount(entry.amount),
        EntryKind::SignUp | EntryKind::Credit | EntryKind::Refund | EntryKind::RefundReversed => 0,
    }
}

struct Findings {
    item: String,
    differences: Vec<Difference>,
}

impl Findings {
    fn compare(&mut self, what: &'static str, books: i128, held: i128) {
        if books != held {
            self.note(what, books.to_string(), held.to_string());
        }
    }

    fn note(&mut self, what: &'static str, books: String, held: String) {
        self.differences.push(Difference { item: self.item.clone(), what, books, held });
    }
}

fn up_to(amounts: &BTreeMap<u64, i64>, last: u64) -> i128 {
    amounts.range(..=last).map(|(_, moved)| i128::from(*moved)).sum()
}

fn amount(money: MicroUsd) -> i128 {
    i128::from(money.micro_usd())
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
