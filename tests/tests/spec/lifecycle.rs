//! The life of a key, as its owner, another tenant and the key itself see it.

use faregate_tests::{Bundle, Caller};
use serde_json::{Value, json};

#[tokio::test]
async fn a_new_key_has_the_documented_shape_and_is_shown_once() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let answer = bundle.post("/v1/api-keys", &session.caller(), &json!({"name": "Production"})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let data = &answer.body["data"];
    let (key, id) = (data["key"].as_str().unwrap(), data["id"].as_str().unwrap());
    assert_eq!(key.len(), "sk_test_".len() + 55);
    assert_eq!(&key[8..24], id.strip_prefix("key_").unwrap());
    assert_eq!(data["key_prefix"], key[..16]);
    assert_eq!(
        (&data["name"], &data["environment"], &data["status"]),
        (&json!("Production"), &json!("sandbox"), &json!("active"))
    );
    assert_eq!((&data["scopes"], &data["allowlist"]), (&json!(["demo:*"]), &json!([])));
    assert_eq!((&data["budget_usd"], &data["expires_at"]), (&Value::Null, &Value::Null));
    assert_eq!(data["limits"], json!({"per_minute": 100, "burst": 0, "per_day": 10000, "concurrent": 10}));
    assert_eq!(data["created_at"], bundle.clock.now().to_string());
    assert!(data["project_id"].as_str().unwrap().starts_with("prj_"));
    for page in ["/v1/api-keys".to_owned(), format!("/v1/api-keys/{id}")] {
        let answer = bundle.get(&page, &session.caller()).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text.contains(&key[..16]) && !answer.text.contains(&key[24..46]), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_the_very_next_request() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let other_instance = bundle.restarted();
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    assert_eq!(other_instance.knock(&key, "GET", "/demo/free").await.status, 200);
    assert_eq!(bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await.status, 204);
    for instance in [&bundle, &other_instance] {
        let knock = instance.knock(&key, "GET", "/demo/free").await;
        assert_eq!((knock.status, knock.code.as_str()), (401, "invalid_api_key"));
    }
    let page = bundle.get(&format!("/v1/api-keys/{id}"), &session.caller()).await;
    assert_eq!(page.body["data"]["status"], "revoked");
}

#[tokio::test]
async fn a_key_can_end_itself() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": ["demo:read"]})).await;
    assert_eq!(bundle.delete("/v1/api-keys/self", &key).await.status, 204);
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 401);
}

#[tokio::test]
async fn another_tenants_key_looks_like_one_that_never_existed() {
    let bundle = Bundle::new().await;
    let (_, id, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let stranger = bundle.login(&bundle.wallet("stranger")).await;
    let never = format!("key_{}", "A".repeat(16));
    for (method, body) in [("GET", None), ("PATCH", Some(r#"{"name":"mine"}"#)), ("DELETE", None)] {
        let theirs = bundle.send(method, &format!("/v1/api-keys/{id}"), &stranger.caller(), body).await;
        let none = bundle.send(method, &format!("/v1/api-keys/{never}"), &stranger.caller(), body).await;
        assert_eq!((theirs.status, none.status), (404, 404), "{method}");
        assert_eq!((&theirs.text, &theirs.headers), (&none.text, &none.headers), "{method}");
    }
    assert_eq!(bundle.get("/v1/api-keys", &stranger.caller()).await.body["data"], json!([]));
}

#[tokio::test]
async fn a_changed_scope_or_allowlist_is_in_force_at_the_next_request() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let page = format!("/v1/api-keys/{id}");
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    bundle.patch(&page, &session.caller(), &json!({"scopes": "demo:read"})).await;
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.code, "insufficient_scope");
    bundle.patch(&page, &session.caller(), &json!({"allowlist": ["a.com"]})).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.code, "origin_not_allowed");
    bundle.patch(&page, &session.caller(), &json!({"allowlist": null})).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
}

#[tokio::test]
async fn every_change_holds_at_the_next_request_of_every_instance() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let page = format!("/v1/api-keys/{id}");
    let instances = [bundle.clone(), bundle.restarted(), bundle.restarted()];
    let codes = async || {
        let mut codes = Vec::new();
        for instance in &instances {
            codes.push(instance.knock(&key, "GET", "/demo/free").await.code);
        }
        codes
    };
    assert_eq!(codes().await, ["ok"; 3]);
    for (change, code, undo) in [
        (json!({"frozen": true}), "insufficient_credits", json!({"frozen": false})),
        (json!({"scopes": ["demo:write"]}), "insufficient_scope", json!({"scopes": "demo:*"})),
        (json!({"allowlist": ["a.com"]}), "origin_not_allowed", json!({"allowlist": null})),
        (json!({"limits": {"per_day": 1}}), "rate_limited_daily", json!({"limits": {"per_day": 10_000}})),
        (json!({"limits": {"per_minute": 1}}), "rate_limited", json!({"limits": {"per_minute": 100}})),
    ] {
        for (body, wanted) in [(&change, code), (&undo, "ok")] {
            let answer = bundle.patch(&page, &session.caller(), body).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(codes().await, [wanted; 3], "{body}");
        }
    }
    let end = bundle.clock.now().plus_s(5).to_string();
    bundle.patch(&page, &session.caller(), &json!({"expires_at": end})).await;
    assert_eq!(codes().await, ["ok"; 3]);
    bundle.clock.advance_ms(5_000);
    assert_eq!(codes().await, ["invalid_api_key"; 3]);
    bundle.patch(&page, &session.caller(), &json!({"expires_at": null})).await;
    assert_eq!(codes().await, ["ok"; 3]);
}

