//! Limits are never exceeded, whoever races, and hold again when the window turns.

use std::sync::Arc;

use faregate_tests::{Bundle, Caller};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Knocks `times` times at once; returns how many got in and the words of those that did not.
async fn race(
    bundles: &[Bundle],
    key: &Caller,
    method: &'static str,
    path: &'static str,
    times: usize,
) -> (usize, Vec<String>) {
    let mut tasks = JoinSet::new();
    for number in 0..times {
        let (bundle, key) = (bundles[number % bundles.len()].clone(), key.clone());
        tasks.spawn(async move { bundle.knock(&key, method, path).await });
    }
    let knocks = tasks.join_all().await;
    let admitted = knocks.iter().filter(|knock| knock.status == 200).count();
    let refused = knocks.into_iter().filter(|knock| knock.status != 200).map(|knock| knock.code).collect();
    (admitted, refused)
}

async fn limited(limits: Value) -> (Bundle, Caller) {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "limits": limits})).await;
    (bundle, key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_requests_are_admitted_exactly_up_to_the_limit() {
    let (bundle, key) = limited(json!({"per_minute": 50})).await;
    let instances = [bundle.clone(), bundle.restarted(), bundle.restarted()];
    let (admitted, refused) = race(&instances, &key, "GET", "/demo/free", 200).await;
    assert_eq!(admitted, 50);
    assert!(refused.len() == 150 && refused.iter().all(|code| code == "rate_limited"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_requests_are_admitted_exactly_up_to_the_day() {
    let (bundle, key) = limited(json!({"per_day": 20})).await;
    let (admitted, refused) = race(&[bundle], &key, "GET", "/demo/free", 60).await;
    assert_eq!(admitted, 20);
    assert!(refused.iter().all(|code| code == "rate_limited_daily"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_requests_are_admitted_exactly_up_to_the_routes_burst() {
    let (bundle, key) = limited(json!({})).await;
    let (admitted, _) = race(&[bundle.clone(), bundle.restarted()], &key, "GET", "/demo/limited", 40).await;
    assert_eq!(admitted, 7);
}

#[tokio::test]
async fn a_new_minute_brings_the_limit_back_and_a_quiet_one_the_burst() {
    let (bundle, key) = limited(json!({})).await;
    let mut admitted = Vec::new();
    for quiet_minutes in [0_u64, 1, 1, 2] {
        bundle.clock.advance_ms(quiet_minutes * 60_000);
        let mut count = 0;
        while bundle.knock(&key, "GET", "/demo/limited").await.status == 200 {
            count += 1;
        }
        admitted.push(count);
    }
    assert_eq!(admitted, [7, 5, 5, 7]);
}

#[tokio::test]
async fn what_a_minute_leaves_below_the_burst_is_carried_over() {
    let (bundle, key) = limited(json!({"per_minute": 10, "burst": 4})).await;
    let mut admitted = Vec::new();
    for want in [12, 20, 8, 20, 20] {
        let mut count = 0;
        for _ in 0..want {
            count += usize::from(bundle.knock(&key, "GET", "/demo/free").await.status == 200);
        }
        admitted.push(count);
        bundle.clock.advance_ms(60_000);
    }
    // 14 tokens, 12 taken: 2 left. 12, all taken: 0 left. 10, 8 taken: 2 left. 12, all taken. 10.
    assert_eq!(admitted, [12, 12, 8, 12, 10]);
}

#[tokio::test]
async fn two_keys_of_one_account_have_independent_limits() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let body = json!({"name": "a", "limits": {"per_minute": 1}});
    let (_, one) = bundle.key(&session, body.clone()).await;
    let (_, other) = bundle.key(&session, body).await;
    for key in [&one, &other] {
        assert_eq!(bundle.knock(key, "GET", "/demo/free").await.status, 200);
        assert_eq!(bundle.knock(key, "GET", "/demo/free").await.status, 429);
    }
}

#[tokio::test]
async fn an_instance_whose_clock_is_behind_cannot_reopen_a_window() {
    let (ahead, key) = limited(json!({"per_minute": 3})).await;
    let behind = ahead.clone();
    ahead.clock.advance_ms(60_000);
    for _ in 0..3 {
        assert_eq!(ahead.knock(&key, "GET", "/demo/free").await.status, 200);
    }
    behind.clock.set(faregate_domain::time::Timestamp::from_epoch_ms(ahead.clock.now().epoch_ms() - 2_000));
    assert_eq!(behind.clock.now().minute().0 + 1, ahead.clock.now().plus_s(2).minute().0);
    assert_eq!(behind.knock(&key, "GET", "/demo/free").await.status, 429);
}

#[tokio::test]
async fn a_lowered_limit_holds_at_the_very_next_request() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "limits": {"per_minute": 10}})).await;
    for _ in 0..4 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    }
    let page = format!("/v1/api-keys/{id}");
    let patched = bundle.patch(&page, &session.caller(), &json!({"limits": {"per_minute": 5}})).await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    let knock = bundle.knock(&key, "GET", "/demo/free").await;
    assert_eq!((knock.status, knock.number("rlLimit"), knock.number("rlRemaining")), (200, Some(5), Some(0)));
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 429);
    bundle.patch(&page, &session.caller(), &json!({"limits": {"per_minute": 2}})).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 429);
    bundle.clock.advance_ms(60_000);
    for status in [200, 200, 429] {
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, status);
    }
}

