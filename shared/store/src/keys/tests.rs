//! Keys in a table of their own: inserted once, changed from the state that was read, closed to late grants.

use faregate_domain::{
    amendment::WindowShift,
    cell::{Owner, Purse, Status},
    funding::{Debit, Funding, Grant, Need, Wallet},
    idempotency::Fingerprint,
    key::KeyHash,
    money::MicroUsd,
    policy::Limits,
    recall::Recall,
    rotation::{Grace, KeySecrets, Secret},
    scope::{Grant as ScopeGrant, GrantSet},
};

use super::*;
use crate::{
    BudgetChange, KeyAmendment, LimitsChange, ProjectAmendment, SettingsChange, WalletOutcome, fresh,
    funding::wallet_item,
};

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn key_id(number: u8) -> KeyId {
    KeyId::mint(&mut |pool| pool.fill(number))
}

fn account() -> AccountId {
    AccountId::mint(&mut |pool| pool.fill(1))
}

fn project() -> ProjectId {
    ProjectId::mint(&mut |pool| pool.fill(2))
}

fn cell(number: u8) -> Cell {
    Cell {
        owner: Owner { account: account(), project: project(), environment: "sandbox".into(), gallery: "g".into() },
        status: Status::Active,
        proof: StoredProof::Key(KeyHash::from_bytes([number; 32]).into()),
        expires_at: None,
        grants: GrantSet::new([ScopeGrant::parse("*").unwrap()]).unwrap(),
        allowlist: None,
        limits: Limits::new(10, 0, 100, 1).unwrap(),
        purse: Purse::empty(None),
        leases: faregate_domain::lease::Leases::default(),
        tabs: faregate_domain::client_session::Tabs::default(),
        project_window: None,
        counters: faregate_domain::counters::Counters::default(),
    }
}

fn description(number: u8) -> KeyDescription {
    KeyDescription {
        id: key_id(number),
        account: account(),
        name: format!("key {number}"),
        prefix: "sk_test_".to_owned(),
        project: project(),
        environment: "sandbox".to_owned(),
        created_at: Timestamp::from_epoch_ms(1_760_000_000_123),
        creator: CellId::Session(account()),
    }
}

fn record(end: u64) -> Record {
    Record {
        name: "idm_1".to_owned(),
        fingerprint: Fingerprint::of(b"body"),
        sealed_answer: vec![1, 2, 3],
        end: Timestamp::from_epoch_s(end),
    }
}

/// A table with one account and its project's wallet.
async fn table(available: u64) -> Store {
    let store = fresh::table().await;
    let mut account_item = Item::new();
    account_item.insert("pk".to_owned(), AttributeValue::S(account().to_string()));
    account_item.insert("sk".to_owned(), AttributeValue::S(ACCOUNT.to_owned()));
    for item in [account_item, wallet_item(&project(), &account(), usd(available))] {
        store.client().put_item().table_name(store.table()).set_item(Some(item)).send().await.unwrap();
    }
    store
}

fn sealed(number: u8, rotations: u64) -> SealedSecret {
    SealedSecret { account: account(), key: key_id(number), number: rotations, sealed: vec![number; 9] }
}

fn new<'k>(description: &'k KeyDescription, cell: &'k Cell, secret: &'k SealedSecret) -> NewKey<'k> {
    let now = Timestamp::from_epoch_s(0);
    NewKey { description, cell, settings_version: 0, max_keys: 9, secret, record: None, now }
}

async fn insert(store: &Store, number: u8, max_keys: u32, record: Option<&Record>, now: u64) -> KeyInsertion {
    let (description, cell) = (description(number), cell(number));
    let now = Timestamp::from_epoch_s(now);
    let secret = sealed(number, 0);
    let new = NewKey { max_keys, record, now, ..new(&description, &cell, &secret) };
    store.insert_key(&new).await.unwrap()
}

async fn purse(store: &Store, number: u8) -> Purse {
    store.find_cell(&CellId::Key(key_id(number))).await.unwrap().unwrap().purse
}

/// Debits a grant for key 5, if it was not debited before.
async fn is_debited(store: &Store, grant: &Grant) -> bool {
    let debit = Debit { grant: *grant, bucket: None, stale: Vec::new(), sweeps: None };
    let outcome = store.debit_wallet(&project(), &CellId::Key(key_id(5)), &debit).await.unwrap();
    matches!(outcome, WalletOutcome::Applied(_))
}

