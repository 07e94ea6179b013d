//! The books against what the callers know, and against the cells and wallets.

use std::collections::HashMap;

use faregate_domain::{cell::CellId, charge::ChargeId, id::AccountId};
use faregate_edge::now::Clock;
use faregate_gate::audit::{Auditor, Report};
use faregate_store::{RequestRow, Store};

use crate::load::tally::Tally;

/// What was found.
#[derive(Default)]
pub(crate) struct Comparison {
    /// Rows in the books.
    pub(crate) rows: u64,
    /// What is not as it should be.
    pub(crate) differences: Vec<String>,
    /// What the rows cost, in millionths of a dollar.
    micro_usd: u64,
    /// Rows of changes by owners.
    managed: u64,
}

/// What the days of an account come to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    calls: i64,
    micro_usd: i64,
}

impl Comparison {
    /// Compares the whole table.
    pub(crate) async fn of(store: &Store, tally: &Tally) -> Self {
        let (mut found, mut report, mut left) = (Self::default(), Report::default(), tally.charges());
        let auditor = Auditor::new(store.clone(), Clock::system().now());
        found.differences = tally.faults();
        let known = tally.counts();
        for account in accounts(store).await {
            let audited = auditor.account(&account, &mut report).await;
            found.differences.extend(audited.err().map(|error| format!("{account}: {error}")));
            found.account(store, &account, &mut left).await;
        }
        found.differences.extend(report.differences.iter().map(ToString::to_string));
        found.differences.extend(left.keys().map(|charge| format!("{charge}: no row")));
        let aside = store.find_set_aside(None, 10).await.unwrap_or_else(|error| panic!("set aside: {error}"));
        found.differences.extend(aside.iter().map(|one| format!("set aside: {}", one.why)));
        for (what, books, wanted) in [
            ("rows and admissions", found.rows, known.admitted),
            ("requests of the cells and admissions", report.requests, known.admitted),
            ("rows of changes and changes", found.managed, tally.managed_count()),
            ("µUSD of the rows and of the callers", found.micro_usd, known.micro_usd),
            ("µUSD of the cells and of the callers", report.charged_micro_usd, known.micro_usd),
        ] {
            if books != wanted {
                found.differences.push(format!("{what}: {books} and {wanted}"));
            }
        }
        found
    }

    /// Each row of an account against its call, and all of them against the days' sums.
    async fn account(&mut self, store: &Store, account: &AccountId, left: &mut HashMap<String, u64>) {
        let mut sums = Sums::default();
        for cell in cells(store, account).await {
            let position = store.find_position(&cell).await.unwrap_or_else(|error| panic!("position: {error}"));
            self.differences.extend(position.position.holes().map(|hole| format!("{}: hole {hole}", cell.partition())));
            let mut after: Option<RequestRow> = None;
            loop {
                let rows = store.find_rows(&cell, after.as_ref(), PAGE).await;
                let rows = rows.unwrap_or_else(|error| panic!("rows: {error}"));
                for row in &rows {
                    sums.calls += 1;
                    sums.micro_usd += i64::try_from(row.cost().micro_usd()).unwrap_or(i64::MAX);
                    self.row(row, left);
                }
                let Some(last) = rows.last() else { break };
                after = Some(last.clone());
            }
        }
        let days = store.find_all_days(account).await.unwrap_or_else(|error| panic!("days: {error}"));
        let booked = days.iter().fold(Sums::default(), |sums, day| {
            let total = day.total();
            Sums { calls: sums.calls + total.calls, micro_usd: sums.micro_usd + total.micro_usd }
        });
        if booked != sums {
            self.differences.push(format!("{account}: days {booked:?}, rows {sums:?}"));
        }
    }

    fn row(&mut self, row: &RequestRow, left: &mut HashMap<String, u64>) {
        let (charge, cost) = (ChargeId { cell: row.cell.clone(), nonce: row.charge.clone() }, row.cost().micro_usd());
        self.rows += 1;
        self.micro_usd += cost;
        if !row.route.contains(" /demo/") {
            self.managed += 1;
            return;
        }
        match left.remove(&charge.to_string()) {
            Some(known) if known == cost => {}
            Some(known) => self.differences.push(format!("{charge}: {cost} µUSD in the books, {known} µUSD paid")),
            None => self.differences.push(format!("{charge}: a row without a call")),
        }
    }
}

async fn accounts(store: &Store) -> Vec<AccountId> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (some, next) = store.scan_accounts(after).await.unwrap_or_else(|error| panic!("accounts: {error}"));
        all.extend(some);
        if next.is_none() {
            return all;
        }
        after = next;
    }
}

/// The cells of an account's keys and sessions.
async fn cells(store: &Store, account: &AccountId) -> Vec<CellId> {
    let mut cells = vec![CellId::Session(account.clone())];
    let mut after = None;
    loop {
        let keys = store.find_keys(account, after.as_ref(), PAGE).await.unwrap_or_else(|error| panic!("keys: {error}"));
        let Some(last) = keys.last() else { return cells };
        after = Some(last.id.clone());
        cells.extend(keys.into_iter().map(|key| CellId::Key(key.id)));
    }
}

const PAGE: u16 = 1_000;
