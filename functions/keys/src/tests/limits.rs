//! A changed minute limit holds within the running minute.

use serde_json::json;

use super::bench::{Bench, Key, Person};

async fn key_with(bench: &Bench, ann: &Person, per_minute: u32, burst: u32) -> Key {
    bench.key(&ann.token, &json!({"name": "n", "limits": {"per_minute": per_minute, "burst": burst}})).await
}

async fn limit(bench: &Bench, ann: &Person, key: &Key, limits: &serde_json::Value) {
    let answer = bench.change(&ann.token, &key.id, &json!({"limits": limits})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_lowered_limit_admits_at_once_only_what_it_leaves() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = key_with(&bench, &ann, 10, 0).await;
    assert_eq!(bench.admitted(&key.text, 3).await, 3);
    limit(&bench, &ann, &key, &json!({"per_minute": 5})).await;
    assert_eq!(bench.admitted(&key.text, 10).await, 2, "three of five were taken");
}

#[tokio::test]
async fn a_limit_lowered_under_what_was_used_admits_nothing_until_the_next_minute() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = key_with(&bench, &ann, 10, 0).await;
    assert_eq!(bench.admitted(&key.text, 6).await, 6);
    limit(&bench, &ann, &key, &json!({"per_minute": 2})).await;
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "rate_limited");
    bench.services.clock.advance_ms(60_000);
    assert_eq!(bench.admitted(&key.text, 10).await, 2);
}

#[tokio::test]
async fn a_raised_limit_admits_at_once_what_it_adds() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = key_with(&bench, &ann, 2, 0).await;
    assert_eq!(bench.admitted(&key.text, 5).await, 2);
    limit(&bench, &ann, &key, &json!({"per_minute": 5})).await;
    assert_eq!(bench.admitted(&key.text, 10).await, 3);
}

#[tokio::test]
async fn going_up_and_down_wins_nothing() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = key_with(&bench, &ann, 4, 4).await;
    let mut admitted = bench.admitted(&key.text, 2).await;
    for limits in [json!({"per_minute": 8, "burst": 0}), json!({"per_minute": 4, "burst": 4}), json!({"per_minute": 4})]
    {
        limit(&bench, &ann, &key, &limits).await;
        admitted += bench.admitted(&key.text, 1).await;
    }
    admitted += bench.admitted(&key.text, 20).await;
    assert!(admitted <= 8, "{admitted}");
}

#[tokio::test]
async fn a_limit_changed_before_the_minutes_first_request_holds_for_it() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = key_with(&bench, &ann, 10, 0).await;
    limit(&bench, &ann, &key, &json!({"per_minute": 3})).await;
    assert_eq!(bench.admitted(&key.text, 10).await, 3);
}

#[tokio::test]
async fn a_limit_changed_under_load_is_exact() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = key_with(&bench, &ann, 200, 0).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let (gate, text) = (bench.gate.clone(), key.text.clone());
        calls.spawn(async move {
            let request = faregate_gate::Request {
                method: "GET".to_owned(),
                path: "/demo/free".to_owned(),
                headers: vec![("x-api-key".to_owned(), text)],
                ..faregate_gate::Request::default()
            };
            gate.decide(&request).await.unwrap().verdict.is_ok()
        });
    }
    limit(&bench, &ann, &key, &json!({"per_minute": 70})).await;
    let before = calls.join_all().await.into_iter().filter(|is_admitted| *is_admitted).count();
    let after = bench.admitted(&key.text, 100).await;
    assert_eq!((before, after), (60, 10));
}
