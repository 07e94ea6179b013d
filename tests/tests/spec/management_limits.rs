//! Management calls that the policy counts, the cookie of a program, and where a credential may stand.

use faregate_domain::policy::Policy;
use faregate_edge::api::{Api, Operation};
use faregate_tests::{Bundle, Caller, Fault};
use serde_json::json;

fn policy(management: &str) -> String {
    format!("{}\nmanagement:\n{management}\n", Policy::DEFAULT_TEXT)
}

const LIMITED: &str = "  limits:
    - { route: GET /v1/api-keys, per_minute: 3, burst: 1 }
    - { route: \"ANY /v1/api-keys/{id}\", per_minute: 2 }
    - { route: GET /v1/projects, per_second: 1 }";

#[tokio::test]
async fn a_limited_call_is_counted_and_says_what_is_left() {
    let bundle = Bundle::with_policy(&policy(LIMITED)).await;
    let session = bundle.newcomer().await.caller();
    for left in [3, 2, 1, 0] {
        let answer = bundle.get("/v1/api-keys", &session).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.headers["x-ratelimit-limit"], "3");
        assert_eq!(answer.headers["x-ratelimit-remaining"], left.to_string());
        let end = bundle.clock.now().minute().end();
        assert_eq!(answer.headers["x-ratelimit-reset"], end.epoch_s().to_string());
        assert!(answer.headers["ratelimit-policy"].starts_with("\"route\";q=3;w=60"));
        assert!(answer.headers["ratelimit"].starts_with(&format!("\"route\";r={left};t=60")));
    }
    let refused = bundle.get("/v1/api-keys", &session).await;
    assert_eq!((refused.status, refused.code()), (429, "rate_limited"), "{}", refused.text);
    assert_eq!((&refused.body["limit_source"], &refused.body["limit"]), (&json!("route"), &json!(3)));
    assert_eq!(
        (refused.headers["retry-after"].as_str(), refused.headers["x-ratelimit-remaining"].as_str()),
        ("60", "0")
    );
    assert!(refused.headers.contains_key("ratelimit") && refused.headers.contains_key("x-ratelimit-reset"));
    // Others of the same caller have buckets of their own, or none.
    assert_eq!(bundle.get("/v1/projects", &session).await.status, 200);
    let made = bundle.post("/v1/api-keys", &session, &json!({"name": "a"})).await;
    assert_eq!((made.status, made.headers.contains_key("x-ratelimit-limit")), (201, false));
    bundle.clock.advance_ms(60_000);
    assert_eq!(bundle.get("/v1/api-keys", &session).await.status, 200);
}

#[tokio::test]
async fn an_error_behind_the_limit_is_counted_as_well() {
    let bundle = Bundle::with_policy(&policy(LIMITED)).await;
    let session = bundle.newcomer().await.caller();
    for left in ["1", "0"] {
        let answer = bundle.get("/v1/api-keys/key_none", &session).await;
        assert_eq!((answer.status, answer.headers["x-ratelimit-remaining"].as_str()), (404, left));
    }
    assert_eq!(bundle.delete("/v1/api-keys/key_other", &session).await.status, 429);
}

#[tokio::test]
async fn each_key_has_its_own_count_and_needs_the_scope() {
    let bundle = Bundle::with_policy(&policy(LIMITED)).await;
    let session = bundle.newcomer().await;
    let manager = json!({"name": "a", "scopes": ["keys:manage"]});
    let (_, one) = bundle.key(&session, manager.clone()).await;
    let (id, other) = bundle.key(&session, manager).await;
    let (_, reader) = bundle.key(&session, json!({"name": "b", "scopes": "read-only"})).await;
    for _ in 0..4 {
        assert_eq!(bundle.get("/v1/api-keys", &one).await.status, 200);
    }
    assert_eq!(bundle.get("/v1/api-keys", &one).await.status, 429);
    assert_eq!(bundle.get("/v1/api-keys", &other).await.headers["x-ratelimit-remaining"], "3");
    let refused = bundle.get("/v1/api-keys", &reader).await;
    assert_eq!((refused.status, refused.code()), (403, "insufficient_scope"));
    assert!(refused.headers["www-authenticate"].contains("keys:manage"));
    assert_eq!(refused.headers["x-ratelimit-remaining"], "3");
    // Nobody learns anything of a key that they do not hold.
    let unknown = bundle.get("/v1/api-keys", &Caller::Key("sk_test_nonsense".into())).await;
    assert_eq!((unknown.status, unknown.headers.contains_key("x-ratelimit-limit")), (401, false));
    assert_eq!(bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await.status, 204);
    let ended = bundle.get("/v1/api-keys", &other).await;
    assert_eq!((ended.status, ended.headers.contains_key("x-ratelimit-limit")), (401, false));
}

