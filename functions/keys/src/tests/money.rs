//! Money that a key does not need goes back to its project, and the books balance.

use serde_json::json;

use super::bench::{Bench, Books};

#[tokio::test]
async fn a_budget_caps_what_a_key_spends() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n", "budget_usd": 0.03})).await;
    for wanted in ["admitted", "admitted", "admitted", "insufficient_credits"] {
        assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, wanted);
    }
    assert_eq!(bench.books().await, Books { wallets: 4_970_000, cells: 0, spent: 30_000 });
}

#[tokio::test]
async fn a_lowered_budget_sends_back_what_exceeds_it() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "admitted");
    let books = bench.books().await;
    assert_eq!((books.spent, books.wallets + books.cells), (10_000, 4_990_000));
    assert!(books.cells > 100_000, "a slice for more than one request: {books:?}");
    for (budget, cells) in [("0.05", 40_000), ("0.02", 10_000)] {
        assert_eq!(bench.change(&ann.token, &key.id, &json!({"budget_usd": budget})).await.status, 200);
        assert_eq!(bench.books().await, Books { wallets: 4_990_000 - cells, cells, spent: 10_000 });
    }
    assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "admitted");
    assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "insufficient_credits");
    let usage = bench.read(&ann.token, &key.id).await.body["data"]["usage"].take();
    assert_eq!((&usage["spent_usd"], &usage["remaining_budget_usd"]), (&json!(0.02), &json!(0)));
}

#[tokio::test]
async fn a_budget_lowered_under_what_was_spent_leaves_nothing() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    for _ in 0..3 {
        assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "admitted");
    }
    assert_eq!(bench.change(&ann.token, &key.id, &json!({"budget_usd": 0.01})).await.status, 200);
    assert_eq!(bench.books().await, Books { wallets: 4_970_000, cells: 0, spent: 30_000 });
    assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "insufficient_credits");
    bench.change(&ann.token, &key.id, &json!({"budget_usd": null})).await;
    assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "admitted");
}

#[tokio::test]
async fn a_revoked_keys_money_goes_home() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let (key, other) = (json!({"name": "n"}), json!({"name": "other"}));
    let (key, other) = (bench.key(&ann.token, &key).await, bench.key(&ann.token, &other).await);
    for key in [&key, &other] {
        assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "admitted");
    }
    for _ in 0..2 {
        assert_eq!(bench.revoke(&ann.token, &key.id).await.status, 204);
    }
    let kept = bench.books().await;
    assert_eq!(kept.wallets + kept.cells + kept.spent, 5_000_000);
    assert_eq!(bench.revoke(&ann.token, &other.id).await.status, 204);
    assert_eq!(bench.books().await, Books { wallets: 4_980_000, cells: 0, spent: 20_000 });
}

#[tokio::test]
async fn budgets_may_change_and_keys_may_end_under_load_and_the_books_balance() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let mut spenders = tokio::task::JoinSet::new();
    let mut keys = Vec::new();
    for _ in 0..3 {
        let key = bench.key(&ann.token, &json!({"name": "n", "limits": {"per_minute": 1_000}})).await;
        for _ in 0..4 {
            let (gate, text) = (bench.gate.clone(), key.text.clone());
            spenders.spawn(async move { spend(&gate, &text, 15).await });
        }
        keys.push(key);
    }
    for budget in [json!(1), json!(0.2), json!(null), json!(0.3)] {
        for key in &keys[..2] {
            let answer = bench.change(&ann.token, &key.id, &json!({"budget_usd": budget})).await;
            assert_eq!(answer.status, 200, "{budget} {}", answer.text);
        }
    }
    assert_eq!(bench.revoke(&ann.token, &keys[2].id).await.status, 204);
    let paid: u64 = spenders.join_all().await.into_iter().sum();
    for key in &keys {
        assert_eq!(bench.revoke(&ann.token, &key.id).await.status, 204);
    }
    let spent = paid * 10_000;
    assert_eq!(bench.books().await, Books { wallets: 5_000_000 - spent, cells: 0, spent });
}

async fn spend(gate: &faregate_gate::Gate, key: &str, wanted: u32) -> u64 {
    let mut paid = 0;
    for _ in 0..wanted {
        let request = faregate_gate::Request {
            method: "POST".to_owned(),
            path: "/demo/paid".to_owned(),
            headers: vec![("x-api-key".to_owned(), key.to_owned())],
            ..faregate_gate::Request::default()
        };
        paid += u64::from(gate.decide(&request).await.unwrap().verdict.is_ok());
    }
    paid
}
