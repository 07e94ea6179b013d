//! Money between an account and its projects: moved once with its entry, or not at all.

use faregate_domain::idempotency::Fingerprint;

use super::*;
use crate::{Account, account::tests::table_with_account};

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

/// The entry that follows so many.
fn entry(entries: u64, kind: EntryKind, amount: u64) -> Entry {
    let at = Timestamp::from_epoch_s(1_760_000_100 + entries);
    let id = EntryId::numbered(entries + 1, &mut |pool| pool.fill(1));
    Entry { id, kind, amount: usd(amount), project: None, reference: None, at }
}

fn record() -> Record {
    Record {
        name: "idm_1".to_owned(),
        fingerprint: Fingerprint::of(b"body"),
        sealed_answer: vec![1],
        end: Timestamp::from_epoch_s(1_760_001_000),
    }
}

async fn deposit(store: &Store, account: &Account, reference: &str, before: (u64, u64), entry: &Entry) -> Deposited {
    let before = AccountWallet { available: usd(before.0), entries: before.1, ..AccountWallet::default() };
    let (reference, after) = (Reference::parse(reference).unwrap(), before.available.plus(entry.amount));
    let deposit = Deposit { account: &account.id, reference: &reference, before, after, entry, record: None };
    store.deposit(&deposit).await.unwrap()
}

async fn transfer(
    store: &Store,
    account: &Account,
    movement: Movement,
    before: (Balances, u64),
    entry: &Entry,
) -> Transferred {
    let (before, entries) = before;
    let transfer = Transfer {
        account: &account.id,
        project: &account.default_project,
        movement,
        entries,
        before,
        after: before.after(movement).unwrap(),
        entry,
        record: None,
    };
    store.transfer(&transfer).await.unwrap()
}

async fn balances(store: &Store, account: &Account) -> (Balances, u64) {
    let wallet = store.find_wallet(&account.default_project).await.unwrap().unwrap();
    let own = store.find_account_wallet(&account.id).await.unwrap().unwrap();
    let (allocated, available) = (wallet.allocated, wallet.available);
    (Balances { account: own.available, allocated, available }, own.entries)
}

#[tokio::test]
async fn a_new_account_starts_with_two_entries() {
    let (store, account) = table_with_account().await;
    let entries = store.find_entries(&account.id, None, 10).await.unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.amount, entry.project.clone())).collect();
    let credit = usd(5_000_000);
    let project = Some(account.default_project.clone());
    assert_eq!(kinds, [(EntryKind::Allocation, credit, project), (EntryKind::SignUp, credit, None)]);
    let balances = balances(&store, &account).await;
    assert_eq!(balances, (Balances { account: usd(0), allocated: credit, available: credit }, 2));
}

#[tokio::test]
async fn a_transfer_that_is_sent_again_moves_once() {
    let (store, account) = table_with_account().await;
    let before = balances(&store, &account).await;
    let back = entry(2, EntryKind::Return, 2_000_000);
    for _ in 0..2 {
        let moved = transfer(&store, &account, Movement::Return(back.amount), before, &back).await;
        assert_eq!(moved, Transferred::Moved);
    }
    let after = balances(&store, &account).await;
    let wanted = Balances { account: usd(2_000_000), allocated: usd(3_000_000), available: usd(3_000_000) };
    assert_eq!(after, (wanted, 3));
    assert_eq!(store.find_entries(&account.id, None, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_transfer_rests_on_the_whole_state_that_it_was_computed_from() {
    let (store, account) = table_with_account().await;
    let now = balances(&store, &account).await;
    let (balances_now, one) = (now.0, usd(1));
    for (stale, amount) in [
        // Another entry was written meanwhile.
        ((balances_now, 1), 1),
        ((Balances { account: one, ..balances_now }, 2), 1),
        ((Balances { allocated: balances_now.allocated.plus(one), ..balances_now }, 2), 1),
        // What goes back was granted to a key meanwhile.
        ((Balances { available: balances_now.available.plus(one), ..balances_now }, 2), 5_000_001),
    ] {
        let back = entry(2, EntryKind::Return, amount);
        let met = transfer(&store, &account, Movement::Return(back.amount), stale, &back).await;
        assert_eq!((met, balances(&store, &account).await), (Transferred::Outdated, now), "{stale:?}");
    }
    assert_eq!(store.find_entries(&account.id, None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_reference_is_credited_once_for_ever() {
    let (store, account) = table_with_account().await;
    let first = entry(2, EntryKind::Credit, 7);
    for _ in 0..2 {
        assert_eq!(deposit(&store, &account, "r", (0, 2), &first).await, Deposited::Moved);
    }
    let credited =
        Credited { account: account.id.clone(), amount: usd(7), entry: first.id.clone(), after: usd(7), at: first.at };
    let second = entry(3, EntryKind::Credit, 7);
    assert_eq!(deposit(&store, &account, "r", (7, 3), &second).await, Deposited::Known(credited.clone()));
    for stale in [(0, 3), (7, 2)] {
        assert_eq!(deposit(&store, &account, "s", stale, &second).await, Deposited::Outdated);
    }
    assert_eq!(store.find_credited(&Reference::parse("r").unwrap()).await.unwrap(), Some(credited));
    let wallet = AccountWallet { available: usd(7), entries: 3, ..AccountWallet::default() };
    assert_eq!(store.find_account_wallet(&account.id).await.unwrap(), Some(wallet));
}

#[tokio::test]
async fn a_recorded_request_moves_nothing() {
    let (store, account) = table_with_account().await;
    let record = record();
    for (entries, wanted) in [(2, Transferred::Moved), (3, Transferred::Recorded)] {
        let (before, _) = balances(&store, &account).await;
        let movement = Movement::Return(usd(1));
        let entry = entry(entries, EntryKind::Return, 1);
        let transfer = Transfer {
            account: &account.id,
            project: &account.default_project,
            movement,
            entries,
            before,
            after: before.after(movement).unwrap(),
            entry: &entry,
            record: Some(&record),
        };
        assert_eq!(store.transfer(&transfer).await.unwrap(), wanted);
    }
    assert_eq!(balances(&store, &account).await.0.account, usd(1));
}

#[tokio::test]
async fn entries_are_read_from_the_newest_page_by_page() {
    let (store, account) = table_with_account().await;
    let mut available = 0;
    for entries in 2..7 {
        let entry = entry(entries, EntryKind::Credit, entries);
        let met = deposit(&store, &account, &entries.to_string(), (available, entries), &entry).await;
        assert_eq!(met, Deposited::Moved);
        available += entries;
    }
    let (mut amounts, mut after) = (Vec::new(), None);
    loop {
        let page = store.find_entries(&account.id, after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        amounts.extend(page.iter().map(|entry| entry.amount.micro_usd()));
    }
    assert_eq!(amounts, [6, 5, 4, 3, 2, 5_000_000, 5_000_000]);
}
