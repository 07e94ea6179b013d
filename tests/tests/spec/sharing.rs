//! Keys of one project share its money and its rate, to the last cent and never beyond.

use std::sync::Arc;

use faregate_domain::{
    cell::CellId,
    funding::{Grant, Return},
    id::KeyId,
    money::MicroUsd,
    policy::Policy,
};
use faregate_tests::{Bundle, Caller, Fault};
use serde_json::json;
use tokio::task::JoinSet;

/// A wallet that keeps what it knows of every key, and one from which entries are removed.
const KINDS: [bool; 2] = [false, true];

/// A project with this much money and as many keys.
async fn project(credit: &str, keys: usize, is_swept: bool) -> (Bundle, Vec<Caller>) {
    let policy = Policy::DEFAULT_TEXT.replace("credit_usd: \"5.00\"", &format!("credit_usd: \"{credit}\""));
    let bundle = Bundle::with_policy(&policy).await;
    let session = bundle.newcomer().await;
    let mut callers = Vec::new();
    for number in 0..keys {
        let body = json!({"name": format!("key {number}"), "environment": "production"});
        callers.push(bundle.key(&session, body).await.1);
    }
    if is_swept {
        let project = bundle.cell(&callers[0]).await.owner.project;
        bundle.services.store.begin_sweeps(&project).await.unwrap();
    }
    (bundle, callers)
}

async fn pay(bundle: &Bundle, key: &Caller) -> u16 {
    bundle.knock(key, "POST", "/demo/paid").await.status
}

fn id(key: &Caller) -> CellId {
    let Caller::Key(text) = key else { panic!("a key") };
    CellId::Key(KeyId::from_suffix(&text[8..24]).unwrap())
}

#[tokio::test]
async fn what_idle_keys_hold_is_taken_back_before_anybody_is_refused() {
    for is_swept in KINDS {
        let (bundle, keys) = project("0.20", 4, is_swept).await;
        for key in &keys[1..] {
            assert_eq!(pay(&bundle, key).await, 200);
        }
        let mut admitted = 3;
        while pay(&bundle, &keys[0]).await == 200 {
            admitted += 1;
        }
        assert_eq!(admitted, 20);
        for key in &keys {
            assert_eq!(pay(&bundle, key).await, 402);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_keys_spend_all_of_their_project_and_not_a_cent_more() {
    for is_swept in KINDS {
        let (bundle, keys) = project("0.50", 4, is_swept).await;
        let instances = [bundle.clone(), bundle.restarted(), bundle.restarted()];
        let mut tasks = JoinSet::new();
        for number in 0..240_usize {
            let (bundle, key) = (instances[number % 3].clone(), keys[number % 4].clone());
            tasks.spawn(async move { pay(&bundle, &key).await });
        }
        let statuses = tasks.join_all().await;
        assert!(statuses.iter().all(|status| matches!(status, 200 | 402)), "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 50);
    }
}

#[tokio::test]
async fn money_that_somebody_left_on_its_way_is_found() {
    for is_swept in KINDS {
        let (bundle, keys) = project("0.05", 3, is_swept).await;
        let (store, [one, two, _]) = (&bundle.services.store, [0, 1, 2].map(|number| id(&keys[number])));
        let project = bundle.cell(&keys[0]).await.owner.project;
        let usd = |micro_usd| MicroUsd::new(micro_usd).unwrap();
        // A grant for one key and a return of another, each begun by an instance that died.
        let grant = |amount, seq| Grant { amount: usd(amount), tokens: None, seq };
        let sweeps = is_swept.then_some(0);
        let debit = |grant| faregate_domain::funding::Debit { grant, bucket: None, stale: Vec::new(), sweeps };
        store.debit_wallet(&project, &one, &debit(grant(20_000, 1))).await.unwrap();
        store.debit_wallet(&project, &two, &debit(grant(20_000, 1))).await.unwrap();
        store.credit(&two, &grant(20_000, 1)).await.unwrap();
        store.begin_return(&two, &Return { amount: usd(15_000), seq: 1 }).await.unwrap();
        for status in [200, 200, 200, 200, 200, 402] {
            assert_eq!(pay(&bundle, &keys[2]).await, status);
        }
        let wallet = store.find_wallet(&project).await.unwrap().unwrap();
        assert_eq!(wallet.available, MicroUsd::ZERO);
    }
}

#[tokio::test]
async fn taking_back_survives_every_lost_message() {
    let swept = (0..12).step_by(2).map(|at| (at, true));
    for (at, is_swept) in (0..12).map(|at| (at, false)).chain(swept) {
        for fault in [Fault::LoseAnswer, Fault::LoseRequest, Fault::Delay, Fault::Break] {
            let (bundle, keys) = project("0.10", 2, is_swept).await;
            assert_eq!(pay(&bundle, &keys[1]).await, 200);
            let mut admitted = 1;
            bundle.link.play(std::iter::repeat_n(Fault::None, 10 + at).chain([fault]));
            let mut unanswered = 0;
            for _ in 0..14 {
                match pay(&bundle, &keys[0]).await {
                    200 => admitted += 1,
                    503 => unanswered += 1,
                    status => assert_eq!(status, 402),
                }
            }
            bundle.link.deliver_late().await;
            let fresh = Arc::new(bundle.restarted());
            while pay(&fresh, &keys[0]).await == 200 {
                admitted += 1;
            }
            let spent = [bundle.cell(&keys[0]).await, bundle.cell(&keys[1]).await].map(|cell| cell.purse.spent());
            assert_eq!(spent[0].plus(spent[1]).micro_usd(), 100_000, "{at} {fault:?}");
            assert!(admitted <= 10 && admitted + unanswered >= 10, "{at} {fault:?}: {admitted} {unanswered}");
        }
    }
}
