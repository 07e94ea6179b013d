//! Calls that are to be settled take a place and reserve money until they are, or until their time is over.

use std::collections::BTreeMap;

use faregate_domain::policy::Policy;
use faregate_tests::{Bundle, Caller, Knock};
use serde_json::{Value, json};
use tokio::task::JoinSet;

async fn meter(bundle: &Bundle, key: &Caller) -> Knock {
    bundle.knock(key, "POST", "/demo/metered").await
}

async fn metered(body: Value) -> (Bundle, Caller, Caller) {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(body).await;
    (bundle, service, key)
}

/// What a key has reserved and spent, in millionths.
async fn purse(bundle: &Bundle, key: &Caller) -> (u64, u64) {
    let purse = bundle.cell(key).await.purse;
    (purse.reserved.micro_usd(), purse.spent().micro_usd())
}

#[tokio::test]
async fn a_metered_call_reserves_what_it_may_cost() {
    let (bundle, _, key) = metered(json!({"name": "a", "budget_usd": 1})).await;
    let knock = meter(&bundle, &key).await;
    assert_eq!((knock.status, knock.text("settle"), knock.text("reservedUsd")), (200, "required", "0.1"));
    assert!(knock.text("chargeId").starts_with("chg_k"), "{}", knock.text("chargeId"));
    assert_eq!(purse(&bundle, &key).await, (100_000, 0));
    let free = bundle.knock(&key, "GET", "/demo/free").await;
    assert_eq!((free.text("settle"), free.text("reservedUsd")), ("", ""));
}

#[tokio::test]
async fn as_many_calls_run_at_once_as_the_key_may_have() {
    let (bundle, service, key) = metered(json!({"name": "a", "limits": {"concurrent": 2}})).await;
    let first = meter(&bundle, &key).await;
    assert_eq!(meter(&bundle, &key).await.status, 200);
    let refused = meter(&bundle, &key).await;
    assert_eq!((refused.status, refused.code.as_str()), (429, "rate_limited_concurrent"));
    assert_eq!(refused.problem["limit_source"], "key");
    assert_eq!((&refused.problem["limit"], &refused.problem["used"]), (&json!(2), &json!(2)));
    assert_eq!(refused.text("retryAfter"), "900");
    assert_eq!(purse(&bundle, &key).await, (200_000, 0));
    // Other routes need no place.
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    let settled = bundle.settle(&service, first.text("chargeId"), &json!({"outcome": "succeeded"})).await;
    assert_eq!(settled.status, 200, "{}", settled.text);
    assert_eq!(meter(&bundle, &key).await.status, 200);
    assert_eq!(meter(&bundle, &key).await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_calls_are_admitted_exactly_up_to_the_cap() {
    let (bundle, _, key) =
        metered(json!({"name": "a", "environment": "production", "limits": {"concurrent": 7}})).await;
    let instances = [bundle.clone(), bundle.restarted(), bundle.restarted()];
    let mut tasks = JoinSet::new();
    for number in 0..60_usize {
        let (instance, key) = (instances[number % 3].clone(), key.clone());
        tasks.spawn(async move { meter(&instance, &key).await.code });
    }
    let mut codes = BTreeMap::new();
    for code in tasks.join_all().await {
        *codes.entry(code).or_insert(0) += 1;
    }
    assert_eq!(codes, [("ok".to_owned(), 7), ("rate_limited_concurrent".to_owned(), 53)].into());
    assert_eq!(purse(&bundle, &key).await, (700_000, 0));
}

#[tokio::test]
async fn a_call_that_nobody_settles_is_charged_and_makes_room_when_its_time_is_over() {
    let (bundle, _, key) = metered(json!({"name": "a", "limits": {"concurrent": 2}})).await;
    for status in [200, 200, 429] {
        assert_eq!(meter(&bundle, &key).await.status, status);
    }
    bundle.clock.advance_ms(899_000);
    assert_eq!(meter(&bundle, &key).await.status, 429);
    bundle.clock.advance_ms(1_000);
    for status in [200, 200, 429] {
        assert_eq!(meter(&bundle, &key).await.status, status);
    }
    assert_eq!(purse(&bundle, &key).await, (200_000, 200_000));
    let cell = bundle.cell(&key).await;
    assert_eq!((cell.leases.held.len(), cell.leases.lapsed.len()), (2, 2));
}

#[tokio::test]
async fn the_next_write_of_any_route_drops_what_is_over() {
    let (bundle, _, key) = metered(json!({"name": "a"})).await;
    assert_eq!(meter(&bundle, &key).await.status, 200);
    bundle.clock.advance_ms(900_000);
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    let cell = bundle.cell(&key).await;
    assert_eq!((cell.leases.held.len(), cell.leases.lapsed.len()), (0, 1));
    assert_eq!(purse(&bundle, &key).await, (0, 100_000));
    assert_eq!(cell.counters.spent_by_day.values().sum::<i64>(), 100_000);
}

#[tokio::test]
async fn reserved_money_is_not_spent_twice_and_may_come_back() {
    let (bundle, service, key) = metered(json!({"name": "a", "budget_usd": 0.15})).await;
    let first = meter(&bundle, &key).await;
    let refused = meter(&bundle, &key).await;
    assert_eq!((refused.status, refused.text("retryAfter")), (402, "900"));
    assert_eq!((&refused.problem["reserved_usd"], &refused.problem["spent_usd"]), (&json!(0.1), &json!(0)));
    let report = json!({"outcome": "succeeded", "actual_usd": 0.05});
    assert_eq!(bundle.settle(&service, first.text("chargeId"), &report).await.status, 200);
    assert_eq!(meter(&bundle, &key).await.status, 200);
    assert_eq!(purse(&bundle, &key).await, (100_000, 50_000));
}

#[tokio::test]
async fn the_policy_says_how_long_a_call_may_run() {
    let policy = Policy::DEFAULT_TEXT.replace("settle: required", "settle: required, lease_seconds: 5");
    let (bundle, _) = Bundle::with_service_under(&policy).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "limits": {"concurrent": 1}})).await;
    assert_eq!(meter(&bundle, &key).await.status, 200);
    assert_eq!(meter(&bundle, &key).await.text("retryAfter"), "5");
    bundle.clock.advance_ms(5_000);
    assert_eq!(meter(&bundle, &key).await.status, 200);
}
