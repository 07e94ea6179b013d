//! A flood on a key that is used up or unknown costs the table next to nothing, and nobody is kept out by it for long.

use faregate_domain::key::ApiKey;
use faregate_edge::{entropy, secrets::SecretName};
use faregate_tests::{Bundle, Caller};
use serde_json::json;

/// Knocks as often and returns how often the table was asked; each is refused with `code`.
async fn flood(bundle: &Bundle, key: &Caller, (method, path): (&str, &str), times: u32, code: &str) -> u64 {
    let before = bundle.link.requests();
    for _ in 0..times {
        assert_eq!(bundle.knock(key, method, path).await.code, code);
        bundle.clock.advance_ms(10);
    }
    bundle.link.requests() - before
}

#[tokio::test]
async fn an_exhausted_key_costs_one_look_a_second() {
    let bundle = Bundle::new().await;
    let body = json!({"name": "a", "budget_usd": 0, "limits": {"per_minute": 1}});
    let (_, _, key) = bundle.key_of_newcomer(body).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    for (call, code) in [(("GET", "/demo/free"), "rate_limited"), (("POST", "/demo/paid"), "insufficient_credits")] {
        let calls = flood(&bundle, &key, call, 1_000, code).await;
        assert!(calls <= 20 + COUNTING, "{calls} calls for 1000 refusals in 10 seconds");
    }
    bundle.clock.advance_ms(60_000);
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
}

#[tokio::test]
async fn an_empty_project_costs_one_look_a_second() {
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT.replace("credit_usd: \"5.00\"", "credit_usd: \"0\"");
    let bundle = Bundle::with_policy(&policy).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "environment": "production"})).await;
    let calls = flood(&bundle, &key, ("POST", "/demo/paid"), 900, "insufficient_credits").await;
    assert!(calls <= 80 + COUNTING, "{calls} calls for 900 refusals in 9 seconds");
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
}

#[tokio::test]
async fn a_key_that_is_unknown_or_revoked_costs_one_look_a_second() {
    let bundle = Bundle::new().await;
    let now = bundle.clock.now();
    let tag = bundle.services.secrets.find(SecretName::Tag, now).await.unwrap();
    let unknown = Caller::Key(ApiKey::mint("sk_test_", &tag.current, &mut entropy::fill).reveal().to_owned());
    let (session, id, revoked) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await;
    for key in [unknown, revoked] {
        let calls = flood(&bundle, &key, ("GET", "/demo/free"), 1_000, "invalid_api_key").await;
        assert!(calls <= 20 + COUNTING, "{calls} calls for 1000 refusals in 10 seconds");
    }
}

#[tokio::test]
async fn a_top_up_or_a_change_is_seen_within_a_second() {
    let bundle = Bundle::new().await;
    let body = json!({"name": "a", "budget_usd": 0, "limits": {"per_minute": 1}});
    let (session, id, key) = bundle.key_of_newcomer(body).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    flood(&bundle, &key, ("GET", "/demo/free"), 50, "rate_limited").await;
    let change = json!({"limits": {"per_minute": 50}, "budget_usd": 1});
    let page = format!("/v1/api-keys/{id}");
    assert_eq!(bundle.patch(&page, &session.caller(), &change).await.status, 200);
    bundle.clock.advance_ms(1_000);
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
}

#[tokio::test]
async fn what_an_owner_may_just_have_changed_is_asked_each_time() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let page = format!("/v1/api-keys/{id}");
    for (change, code, undo) in [
        (json!({"frozen": true}), "insufficient_credits", json!({"frozen": false})),
        (json!({"scopes": ["demo:write"]}), "insufficient_scope", json!({"scopes": "full-access"})),
        (json!({"allowlist": ["a.com"]}), "origin_not_allowed", json!({"allowlist": null})),
    ] {
        assert_eq!(bundle.patch(&page, &session.caller(), &change).await.status, 200);
        for _ in 0..20 {
            assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.code, code);
        }
        assert_eq!(bundle.patch(&page, &session.caller(), &undo).await.status, 200);
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    }
}

#[tokio::test]
async fn an_expired_key_whose_end_is_put_off_works_at_the_next_request() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let page = format!("/v1/api-keys/{id}");
    let change = json!({"expires_at": bundle.clock.now().plus_s(5).to_string()});
    assert_eq!(bundle.patch(&page, &session.caller(), &change).await.status, 200);
    bundle.clock.advance_ms(5_000);
    for _ in 0..20 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.code, "invalid_api_key");
    }
    assert_eq!(bundle.patch(&page, &session.caller(), &json!({"expires_at": null})).await.status, 200);
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
}

/// Writes that count so many refusals: a handful at once, then one in ten seconds, and one that begins the hour.
const COUNTING: u64 = 10;
