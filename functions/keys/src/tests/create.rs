//! A key is made, shown once, and works.

use serde_json::{Value, json};

use super::bench::{Bench, Key};

#[tokio::test]
async fn a_key_is_made_with_what_was_asked_for() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let wish = json!({
        "name": "Ann's key", "project_id": ann.project.to_string(), "environment": "production",
        "scopes": ["demo:read", "keys:manage"], "allowlist": ["https://MyApp.com", "*.myapp.com"],
        "budget_usd": 0.30, "expires_at": "2026-01-31T23:59:59+01:00",
        "limits": {"per_minute": 7, "burst": 2, "per_day": 70, "concurrent": 3},
    });
    let answer = bench.create(&ann.token, &wish).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
    let mut data = answer.body["data"].clone();
    let (id, key) = (data["id"].take(), data["key"].take());
    let (id, key) = (id.as_str().unwrap(), key.as_str().unwrap());
    assert!(key.starts_with("sk_prod_") && key.len() == 8 + 55, "{key}");
    assert_eq!(id, format!("key_{}", &key[8..24]));
    assert_eq!(data["key_prefix"], key[..16]);
    data["key_prefix"].take();
    let wanted = json!({
        "id": null, "key": null, "key_prefix": null, "name": "Ann's key", "project_id": ann.project.to_string(),
        "environment": "production", "scopes": ["demo:read", "keys:manage"],
        "allowlist": ["*.myapp.com", "https://myapp.com"], "budget_usd": 0.3, "expires_at": "2026-01-31T22:59:59Z",
        "created_at": "2025-10-09T08:54:00Z", "status": "active",
        "limits": {"per_minute": 7, "burst": 2, "per_day": 70, "concurrent": 3},
    });
    assert_eq!(data, wanted);
}

#[tokio::test]
async fn a_key_of_which_only_the_name_is_given_has_the_policys_defaults_and_works() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let answer = bench.create(&ann.token, &json!({"name": "n"})).await;
    let data = &answer.body["data"];
    assert_eq!((&data["environment"], &data["scopes"]), (&json!("sandbox"), &json!(["demo:*"])));
    assert_eq!(data["limits"], json!({"per_minute": 100, "burst": 0, "per_day": 10_000, "concurrent": 10}));
    for absent in ["budget_usd", "expires_at"] {
        assert_eq!(data[absent], Value::Null, "{absent}");
    }
    assert_eq!(data["allowlist"], json!([]));
    let key = Key::of(&answer);
    assert!(key.text.starts_with("sk_test_"));
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "admitted");
    assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "admitted");
}

#[tokio::test]
async fn scopes_may_be_a_list_a_text_or_a_presets_name() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    for (scopes, wanted) in [
        (json!(["demo:write", "demo:read", "demo:read"]), json!(["demo:read", "demo:write"])),
        (json!("demo:write, demo:read"), json!(["demo:read", "demo:write"])),
        (json!("demo:read"), json!(["demo:read"])),
        (json!("read-only"), json!(["demo:read"])),
        (json!("full-access"), json!(["demo:*"])),
        (json!("admin"), json!(["*"])),
    ] {
        let answer = bench.create(&ann.token, &json!({"name": "n", "scopes": scopes})).await;
        assert_eq!(answer.body["data"]["scopes"], wanted, "{scopes} {}", answer.text);
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_stored_never() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let head = [("idempotency-key", "one")];
    let answer = bench.send("POST", "/v1/api-keys", &ann.token, Some(r#"{"name":"n"}"#), &head).await;
    let key = Key::of(&answer);
    let secret = &key.text[24..46];
    let one = format!("/v1/api-keys/{}", key.id);
    let mut texts = Vec::new();
    for (method, path, body) in [
        ("GET", "/v1/api-keys", None),
        ("GET", &one, None),
        ("PATCH", &one, Some(r#"{"name":"m","frozen":true}"#)),
        ("PATCH", &one, Some(r#"{"name":7}"#)),
        ("POST", "/v1/api-keys", Some(r#"{"name":"n"}"#)),
        ("DELETE", &one, None),
        ("GET", &one, None),
    ] {
        let answer = bench.send(method, path, &ann.token, body, &[]).await;
        texts.push(format!("{} {:?}", answer.text, answer.headers));
    }
    assert!(texts[0].contains(&key.id), "{}", texts[0]);
    texts.push(format!("{:?}", bench.items().await));
    for text in texts {
        assert!(!text.contains(secret) && !text.contains(&key.text), "{text}");
    }
    // What is sealed must not be there as bytes either.
    for value in bench.items().await.iter().flat_map(|item| item.values()) {
        let bytes = value.as_b().map(|bytes| bytes.as_ref().to_vec()).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[tokio::test]
async fn an_account_has_at_most_as_many_live_keys_as_its_plan_allows() {
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT.replace("max_keys: 100", "max_keys: 3");
    let bench = Bench::under(&policy, None).await;
    let (ann, bob) = (bench.person(1).await, bench.person(2).await);
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (app, token) = (bench.app.clone(), ann.token.clone());
        attempts.spawn(async move { status_of_create(&app, &token).await });
    }
    let mut statuses = attempts.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 201, 403, 403, 403, 403, 403, 403, 403]);
    let answer = bench.create(&ann.token, &json!({"name": "n"})).await;
    assert_eq!(answer.refusal(), (403, "plan_required"));
    bench.key(&bob.token, &json!({"name": "n"})).await;
    let list = bench.send("GET", "/v1/api-keys", &ann.token, None, &[]).await;
    let id = list.body["data"][0]["id"].as_str().unwrap();
    assert_eq!(bench.revoke(&ann.token, id).await.status, 204);
    bench.key(&ann.token, &json!({"name": "n"})).await;
    assert_eq!(bench.create(&ann.token, &json!({"name": "n"})).await.refusal(), (403, "plan_required"));
}

async fn status_of_create(app: &crate::App, token: &str) -> u16 {
    let request = lambda_http::http::Request::post("https://gate.example/v1/api-keys")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    let request = request.body(lambda_http::Body::Text(r#"{"name":"n"}"#.to_owned())).unwrap();
    app.handle(request).await.status().as_u16()
}

#[tokio::test]
async fn a_plan_without_api_access_makes_no_keys() {
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT.replace("max_keys: 100", "max_keys: 0");
    let bench = Bench::under(&policy, None).await;
    let ann = bench.person(1).await;
    assert_eq!(bench.create(&ann.token, &json!({"name": "n"})).await.refusal(), (403, "plan_required"));
    assert_eq!(bench.kinds().await.get("key cell"), None);
}

#[tokio::test]
async fn a_project_of_another_account_is_like_none() {
    let bench = Bench::new().await;
    let (ann, bob) = (bench.person(1).await, bench.person(2).await);
    let mut answers = Vec::new();
    for project in [bob.project.to_string(), format!("prj_{}", "7".repeat(22)), "prj_".to_owned(), "💥".to_owned()] {
        let answer = bench.create(&ann.token, &json!({"name": "n", "project_id": project})).await;
        answers.push((answer.status, answer.text, format!("{:?}", answer.headers)));
    }
    assert_eq!(answers[0].0, 404);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn an_outage_is_an_outage() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let gone = Bench::without_table();
    for (method, path, body) in [
        ("POST", "/v1/api-keys", Some(r#"{"name":"n"}"#)),
        ("GET", "/v1/api-keys", None),
        ("DELETE", "/v1/api-keys/self", None),
    ] {
        let answer = gone.send(method, path, &ann.token, body, &[]).await;
        assert_eq!(answer.refusal(), (503, "unavailable"), "{method}");
    }
}
