//! A key that manages keys gives at most what it has, where it is.

use serde_json::{Value, json};

use super::bench::{Bench, Key, Person};

async fn manager(bench: &Bench, ann: &Person, more: &Value) -> Key {
    let mut wish = json!({"name": "manager", "scopes": ["demo:read", "keys:manage"]});
    for (name, value) in more.as_object().unwrap() {
        wish[name] = value.clone();
    }
    bench.key(&ann.token, &wish).await
}

#[tokio::test]
async fn a_key_without_the_scope_manages_nothing() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    for answer in [
        bench.create(&key.text, &json!({"name": "n"})).await,
        bench.send("GET", "/v1/api-keys", &key.text, None, &[]).await,
        bench.read(&key.text, &key.id).await,
        bench.change(&key.text, &key.id, &json!({"name": "m"})).await,
        bench.revoke(&key.text, &key.id).await,
    ] {
        assert_eq!(answer.refusal(), (403, "insufficient_scope"));
    }
}

#[tokio::test]
async fn a_key_gives_at_most_what_it_has() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let bounds = json!({
        "limits": {"per_minute": 10, "burst": 5, "per_day": 100, "concurrent": 2},
        "expires_at": "2026-01-01T00:00:00Z",
    });
    let own = manager(&bench, &ann, &bounds).await;
    let child = bench.create(&own.text, &json!({"name": "c", "scopes": ["demo:read"]})).await;
    let data = &child.body["data"];
    assert_eq!(child.status, 201, "{}", child.text);
    assert_eq!(data["limits"], json!({"per_minute": 10, "burst": 0, "per_day": 100, "concurrent": 2}));
    assert_eq!((&data["budget_usd"], &data["expires_at"]), (&json!(null), &json!("2026-01-01T00:00:00Z")));
    assert_eq!(data["project_id"], ann.project.to_string());
    let child = Key::of(&child);
    for (more, code) in [
        (json!({"scopes": "full-access"}), "insufficient_scope"),
        (json!({"scopes": ["*"]}), "insufficient_scope"),
        (json!({"limits": {"per_minute": 11}}), "limits_exceeded"),
        (json!({"limits": {"burst": 6}}), "limits_exceeded"),
        (json!({"limits": {"per_day": 101}}), "limits_exceeded"),
        (json!({"limits": {"concurrent": 3}}), "limits_exceeded"),
        (json!({"expires_at": "2026-01-01T00:00:01Z"}), "expiry_exceeded"),
        (json!({"expires_at": null}), "expiry_exceeded"),
        (json!({"environment": "production"}), "forbidden_environment"),
    ] {
        let mut wish = json!({"name": "c", "scopes": ["demo:read"]});
        for (name, value) in more.as_object().unwrap() {
            wish[name] = value.clone();
        }
        assert_eq!(bench.create(&own.text, &wish).await.refusal(), (403, code), "{more}");
        if more.get("environment").is_none() {
            assert_eq!(bench.change(&own.text, &child.id, &more).await.refusal(), (403, code), "{more}");
            assert_eq!(bench.change(&own.text, &own.id, &more).await.refusal(), (403, code), "itself {more}");
        }
    }
    let answer = bench.create(&own.text, &json!({"name": "c"})).await;
    assert_eq!(answer.refusal(), (403, "insufficient_scope"), "the default scopes are more than it has");
    assert_eq!(answer.body["required_scope"], "demo:*");
}

