//! Every row of the table of refusals, in its order, and what each one says.

use faregate_domain::policy::Policy;
use faregate_tests::{Bundle, Caller};
use serde_json::json;

use crate::lifecycle::rotate_pepper;

const FREE: (&str, &str) = ("GET", "/demo/free");
const PAID: (&str, &str) = ("POST", "/demo/paid");

#[tokio::test]
async fn an_admitted_call_carries_who_and_what_is_left() {
    let bundle = Bundle::new().await;
    let (session, key_id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let knock = bundle.knock(&key, FREE.0, FREE.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (200, "ok"));
    assert_eq!(knock.text("accountId"), session.account_id);
    assert_eq!(knock.text("keyId"), key_id);
    assert_eq!(knock.text("environment"), "sandbox");
    assert_eq!(knock.text("scopes"), "demo:*");
    assert_eq!(knock.text("gallery"), knock.text("projectId"));
    assert!(knock.text("projectId").starts_with("prj_") && knock.text("chargeId").starts_with("chg_"));
    assert_eq!((knock.number("rlLimit"), knock.number("rlRemaining")), (Some(100), Some(99)));
    assert_eq!(knock.number("rlReset"), Some(bundle.clock.now().minute().end().epoch_s()));
    assert_eq!(knock.text("policy"), r#""minute";q=100;w=60, "day";q=10000;w=86400"#);
    assert_eq!(knock.text("rateLimit"), r#""minute";r=99;t=60, "day";r=9999;t=86400"#);
    let statement = &knock.answer["policyDocument"]["Statement"][0];
    assert_eq!(statement["Effect"], "Allow");
    assert_eq!(statement["Resource"], "arn:aws:execute-api:us-east-1:000000000000:test/stage/*");
}

#[tokio::test]
async fn two_different_credentials_are_ambiguous() {
    let bundle = Bundle::new().await;
    let (session, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let both = [session.caller().headers(), key.headers()].concat();
    let knock = bundle.knock_with(FREE.0, FREE.1, &both).await;
    assert_eq!((knock.status, knock.code.as_str()), (400, "ambiguous_credentials"));
    let Caller::Key(text) = &key else { panic!("a key") };
    let twice = [key.headers(), Caller::Bearer(text.clone()).headers()].concat();
    assert_eq!(bundle.knock_with(FREE.0, FREE.1, &twice).await.status, 200);
}

#[tokio::test]
async fn no_credential_is_not_the_same_as_a_wrong_one() {
    let bundle = Bundle::new().await;
    let knock = bundle.knock(&Caller::Anonymous, FREE.0, FREE.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (401, "missing_credentials"));
    assert_eq!(knock.text("challenge"), r#"Bearer realm="faregate""#);
    let knock = bundle.knock(&Caller::Key("sk_test_nonsense".into()), FREE.0, FREE.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (401, "invalid_api_key"));
    assert_eq!(knock.text("challenge"), r#"Bearer realm="faregate", error="invalid_token""#);
    let knock = bundle.knock(&Caller::Bearer("a.b.c".into()), FREE.0, FREE.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (401, "invalid_token"));
}

#[tokio::test]
async fn malformed_unknown_revoked_and_expired_keys_get_one_answer() {
    let bundle = Bundle::new().await;
    let (session, id, revoked) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    assert_eq!(bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await.status, 204);
    let expires_at = bundle.clock.now().plus_s(5).to_string();
    let (_, expired) = bundle.key(&session, json!({"name": "b", "expires_at": expires_at})).await;
    assert_eq!(bundle.knock(&expired, FREE.0, FREE.1).await.status, 200);
    let stranger = Bundle::new().await;
    let (_, _, unknown) = stranger.key_of_newcomer(json!({"name": "c"})).await;
    bundle.clock.advance_ms(5_000);
    let mut answers = Vec::new();
    for caller in [revoked, expired, unknown, Caller::Key("sk_test_".into()), Caller::Bearer("é".into())] {
        let knock = bundle.knock(&caller, FREE.0, FREE.1).await;
        answers.push(knock.answer);
    }
    assert_eq!(answers[0]["context"]["code"], "invalid_api_key");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn an_allowlist_admits_its_origins_only() {
    let bundle = Bundle::new().await;
    let body = json!({"name": "a", "allowlist": ["myapp.com", "*.example.org"]});
    let (_, _, key) = bundle.key_of_newcomer(body).await;
    for (name, value, status) in [
        ("Origin", "https://myapp.com", 200),
        ("Origin", "https://staging.myapp.com", 403),
        ("Origin", "https://a.b.example.org", 200),
        ("Origin", "https://example.org", 403),
        ("Origin", "null", 403),
        ("Referer", "https://myapp.com/page?x=1", 200),
        ("X-Other", "https://myapp.com", 403),
    ] {
        let headers = [key.headers(), vec![(name.into(), value.into())]].concat();
        let knock = bundle.knock_with(FREE.0, FREE.1, &headers).await;
        assert_eq!(knock.status, status, "{name} {value}");
        if status == 403 {
            assert_eq!(knock.code, "origin_not_allowed");
        }
    }
}

#[tokio::test]
async fn a_key_without_the_scope_is_refused_and_told_which() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "read-only"})).await;
    assert_eq!(bundle.knock(&key, FREE.0, FREE.1).await.status, 200);
    let knock = bundle.knock(&key, PAID.0, PAID.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (403, "insufficient_scope"));
    assert_eq!(knock.problem["required_scope"], "demo:write");
    assert!(knock.text("challenge").contains(r#"scope="demo:write""#));
}

/// A bundle whose free route is open to one environment only.
async fn closed_to_the_sandbox() -> Bundle {
    let closed = "scope: \"demo:read\", environments: [production], refusals: backend }";
    Bundle::with_policy(&Policy::DEFAULT_TEXT.replacen("scope: \"demo:read\", refusals: backend }", closed, 1)).await
}

#[tokio::test]
async fn a_key_of_a_pepper_that_was_rotated_elsewhere_is_told_too() {
    let bundle = closed_to_the_sandbox().await;
    let (session, _, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    rotate_pepper(&bundle);
    let (_, key) = bundle.restarted().key(&session, json!({"name": "b"})).await;
    bundle.clock.advance_ms(15_000);
    assert_eq!(bundle.knock(&key, FREE.0, FREE.1).await.code, "forbidden_environment");
}

#[tokio::test]
async fn a_route_closed_to_an_environment_is_told_to_live_keys_only() {
    let bundle = closed_to_the_sandbox().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let (_, production) = bundle.key(&session, json!({"name": "b", "environment": "production"})).await;
    assert_eq!(bundle.knock(&production, FREE.0, FREE.1).await.status, 200);
    let knock = bundle.knock(&key, FREE.0, FREE.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (403, "forbidden_environment"));
    bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await;
    assert_eq!(bundle.knock(&key, FREE.0, FREE.1).await.code, "invalid_api_key");
}

#[tokio::test]
async fn a_frozen_key_cannot_pay_until_it_is_thawed() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let page = format!("/v1/api-keys/{id}");
    assert_eq!(bundle.patch(&page, &session.caller(), &json!({"frozen": true})).await.status, 200);
    let knock = bundle.knock(&key, FREE.0, FREE.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (402, "insufficient_credits"));
    assert_eq!(knock.problem["detail"], "Insufficient credits");
    assert_eq!(bundle.patch(&page, &session.caller(), &json!({"frozen": false})).await.status, 200);
    assert_eq!(bundle.knock(&key, FREE.0, FREE.1).await.status, 200);
}

#[tokio::test]
async fn an_exhausted_budget_shows_its_books() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 0.025})).await;
    for _ in 0..2 {
        assert_eq!(bundle.knock(&key, PAID.0, PAID.1).await.status, 200);
    }
    let knock = bundle.knock(&key, PAID.0, PAID.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (402, "insufficient_credits"));
    assert_eq!(knock.problem["limit_source"], "key");
    assert_eq!((&knock.problem["spent_usd"], &knock.problem["limit_usd"]), (&json!(0.02), &json!(0.025)));
    assert_eq!(knock.problem["reserved_usd"], 0);
    assert_eq!(knock.text("retryAfter"), "");
    assert_eq!(bundle.knock(&key, FREE.0, FREE.1).await.status, 200);
}

#[tokio::test]
async fn an_exhausted_project_is_named() {
    let policy = Policy::DEFAULT_TEXT.replace("credit_usd: \"5.00\"", "credit_usd: \"0.01\"");
    let bundle = Bundle::with_policy(&policy).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    assert_eq!(bundle.knock(&key, PAID.0, PAID.1).await.status, 200);
    let knock = bundle.knock(&key, PAID.0, PAID.1).await;
    assert_eq!((knock.status, &knock.problem["limit_source"]), (402, &json!("project")));
    assert_eq!((&knock.problem["limit_usd"], &knock.problem["spent_usd"]), (&json!(0.01), &json!(0.01)));
}

#[tokio::test]
async fn a_minute_a_route_and_a_day_each_say_when_to_come_back() {
    let bundle = Bundle::new().await;
    bundle.clock.advance_ms(20_500);
    let limits = json!({"per_minute": 2, "per_day": 3});
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "limits": limits})).await;
    for _ in 0..2 {
        assert_eq!(bundle.knock(&key, FREE.0, FREE.1).await.status, 200);
    }
    let knock = bundle.knock(&key, FREE.0, FREE.1).await;
    assert_eq!((knock.status, knock.code.as_str(), knock.text("retryAfter")), (429, "rate_limited", "40"));
    assert_eq!((&knock.problem["limit_source"], &knock.problem["limit"]), (&json!("key"), &json!(2)));
    assert_eq!((knock.number("rlLimit"), knock.number("rlRemaining")), (Some(2), Some(0)));
    bundle.clock.advance_ms(60_000);
    assert_eq!(bundle.knock(&key, FREE.0, FREE.1).await.status, 200);
    let knock = bundle.knock(&key, FREE.0, FREE.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (429, "rate_limited_daily"));
    let midnight = bundle.clock.now().minute().day().end();
    assert_eq!(knock.problem["resets_at"], midnight.to_string());
    assert_eq!(knock.number("retryAfter"), Some(bundle.clock.now().seconds_until(midnight)));

    let (_, _, other) = Bundle::new().await.key_of_newcomer(json!({"name": "a"})).await;
    drop(other);
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    for _ in 0..7 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/limited").await.status, 200);
    }
    let knock = bundle.knock(&key, "GET", "/demo/limited").await;
    assert_eq!((knock.status, &knock.problem["limit_source"]), (429, &json!("route")));
    assert_eq!(bundle.knock(&key, FREE.0, FREE.1).await.status, 200);
}

