//! What becomes of keys when their account moves to another plan.

use serde_json::json;

use super::bench::Bench;

#[tokio::test]
async fn lower_ceilings_hold_for_new_keys_and_for_the_next_change_of_limits() {
    let plans = "  small: { max_keys: 2, per_minute: 50, per_day: 1000, concurrent: 5 }\n  none: { max_keys: 0, per_minute: 1, per_day: 1, concurrent: 1 }\n";
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT.replace("\nsign_up:", &format!("{plans}\nsign_up:"));
    let bench = Bench::under(&policy, None).await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n", "limits": {"per_minute": 200, "burst": 100}})).await;
    let limits = async || bench.read(&ann.token, &key.id).await.body["data"]["limits"].clone();
    let as_made = json!({"per_minute": 200, "burst": 100, "per_day": 10_000, "concurrent": 10});

    bench.set_plan(&ann, "small").await;
    assert_eq!(limits().await, as_made, "an existing key keeps what it has");
    assert_eq!(bench.change(&ann.token, &key.id, &json!({"name": "m", "frozen": false})).await.status, 200);
    assert_eq!(limits().await, as_made, "a change of something else too");
    let answer = bench.change(&ann.token, &key.id, &json!({"limits": {"per_minute": 51}})).await;
    assert_eq!(answer.fault(), (400, "limits.per_minute"));
    assert_eq!(bench.change(&ann.token, &key.id, &json!({"limits": {"per_day": 900}})).await.status, 200);
    let lowered = json!({"per_minute": 50, "burst": 50, "per_day": 900, "concurrent": 5});
    assert_eq!(limits().await, lowered, "what the change does not name is lowered");
    let new = bench.create(&ann.token, &json!({"name": "new"})).await;
    assert_eq!(new.body["data"]["limits"], json!({"per_minute": 50, "burst": 0, "per_day": 1_000, "concurrent": 5}));
    let answer = bench.create(&ann.token, &json!({"name": "new", "limits": {"concurrent": 6}})).await;
    assert_eq!(answer.fault(), (400, "limits.concurrent"));
    assert_eq!(bench.create(&ann.token, &json!({"name": "third"})).await.refusal(), (403, "plan_required"));

    bench.set_plan(&ann, "none").await;
    assert_eq!(bench.create(&ann.token, &json!({"name": "new"})).await.refusal(), (403, "plan_required"));
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "admitted", "no plan ends a key");
    let path = format!("/v1/api-keys/{}/rotate", key.id);
    assert_eq!(bench.send("POST", &path, &ann.token, None, &[]).await.status, 201);
}
