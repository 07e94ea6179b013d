//! One product's own words, from every function and through the running program; without them nothing changes.

use faregate::{Options, start};
use faregate_domain::policy::{
    Policy,
    dialect::{CODES, HeaderNames, KeyAnswer},
};
use faregate_tests::{Bundle, Caller, Fault};
use serde_json::{Value, json};

use crate::program::fetch;

/// The default policy in the words of a made-up product, its keys elsewhere.
fn policy() -> String {
    let dialect = r#"
management: { keys: /api/keys }
dialect:
  content_type: application/json
  codes:
    missing_credentials: UNAUTHORIZED
    invalid_api_key: UNAUTHORIZED
    insufficient_scope: FORBIDDEN
    insufficient_credits: PAYMENT_REQUIRED
    rate_limited: RATE_LIMITED
    unknown_route: NO_SUCH_PLACE
    not_found: NO_SUCH_THING
  error: { success: false, error: { code: "{code}", message: "{detail}", requestId: "{request_id}", "...": "{...}" } }
  headers: { x-ratelimit-limit: X-RateLimit-Limit, x-ratelimit-remaining: X-Left, retry-after: X-Wait, ratelimit: null }
  answers:
    key_created: { success: true, key: "{key}", apiKey: { id: "{id}", keyPrefix: "{key_prefix}", scopes: "{scopes,}" } }
    key: { apiKey: { id: "{id}", name: "{name}", status: "{status}", usage: "{usage}" } }
    keys: { keys: "{items}", nextCursor: "{next_cursor}" }
    keys_item: { id: "{id}", budget: "{budget_usd}", label: "{name} ({status})" }
"#;
    format!("{}{dialect}", Policy::DEFAULT_TEXT)
}