#[tokio::test]
async fn a_key_manages_keys_only_with_the_scope_and_never_beyond_itself() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let (_, plain) = bundle.key(&session, json!({"name": "plain"})).await;
    let body = json!({"name": "child", "scopes": ["demo:read"]});
    assert_eq!(bundle.post("/v1/api-keys", &plain, &body).await.code(), "insufficient_scope");
    let manager = json!({"name": "manager", "scopes": ["keys:manage", "demo:read"], "limits": {"per_minute": 10}});
    let (_, manager) = bundle.key(&session, manager).await;
    for (body, status) in [
        (json!({"name": "child", "scopes": ["demo:read"], "limits": {"per_minute": 10}}), 201),
        (json!({"name": "child", "scopes": ["demo:write"], "limits": {"per_minute": 10}}), 403),
        (json!({"name": "child", "scopes": "admin", "limits": {"per_minute": 10}}), 403),
        (
            json!({"name": "child", "scopes": ["demo:read"], "environment": "production", "limits": {"per_minute": 10}}),
            403,
        ),
        (json!({"name": "child", "scopes": ["demo:read"], "limits": {"per_minute": 11}}), 403),
    ] {
        let answer = bundle.post("/v1/api-keys", &manager, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
}

#[tokio::test]
async fn only_an_operator_may_hand_out_the_gates_own_scope() {
    let probe = Bundle::new().await;
    let body = json!({"name": "service", "scopes": ["gate:check"]});
    let session = probe.newcomer().await;
    assert_eq!(probe.post("/v1/api-keys", &session.caller(), &body).await.code(), "insufficient_scope");
    let operator = format!("operators: [\"{}\"]", session.wallet.address());
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT.replace("operators: []", &operator);
    let bundle = Bundle::with_policy(&policy).await;
    let session = bundle.login(&session.wallet).await;
    assert_eq!(bundle.post("/v1/api-keys", &session.caller(), &body).await.status, 201);
}

#[tokio::test]
async fn usage_tells_today_this_minute_and_what_is_left_to_spend() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 1})).await;
    for _ in 0..3 {
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    }
    let used_at = bundle.clock.now().to_string();
    let page = format!("/v1/api-keys/{id}");
    let usage = bundle.get(&page, &session.caller()).await.body["data"]["usage"].clone();
    assert_eq!((&usage["today"], &usage["this_minute"]), (&json!(3), &json!(3)));
    assert_eq!((&usage["remaining_budget_usd"], &usage["last_used_at"]), (&json!(0.97), &json!(used_at)));
    bundle.clock.advance_ms(60_000);
    let usage = bundle.get(&page, &session.caller()).await.body["data"]["usage"].clone();
    assert_eq!((&usage["today"], &usage["this_minute"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn keys_are_listed_in_pages() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(bundle.key(&session, json!({"name": format!("n{number}")})).await.0);
    }
    let mut found = Vec::new();
    let mut page = "/v1/api-keys?limit=2".to_owned();
    loop {
        let answer = bundle.get(&page, &session.caller()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let rows = answer.body["data"].as_array().unwrap().clone();
        assert!(rows.len() <= 2);
        found.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = answer.body["next_cursor"].as_str() else { break };
        page = format!("/v1/api-keys?limit=2&cursor={cursor}");
    }
    made.sort();
    found.sort();
    assert_eq!(found, made);
}

#[tokio::test]
async fn a_cookie_changes_things_only_from_our_own_origin() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let cookie = format!("faregate_session={}", session.token);
    let body = Some(r#"{"name":"a"}"#);
    for (origin, status) in [
        (Some("https://api.example.com"), 201),
        (Some("https://evil.example"), 403),
        (Some("https://example.com"), 403),
        (Some("https://www.api.example.com"), 403),
        (Some("https://api.example.com:8443"), 403),
        (Some("http://api.example.com"), 403),
        (Some("null"), 403),
        (None, 403),
    ] {
        let mut headers = vec![("Cookie", cookie.as_str()), ("Content-Type", "application/json")];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        let answer = bundle.send_with("POST", "/v1/api-keys", &headers, body).await;
        assert_eq!(answer.status, status, "{origin:?}: {}", answer.text);
    }
    let (id, _) = bundle.key(&session, json!({"name": "a"})).await;
    let page = format!("/v1/api-keys/{id}");
    for (method, path) in [("PATCH", page.clone()), ("DELETE", page.clone()), ("POST", format!("{page}/rotate"))] {
        let headers = [("Cookie", cookie.as_str()), ("Content-Type", "application/json")];
        let answer = bundle.send_with(method, &path, &headers, body).await;
        assert_eq!((answer.status, answer.code()), (403, "origin_not_allowed"), "{method} {path}");
    }
    for origin in [None, Some("https://evil.example")] {
        let mut headers = vec![("Cookie", cookie.as_str())];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        assert_eq!(
            bundle.send_with("GET", "/v1/api-keys", &headers, None).await.status,
            200,
            "reading changes nothing"
        );
    }
    let bearer = format!("Bearer {}", session.token);
    let headers = [("Authorization", bearer.as_str()), ("Origin", "https://evil.example")];
    assert_eq!(bundle.send_with("DELETE", &page, &headers, None).await.status, 204, "no browser sends this by itself");
    assert_eq!(bundle.get("/v1/api-keys", &Caller::Anonymous).await.code(), "missing_credentials");
}

/// As an operator rotates it: instances that run have read it before.
pub(crate) fn rotate_pepper(bundle: &Bundle) {
    let file = bundle.secrets_file();
    let mut secrets: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    secrets["pepper"] = json!({"current": "e".repeat(64), "previous": "a".repeat(64)});
    std::fs::write(&file, secrets.to_string()).unwrap();
}

#[tokio::test]
async fn a_rotated_pepper_ends_no_key() {
    let bundle = Bundle::new().await;
    let (session, _, old) = bundle.key_of_newcomer(json!({"name": "old"})).await;
    rotate_pepper(&bundle);
    let rotated = bundle.restarted();
    let (_, new) = rotated.key(&session, json!({"name": "new"})).await;
    for key in [&old, &new] {
        assert_eq!(rotated.knock(key, "GET", "/demo/free").await.status, 200);
    }
    // An instance that read its pepper before the rotation reads it again before it turns a new key away.
    bundle.clock.advance_ms(15_000);
    assert_eq!(bundle.delete("/v1/api-keys/self", &new).await.status, 204);
}

#[tokio::test]
async fn an_instance_that_missed_a_rotation_learns_of_it_at_the_gate() {
    let bundle = Bundle::new().await;
    let (session, _, _) = bundle.key_of_newcomer(json!({"name": "old"})).await;
    rotate_pepper(&bundle);
    let (_, new) = bundle.restarted().key(&session, json!({"name": "new"})).await;
    bundle.clock.advance_ms(15_000);
    assert_eq!(bundle.knock(&new, "GET", "/demo/free").await.status, 200);
}

#[tokio::test]
async fn a_reading_of_a_moment_ago_refuses_no_key_of_a_new_pepper_or_tag() {
    let bundle = Bundle::new().await;
    let (session, _, moved) = bundle.key_of_newcomer(json!({"name": "moved"})).await;
    let instances = [bundle.clone(), bundle.restarted()];
    let Caller::Key(known) = &moved else { panic!("a key") };
    let junk = Caller::Key(format!("{}{}", &known[..62], if known.ends_with('A') { "B" } else { "A" }));
    for instance in &instances {
        assert_eq!(instance.knock(&moved, "GET", "/demo/free").await.status, 200);
        assert_eq!(instance.knock(&junk, "GET", "/demo/free").await.code, "invalid_api_key");
    }
    let file = bundle.secrets_file();
    let rotate = |name: &str, current: &str, previous: Value| {
        let mut secrets: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        secrets[name] = json!({"current": current.repeat(64), "previous": previous});
        std::fs::write(&file, secrets.to_string()).unwrap();
    };
    rotate("pepper", "e", json!("a".repeat(64)));
    rotate("tag", "f", json!("b".repeat(64)));
    let rotated = bundle.restarted();
    let (_, new) = rotated.key(&session, json!({"name": "new"})).await;
    assert_eq!(rotated.knock(&moved, "GET", "/demo/free").await.status, 200);
    // It has moved: the pepper of before would not prove it.
    rotate("pepper", "e", Value::Null);
    for key in [&moved, &new] {
        assert_eq!(bundle.knock(key, "GET", "/demo/free").await.status, 200);
    }
    assert_eq!(instances[1].delete("/v1/api-keys/self", &new).await.status, 204);
}

#[tokio::test]
async fn a_key_of_the_right_form_whose_hash_is_not_the_stored_one_is_refused() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let file = bundle.secrets_file();
    let mut secrets: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    secrets["pepper"] = json!({"current": "e".repeat(64), "previous": null});
    std::fs::write(&file, secrets.to_string()).unwrap();
    let knock = bundle.restarted().knock(&key, "GET", "/demo/free").await;
    assert_eq!((knock.status, knock.code.as_str()), (401, "invalid_api_key"));
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.number("rlRemaining"), Some(99));
}