#[tokio::test]
async fn an_unknown_route_is_no_secret_and_asks_nobody() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    // The first refusals of a process are written down at once.
    for _ in 0..8 {
        bundle.knock(&key, "GET", "/nowhere").await;
    }
    let before = bundle.link.requests();
    for (method, path) in
        [("GET", "/demo/nothing"), ("PUT", "/demo/free"), ("GET", "/demo/../demo/free"), ("GET", "/demo//free")]
    {
        let knock = bundle.knock(&key, method, path).await;
        assert_eq!((knock.status, knock.code.as_str()), (404, "unknown_route"), "{method} {path}");
        // The layer answers, as for every route of this policy.
        assert_eq!(knock.answer["usageIdentifierKey"], "faregate-admitted-test");
        assert_eq!(knock.answer["policyDocument"]["Statement"][0]["Effect"], "Allow");
    }
    assert_eq!(bundle.link.requests(), before);
}

#[tokio::test]
async fn api_gateway_itself_can_render_refusals() {
    let policy = Policy::DEFAULT_TEXT.replace(", refusals: backend", "");
    let bundle = Bundle::with_policy(&policy).await;
    let limits = json!({"per_minute": 1});
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "read-only", "limits": limits})).await;
    let unauthorized = bundle.knock(&Caller::Anonymous, FREE.0, FREE.1).await;
    assert_eq!(unauthorized.code, "Unauthorized");
    let forbidden = bundle.knock(&key, PAID.0, PAID.1).await;
    assert_eq!(forbidden.answer["usageIdentifierKey"], faregate_authorizer::REFUSED_KEY);
    assert_eq!(forbidden.text("status"), "403");
    assert_eq!(bundle.knock(&key, FREE.0, FREE.1).await.status, 200);
    let unknown = bundle.knock(&key, "GET", "/demo/nothing").await;
    assert_eq!(unknown.answer["usageIdentifierKey"], faregate_authorizer::REFUSED_KEY);
    let limited = bundle.knock(&key, FREE.0, FREE.1).await;
    assert_eq!(limited.answer["policyDocument"]["Statement"][0]["Effect"], "Deny");
    assert_eq!((limited.text("status"), limited.text("retryAfter")), ("429", "60"));
}

