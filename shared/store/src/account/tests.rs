//! An account is created whole, once per wallet.

use std::collections::BTreeMap;

use faregate_domain::{
    cell::{Owner, Purse, Status, StoredProof},
    policy::Limits,
    scope::{Grant, GrantSet},
};

use super::*;
use crate::fresh;

const ADDRESS: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

fn account(digit: u8) -> Account {
    Account {
        id: AccountId::mint(&mut |pool| pool.fill(digit)),
        address: ADDRESS.parse().unwrap(),
        plan: "studio".to_owned(),
        default_project: ProjectId::mint(&mut |pool| pool.fill(digit)),
        created_at: Timestamp::from_epoch_s(1_760_000_000),
    }
}

/// The cell of a new account's logins.
pub(crate) fn session_cell(account: &Account) -> Cell {
    Cell {
        owner: Owner {
            account: account.id.clone(),
            project: account.default_project.clone(),
            environment: "sandbox".to_owned(),
            gallery: account.default_project.to_string(),
        },
        status: Status::Active,
        proof: StoredProof::Sessions(BTreeMap::new()),
        expires_at: None,
        grants: GrantSet::new([Grant::parse("*").unwrap()]).unwrap(),
        allowlist: None,
        limits: Limits::new(100, 0, 10_000, 10).unwrap(),
        purse: Purse::empty(None),
        leases: faregate_domain::lease::Leases::default(),
        tabs: faregate_domain::client_session::Tabs::default(),
        project_window: None,
        counters: faregate_domain::counters::Counters::default(),
    }
}

/// A table with one account in it.
pub(crate) async fn table_with_account() -> (Store, Account) {
    let store = fresh::table().await;
    let account = account(1);
    let credit = MicroUsd::new(5_000_000).unwrap();
    assert!(store.insert_account(&account, credit, &session_cell(&account)).await.unwrap());
    (store, account)
}

#[tokio::test]
async fn a_new_account_has_all_its_parts() {
    let (store, account) = table_with_account().await;
    let cell = CellId::Session(account.id.clone());
    assert_eq!(store.find_account_of(account.address).await.unwrap(), Some(account.id.clone()));
    assert_eq!(store.find_account(&account.id).await.unwrap(), Some(account.clone()));
    assert_eq!(store.find_cell(&cell).await.unwrap(), Some(session_cell(&account)));
    let wallet = store.find_wallet(&account.default_project).await.unwrap().unwrap();
    assert_eq!(wallet.available.micro_usd(), 5_000_000);
    let project = store.find(&account.id.to_string(), &account.default_project.to_string()).await.unwrap().unwrap();
    assert_eq!(project["nm"], AttributeValue::S("default".to_owned()));
}

#[tokio::test]
async fn a_second_account_of_one_wallet_is_not_created_at_all() {
    let (store, first) = table_with_account().await;
    let second = account(2);
    assert!(!store.insert_account(&second, MicroUsd::ZERO, &session_cell(&second)).await.unwrap());
    assert_eq!(store.find_account_of(first.address).await.unwrap(), Some(first.id));
    assert_eq!(store.find_account(&second.id).await.unwrap(), None);
    assert_eq!(store.find_cell(&CellId::Session(second.id.clone())).await.unwrap(), None);
}

#[tokio::test]
async fn an_unknown_wallet_has_no_account() {
    let store = fresh::table().await;
    assert_eq!(store.find_account_of(ADDRESS.parse().unwrap()).await.unwrap(), None);
}