#[tokio::test]
async fn a_key_that_is_used_for_weeks_stays_small() {
    let (bundle, key) = limited(json!({})).await;
    let mut instance = Arc::new(bundle.restarted());
    for hour in 0..60_u64 {
        if hour % 3 == 0 {
            instance = Arc::new(bundle.restarted());
        }
        assert_eq!(instance.knock(&key, "GET", "/demo/limited").await.status, 200);
        bundle.clock.advance_ms(3_600_000);
    }
    let Caller::Key(text) = &key else { panic!("a key") };
    let id = faregate_domain::id::KeyId::from_suffix(&text[8..24]).unwrap();
    let cell = bundle.services.store.find_cell(&faregate_domain::cell::CellId::Key(id)).await.unwrap().unwrap();
    let counters = cell.counters;
    let kept = counters.minutes.len() + counters.routes.len() + counters.days.len() + counters.slots.len();
    assert!(kept <= 16, "{counters:?}");
}

#[tokio::test]
async fn a_route_counts_in_windows_of_one_ten_or_sixty_seconds() {
    for (limit, seconds) in [("per_second", 1), ("per_10_seconds", 10), ("per_minute", 60)] {
        let policy = faregate_domain::policy::Policy::DEFAULT_TEXT
            .replace("per_minute: 5, burst: 2", &format!("{limit}: 3, burst: 1"));
        let bundle = Bundle::with_policy(&policy).await;
        let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
        let mut admitted = Vec::new();
        for quiet_windows in [0, 1, 1, 2] {
            bundle.clock.advance_ms(quiet_windows * seconds * 1_000);
            let mut count = 0;
            let refused = loop {
                let knock = bundle.knock(&key, "GET", "/demo/limited").await;
                if knock.status != 200 {
                    break knock;
                }
                count += 1;
            };
            admitted.push(count);
            assert_eq!((refused.status, refused.text("retryAfter")), (429, seconds.to_string().as_str()));
            assert!(
                refused.text("policy").starts_with(&format!("\"route\";q=3;w={seconds}")),
                "{}",
                refused.text("policy")
            );
        }
        assert_eq!(admitted, [4, 3, 3, 4], "{limit}");
    }
}

#[tokio::test]
async fn an_instance_whose_clock_is_behind_cannot_reopen_a_second() {
    let policy =
        faregate_domain::policy::Policy::DEFAULT_TEXT.replace("per_minute: 5, burst: 2", "per_second: 2, burst: 2");
    let bundle = Bundle::with_policy(&policy).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let behind = bundle.restarted();
    bundle.clock.advance_ms(2_000);
    for status in [200, 200, 200, 200, 429] {
        assert_eq!(bundle.knock(&key, "GET", "/demo/limited").await.status, status);
    }
    behind.clock.set(faregate_domain::time::Timestamp::from_epoch_ms(bundle.clock.now().epoch_ms() - 2_000));
    assert_eq!(behind.knock(&key, "GET", "/demo/limited").await.status, 429);
}