/// A bundle under that policy, a session, and a key with `body`'s settings.
async fn bundle_with_key(body: Value) -> (Bundle, Caller, String, Caller) {
    let bundle = Bundle::with_policy(&policy()).await;
    let session = bundle.newcomer().await.caller();
    let made = bundle.post("/api/keys", &session, &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let key = made.body["key"].as_str().unwrap().to_owned();
    let id = made.body["apiKey"]["id"].as_str().unwrap().to_owned();
    assert!(made.text.starts_with(r#"{"success":true,"key":"sk_test_"#), "{}", made.text);
    assert_eq!(made.body["apiKey"]["keyPrefix"], key[..16]);
    (bundle, session, id, Caller::Key(key))
}

#[tokio::test]
async fn the_gate_refuses_in_the_products_words() {
    let (bundle, _, _, key) =
        bundle_with_key(json!({"name": "a", "scopes": ["demo:read", "demo:write"], "budget_usd": 0.01})).await;
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    for _ in 0..7 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/limited").await.status, 200);
    }
    for (caller, method, path, status, code, others) in [
        (&Caller::Anonymous, "GET", "/demo/free", 401, "UNAUTHORIZED", &[][..]),
        (&Caller::Key("nonsense".into()), "GET", "/demo/free", 401, "UNAUTHORIZED", &[]),
        (&key, "POST", "/demo/paid", 402, "PAYMENT_REQUIRED", &["limit_source", "limit_usd", "spent_usd"]),
        (&key, "GET", "/demo/limited", 429, "RATE_LIMITED", &["limit", "limit_source", "resets_at", "used"]),
        (&key, "GET", "/nowhere", 404, "NO_SUCH_PLACE", &[]),
        (&Caller::Key(format!("{key:?}")), "GET", "/demo/free", 401, "UNAUTHORIZED", &[]),
    ] {
        let knock = bundle.knock(caller, method, path).await;
        assert_eq!((knock.status, knock.code.as_str()), (status, code), "{path}");
        let error = &knock.problem["error"];
        assert_eq!((&knock.problem["success"], &error["code"]), (&json!(false), &json!(code)));
        assert_eq!(error["requestId"], "request-1");
        assert!(error["message"].is_string() && others.iter().all(|name| !error[name].is_null()), "{error}");
        assert_eq!(knock.problem.as_object().unwrap().len(), 2);
        assert_eq!(knock.text("contentType"), "application/json");
        let names = HeaderNames::parse(knock.text("headerNames")).unwrap();
        assert_eq!((names.sent("retry-after"), names.sent("ratelimit")), (Some("X-Wait"), None));
    }
}

#[tokio::test]
async fn every_function_errs_in_the_products_words() {
    let (bundle, session, id, key) = bundle_with_key(json!({"name": "a"})).await;
    let other = Caller::Bearer("a.b.c".into());
    for (method, path, caller, body, status, code) in [
        ("GET", "/auth/nonce/0x12", &Caller::Anonymous, None, 400, "invalid_address"),
        ("POST", "/auth/verify", &Caller::Anonymous, Some("{}"), 400, "invalid_request"),
        ("POST", "/auth/logout", &Caller::Anonymous, None, 401, "UNAUTHORIZED"),
        ("GET", "/api/keys", &Caller::Anonymous, None, 401, "UNAUTHORIZED"),
        ("GET", "/api/keys", &other, None, 401, "invalid_token"),
        ("GET", "/api/keys", &key, None, 403, "FORBIDDEN"),
        ("GET", "/api/keys/key_none", &session, None, 404, "NO_SUCH_THING"),
        ("GET", "/v1/api-keys", &session, None, 404, "NO_SUCH_THING"),
        ("PUT", "/api/keys", &session, None, 405, "method_not_allowed"),
        ("POST", "/api/keys", &session, Some(r#"{"name":""}"#), 400, "invalid_request"),
        ("POST", "/v1/charges/chg_1/settle", &Caller::Anonymous, None, 401, "UNAUTHORIZED"),
        ("GET", "/v1/projects/prj_none", &session, None, 404, "NO_SUCH_THING"),
    ] {
        let answer = bundle.send(method, path, caller, body).await;
        let error = &answer.body["error"];
        assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{method} {path}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.body["success"], json!(false));
        let is_challenged = answer.headers.contains_key("www-authenticate");
        assert_eq!(is_challenged, matches!(status, 401 | 403), "{method} {path}");
    }
    let invalid = bundle.send("POST", "/api/keys", &session, Some(r#"{"name":""}"#)).await;
    assert_eq!(invalid.body["error"]["field"], "name");
    bundle.link.keep_playing(Some(Fault::Break));
    let failed = bundle.get(&format!("/api/keys/{id}"), &session).await;
    assert_eq!((failed.status, &failed.body["error"]["code"]), (503, &json!("unavailable")), "{}", failed.text);
    assert_eq!((&failed.headers["x-wait"], failed.headers.contains_key("retry-after")), (&"1".to_owned(), false));
}

#[tokio::test]
async fn keys_are_shown_in_the_products_form() {
    let (bundle, session, id, key) = bundle_with_key(json!({"name": "a", "budget_usd": 0.3})).await;
    let read = bundle.get(&format!("/api/keys/{id}"), &session).await;
    let wanted = json!({"apiKey": {"id": id, "name": "a", "status": "active", "usage": read.body["apiKey"]["usage"]}});
    assert_eq!((read.status, &read.body), (200, &wanted));
    assert_eq!(read.body["apiKey"]["usage"]["today"], 0);
    let changed = bundle.patch(&format!("/api/keys/{id}"), &session, &json!({"name": "b", "frozen": true})).await;
    assert_eq!((&changed.body["apiKey"]["name"], &changed.body["apiKey"]["status"]), (&json!("b"), &json!("frozen")));
    bundle.post("/api/keys", &session, &json!({"name": "c"})).await;
    let page = bundle.get("/api/keys?limit=1", &session).await;
    assert_eq!((page.body["keys"].as_array().unwrap().len(), page.body["nextCursor"].is_string()), (1, true));
    let list = bundle.get("/api/keys", &session).await;
    let item = list.body["keys"].as_array().unwrap().iter().find(|item| item["id"] == id.as_str()).unwrap().clone();
    assert_eq!(item, json!({"id": id, "budget": 0.3, "label": "b (frozen)"}));
    assert_eq!(list.body["nextCursor"], Value::Null);
    let Caller::Key(text) = &key else { panic!("a key") };
    assert!(![&read.text, &changed.text, &list.text].iter().any(|told| told.contains(text)));
    assert_eq!(bundle.delete(&format!("/api/keys/{id}"), &session).await.status, 204);
}

#[tokio::test]
async fn who_prefers_no_dialect_is_answered_in_none_by_every_function() {
    let (bundle, session, id, _) = bundle_with_key(json!({"name": "a"})).await;
    let Caller::Bearer(token) = session else { panic!("a token") };
    let bearer = format!("Bearer {token}");
    let ask = async |method: &str, path: &str, preference: &str, body: Option<&str>| {
        let mut headers = vec![("authorization", bearer.as_str()), ("prefer", preference)];
        headers.extend(body.map(|_| ("content-type", "application/json")));
        bundle.send_with(method, path, &headers, body).await
    };
    let (one, rotate, explain) =
        (format!("/api/keys/{id}"), format!("/api/keys/{id}/rotate"), format!("/api/keys/{id}/explain"));
    for (method, path, body, status) in [
        ("POST", "/api/keys", Some(r#"{"name":"b"}"#), 201),
        ("GET", &one, None, 200),
        ("PATCH", &one, Some(r#"{"name":"c"}"#), 200),
        ("POST", &rotate, None, 201),
        ("POST", &explain, Some(r#"{"method":"GET","path":"/demo/free"}"#), 200),
    ] {
        let answer = ask(method, path, "dialect=none", body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert!(answer.text.starts_with("{\"data\":{"), "{method} {path}: {}", answer.text);
        assert_eq!(answer.headers["preference-applied"], "dialect=none");
    }
    let list = ask("GET", "/api/keys", "respond-async, dialect=none", None).await;
    assert_eq!((list.body["data"].as_array().unwrap().len(), &list.body["next_cursor"]), (2, &Value::Null));
    for (method, path, status, code) in [
        ("GET", "/auth/nonce/0x12", 400, "invalid_address"),
        ("POST", "/auth/verify", 400, "invalid_request"),
        ("GET", "/api/keys/key_none", 404, "not_found"),
        ("GET", "/v1/projects/prj_none", 404, "not_found"),
        ("DELETE", "/v1/webhooks/whk_none", 404, "not_found"),
        ("GET", "/v1/client-sessions/ses_none", 404, "not_found"),
        ("POST", "/v1/charges/chg_1/settle", 403, "insufficient_scope"),
    ] {
        let body = (method == "POST").then_some("{}");
        let answer = ask(method, path, "dialect=none", body).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {path}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let worded = ask(method, path, "dialect=ours", body).await;
        assert_eq!(worded.body["success"], json!(false), "{method} {path}: {}", worded.text);
        assert!(!worded.headers.contains_key("preference-applied"));
    }
}

#[tokio::test]
async fn a_lost_answer_is_repeated_in_the_same_words() {
    let bundle = Bundle::with_policy(&policy()).await;
    let Caller::Bearer(token) = bundle.newcomer().await.caller() else { panic!("a token") };
    let bearer = format!("Bearer {token}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "once")];
    let [one, other] = [0, 1].map(|_| bundle.send_with("POST", "/api/keys", &headers, Some(r#"{"name":"a"}"#)));
    let (one, other) = (one.await, other.await);
    assert_eq!((one.status, &one.text), (201, &other.text));
    assert!(one.text.starts_with(r#"{"success":true,"key":"#));
}

#[tokio::test]
async fn without_a_dialect_every_answer_is_as_it_always_was() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let knock = bundle.knock(&Caller::Anonymous, "GET", "/demo/free").await;
    let wanted = concat!(
        r#"{"code":"missing_credentials","detail":"Send an API key in a header that this API accepts.","#,
        r#""request_id":"request-1","status":401,"title":"Missing credentials","type":"/problems/missing_credentials"}"#
    );
    assert_eq!((knock.text("problem"), knock.text("contentType")), (wanted, "application/problem+json"));
    assert_eq!((knock.code.as_str(), knock.text("headerNames")), ("missing_credentials", ""));
    let answer = bundle.get("/v1/api-keys", &key).await;
    let wanted = concat!(
        r#"{"code":"insufficient_scope","detail":"The credential lacks the scope that this route requires.","#,
        r#""request_id":"request-1","required_scope":"keys:manage","status":403,"title":"Insufficient scope","#,
        r#""type":"/problems/insufficient_scope"}"#
    );
    assert_eq!((answer.text.as_str(), answer.headers["content-type"].as_str()), (wanted, "application/problem+json"));
    assert!(!answer.headers.keys().any(|name| name.contains("ratelimit")));
    let read = bundle.get(&format!("/v1/api-keys/{id}"), &session.caller()).await;
    assert!(read.text.starts_with(&format!(r#"{{"data":{{"id":"{id}","key_prefix":"sk_test_"#)), "{}", read.text);
}

#[test]
fn every_problem_code_can_be_reworded_and_no_other() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/problems");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<_> = names.filter_map(|name| Some(name.strip_suffix(".md")?.to_owned())).collect();
    pages.retain(|page| page != "README");
    pages.sort_unstable();
    assert_eq!(pages, CODES);
}

#[tokio::test]
async fn a_template_may_name_whatever_an_answer_has() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await.caller();
    let made = bundle.post("/v1/api-keys", &session, &json!({"name": "a"})).await;
    let read = bundle.get(&format!("/v1/api-keys/{}", made.data("id")), &session).await;
    for (answer, kind) in [(&made, KeyAnswer::Created), (&read, KeyAnswer::Key)] {
        for member in answer.body["data"].as_object().unwrap().keys() {
            assert!(kind.members().contains(&member.as_str()), "{kind:?} cannot name {member}");
        }
    }
}

#[tokio::test]
async fn the_longest_refusal_fits_through_the_authorizer() {
    let word = |at: u32| format!("{}:{}", "w".repeat(61), char::from_u32(97 + at).unwrap());
    let mut scopes: Vec<String> = (0..23).map(word).collect();
    let catalogue: Vec<_> = scopes.iter().map(|scope| format!("    \"{scope}\": one\n")).collect();
    scopes.push("demo:read".into());
    let name = |(at, ours): (usize, &&str)| format!("{ours}: X-{}{at}", "y".repeat(37));
    let names: Vec<_> = HeaderNames::RENAMED.iter().enumerate().map(name).collect();
    let dialect = |padding: usize| {
        format!(
            "dialect:\n  content_type: \"application/json; {}\"\n  headers: {{ {} }}\n  \
             error: {{ a: \"{}\", d: \"{{detail}}\", i: \"{{request_id}}\", t: \"{{type}}\", \"...\": \"{{...}}\" }}\n",
            "c".repeat(46),
            names.join(", "),
            "x".repeat(padding),
        )
    };
    let text = Policy::DEFAULT_TEXT.replace("  presets:\n", &format!("{}  presets:\n", catalogue.concat()));
    let is_sound = |padding: &usize| Policy::parse(&(text.clone() + &dialect(*padding))).is_ok();
    let padding = (0..1_024).rev().find(is_sound).unwrap();
    let text = text.clone() + &dialect(padding);
    let bundle = Bundle::with_policy(&text).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": scopes})).await;
    for _ in 0..7 {
        bundle.knock(&key, "GET", "/demo/limited").await;
    }
    let knock = bundle.knock(&key, "GET", "/demo/limited").await;
    let bytes = knock.answer.to_string().len();
    assert_eq!((knock.status, knock.text("scopes").len()), (429, 23 * 64 + 9));
    assert!(padding > 100 && bytes <= 4_096, "{bytes} bytes with {padding} of padding");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_program_speaks_the_products_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy()).unwrap();
    let running = start(Options { policy: Some(file), ..Options::throw_away() }).await.unwrap();
    let demo = running.make_demo().await.unwrap().unwrap();
    let key = [("x-api-key", demo.key())];
    for (method, path, headers, status, code) in [
        ("GET", "/demo/limited", &[][..], 401, "UNAUTHORIZED"),
        ("GET", "/demo/free", &[], 401, "UNAUTHORIZED"),
        ("GET", "/nowhere", &key, 404, "NO_SUCH_PLACE"),
        ("DELETE", "/healthz", &[], 405, "method_not_allowed"),
        ("GET", "/problems/nothing", &[], 404, "NO_SUCH_THING"),
        ("GET", "/api/keys/key_none", &key, 404, "NO_SUCH_THING"),
        ("GET", "/v1/api-keys", &key, 404, "NO_SUCH_PLACE"),
        ("GET", "/demo/free", &[("host", "a b")], 400, "invalid_request"),
    ] {
        let (found, body) = fetch(&running.url, method, path, headers, "").await;
        assert_eq!((found, &body["error"]["code"]), (status, &json!(code)), "{method} {path}: {body}");
        assert_eq!(body["success"], json!(false));
    }
    let (status, body) = fetch(&running.url, "GET", &format!("/api/keys/{}", demo.key_id), &key, "").await;
    assert_eq!((status, &body["apiKey"]["name"]), (200, &json!("demo")));
    running.stop().await;
}