#[tokio::test]
async fn one_route_without_a_layer_leaves_unknown_paths_to_api_gateway() {
    let bundle = Bundle::with_policy(&Policy::DEFAULT_TEXT.replacen(", refusals: backend }", " }", 1)).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let knock = bundle.knock(&key, "GET", "/demo/nothing").await;
    assert_eq!((knock.text("status"), knock.text("code")), ("404", "unknown_route"));
    assert_eq!(knock.answer["usageIdentifierKey"], faregate_authorizer::REFUSED_KEY);
}

#[tokio::test]
async fn junk_is_refused_without_asking_the_table() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let Caller::Key(text) = key else { panic!("a key") };
    let flipped = |at: usize| {
        let letter = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{letter}{}", &text[..at], &text[at + 1..])
    };
    // The first refusals of a process are written down at once.
    for _ in 0..8 {
        bundle.knock(&Caller::Anonymous, FREE.0, FREE.1).await;
    }
    let before = bundle.link.requests();
    for junk in
        [flipped(10), flipped(30), flipped(50), flipped(60), text.replace("sk_test_", "sk_prod_"), "x".repeat(5_000)]
    {
        assert_eq!(bundle.knock(&Caller::Key(junk), FREE.0, FREE.1).await.code, "invalid_api_key");
    }
    assert_eq!(bundle.link.requests(), before);
}

