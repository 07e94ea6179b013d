//! What every single write must leave behind, compared with what was there before it.

use std::collections::BTreeMap;

use crate::{
    image::{CellImage, WalletImage},
    ledger::{Charge, Ledger, Touched, Violation, charge_id},
    world::CEILING_MICRO_USD,
};

/// Checks a write or transaction before it is booked.
///
/// # Errors
/// The first rule that it broke, with the state before and after.
pub(crate) fn check(ledger: &Ledger, touched: &Touched, charge: Option<&Charge>) -> Result<(), Violation> {
    for (partition, after) in &touched.cells {
        let before = ledger.cells[partition].last();
        let told = |rule: Violation| format!("{rule}\n  before: {before:?}\n  after:  {after:?}");
        let moved = expense(ledger, touched, partition, before, after, charge).map_err(told)?;
        check_cell(before, after, charge, moved).map_err(told)?;
        check_tabs(ledger, touched, partition, before, after, charge).map_err(told)?;
    }
    if let Some(after) = &touched.wallet {
        let before = ledger.wallet.last();
        check_wallet(before, after).map_err(|rule| format!("{rule}\n  before: {before:?}\n  after:  {after:?}"))?;
    }
    Ok(())
}

/// What a write may charge: fixed prices, leases that lapse, leases that were settled.
fn expense(
    ledger: &Ledger,
    touched: &Touched,
    partition: &str,
    before: &CellImage,
    after: &CellImage,
    charge: Option<&Charge>,
) -> Result<i64, Violation> {
    let cost_of = |nonce: &str| {
        let settled = ledger.settlements.get(&charge_id(partition, nonce));
        settled.map(|(_, cost)| *cost).ok_or_else(|| format!("lease {nonce} was ended and never settled"))
    };
    let is_retired = |nonce: &str, amount: i64| {
        touched.retired.iter().any(|moved| *moved == (charge_id(partition, nonce), Some(amount)))
    };
    let mut moved = charge.filter(|charge| !charge.is_leased).map_or(0, |charge| charge.cost);
    for (nonce, lease) in before.held.iter().filter(|(nonce, _)| !after.held.contains_key(*nonce)) {
        moved += if after.lapsed.get(nonce) == Some(lease) { lease.amount } else { cost_of(nonce)? };
    }
    for (nonce, lease) in before.lapsed.iter().filter(|(nonce, _)| !after.lapsed.contains_key(*nonce)) {
        moved += if is_retired(nonce, lease.amount) { 0 } else { cost_of(nonce)? - lease.amount };
    }
    for (id, _) in touched.retired.iter().filter(|(_, amount)| amount.is_none()) {
        if let Some((nonce, amount)) = id.strip_prefix(&charge_id(partition, "")).zip(ledger.retired.get(id)) {
            moved += cost_of(nonce)? - amount;
        }
    }
    let own = charge.filter(|charge| charge.is_leased).map(|charge| &charge.nonce);
    let is_old = |nonce: &String| before.held.contains_key(nonce) || before.lapsed.contains_key(nonce);
    let stranger = after.held.keys().chain(after.lapsed.keys()).find(|nonce| !is_old(nonce) && Some(*nonce) != own);
    stranger.map_or(Ok(moved), |nonce| Err(format!("lease {nonce} came from nowhere")))
}