#[test]
fn what_may_be_limited_is_described_so_and_nothing_else() {
    let api = Api::shipped().unwrap();
    for Operation { method, path, .. } in api.operations() {
        let limit = format!("  limits: [{{ route: \"{method} {path}\", per_minute: 1 }}]");
        let answers = &api.document()["paths"][path][method.to_lowercase()]["responses"];
        // Ending a client session may be refused for another reason too.
        let is_described = [LIMITED_ANSWER, "#/components/responses/CannotEnd"]
            .contains(&answers["429"]["$ref"].as_str().unwrap_or_default());
        assert_eq!(Policy::parse(&policy(&limit)).is_ok(), is_described, "{method} {path}");
        let success = ["200", "201", "202", "204"].into_iter().find_map(|status| answers.get(status)).unwrap();
        assert_eq!(success["headers"].get("x-ratelimit-limit").is_some(), is_described, "{method} {path}");
    }
}

#[tokio::test]
async fn a_limit_on_single_keys_leaves_what_stands_beside_them() {
    let (bundle, service) = Bundle::with_service_under(&policy(LIMITED)).await;
    let question = json!({"key": "", "method": "GET", "path": "/demo/free"});
    for _ in 0..3 {
        let answer = bundle.post("/v1/api-keys/verify", &service, &question).await;
        assert_eq!((answer.status, answer.headers.contains_key("x-ratelimit-limit")), (200, false), "{}", answer.text);
    }
    assert_eq!(bundle.delete("/v1/api-keys/self", &service).await.status, 204);
}

#[tokio::test]
async fn an_outage_of_the_count_is_not_a_denial() {
    let bundle = Bundle::with_policy(&policy(LIMITED)).await;
    let session = bundle.newcomer().await.caller();
    bundle.link.keep_playing(Some(Fault::Break));
    let answer = bundle.get("/v1/api-keys", &session).await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{}", answer.text);
}

#[tokio::test]
async fn a_counted_call_costs_nothing() {
    let bundle = Bundle::with_policy(&policy(LIMITED)).await;
    let session = bundle.newcomer().await;
    let (_, key) = bundle.key(&session, json!({"name": "a", "scopes": ["keys:manage"], "budget_usd": 0})).await;
    assert_eq!(bundle.get("/v1/api-keys", &key).await.status, 200);
    let cell = bundle.cell(&key).await;
    assert_eq!(cell.purse.spent().micro_usd(), 0);
    assert!(cell.leases.held.is_empty());
}

#[tokio::test]
async fn the_cookie_of_a_program_is_taken_where_the_policy_says_so() {
    for (management, status) in [("  cookie_without_origin: allowed", 201), ("  cookie_without_origin: refused", 403)] {
        let bundle = Bundle::with_policy(&policy(management)).await;
        let session = bundle.newcomer().await;
        let cookie = format!("faregate_session={}", session.token);
        let base = [("cookie", cookie.as_str()), ("content-type", "application/json")];
        let send = async |more: &[(&str, &str)], path: &str| {
            let headers = [&base[..], more].concat();
            bundle.send_with("POST", path, &headers, Some(r#"{"name":"a"}"#)).await.status
        };
        assert_eq!(send(&[], "/v1/api-keys").await, status, "{management}");
        for foreign in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
            assert_eq!(send(&[foreign], "/v1/api-keys").await, 403, "{management} {foreign:?}");
            assert_eq!(send(&[foreign], "/auth/logout").await, 403, "{management} {foreign:?}");
        }
        assert_eq!(send(&[("origin", "https://api.example.com")], "/v1/api-keys").await, 201);
        assert_eq!(send(&[], "/auth/logout").await, if status == 201 { 204 } else { 403 }, "{management}");
    }
}

#[tokio::test]
async fn the_list_of_credential_headers_is_the_gates_alone() {
    let text = Policy::DEFAULT_TEXT.replace("credentials: [authorization, x-api-key]", "credentials: [x-api-key]");
    let bundle = Bundle::with_policy(&text).await;
    let session = bundle.newcomer().await;
    let (_, key) = bundle.key(&session, json!({"name": "a", "scopes": "admin"})).await;
    let Caller::Key(text) = &key else { panic!("a key") };
    let bearer = Caller::Bearer(text.clone());
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    for caller in [&bearer, &session.caller()] {
        let knock = bundle.knock(caller, "GET", "/demo/free").await;
        assert_eq!((knock.status, knock.code.as_str()), (401, "missing_credentials"));
        assert_eq!(bundle.get("/v1/api-keys", caller).await.status, 200);
    }
    assert_eq!(bundle.get("/v1/api-keys", &key).await.status, 200);
    let only_bearer = Policy::DEFAULT_TEXT.replace("[authorization, x-api-key]", "[authorization]");
    let bundle = Bundle::with_policy(&only_bearer).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "admin"})).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 401);
    assert_eq!(bundle.get("/v1/api-keys", &key).await.status, 401);
}

const LIMITED_ANSWER: &str = "#/components/responses/RateLimited";
