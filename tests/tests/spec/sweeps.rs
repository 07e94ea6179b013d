//! A project's wallet stays small however many keys it has, and whatever was on its way when entries were removed.

use faregate_domain::{
    books::Difference,
    cell::{Cell, CellId},
    funding::{Debit, Grant, Return, Wallet},
    id::{KeyId, ProjectId},
    money::MicroUsd,
};
use faregate_tests::{Books, Bundle, Caller, Session};
use serde_json::json;

use crate::audit::audited;

/// One account's keys, all of its default project.
struct Keys {
    bundle: Bundle,
    session: Session,
    ids: Vec<CellId>,
    callers: Vec<Caller>,
    project: ProjectId,
}

impl Keys {
    async fn new(count: usize) -> Self {
        Self::under(faregate_domain::policy::Policy::DEFAULT_TEXT, count).await
    }

    async fn under(policy: &str, count: usize) -> Self {
        let bundle = Bundle::with_policy(policy).await;
        let session = bundle.newcomer().await;
        let (mut ids, mut callers) = (Vec::new(), Vec::new());
        for number in 0..count {
            let (id, caller) =
                bundle.key(&session, json!({"name": format!("key {number}"), "environment": "production"})).await;
            ids.push(CellId::Key(KeyId::parse(&id).unwrap()));
            callers.push(caller);
        }
        let project = bundle.cell(&callers[0]).await.owner.project;
        Self { bundle, session, ids, callers, project }
    }

    async fn pay(&self, number: usize) -> u16 {
        self.bundle.knock(&self.callers[number], "POST", "/demo/paid").await.status
    }

    async fn wallet(&self) -> Wallet {
        self.bundle.services.store.find_wallet(&self.project).await.unwrap().unwrap()
    }

    async fn cell(&self, number: usize) -> Cell {
        self.bundle.cell(&self.callers[number]).await
    }

    /// Everything that wallet and keys hold and have spent.
    async fn sum(&self) -> u64 {
        let wallet = self.wallet().await;
        let mut sum = wallet.available.micro_usd();
        for (number, id) in self.ids.iter().enumerate() {
            let purse = self.cell(number).await.purse;
            sum += purse.granted.micro_usd();
            sum += wallet.pending(id, &purse).map_or(0, |grant| grant.amount.micro_usd());
            sum += wallet.pending_return(id, &purse).map_or(0, |sent| sent.amount.micro_usd());
        }
        sum
    }

    async fn differences(&self) -> Vec<Difference> {
        audited(&self.bundle, &self.session).await.differences
    }
}

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

#[tokio::test]
async fn a_wallet_names_few_of_many_keys_and_loses_no_money() {
    let keys = Keys::new(40).await;
    for number in 0..20 {
        assert_eq!(keys.pay(number).await, 200);
    }
    assert_eq!(keys.wallet().await.sweeps, None, "with few keys a wallet is as it always was");
    for number in 0..40 {
        assert_eq!(keys.pay(number).await, 200);
        assert!(keys.wallet().await.children.len() <= 24);
    }
    let wallet = keys.wallet().await;
    assert!(wallet.sweeps.is_some_and(|sweeps| sweeps > 1), "{:?}", wallet.sweeps);
    assert_eq!(keys.sum().await, 5_000_000);
    // Keys that it does not name any more spend what they have, and more.
    let restarted = keys.bundle.restarted();
    for key in &keys.callers {
        assert_eq!(restarted.knock(key, "POST", "/demo/paid").await.status, 200);
    }
    assert_eq!(keys.sum().await, 5_000_000);
}

#[tokio::test]
async fn money_of_keys_that_the_wallet_does_not_name_is_found_before_anybody_is_refused() {
    let keys = Keys::new(30).await;
    let mut admitted = 30;
    for number in 0..30 {
        assert_eq!(keys.pay(number).await, 200);
    }
    assert!(keys.wallet().await.children.len() < 24);
    // Nobody else has called for a while.
    keys.bundle.clock.advance_ms(60_000);
    while keys.pay(0).await == 200 {
        admitted += 1;
    }
    assert_eq!(admitted, 500);
    for number in 0..30 {
        assert_eq!(keys.pay(number).await, 402);
    }
    assert_eq!((keys.sum().await, keys.wallet().await.available), (5_000_000, MicroUsd::ZERO));
}

