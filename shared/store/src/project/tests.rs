//! Projects in a table of their own: inserted once, changed from the state that was read, followed by their cells.

use faregate_domain::{
    cell::CellId,
    funding::{Debit, Grant, TokenBucket, TokenSlice},
    limit::{Opening, QuotaPolicy},
    project::{Carry, RateShift, Settings},
    window::{Window, WindowLength},
};

use super::*;
use crate::{Account, WalletOutcome, account::tests::table_with_account};

fn project(digit: u8) -> Project {
    Project {
        id: ProjectId::mint(&mut |pool| pool.fill(digit)),
        name: format!("project {digit}"),
        gallery_mode: GalleryMode::Shared,
        created_at: Timestamp::from_epoch_s(1_760_000_000),
    }
}

fn rate(limit: u32, window: WindowLength) -> Rate {
    Rate { quota: QuotaPolicy::new(limit, 0).unwrap(), window }
}

async fn insert(store: &Store, account: &Account, digit: u8, max_projects: u32) -> ProjectInsertion {
    let project = project(digit);
    let rate = Some(rate(5, WindowLength::Minute));
    let new = NewProject { account: &account.id, project: &project, rate, max_projects, record: None };
    store.insert_project(&new).await.unwrap()
}

async fn wallet(store: &Store, account: &Account) -> Wallet {
    store.find_wallet(&account.default_project).await.unwrap().unwrap()
}

/// Changes the default project's rate from what it was read as.
async fn set_rate(store: &Store, account: &Account, version: u64, change: RateChange) -> bool {
    let settings = SettingsChange { version, gallery_mode: None, rate: Some(change) };
    let amendment = ProjectAmendment { name: None, settings: Some(settings) };
    store.amend_project(&account.id, &account.default_project, &amendment).await.unwrap()
}

/// Gives an attribute of an item a number.
async fn set(store: &Store, partition: &str, sort: &str, name: &str, value: i64) {
    let update = store.client().update_item().table_name(store.table()).update_expression("SET #n = :v");
    let update = update.key("pk", AttributeValue::S(partition.into())).key("sk", AttributeValue::S(sort.into()));
    let update = update.expression_attribute_names("#n", name);
    update.expression_attribute_values(":v", AttributeValue::N(value.to_string())).send().await.unwrap();
}

fn settings(version: u64, window: Option<WindowLength>) -> Settings {
    Settings { gallery: format!("gallery {version}"), window, version, counting_since: 0 }
}

#[tokio::test]
async fn an_insertion_that_is_sent_again_is_the_same_and_takes_one_place() {
    let (store, account) = table_with_account().await;
    for _ in 0..2 {
        assert_eq!(insert(&store, &account, 5, 2).await, ProjectInsertion::Inserted);
    }
    assert_eq!(store.find_project(&account.id, &project(5).id).await.unwrap(), Some(project(5)));
    assert_eq!(insert(&store, &account, 6, 2).await, ProjectInsertion::Full);
    assert_eq!(insert(&store, &account, 6, 3).await, ProjectInsertion::Inserted);
    let listed = store.find_projects(&account.id, None, 2).await.unwrap();
    let rest = store.find_projects(&account.id, Some(&listed[1].id), 2).await.unwrap();
    assert_eq!(listed.iter().chain(&rest).filter(|one| one.name.starts_with("project")).count(), 2);
    assert_eq!((listed.len(), rest.len()), (2, 1));
    let wallets = store.find_wallets(&[project(5).id, project(9).id]).await.unwrap();
    assert_eq!(wallets.len(), 1);
    assert_eq!(wallets[&project(5).id].rate, Some(rate(5, WindowLength::Minute)));
}

#[tokio::test]
async fn a_change_from_settings_that_no_longer_hold_is_refused() {
    let (store, account) = table_with_account().await;
    let change = |limit| RateChange { new: Some(rate(limit, WindowLength::Minute)), shift: None };
    assert!(set_rate(&store, &account, 0, change(5)).await);
    assert!(!set_rate(&store, &account, 0, change(6)).await);
    assert!(set_rate(&store, &account, 1, change(6)).await);
    assert!(set_rate(&store, &account, 2, RateChange { new: None, shift: None }).await);
    let wallet = wallet(&store, &account).await;
    assert_eq!((wallet.rate, wallet.version, wallet.counting_since), (None, 3, 3));
    assert_eq!(wallet.available.micro_usd(), 5_000_000);
}

#[tokio::test]
async fn what_a_window_counted_is_shifted_or_forgotten_with_its_rate() {
    let (store, account) = table_with_account().await;
    let (partition, minute) = (account.default_project.to_string(), WindowLength::Minute);
    let change = |new, index, tokens| RateChange {
        new,
        shift: Some(RateShift { window: Window { length: minute, index }, tokens }),
    };
    let old = RateChange { new: Some(rate(5, minute)), shift: None };
    assert!(set_rate(&store, &account, 0, old).await);
    assert!(set_rate(&store, &account, 1, change(Some(rate(6, minute)), 7, Carry::Unopened)).await);
    set(&store, &partition, WALLET, "m7", 3).await;
    assert!(!set_rate(&store, &account, 2, change(Some(rate(2, minute)), 7, Carry::Unopened)).await);
    assert!(!set_rate(&store, &account, 2, change(Some(rate(2, minute)), 6, Carry::Shifted(-4))).await);
    assert!(set_rate(&store, &account, 2, change(Some(rate(2, minute)), 7, Carry::Shifted(-4))).await);
    let shifted = wallet(&store, &account).await;
    assert_eq!((shifted.tokens, shifted.version, shifted.counting_since), ([(7, -1)].into(), 3, 1));
    assert!(set_rate(&store, &account, 3, change(None, 7, Carry::Forgotten(vec![6, 7]))).await);
    assert!(wallet(&store, &account).await.tokens.is_empty());
}

