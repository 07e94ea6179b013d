//! Money between an account and its projects: moved once with its entry, or not at all.

use faregate_domain::idempotency::Fingerprint;

use super::*;
use crate::{Account, account::tests::table_with_account};

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn entry(number: u64, kind: EntryKind, amount: u64) -> Entry {
    let at = Timestamp::from_epoch_s(1_760_000_100 + number);
    let id = EntryId::at(at, &mut |pool| pool.fill(1));
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

async fn deposit(store: &Store, account: &Account, reference: &str, before: u64, entry: &Entry) -> Deposited {
    let (reference, before) = (Reference::parse(reference).unwrap(), usd(before));
    let after = before.plus(entry.amount);
    let deposit = Deposit { account: &account.id, reference: &reference, before, after, entry, record: None };
    store.deposit(&deposit).await.unwrap()
}

async fn transfer(
    store: &Store,
    account: &Account,
    movement: Movement,
    before: Balances,
    entry: &Entry,
) -> Transferred {
    let transfer = Transfer {
        account: &account.id,
        project: &account.default_project,
        movement,
        before,
        after: before.after(movement).unwrap(),
        entry,
        record: None,
    };
    store.transfer(&transfer).await.unwrap()
}

async fn balances(store: &Store, account: &Account) -> Balances {
    let wallet = store.find_wallet(&account.default_project).await.unwrap().unwrap();
    let own = store.find_account_wallet(&account.id).await.unwrap().unwrap();
    Balances { account: own, allocated: wallet.allocated, available: wallet.available }
}

#[tokio::test]
async fn a_new_account_starts_with_two_entries() {
    let (store, account) = table_with_account().await;
    let entries = store.find_entries(&account.id, None, 10).await.unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.amount, entry.project.clone())).collect();
    let credit = usd(5_000_000);
    let project = Some(account.default_project.clone());
    assert_eq!(kinds, [(EntryKind::Allocation, credit, project), (EntryKind::SignUp, credit, None)]);
    assert_eq!(balances(&store, &account).await, Balances { account: usd(0), allocated: credit, available: credit });
}

#[tokio::test]
async fn a_transfer_that_is_sent_again_moves_once() {
    let (store, account) = table_with_account().await;
    let before = balances(&store, &account).await;
    let back = entry(1, EntryKind::Return, 2_000_000);
    for _ in 0..2 {
        let moved = transfer(&store, &account, Movement::Return(back.amount), before, &back).await;
        assert_eq!(moved, Transferred::Moved);
    }
    let after = balances(&store, &account).await;
    assert_eq!((after.account, after.allocated, after.available), (usd(2_000_000), usd(3_000_000), usd(3_000_000)));
    // Computed from balances that no longer hold.
    let again = entry(2, EntryKind::Return, 1);
    assert_eq!(transfer(&store, &account, Movement::Return(usd(1)), before, &again).await, Transferred::Outdated);
    assert_eq!(store.find_entries(&account.id, None, 10).await.unwrap().len(), 3);
    assert_eq!(balances(&store, &account).await, after);
}

#[tokio::test]
async fn an_account_that_has_as_much_as_before_does_not_vouch_for_its_project() {
    let (store, account) = table_with_account().await;
    let before = balances(&store, &account).await;
    // Something was taken back and spent on another project meanwhile.
    let stale = Balances { allocated: before.allocated.plus(usd(1)), ..before };
    let back = entry(1, EntryKind::Return, 1);
    assert_eq!(transfer(&store, &account, Movement::Return(usd(1)), stale, &back).await, Transferred::Outdated);
    assert_eq!(balances(&store, &account).await, before);
}

#[tokio::test]
async fn money_that_was_granted_meanwhile_cannot_go_back() {
    let (store, account) = table_with_account().await;
    let before = balances(&store, &account).await;
    let stale = Balances { available: before.available.plus(usd(1)), ..before };
    let back = entry(1, EntryKind::Return, 5_000_001);
    assert_eq!(transfer(&store, &account, Movement::Return(back.amount), stale, &back).await, Transferred::Outdated);
    assert_eq!(balances(&store, &account).await, before);
}

#[tokio::test]
async fn a_reference_is_credited_once_for_ever() {
    let (store, account) = table_with_account().await;
    let first = entry(1, EntryKind::Credit, 7);
    for _ in 0..2 {
        assert_eq!(deposit(&store, &account, "r", 0, &first).await, Deposited::Moved);
    }
    let credited =
        Credited { account: account.id.clone(), amount: usd(7), entry: first.id.clone(), after: usd(7), at: first.at };
    let second = entry(2, EntryKind::Credit, 7);
    assert_eq!(deposit(&store, &account, "r", 7, &second).await, Deposited::Known(credited.clone()));
    assert_eq!(deposit(&store, &account, "s", 0, &second).await, Deposited::Outdated);
    assert_eq!(store.find_credited(&Reference::parse("r").unwrap()).await.unwrap(), Some(credited));
    assert_eq!(store.find_account_wallet(&account.id).await.unwrap(), Some(usd(7)));
}

#[tokio::test]
async fn a_recorded_request_moves_nothing() {
    let (store, account) = table_with_account().await;
    let before = balances(&store, &account).await;
    let record = record();
    for (number, wanted) in [(1, Transferred::Moved), (2, Transferred::Recorded)] {
        let before = balances(&store, &account).await;
        let movement = Movement::Return(usd(1));
        let after = before.after(movement).unwrap();
        let entry = entry(number, EntryKind::Return, 1);
        let (account, project) = (&account.id, &account.default_project);
        let transfer = Transfer { account, project, movement, before, after, entry: &entry, record: Some(&record) };
        assert_eq!(store.transfer(&transfer).await.unwrap(), wanted);
    }
    assert_eq!(balances(&store, &account).await.account, before.account.plus(usd(1)));
}

#[tokio::test]
async fn entries_are_read_from_the_newest_page_by_page() {
    let (store, account) = table_with_account().await;
    for number in 0..5 {
        let entry = entry(number, EntryKind::Credit, number + 1);
        assert_eq!(
            deposit(&store, &account, &number.to_string(), number * (number + 1) / 2, &entry).await,
            Deposited::Moved
        );
    }
    let (mut amounts, mut after) = (Vec::new(), None);
    loop {
        let page = store.find_entries(&account.id, after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        amounts.extend(page.iter().map(|entry| entry.amount.micro_usd()));
    }
    assert_eq!(amounts, [5, 4, 3, 2, 1, 5_000_000, 5_000_000]);
}