/// A tab is what the session's calls cost, and reserve: at most its ceiling.
fn check_tabs(
    ledger: &Ledger,
    touched: &Touched,
    partition: &str,
    before: &CellImage,
    after: &CellImage,
    charge: Option<&Charge>,
) -> Result<(), Violation> {
    let is_in = |cell: &CellImage, nonce: &str| cell.held.contains_key(nonce) || cell.lapsed.contains_key(nonce);
    let own = |id: &str| id.strip_prefix(&charge_id(partition, "")).map(str::to_owned);
    let moved_out: Vec<_> = touched.retired.iter().filter_map(|(id, amount)| Some((own(id)?, *amount))).collect();
    let in_cell = before.held.iter().chain(&before.lapsed).map(|(nonce, lease)| (nonce.clone(), lease.amount));
    let ended = in_cell.filter(|(nonce, _)| !is_in(after, nonce) && !moved_out.iter().any(|(moved, _)| moved == nonce));
    let ended_late = moved_out.iter().filter(|(_, amount)| amount.is_none());
    let ended_late =
        ended_late.filter_map(|(nonce, _)| Some((nonce.clone(), *ledger.retired.get(&charge_id(partition, nonce))?)));
    let mut moved: BTreeMap<&str, i64> = BTreeMap::new();
    for (nonce, amount) in ended.chain(ended_late) {
        let id = charge_id(partition, &nonce);
        if let Some(session) = ledger.charges.get(&id).and_then(|charge| charge.session.as_deref()) {
            *moved.entry(session).or_default() += ledger.settlements.get(&id).map_or(0, |(_, cost)| *cost) - amount;
        }
    }
    if let Some((session, charge)) = charge.and_then(|charge| Some((charge.session.as_deref()?, charge))) {
        *moved.entry(session).or_default() += charge.cost;
    }
    for (session, tab) in &after.tabs {
        let then = before.tabs.get(session).ok_or("a tab came from nowhere")?;
        let by = moved.get(session.as_str()).copied().unwrap_or_default();
        let rules = [
            (tab.end_s == then.end_s, "a tab's end was moved"),
            (tab.amount - then.amount == by, "something else was put on a tab than its session's calls cost"),
            (tab.amount <= CEILING_MICRO_USD, "a client session cost more than its ceiling"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err((*rule).to_owned()))?;
    }
    let stranger = after.on_tabs.keys().find(|nonce| !is_in(after, nonce));
    stranger.map_or(Ok(()), |nonce| Err(format!("{nonce} is on a tab and has no lease")))
}

fn check_cell(before: &CellImage, after: &CellImage, charge: Option<&Charge>, moved: i64) -> Result<(), Violation> {
    let is_kept = |(name, then): (&String, &i64)| after.lanes.get(name).is_none_or(|now| now >= then);
    let later = |name: &str| after.counters.get(name).copied() >= before.counters.get(name).copied();
    let booked = |letter: &str| {
        let sums = after.counters.iter().filter(|(name, _)| name.starts_with(letter));
        sums.map(|(name, sum)| sum - before.counters.get(name).copied().unwrap_or_default()).sum::<i64>()
    };
    let is_leased = charge.is_some_and(|charge| charge.is_leased);
    let held = i64::try_from(after.held.len()).unwrap();
    let rules = [
        (after.balance >= 0, "a balance is below zero"),
        (after.spent() - before.spent() == moved, "a write charged something else than it should"),
        (booked("y") == moved && booked("z") == moved, "a write booked something else than it charged"),
        (after.requests - before.requests == i64::from(charge.is_some()), "a write counted something else"),
        (["w", "wt", "ws"].into_iter().all(later), "a cell went back to an earlier window"),
        (before.status != "R" || after.status == "R", "a revoked key came back"),
        (charge.is_none() || after.status == "A", "a key that is not active was charged"),
        (before.lanes.iter().all(is_kept), "a lane went back to an earlier number"),
        (!is_leased || held <= after.concurrent, "more calls are running than may be"),
        (
            after.granted <= before.granted || after.budget.is_none_or(|budget| after.granted <= budget),
            "a key was granted more than its budget",
        ),
    ];
    rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err((*rule).to_owned()))
}

fn check_wallet(before: &WalletImage, after: &WalletImage) -> Result<(), Violation> {
    let is_sweep = after.sweeps != before.sweeps && before.sweeps.is_some();
    let is_kept = |(cell, seq): (&String, &i64)| after.grant_seqs.get(cell).map_or(is_sweep, |later| later >= seq);
    let is_received = |(cell, seq): (&String, &i64)| after.return_seqs.get(cell).map_or(is_sweep, |later| later >= seq);
    let rules = [
        (after.available >= 0, "a wallet is below zero"),
        (after.sweeps >= before.sweeps, "a wallet's sweeps went back"),
        (!is_sweep || after.available == before.available, "a sweep moved money"),
        (before.grant_seqs.iter().all(is_kept), "a grant's number went back"),
        (before.return_seqs.iter().all(is_received), "a return's number went back"),
    ];
    rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err((*rule).to_owned()))
}