#[tokio::test]
async fn a_window_before_the_running_one_gives_no_tokens_after_a_change() {
    let (store, account) = table_with_account().await;
    let minute = WindowLength::Minute;
    let old = RateChange { new: Some(rate(5, minute)), shift: None };
    assert!(set_rate(&store, &account, 0, old).await);
    let window = Window { length: minute, index: 7 };
    let shift = Some(RateShift { window, tokens: Carry::Unopened });
    assert!(set_rate(&store, &account, 1, RateChange { new: Some(rate(4, minute)), shift }).await);
    // An instance whose clock is behind.
    let debit = |window: Window| Debit {
        grant: Grant { amount: MicroUsd::ZERO, tokens: Some(TokenSlice { index: window.index, count: 1 }), seq: 1 },
        bucket: Some(TokenBucket { window, rate: rate(4, minute), opening: Opening::Full }),
        stale: Vec::new(),
        sweeps: None,
    };
    let cell = CellId::Session(account.id.clone());
    let send = async |window| store.debit_wallet(&account.default_project, &cell, &debit(window)).await.unwrap();
    assert!(matches!(send(window.previous()).await, WalletOutcome::Refused(_)));
    assert!(matches!(send(window).await, WalletOutcome::Applied(_)));
}

#[tokio::test]
async fn a_cell_follows_its_project_and_never_back() {
    let (store, account) = table_with_account().await;
    let id = CellId::Session(account.id.clone());
    let follow = async |settings: &Settings| store.follow_project(&id, settings, None, &[]).await.unwrap();
    let cell = async || store.find_cell(&id).await.unwrap().unwrap();
    assert_eq!(follow(&settings(2, Some(WindowLength::Second))).await, Followed::InForce);
    assert_eq!(follow(&settings(1, None)).await, Followed::InForce);
    assert_eq!(cell().await.project_window, Some(WindowLength::Second));
    assert_eq!(cell().await.owner.gallery, "gallery 2");
    for (version, window) in [(2, None), (1, Some(WindowLength::Minute))] {
        let outcome = store.set_project_window(&id, version, window).await.unwrap();
        assert!(matches!(outcome, crate::Outcome::Refused { .. }), "{version}");
    }
    assert_eq!(follow(&settings(3, None)).await, Followed::InForce);
    assert_eq!(cell().await.project_window, None);
    let nobody = CellId::Session(AccountId::mint(&mut |pool| pool.fill(9)));
    assert_eq!(store.follow_project(&nobody, &settings(3, None), None, &[]).await.unwrap(), Followed::Missing);
}

#[tokio::test]
async fn tokens_go_back_to_the_wallet_in_the_moment_that_they_leave_the_cell() {
    let (store, account) = table_with_account().await;
    let (id, project) = (CellId::Session(account.id.clone()), &account.default_project);
    let change = RateChange { new: Some(rate(5, WindowLength::Minute)), shift: None };
    assert!(set_rate(&store, &account, 0, change).await);
    for (name, tokens) in [("p6", 9), ("p7", 4)] {
        set(&store, &id.partition(), "cell", name, tokens).await;
    }
    set(&store, &project.to_string(), WALLET, "m7", -1).await;
    let follow = async |version, count, index| {
        let settings = settings(version, Some(WindowLength::Minute));
        let forgotten = if index == 6 { 7 } else { 6 };
        store.follow_project(&id, &settings, Some((project, TokenSlice { index, count })), &[forgotten]).await.unwrap()
    };
    // Another number than the cell holds, a project that was changed again, a window that is gone.
    for (version, count, index) in [(1, 3, 7), (2, 4, 7), (1, 9, 6)] {
        assert_eq!(follow(version, count, index).await, Followed::Outdated, "{version} {count} {index}");
    }
    assert_eq!(store.find_cell(&id).await.unwrap().unwrap().counters.tokens, [(6, 9), (7, 4)].into());
    // A count that began after whatever this cell has followed.
    let renewed = Settings { counting_since: 1, ..settings(1, Some(WindowLength::Minute)) };
    let tokens = TokenSlice { index: 7, count: 4 };
    assert_eq!(store.follow_project(&id, &renewed, Some((project, tokens)), &[]).await.unwrap(), Followed::Outdated);
    for _ in 0..2 {
        assert_eq!(follow(1, 4, 7).await, Followed::InForce);
        assert_eq!(wallet(&store, &account).await.tokens, [(7, 3)].into());
        assert!(store.find_cell(&id).await.unwrap().unwrap().counters.tokens.is_empty());
    }
}