#[tokio::test]
async fn a_key_with_an_allowlist_gives_it_on() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let own = manager(&bench, &ann, &json!({"allowlist": ["a.com", "b.com"]})).await;
    let from = [("origin", "https://a.com")];
    let create = async |more: &str| {
        let body = format!(r#"{{"name":"c","scopes":"read-only"{more}}}"#);
        bench.send("POST", "/v1/api-keys", &own.text, Some(&body), &from).await
    };
    assert_eq!(create("").await.body["data"]["allowlist"], json!(["a.com", "b.com"]));
    assert_eq!(create(r#","allowlist":["b.com"]"#).await.body["data"]["allowlist"], json!(["b.com"]));
    for more in [r#","allowlist":["c.com"]"#, r#","allowlist":null"#, r#","allowlist":[]"#] {
        assert_eq!(create(more).await.refusal(), (403, "allowlist_exceeded"), "{more}");
    }
    let elsewhere = bench.create(&own.text, &json!({"name": "c"})).await;
    assert_eq!(elsewhere.refusal(), (403, "origin_not_allowed"));
}

#[tokio::test]
async fn a_key_knows_of_its_own_project_and_environment_only() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let own = manager(&bench, &ann, &json!({})).await;
    let near = bench.key(&ann.token, &json!({"name": "near"})).await;
    let far = bench.key(&ann.token, &json!({"name": "far", "environment": "production"})).await;
    let none = bench.read(&own.text, "key_0000000000000000").await;
    for answer in [
        bench.read(&own.text, &far.id).await,
        bench.change(&own.text, &far.id, &json!({"frozen": true})).await,
        bench.revoke(&own.text, &far.id).await,
    ] {
        assert_eq!((answer.status, &answer.text), (404, &none.text));
    }
    let list = bench.send("GET", "/v1/api-keys", &own.text, None, &[]).await;
    let names: std::collections::BTreeSet<_> =
        list.body["data"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["manager", "near"].into());
    assert_eq!(bench.revoke(&own.text, &near.id).await.status, 204);
    assert_eq!(bench.knock(&far.text, "GET /demo/free").await, "admitted");
    let other = bench.create(&own.text, &json!({"name": "c", "project_id": format!("prj_{}", "7".repeat(22))})).await;
    assert_eq!((other.status, &other.text), (404, &none.text));
}

#[tokio::test]
async fn a_key_pages_through_what_it_knows() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let own = manager(&bench, &ann, &json!({})).await;
    for number in 0..9 {
        let environment = if number % 3 == 0 { "sandbox" } else { "production" };
        bench.key(&ann.token, &json!({"name": "n", "environment": environment})).await;
    }
    let (mut path, mut found) = ("/v1/api-keys?limit=1".to_owned(), 0);
    loop {
        let page = bench.send("GET", &path, &own.text, None, &[]).await;
        let data = page.body["data"].as_array().unwrap();
        assert!(data.iter().all(|key| key["environment"] == "sandbox"));
        found += data.len();
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/v1/api-keys?limit=1&cursor={cursor}");
    }
    assert_eq!(found, 4);
}

#[tokio::test]
async fn only_an_operators_session_gives_operators_scopes() {
    let bench = Bench::new().await;
    let (operator, ann) = (bench.person(0).await, bench.person(1).await);
    for scopes in [json!(["gate:check"]), json!("demo:read,gate:check"), json!(["gate:*"])] {
        let wish = json!({"name": "n", "scopes": scopes});
        assert_eq!(bench.create(&ann.token, &wish).await.refusal(), (403, "insufficient_scope"), "{scopes}");
        assert_eq!(bench.create(&operator.token, &wish).await.status, 201, "{scopes}");
        let key = bench.key(&ann.token, &json!({"name": "n"})).await;
        let answer = bench.change(&ann.token, &key.id, &json!({"scopes": scopes})).await;
        assert_eq!(answer.refusal(), (403, "insufficient_scope"));
    }
    let everything = bench.key(&operator.token, &json!({"name": "n", "scopes": ["*", "gate:check"]})).await;
    let answer = bench.create(&everything.text, &json!({"name": "n", "scopes": ["gate:check"]})).await;
    assert_eq!(answer.refusal(), (403, "insufficient_scope"), "a key is nobody's session");
}

#[tokio::test]
async fn a_frozen_or_revoked_key_manages_nothing() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let own = manager(&bench, &ann, &json!({})).await;
    bench.change(&ann.token, &own.id, &json!({"frozen": true})).await;
    assert_eq!(bench.change(&own.text, &own.id, &json!({"frozen": false})).await.status, 402);
    bench.revoke(&ann.token, &own.id).await;
    assert_eq!(bench.read(&own.text, &own.id).await.refusal(), (401, "invalid_api_key"));
}

#[tokio::test]
async fn a_key_with_a_budget_makes_no_keys_and_sets_no_budgets() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let own = manager(&bench, &ann, &json!({"budget_usd": 0.5})).await;
    for budget in [json!({}), json!({"budget_usd": 0}), json!({"budget_usd": 0.5}), json!({"budget_usd": null})] {
        let mut wish = json!({"name": "c", "scopes": ["demo:read"]});
        wish.as_object_mut().unwrap().extend(budget.as_object().unwrap().clone());
        let refused = bench.create(&own.text, &wish).await;
        assert_eq!((refused.status, refused.body["code"].as_str()), (403, Some("budget_exceeded")), "{wish}");
    }
}
