//! Keys are changed, and the change holds at the very next request.

use serde_json::{Value, json};

use super::bench::Bench;

#[tokio::test]
async fn what_is_named_changes_and_the_rest_stays() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "old"})).await;
    let change = json!({
        "name": "new", "scopes": "read-only", "allowlist": ["a.com"], "limits": {"per_minute": 50, "burst": 5},
        "budget_usd": 1, "expires_at": "2026-01-01T00:00:00Z", "frozen": true,
    });
    let answer = bench.change(&ann.token, &key.id, &change).await;
    let data = &answer.body["data"];
    assert_eq!((answer.status, &data["name"], &data["status"]), (200, &json!("new"), &json!("frozen")));
    assert_eq!(data["limits"], json!({"per_minute": 50, "burst": 5, "per_day": 10_000, "concurrent": 10}));
    assert_eq!((&data["scopes"], &data["allowlist"]), (&json!(["demo:read"]), &json!(["a.com"])));
    assert_eq!((&data["budget_usd"], &data["expires_at"]), (&json!(1), &json!("2026-01-01T00:00:00Z")));
    let untouched = bench.change(&ann.token, &key.id, &json!({})).await;
    assert_eq!((untouched.status, untouched.text), (200, answer.text.clone()));
    let removal = json!({"allowlist": null, "budget_usd": null, "expires_at": null, "frozen": false});
    let data = bench.change(&ann.token, &key.id, &removal).await.body["data"].take();
    assert_eq!((&data["budget_usd"], &data["expires_at"]), (&Value::Null, &Value::Null));
    assert_eq!((&data["allowlist"], &data["status"], &data["name"]), (&json!([]), &json!("active"), &json!("new")));
    let list = bench.send("GET", "/v1/api-keys", &ann.token, None, &[]).await;
    let mut row = list.body["data"][0].clone();
    row.as_object_mut().unwrap().remove("usage");
    assert_eq!(row, data);
}

#[tokio::test]
async fn every_change_holds_at_the_next_request() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    let now = bench.now().plus_s(1);
    for (change, free, paid) in [
        (json!({}), "admitted", "admitted"),
        (json!({"frozen": true}), "insufficient_credits", "insufficient_credits"),
        (json!({"frozen": false}), "admitted", "admitted"),
        (json!({"scopes": ["demo:read"]}), "admitted", "insufficient_scope"),
        (json!({"scopes": "full-access"}), "admitted", "admitted"),
        (json!({"allowlist": ["a.com"]}), "origin_not_allowed", "origin_not_allowed"),
        (json!({"allowlist": null}), "admitted", "admitted"),
        (json!({"budget_usd": 0}), "admitted", "insufficient_credits"),
        (json!({"budget_usd": "0.50"}), "admitted", "admitted"),
        (json!({"limits": {"per_day": 1}}), "rate_limited_daily", "rate_limited_daily"),
        (json!({"limits": {"per_day": 100}}), "admitted", "admitted"),
        (json!({"expires_at": now.to_string()}), "admitted", "admitted"),
    ] {
        let answer = bench.change(&ann.token, &key.id, &change).await;
        assert_eq!(answer.status, 200, "{change} {}", answer.text);
        assert_eq!(bench.knock(&key.text, "GET /demo/free").await, free, "{change}");
        assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, paid, "{change}");
    }
    bench.services.clock.advance_ms(1_000);
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "invalid_api_key");
    bench.change(&ann.token, &key.id, &json!({"expires_at": null})).await;
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "admitted");
}

#[tokio::test]
async fn a_revoked_key_is_changed_no_more() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    bench.revoke(&ann.token, &key.id).await;
    for change in [json!({"name": "m"}), json!({"frozen": false}), json!({"budget_usd": 1}), json!({})] {
        assert_eq!(bench.change(&ann.token, &key.id, &change).await.refusal(), (409, "key_revoked"), "{change}");
    }
    let data = bench.read(&ann.token, &key.id).await.body["data"].take();
    assert_eq!((&data["name"], &data["status"]), (&json!("n"), &json!("revoked")));
}

#[tokio::test]
async fn racing_changes_all_arrive() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n", "limits": {"per_minute": 10}})).await;
    bench.admitted(&key.text, 1).await;
    let changes = [
        json!({"limits": {"per_minute": 20}}),
        json!({"limits": {"per_day": 20}}),
        json!({"limits": {"concurrent": 2}}),
        json!({"budget_usd": 1}),
        json!({"name": "m"}),
        json!({"scopes": ["demo:read"]}),
    ];
    let sends = changes.iter().map(|change| bench.change(&ann.token, &key.id, change));
    let mut set = Vec::new();
    for send in sends {
        set.push(send);
    }
    let answers = join(set).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200; 6], "{answers:#?}");
    let data = bench.read(&ann.token, &key.id).await.body["data"].take();
    assert_eq!(data["limits"], json!({"per_minute": 20, "burst": 0, "per_day": 20, "concurrent": 2}));
    assert_eq!((&data["budget_usd"], &data["name"], &data["scopes"]), (&json!(1), &json!("m"), &json!(["demo:read"])));
    assert_eq!(bench.admitted(&key.text, 30).await, 19, "one of twenty was taken before");
}

/// Runs futures side by side on one task.
async fn join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    let mut done: Vec<_> = running.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, output) in running.iter_mut().zip(&mut done) {
            if let Some(pending) = future
                && let std::task::Poll::Ready(value) = pending.as_mut().poll(context)
            {
                (*future, *output) = (None, Some(value));
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(done.iter_mut().filter_map(Option::take).collect())
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}
