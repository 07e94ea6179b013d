//! Every movement of money and every settlement is grammatical to the engine, whether it then applies or not.

use faregate_domain::{
    cell::CellId,
    charge::{ChargeId, ChargeNonce},
    client_session::{CallTab, Tabs},
    funding::{Child, Debit, Grant, Return, TokenBucket, TokenSlice},
    id::{AccountId, ClientSessionId, KeyId, ProjectId},
    lease::Lease,
    ledger::AccountWallet,
    limit::{Opening, QuotaPolicy, Rate},
    money::MicroUsd,
    settlement::{ErrorCode, Outcome, Settlement},
    sweep::Sweep,
    time::Timestamp,
    window::{Window, WindowLength},
};
use faregate_store::{LeasePlace, Reservation, Store, WalletChange, WalletOutcome};
use serde_json::json;

use crate::engines::{Engine, item};

const OPENINGS: [Opening; 3] = [Opening::Full, Opening::Carried { limit: 100 }, Opening::Drained { limit: 100 }];

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

#[tokio::test]
async fn every_movement_of_money_is_accepted_by_each_engine() {
    let bundle = crate::engines::bundle().await;
    let (session, id, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let key = CellId::Key(KeyId::parse(&id).unwrap());
    let project = bundle.services.store.find_cell(&key).await.unwrap().unwrap().owner.project;
    for engine in Engine::all(&bundle).await {
        engine.lay(item(&bundle, &key.partition(), "cell").await).await;
        engine.lay(item(&bundle, &project.to_string(), "wallet").await).await;
        fund(&engine.store, &project, &key, bundle.clock.now()).await;
        settle(&engine.store, &key, bundle.clock.now()).await;
        if engine.has_transactions().await {
            retire(&engine.store, &key, bundle.clock.now()).await;
            engine.lay(item(&bundle, &session.account_id, "wallet").await).await;
            owe(&engine.store, &AccountId::parse(&session.account_id).unwrap()).await;
        }
    }
}

async fn fund(store: &Store, project: &ProjectId, key: &CellId, now: Timestamp) {
    for sweeps in [None, Some(0)] {
        if sweeps.is_some() {
            assert!(is_applied(&store.begin_sweeps(project).await.unwrap()));
        }
        movements(store, project, key, now, sweeps).await;
    }
    // Not every engine says what stands there.
    store.begin_sweeps(project).await.unwrap();
    let wallet = store.find_wallet(project).await.unwrap().unwrap();
    store.acknowledge_return(key, wallet.children[key].returned).await.unwrap();
    for seq in [3, 4] {
        let seen = Child { last: Grant { seq, ..wallet.children[key].last }, ..wallet.children[key] };
        let sweep = Sweep { sweeps: 0, settled: [(key.clone(), seen)].into() };
        assert_eq!(is_applied(&store.sweep_wallet(project, &sweep).await.unwrap()), seq == 4);
    }
    let wallet = store.find_wallet(project).await.unwrap().unwrap();
    assert_eq!((wallet.sweeps, wallet.children.len()), (Some(1), 0));
    for (version, window) in [(1, Some(WindowLength::Second)), (2, None)] {
        store.set_project_window(key, version, window).await.unwrap();
    }
}

fn is_applied(outcome: &WalletOutcome) -> bool {
    matches!(outcome, WalletOutcome::Applied(_))
}

async fn movements(store: &Store, project: &ProjectId, key: &CellId, now: Timestamp, sweeps: Option<u64>) {
    let first = if sweeps.is_some() { 3 } else { 1 };
    for seq in [first, first + 1] {
        for length in WindowLength::ALL {
            for opening in OPENINGS {
                let rate = Rate { quota: QuotaPolicy::new(100, 5).unwrap(), window: length };
                let window = Window::at(now, length);
                let tokens = Some(TokenSlice { index: window.index, count: 3 });
                let bucket = Some(TokenBucket { window, rate, opening });
                for amount in [0, 10] {
                    let grant = Grant { amount: usd(amount), tokens, seq };
                    let with = Debit { grant, bucket, stale: vec![3, 4], sweeps };
                    let grant = Grant { tokens: None, ..with.grant };
                    for debit in [with, Debit { grant, bucket: None, stale: Vec::new(), sweeps }] {
                        store.debit_wallet(project, key, &debit).await.unwrap();
                        store.credit(key, &debit.grant).await.unwrap();
                    }
                }
            }
        }
        let sent = Return { amount: usd(5), seq };
        store.begin_return(key, &sent).await.unwrap();
        store.receive_return(project, key, &sent, sweeps).await.unwrap();
    }
}

async fn settle(store: &Store, key: &CellId, now: Timestamp) {
    let lease = Lease::starting(now, 60, usd(10));
    for (digit, outcome, actual, error_code) in [
        (2, Outcome::Succeeded, 10, None),
        (3, Outcome::Succeeded, 4, None),
        (4, Outcome::Failed, 0, ErrorCode::parse("x")),
    ] {
        // Each settlement is the first of its charge: not every engine says what stands there.
        let charge = ChargeId { cell: key.clone(), nonce: ChargeNonce::mint(&mut |pool| pool.fill(digit)) };
        let settlement = Settlement { outcome, actual: usd(actual), error_code };
        store.insert_settlement(&charge, &settlement, now).await.unwrap();
        for place in [LeasePlace::Held, LeasePlace::Lapsed] {
            for tab in [None, Some(tab(true)), Some(tab(false))] {
                let reserved = Reservation { lease: &lease, place, tab: tab.as_ref() };
                store.end_lease(&charge, &reserved, &settlement, now).await.unwrap();
            }
        }
    }
}

/// The tab of a call that was made under a client session.
fn tab(is_open: bool) -> CallTab {
    CallTab { session: ClientSessionId::mint(&mut |pool| pool.fill(5)), is_open }
}

async fn retire(store: &Store, key: &CellId, now: Timestamp) {
    let lease = Lease::starting(now, 60, usd(10));
    let charge = ChargeId { cell: key.clone(), nonce: ChargeNonce::mint(&mut |pool| pool.fill(2)) };
    for actual in [10, 4] {
        let settlement = Settlement { outcome: Outcome::Succeeded, actual: usd(actual), error_code: None };
        for tab in [None, Some(tab(true)), Some(tab(false))] {
            store.end_retired_lease(&charge, &lease, tab.as_ref(), &settlement, now).await.unwrap();
        }
    }
    // Ten items are all that some engines take at once.
    let lapsed: Vec<_> = (20..29).map(|digit| (ChargeNonce::mint(&mut |pool| pool.fill(digit)), lease)).collect();
    let calls = lapsed.iter().take(4).map(|(charge, _)| (charge.clone(), tab(true).session)).collect();
    for tabs in [Tabs::default(), Tabs { calls, is_kept: true, ..Tabs::default() }] {
        store.retire_leases(key, &lapsed, &tabs).await.unwrap();
    }
}

async fn owe(store: &Store, account: &AccountId) {
    let mut before = store.find_account_wallet(account).await.unwrap().unwrap();
    for owed in [0, 7, 5, 0] {
        let after = AccountWallet { owed: usd(owed), ..before };
        assert!(store.change_wallet(&WalletChange { account, before, after, entry: None }).await.unwrap(), "{owed}");
        before = after;
    }
}