async fn wallet(store: &Store) -> Wallet {
    store.find_wallet(&project()).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_insertion_that_is_sent_again_is_the_same_insertion() {
    let store = table(0).await;
    for _ in 0..2 {
        assert_eq!(insert(&store, 5, 1, Some(&record(600)), 0).await, KeyInsertion::Inserted);
    }
    assert_eq!(store.find_key(&account(), &key_id(5)).await.unwrap(), Some(description(5)));
    assert_eq!(store.find_record("idm_1").await.unwrap(), Some(record(600)));
    assert_eq!(insert(&store, 6, 1, None, 0).await, KeyInsertion::Full);
    store.release_key(&account(), &key_id(5)).await.unwrap();
    assert_eq!(insert(&store, 6, 1, None, 0).await, KeyInsertion::Inserted);
}

#[tokio::test]
async fn a_recorded_request_inserts_nothing_until_it_is_forgotten() {
    let store = table(0).await;
    assert_eq!(insert(&store, 5, 9, Some(&record(600)), 0).await, KeyInsertion::Inserted);
    assert_eq!(insert(&store, 6, 9, Some(&record(1_199)), 599).await, KeyInsertion::Recorded);
    assert_eq!(store.find_key(&account(), &key_id(6)).await.unwrap(), None);
    assert_eq!(insert(&store, 6, 9, Some(&record(1_200)), 600).await, KeyInsertion::Inserted);
    assert_eq!(store.find_record("idm_1").await.unwrap(), Some(record(1_200)));
}

#[tokio::test]
async fn an_account_that_is_not_there_gets_no_key() {
    let store = fresh::table().await;
    let (description, cell) = (description(5), cell(5));
    assert!(store.insert_key(&new(&description, &cell, &sealed(5, 0))).await.is_err());
    assert_eq!(store.find_cell(&CellId::Key(key_id(5))).await.unwrap(), None);
}

#[tokio::test]
async fn another_accounts_key_is_neither_changed_nor_revoked() {
    let store = table(0).await;
    insert(&store, 5, 9, None, 0).await;
    let other = AccountId::mint(&mut |pool| pool.fill(9));
    let freeze = KeyAmendment { status: Some(Status::Frozen), ..KeyAmendment::default() };
    assert!(!store.amend_key(&other, &key_id(5), &freeze).await.unwrap());
    assert_eq!(store.revoke_key(&other, &key_id(5)).await.unwrap(), None);
    let (before, new, now) = (secrets(&store).await, KeyHash::from_bytes([8; 32]), Timestamp::from_epoch_s(60));
    let (id, grace) = (key_id(5), Grace::Until(now));
    let secret = &sealed(5, 1);
    let rotation = KeyRotation { account: &other, id: &id, before: &before, new, grace, secret, record: None, now };
    assert_eq!(store.rotate_key(&rotation).await.unwrap(), RotationOutcome::Outdated);
    assert_eq!(store.find_cell(&CellId::Key(key_id(5))).await.unwrap(), Some(cell(5)));
}

#[tokio::test]
async fn a_change_from_limits_that_no_longer_hold_is_refused() {
    let store = table(0).await;
    insert(&store, 5, 9, None, 0).await;
    let now = Timestamp::from_epoch_s(60);
    let change = |old: (u32, u32), new: (u32, u32)| {
        let limits = |(limit, burst)| Limits::new(limit, burst, 100, 1).unwrap();
        let mut cell = cell(5);
        cell.limits = limits(old);
        let new = limits(new);
        let shift = WindowShift::of(&cell, &new, now);
        KeyAmendment { limits: Some(LimitsChange { old: cell.limits, new, shift }), ..KeyAmendment::default() }
    };
    assert!(store.amend_key(&account(), &key_id(5), &change((10, 0), (5, 0))).await.unwrap());
    assert!(!store.amend_key(&account(), &key_id(5), &change((10, 0), (7, 0))).await.unwrap());
    assert!(store.amend_key(&account(), &key_id(5), &change((5, 0), (7, 1))).await.unwrap());
}

#[tokio::test]
async fn a_grant_on_its_way_cannot_cross_a_lowered_budget() {
    let store = table(1_000).await;
    insert(&store, 5, 9, None, 0).await;
    let child = CellId::Key(key_id(5));
    // Two requests computed a grant before the change; one has debited it, the other has not.
    let need = Need { cost: usd(10), shortage: usd(10), token: None };
    let Funding::Debit(debit) = wallet(&store).await.fund(&child, &purse(&store, 5).await, &need) else {
        panic!("a fresh cell is funded by a debit")
    };
    let grant = debit.grant;
    assert!(is_debited(&store, &grant).await);
    let recall = Recall::under(usd(30), &child, &purse(&store, 5).await, &wallet(&store).await);
    assert_eq!(recall.absorbed, grant.amount);
    let budget = BudgetChange { old: None, new: Some(usd(30)), recall: Some((project(), recall)) };
    let amendment = KeyAmendment { budget: Some(budget), ..KeyAmendment::default() };
    assert!(store.amend_key(&account(), &key_id(5), &amendment).await.unwrap());
    let after = purse(&store, 5).await;
    assert_eq!((after.balance, after.granted, after.budget), (usd(30), usd(30), Some(usd(30))));
    assert_eq!(wallet(&store).await.available, usd(970));
    assert_eq!(after.grant_seq, grant.seq, "a late credit of that grant is refused by its number");
    assert!(!is_debited(&store, &grant).await, "a late debit too");
    assert!(!store.amend_key(&account(), &key_id(5), &amendment).await.unwrap(), "and the change itself");
    assert_eq!(wallet(&store).await.available, usd(970));
}

#[tokio::test]
async fn a_revoked_key_is_closed_to_every_further_grant() {
    let store = table(1_000).await;
    insert(&store, 5, 9, None, 0).await;
    let child = CellId::Key(key_id(5));
    let pending = Grant { amount: usd(40), tokens: None, seq: 1 };
    assert!(is_debited(&store, &pending).await);
    let recall = Recall::all(&child, &purse(&store, 5).await, &wallet(&store).await);
    assert!(!store.recall_money(&project(), &child, &recall).await.unwrap(), "it is not revoked yet");
    let cell = store.revoke_key(&account(), &key_id(5)).await.unwrap().unwrap();
    assert_eq!(cell.status, Status::Revoked);
    assert!(store.recall_money(&project(), &child, &recall).await.unwrap());
    assert_eq!(wallet(&store).await.available, usd(1_000));
    assert!(!store.recall_money(&project(), &child, &recall).await.unwrap());
    for seq in [1, 2, 1_000_000] {
        let late = Grant { amount: usd(40), tokens: None, seq };
        assert!(!is_debited(&store, &late).await, "{seq}");
    }
    assert!(Recall::is_done(&purse(&store, 5).await));
    assert_eq!(wallet(&store).await.available, usd(1_000));
}

#[tokio::test]
async fn a_debit_between_reading_and_recalling_is_noticed() {
    let store = table(1_000).await;
    insert(&store, 5, 9, None, 0).await;
    let child = CellId::Key(key_id(5));
    store.revoke_key(&account(), &key_id(5)).await.unwrap();
    let recall = Recall::all(&child, &purse(&store, 5).await, &wallet(&store).await);
    let late = Grant { amount: usd(40), tokens: None, seq: 1 };
    assert!(is_debited(&store, &late).await);
    assert!(!store.recall_money(&project(), &child, &recall).await.unwrap());
    let recall = Recall::all(&child, &purse(&store, 5).await, &wallet(&store).await);
    assert!(store.recall_money(&project(), &child, &recall).await.unwrap());
    assert_eq!(wallet(&store).await.available, usd(1_000));
}

#[tokio::test]
async fn keys_are_listed_in_the_order_of_their_ids() {
    let store = table(0).await;
    for number in [7, 5, 9, 8] {
        insert(&store, number, 9, None, 0).await;
    }
    let names = async |after: Option<u8>, limit| {
        let after = after.map(key_id);
        let found = store.find_keys(&account(), after.as_ref(), limit).await.unwrap();
        found.into_iter().map(|key| key.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None, 10).await, ["key 5", "key 7", "key 8", "key 9"]);
    assert_eq!(names(Some(5), 2).await, ["key 7", "key 8"]);
    assert_eq!(names(Some(6), 1).await, ["key 7"]);
    assert!(names(Some(9), 2).await.is_empty());
    let cells = store.find_cells(&[key_id(5), key_id(9), key_id(3)]).await.unwrap();
    assert_eq!(cells.keys().collect::<Vec<_>>(), [&key_id(5), &key_id(9)]);
    assert!(store.find_cells(&[]).await.unwrap().is_empty());
}

/// Sets a number of a cell as a request would have.
async fn set(store: &Store, number: u8, attribute: &str, value: u64) {
    let update = store.client().update_item().table_name(store.table());
    let key = |text: String| AttributeValue::S(text);
    let update = update.key("pk", key(key_id(number).to_string())).key("sk", key(CELL.to_owned()));
    let update = update.update_expression("SET #a = :a").expression_attribute_names("#a", attribute);
    update.expression_attribute_values(":a", AttributeValue::N(value.to_string())).send().await.unwrap();
}

#[tokio::test]
async fn a_revoked_key_is_not_brought_back() {
    let store = table(0).await;
    insert(&store, 5, 9, None, 0).await;
    store.revoke_key(&account(), &key_id(5)).await.unwrap();
    let thaw = KeyAmendment { status: Some(Status::Active), ..KeyAmendment::default() };
    let rename = KeyAmendment { name: Some("new".to_owned()), ..KeyAmendment::default() };
    for amendment in [thaw, rename] {
        assert!(!store.amend_key(&account(), &key_id(5), &amendment).await.unwrap());
    }
    assert_eq!(store.find_key(&account(), &key_id(5)).await.unwrap(), Some(description(5)));
    let cell = store.find_cell(&CellId::Key(key_id(5))).await.unwrap().unwrap();
    assert_eq!(cell.status, Status::Revoked);
}

#[tokio::test]
async fn a_change_of_limits_loses_to_a_request_that_opened_a_minute_since() {
    let store = table(0).await;
    insert(&store, 5, 9, None, 0).await;
    let new = Limits::new(5, 0, 100, 1).unwrap();
    let shift = WindowShift::of(&cell(5), &new, Timestamp::from_epoch_s(600));
    let limits = LimitsChange { old: cell(5).limits, new, shift };
    let amendment = KeyAmendment { limits: Some(limits), ..KeyAmendment::default() };
    // The minute that the change looked at has been opened, or one after it has.
    for (attribute, value) in [("m10", 4), ("w", 11)] {
        set(&store, 5, attribute, value).await;
        assert!(!store.amend_key(&account(), &key_id(5), &amendment).await.unwrap(), "{attribute}");
        let remove = store.client().update_item().table_name(store.table());
        let remove = remove.key("pk", AttributeValue::S(key_id(5).to_string()));
        let remove = remove.key("sk", AttributeValue::S(CELL.to_owned())).update_expression("REMOVE #a");
        remove.expression_attribute_names("#a", attribute).send().await.unwrap();
    }
    assert!(store.amend_key(&account(), &key_id(5), &amendment).await.unwrap());
}

#[tokio::test]
async fn money_that_was_spent_since_is_not_taken_back() {
    let store = table(1_000).await;
    insert(&store, 5, 9, None, 0).await;
    let child = CellId::Key(key_id(5));
    for (attribute, value) in [("bal", 50), ("gt", 80)] {
        set(&store, 5, attribute, value).await;
    }
    let recall = Recall::under(usd(0), &child, &purse(&store, 5).await, &wallet(&store).await);
    set(&store, 5, "bal", 49).await;
    let budget = BudgetChange { old: None, new: Some(usd(0)), recall: Some((project(), recall)) };
    let amendment = KeyAmendment { budget: Some(budget), ..KeyAmendment::default() };
    assert!(!store.amend_key(&account(), &key_id(5), &amendment).await.unwrap());
    assert_eq!((purse(&store, 5).await.balance, wallet(&store).await.available), (usd(49), usd(1_000)));
}

#[tokio::test]
async fn a_grant_that_arrived_since_is_not_absorbed_again() {
    let store = table(1_000).await;
    insert(&store, 5, 9, None, 0).await;
    let child = CellId::Key(key_id(5));
    let grant = Grant { amount: usd(40), tokens: None, seq: 1 };
    assert!(is_debited(&store, &grant).await);
    let recall = Recall::under(usd(500), &child, &purse(&store, 5).await, &wallet(&store).await);
    for (attribute, value) in [("bal", 40), ("gt", 40), ("gs", 1)] {
        set(&store, 5, attribute, value).await;
    }
    let budget = BudgetChange { old: None, new: Some(usd(500)), recall: Some((project(), recall)) };
    let amendment = KeyAmendment { budget: Some(budget), ..KeyAmendment::default() };
    assert!(!store.amend_key(&account(), &key_id(5), &amendment).await.unwrap());
    assert_eq!((purse(&store, 5).await.balance, wallet(&store).await.available), (usd(40), usd(960)));
}

#[tokio::test]
async fn a_key_is_not_inserted_into_a_project_that_was_changed_meanwhile() {
    let store = table(0).await;
    let change = SettingsChange { version: 0, gallery_mode: None, rate: None };
    let amendment = ProjectAmendment { name: None, settings: Some(change) };
    assert!(store.amend_project(&account(), &project(), &amendment).await.unwrap());
    assert_eq!(insert(&store, 5, 9, None, 0).await, KeyInsertion::Outdated);
    let (description, cell) = (description(5), cell(5));
    let secret = sealed(5, 0);
    let new = NewKey { settings_version: 1, ..new(&description, &cell, &secret) };
    assert_eq!(store.insert_key(&new).await.unwrap(), KeyInsertion::Inserted);
}

async fn secrets(store: &Store) -> KeySecrets {
    *store.find_cell(&CellId::Key(key_id(5))).await.unwrap().unwrap().secrets().unwrap()
}

mod rotation;
