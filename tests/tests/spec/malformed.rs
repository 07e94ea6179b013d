//! Bad input gets its 4xx problem: never a 5xx, a panic or a hang.

use faregate_tests::{Answer, Bundle, Caller};
use serde_json::{Value, json};

fn assert_problem(answer: &Answer, statuses: &[u16], what: &str) {
    assert!(statuses.contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{what}");
    for member in ["type", "title", "status", "detail", "code", "request_id"] {
        assert!(!answer.body[member].is_null(), "{what}: no {member} in {}", answer.text);
    }
    assert_eq!(answer.body["status"], answer.status, "{what}");
    if answer.status == 401 {
        assert!(answer.headers.contains_key("www-authenticate"), "{what}");
    }
}

/// Values that fit no field of ours.
fn misfits() -> Vec<Value> {
    vec![
        json!(true),
        json!(-1),
        json!(1e300),
        json!([[]]),
        json!({"a": 1}),
        json!(""),
        json!("\u{0}"),
        json!("x".repeat(10_000)),
        json!(["x".repeat(10_000)]),
        json!(18_446_744_073_709_551_615_u64),
    ]
}

#[tokio::test]
async fn every_field_of_a_new_key_is_checked() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    for field in ["name", "project_id", "environment", "scopes", "allowlist", "budget_usd", "expires_at", "limits"] {
        for misfit in misfits() {
            let mut body = json!({"name": "a"});
            body[field] = misfit.clone();
            let answer = bundle.post("/v1/api-keys", &session.caller(), &body).await;
            let is_fine = answer.status == 201 && field == "budget_usd";
            if !is_fine {
                assert_problem(
                    &answer,
                    &[400, 404],
                    &format!("{field} = {}", &misfit.to_string()[..misfit.to_string().len().min(40)]),
                );
            }
        }
    }
    for field in ["per_minute", "burst", "per_day", "concurrent"] {
        for misfit in [json!(0), json!(-1), json!(1.5), json!("5"), json!(4_294_967_296_u64), json!(null), json!([])] {
            let body = json!({"name": "a", "limits": {field: misfit.clone()}});
            let answer = bundle.post("/v1/api-keys", &session.caller(), &body).await;
            let is_fine = answer.status == 201 && (misfit.is_null() || (field == "burst" && misfit == 0));
            if !is_fine {
                assert_problem(&answer, &[400], &format!("limits.{field} = {misfit}"));
                assert!(answer.text.contains(field), "{}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn every_field_of_a_changed_key_is_checked() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let page = format!("/v1/api-keys/{id}");
    for field in ["name", "scopes", "allowlist", "budget_usd", "expires_at", "limits", "frozen"] {
        for misfit in misfits() {
            let is_fine = field == "frozen" && misfit == json!(true);
            if !is_fine {
                let answer = bundle.patch(&page, &session.caller(), &json!({field: misfit})).await;
                assert_problem(&answer, &[400], field);
            }
        }
    }
    let answer = bundle.patch(&page, &session.caller(), &json!({"key": "x"})).await;
    assert_eq!(answer.body["field"], "key");
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
}

#[tokio::test]
async fn every_field_of_a_login_is_checked() {
    let bundle = Bundle::new().await;
    let wallet = bundle.wallet("w");
    let fine =
        json!({"address": wallet.address().to_string(), "signature": wallet.sign("x"), "nonce": "abcdefgh12345678"});
    for field in ["address", "signature", "nonce", "message"] {
        for misfit in misfits() {
            let mut body = fine.clone();
            body[field] = misfit;
            let answer = bundle.post("/auth/verify", &Caller::Anonymous, &body).await;
            assert_problem(&answer, &[400, 401], field);
        }
    }
    let answer = bundle.post("/auth/verify", &Caller::Anonymous, &fine).await;
    assert_eq!((answer.status, answer.code()), (401, "invalid_signature"));
    for address in ["0x12", "0x", "", "0xzz00000000000000000000000000000000000000", "%00", "é", &"0x".repeat(3_000)] {
        let answer = bundle.get(&format!("/auth/nonce/{address}"), &Caller::Anonymous).await;
        assert_problem(&answer, &[400, 404], address);
    }
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_one_json_object() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let bearer = format!("Bearer {}", session.token);
    let big = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    for (path, content_type, body, statuses) in [
        ("/v1/api-keys", "application/json", Some(big.as_str()), [413, 413]),
        ("/auth/verify", "application/json", Some(big.as_str()), [413, 413]),
        ("/v1/api-keys", "text/plain", Some(r#"{"name":"a"}"#), [415, 415]),
        ("/v1/api-keys", "application/json", None, [400, 415]),
        ("/v1/api-keys", "application/json", Some("[]"), [400, 400]),
        ("/v1/api-keys", "application/json", Some("null"), [400, 400]),
        ("/v1/api-keys", "application/json", Some(r#"{"name":"a","name":"b"}"#), [400, 400]),
        ("/v1/api-keys", "application/json", Some(r#"{"name":"a"}{"#), [400, 400]),
        ("/v1/api-keys", "application/json", Some(r#"{"name":"\ud800"}"#), [400, 400]),
        ("/v1/api-keys", "application/json", Some(r#"{"name":"a","budget_usd":"1e2"}"#), [400, 400]),
        ("/v1/api-keys", "application/json", Some(r#"{"name":"a","budget_usd":0.0000001}"#), [400, 400]),
    ] {
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", content_type)];
        let answer = bundle.send_with("POST", path, &headers, body).await;
        assert_problem(&answer, &statuses, body.map_or("nothing", |body| &body[..body.len().min(40)]));
    }
}

#[tokio::test]
async fn wrong_methods_paths_and_cursors_are_named() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    for (method, path, statuses) in [
        ("PUT", "/v1/api-keys", [405, 405]),
        ("POST", "/auth/nonce/0x0", [405, 405]),
        ("GET", "/auth/verify", [405, 405]),
        ("GET", "/auth/logout", [405, 405]),
        ("POST", "/.well-known/jwks.json", [405, 405]),
        ("GET", "/v1/api-keys/key_short", [404, 404]),
        ("GET", "/v1/api-keys/a/b/c", [404, 404]),
        ("GET", "/v1/api-keys?limit=0", [400, 400]),
        ("GET", "/v1/api-keys?limit=101", [400, 400]),
        ("GET", "/v1/api-keys?limit=x", [400, 400]),
        ("GET", "/v1/api-keys?cursor=nonsense", [400, 400]),
    ] {
        let answer = bundle.send(method, path, &session.caller(), None).await;
        assert_problem(&answer, &statuses, &format!("{method} {path}"));
        assert_eq!(answer.status == 405, answer.headers.contains_key("allow"), "{method} {path}");
    }
}

#[tokio::test]
async fn credentials_of_every_odd_kind_are_refused() {
    let bundle = Bundle::new().await;
    let (session, _, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let long = "x".repeat(100_000);
    for odd in ["", " ", "\u{e9}", "\u{0}", "sk_test_", "sk_test_\u{1F600}", "..", "a.b.c", "eyJ.eyJ.sig", &long] {
        for headers in [
            vec![("Authorization".to_owned(), format!("Bearer {odd}"))],
            vec![("X-Api-Key".to_owned(), odd.to_owned())],
        ] {
            let knock = bundle.knock_with("GET", "/demo/free", &headers).await;
            assert_eq!(knock.status, 401, "{headers:?}");
        }
        if odd != "\u{0}" {
            let answer = bundle.send_with("GET", "/v1/api-keys", &[("X-Api-Key", odd)], None).await;
            assert_problem(&answer, &[401], odd);
        }
    }
    for at in 0..session.token.len() {
        let letter = if session.token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let forged = format!("{}{letter}{}", &session.token[..at], &session.token[at + 1..]);
        let knock = bundle.knock(&Caller::Bearer(forged), "GET", "/demo/free").await;
        assert!(knock.status == 401, "a token with its character {at} changed was admitted");
    }
}

#[tokio::test]
async fn malformed_events_admit_nobody() {
    let bundle = Bundle::new().await;
    for event in [json!(null), json!(7), json!([]), json!({}), json!({"type": "TOKEN"}), json!({"type": "REQUEST"})] {
        assert_eq!(bundle.ask(event).await.status, 503);
    }
}
