//! Bad input gets a 400 that names the field.

use serde_json::json;

use super::bench::{Bench, ORIGIN};

/// What is wrong in both bodies, and the field that the problem names.
fn wrong() -> Vec<(String, &'static str)> {
    let long_name = "n".repeat(101);
    let many_scopes = vec!["demo:read"; 3_000];
    let entries: Vec<String> = (0..17).map(|number| format!("a{number}.com")).collect();
    let mut wrong: Vec<(String, &'static str)> = [
        (r#""name":7"#, "name"),
        (r#""name":null"#, "name"),
        (r#""name":["n"]"#, "name"),
        (r#""name":"""#, "name"),
        (r#""name":"a\u0000""#, "name"),
        (r#""name":"a\nb""#, "name"),
        (r#""scopes":7"#, "scopes"),
        (r#""scopes":null"#, "scopes"),
        (r#""scopes":{}"#, "scopes"),
        (r#""scopes":"""#, "scopes"),
        (r#""scopes":[]"#, "scopes"),
        (r#""scopes":"demo:fly""#, "scopes"),
        (r#""scopes":["demo:read","demo:fly"]"#, "scopes"),
        (r#""scopes":"demo:read,,demo:write""#, "scopes"),
        (r#""scopes":["demo:read",7]"#, "scopes[1]"),
        (r#""allowlist":7"#, "allowlist"),
        (r#""allowlist":"a.com""#, "allowlist"),
        (r#""allowlist":[7]"#, "allowlist[0]"),
        (r#""allowlist":["a.com/path"]"#, "allowlist"),
        (r#""allowlist":["*"]"#, "allowlist"),
        (r#""budget_usd":-1"#, "budget_usd"),
        (r#""budget_usd":"-0.01""#, "budget_usd"),
        (r#""budget_usd":"1e3""#, "budget_usd"),
        (r#""budget_usd":0.0000001"#, "budget_usd"),
        (r#""budget_usd":99999999999"#, "budget_usd"),
        (r#""budget_usd":true"#, "budget_usd"),
        (r#""budget_usd":[]"#, "budget_usd"),
        (r#""expires_at":7"#, "expires_at"),
        (r#""expires_at":"tomorrow""#, "expires_at"),
        (r#""expires_at":"2025-10-09""#, "expires_at"),
        (r#""expires_at":"2025-10-09T08:53:59Z""#, "expires_at"),
        (r#""expires_at":"2025-10-09T08:54:00Z""#, "expires_at"),
        (r#""expires_at":"99999-01-01T00:00:00Z""#, "expires_at"),
        (r#""limits":7"#, "limits"),
        (r#""limits":null"#, "limits"),
        (r#""limits":[1,2,3,4]"#, "limits"),
        (r#""limits":{"per_hour":1}"#, "limits.per_hour"),
        (r#""limits":{"per_minute":1,"per_minute":2}"#, "limits.per_minute"),
        (r#""name":"a","name":"b""#, "name"),
        (r#""frozen_":true"#, "frozen_"),
        (r#""key":"sk_test_mine""#, "key"),
        (r#""id":"key_mine""#, "id"),
    ]
    .map(|(text, field)| (text.to_owned(), field))
    .into();
    wrong.push((format!(r#""name":"{long_name}""#), "name"));
    wrong.push((format!(r#""scopes":{}"#, json!([many_scopes.join(",")])), "scopes"));
    wrong.push((format!(r#""allowlist":{}"#, json!(entries)), "allowlist"));
    for limit in ["per_minute", "burst", "per_day", "concurrent"] {
        let field = ["limits.per_minute", "limits.burst", "limits.per_day", "limits.concurrent"];
        let field = field.into_iter().find(|field| field.ends_with(limit)).unwrap();
        let values = ["-1", "1.5", "\"5\"", "null", "true", "99999999999999999999", "1000000001"];
        for value in values.into_iter().chain((limit != "burst").then_some("0")) {
            wrong.push((format!(r#""limits":{{"{limit}":{value}}}"#), field));
        }
    }
    for (limit, field) in [("\"per_minute\":1001", "limits.per_minute"), ("\"per_day\":1000001", "limits.per_day")] {
        wrong.push((format!(r#""limits":{{{limit}}}"#), field));
    }
    wrong.push((r#""limits":{"per_minute":5,"burst":6}"#.to_owned(), "limits.burst"));
    wrong.push((r#""limits":{"concurrent":101}"#.to_owned(), "limits.concurrent"));
    wrong
}

#[tokio::test]
async fn every_wrong_field_is_named_at_creation() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let only_here = [
        (r#""project_id":7"#, "project_id"),
        (r#""project_id":null"#, "project_id"),
        (r#""environment":7"#, "environment"),
        (r#""environment":null"#, "environment"),
        (r#""environment":"moon""#, "environment"),
        (r#""frozen":true"#, "frozen"),
    ];
    for (text, field) in wrong().into_iter().chain(only_here.map(|(text, field)| (text.to_owned(), field))) {
        let body = if text.contains("\"name\"") { format!("{{{text}}}") } else { format!(r#"{{"name":"n",{text}}}"#) };
        let answer = bench.send("POST", "/v1/api-keys", &ann.token, Some(&body), &[]).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{body} {}", answer.text);
        assert_eq!(answer.fault(), (400, field), "{body} {}", answer.text);
    }
    assert_eq!(bench.create(&ann.token, &json!({})).await.fault(), (400, "name"));
    assert_eq!(bench.kinds().await.get("key cell"), None);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_a_change() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    let before = bench.read(&ann.token, &key.id).await.text;
    let only_here = [
        (r#""frozen":null"#, "frozen"),
        (r#""frozen":"yes""#, "frozen"),
        (r#""frozen":1"#, "frozen"),
        (r#""project_id":"prj_x""#, "project_id"),
        (r#""environment":"sandbox""#, "environment"),
        (r#""status":"active""#, "status"),
    ];
    let path = format!("/v1/api-keys/{}", key.id);
    for (text, field) in wrong().into_iter().chain(only_here.map(|(text, field)| (text.to_owned(), field))) {
        let answer = bench.send("PATCH", &path, &ann.token, Some(&format!("{{{text}}}")), &[]).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{text} {}", answer.text);
        assert_eq!(answer.fault(), (400, field), "{text} {}", answer.text);
    }
    assert_eq!(bench.read(&ann.token, &key.id).await.text, before);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let large = format!(r#"{{"name":"{}"}}"#, "n".repeat(65_536));
    for (body, status) in
        [("", 400), ("{", 400), ("[]", 400), ("null", 400), ("\"n\"", 400), (r#"{"name":"n"}{}"#, 400), (&large, 413)]
    {
        let answer = bench.send("POST", "/v1/api-keys", &ann.token, Some(body), &[]).await;
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let request = lambda_http::http::Request::post(format!("{ORIGIN}/v1/api-keys"))
        .header("authorization", format!("Bearer {}", ann.token))
        .body(lambda_http::Body::Text(r#"{"name":"n"}"#.to_owned()))
        .unwrap();
    assert_eq!(bench.app.handle(request).await.status(), 415);
    let wrong_text = bench.send("POST", "/v1/api-keys", &ann.token, Some(r#"{"name":"sk_test_x","x":1}"#), &[]).await;
    assert!(!wrong_text.text.contains("sk_test_x"), "a value is never repeated");
}