#[tokio::test]
async fn what_dead_instances_left_on_its_way_is_brought_home_and_then_removed() {
    let keys = Keys::new(31).await;
    let store = &keys.bundle.services.store;
    for id in &keys.ids[..30] {
        let grant = Grant { amount: usd(10_000), tokens: None, seq: 1 };
        let debit = Debit { grant, bucket: None, stale: Vec::new(), sweeps: None };
        store.debit_wallet(&keys.project, id, &debit).await.unwrap();
    }
    let mut grants = 0;
    while keys.wallet().await.children.len() > 24 || grants == 0 {
        assert!(grants < 6, "{:#?}", keys.wallet().await);
        drain(&keys, 30).await;
        assert_eq!(keys.pay(30).await, 200);
        grants += 1;
    }
    let wallet = keys.wallet().await;
    for (number, id) in keys.ids[..30].iter().enumerate() {
        assert!(wallet.children.contains_key(id) || keys.cell(number).await.purse.balance == usd(10_000));
    }
}

/// Has the key spend all that its cell holds.
async fn drain(keys: &Keys, number: usize) {
    while keys.cell(number).await.purse.balance >= usd(10_000) {
        keys.bundle.clock.advance_ms(2_000);
        assert_eq!(keys.pay(number).await, 200);
    }
}

#[tokio::test]
async fn a_return_of_a_key_that_the_wallet_does_not_name_is_counted_once() {
    let keys = Keys::new(26).await;
    for number in 0..26 {
        assert_eq!(keys.pay(number).await, 200);
    }
    let (store, sent) = (&keys.bundle.services.store, Return { amount: usd(7), seq: 1 });
    let wallet = keys.wallet().await;
    let number = (0..26).find(|number| wallet.find(&keys.ids[*number]).is_none()).unwrap();
    store.begin_return(&keys.ids[number], &sent).await.unwrap();
    assert_eq!(keys.sum().await, 5_000_000);
    store.receive_return(&keys.project, &keys.ids[number], &sent, wallet.sweeps).await.unwrap();
    assert_eq!(keys.sum().await, 5_000_000);
    // The entry of the return is removed like any other, once the cell knows.
    let mut spending = (0..26).filter(|other| *other != number).cycle();
    while keys.wallet().await.find(&keys.ids[number]).is_some() {
        let other = spending.next().unwrap();
        drain(&keys, other).await;
        assert_eq!(keys.pay(other).await, 200);
    }
    let purse = keys.cell(number).await.purse;
    assert_eq!((purse.acknowledged, keys.wallet().await.pending_return(&keys.ids[number], &purse)), (1, None));
    assert_eq!(keys.sum().await, 5_000_000);
}