#[tokio::test]
async fn a_session_is_counted_and_charged_like_a_key_and_ends_at_once() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let knock = bundle.knock(&session.caller(), PAID.0, PAID.1).await;
    assert_eq!((knock.status, knock.text("keyId")), (200, ""));
    assert_eq!(knock.text("accountId"), session.account_id);
    assert!(knock.number("rlRemaining").is_some_and(|left| left + 1 == knock.number("rlLimit").unwrap_or(0)));
    let logout = bundle.send("POST", "/auth/logout", &session.caller(), None).await;
    assert!((200..300).contains(&logout.status), "{}", logout.text);
    let knock = bundle.knock(&session.caller(), FREE.0, FREE.1).await;
    assert_eq!((knock.status, knock.code.as_str()), (401, "invalid_token"));
}

#[tokio::test]
async fn a_policy_may_keep_sessions_out_of_the_gate_while_they_manage() {
    let credentials = "credentials: [authorization, x-api-key]";
    let policy = Policy::DEFAULT_TEXT.replace(credentials, &format!("{credentials}\nsessions: refused"));
    let bundle = Bundle::with_policy(&policy).await;
    let (session, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let knock = bundle.knock(&session.caller(), "GET", "/demo/free").await;
    assert_eq!((knock.status, knock.code.as_str()), (401, "missing_credentials"));
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
}