#[tokio::test]
async fn keys_of_a_swept_wallet_are_amended_and_revoked_like_others() {
    let keys = Keys::new(26).await;
    for number in 0..26 {
        assert_eq!(keys.pay(number).await, 200);
    }
    let wallet = keys.wallet().await;
    let is_named = |number: &usize| wallet.find(&keys.ids[*number]).is_some();
    let owner = keys.session.caller();
    for number in [(0..26).find(is_named).unwrap(), (0..26).find(|number| !is_named(number)).unwrap()] {
        let path = format!("/v1/api-keys/{}", keys.ids[number].partition());
        let amended = keys.bundle.patch(&path, &owner, &json!({"budget_usd": "0.02"})).await;
        assert_eq!(amended.status, 200, "{}", amended.text);
        assert_eq!(keys.cell(number).await.purse.granted, usd(20_000));
        assert_eq!(keys.sum().await, 5_000_000);
        assert_eq!((keys.pay(number).await, keys.pay(number).await), (200, 402));
        assert_eq!(keys.bundle.delete(&path, &owner).await.status, 204);
        assert_eq!((keys.pay(number).await, keys.sum().await), (401, 5_000_000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_of_swept_wallets_agrees_while_calls_go_on_and_finds_a_cent_too_many() {
    let keys = Keys::new(26).await;
    let mut books = Books::of(&keys.bundle);
    for number in 0..26 {
        assert_eq!(keys.pay(number).await, 200);
    }
    // The money of keys that the wallet does not name is taken back, and then stands in it as returned by them.
    keys.bundle.clock.advance_ms(60_000);
    let wallet = keys.wallet().await;
    let unnamed = (0..26).find(|number| wallet.find(&keys.ids[*number]).is_none()).unwrap();
    while keys.wallet().await.find(&keys.ids[unnamed]).is_none_or(|child| child.returned == 0) {
        assert_eq!(keys.pay(usize::from(unnamed == 0)).await, 200);
    }
    books.catch_up().await;
    assert_eq!(keys.differences().await, []);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (bundle, callers) = (keys.bundle.clone(), keys.callers.clone());
    let calling = tokio::spawn(async move {
        for key in callers.iter().cycle() {
            bundle.clock.advance_ms(100);
            bundle.knock(key, "POST", "/demo/paid").await;
            books.catch_up().await;
            if *stopped.borrow() {
                return;
            }
        }
    });
    for _ in 0..4 {
        assert_eq!(keys.differences().await, []);
    }
    stop.send(true).unwrap();
    calling.await.unwrap();
    let table = &keys.bundle.services.config.table;
    keys.bundle.link.change(table, &keys.project.to_string(), "wallet", "SET av = av + :one", "");
    let found = keys.differences().await;
    assert_eq!((found.len(), found[0].item.as_str()), (1, keys.project.to_string().as_str()), "{found:?}");
}

#[tokio::test]
async fn who_asks_for_less_is_not_refused_by_what_was_too_dear_for_another() {
    let dear = "- { route: POST /demo/dear, scope: \"demo:write\", cost_usd: \"0.05\", refusals: backend }\n  - { route: POST /demo/paid";
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT
        .replacen("- { route: POST /demo/paid", dear, 1)
        .replace("credit_usd: \"5.00\"", "credit_usd: \"0.04\"");
    let keys = Keys::under(&policy, 2).await;
    keys.bundle.services.store.begin_sweeps(&keys.project).await.unwrap();
    // It holds all there is, and lacks a cent.
    let Keys { bundle, callers, .. } = &keys;
    let grant = Grant { amount: usd(40_000), tokens: None, seq: 1 };
    let debit = Debit { grant, bucket: None, stale: Vec::new(), sweeps: Some(0) };
    bundle.services.store.debit_wallet(&keys.project, &keys.ids[0], &debit).await.unwrap();
    assert_eq!(bundle.knock(&callers[0], "POST", "/demo/dear").await.status, 402);
    assert!(keys.wallet().await.drought.is_some());
    assert_eq!(bundle.knock(&callers[1], "POST", "/demo/dear").await.status, 402);
    assert_eq!(keys.pay(1).await, 200);
}

#[tokio::test]
async fn that_all_of_many_keys_have_nothing_is_believed_for_a_moment_and_of_few_never() {
    for is_swept in [true, false] {
        let keys = Keys::new(3).await;
        let store = &keys.bundle.services.store;
        if is_swept {
            store.begin_sweeps(&keys.project).await.unwrap();
        }
        assert_eq!(keys.pay(1).await, 200);
        while keys.pay(0).await == 200 {}
        assert_eq!(keys.wallet().await.drought.is_some(), is_swept);
        // Money comes back to a cell.
        let seq = keys.cell(1).await.purse.grant_seq + 1;
        store.credit(&keys.ids[1], &Grant { amount: usd(10_000), tokens: None, seq }).await.unwrap();
        assert_eq!(keys.pay(2).await, if is_swept { 402 } else { 200 });
        keys.bundle.clock.advance_ms(1_000);
        assert_eq!(keys.pay(2).await, if is_swept { 200 } else { 402 });
        assert_eq!(keys.pay(1).await, 402);
    }
}
