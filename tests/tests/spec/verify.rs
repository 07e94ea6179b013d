//! The verify call: what the authorizer would say, for any backend that asks with a service key.

use faregate_tests::{Answer, Bundle, Caller, Fault};
use serde_json::{Value, json};

const PATH: &str = "/v1/api-keys/verify";

fn text_of(caller: &Caller) -> &str {
    match caller {
        Caller::Key(text) | Caller::Bearer(text) => text,
        Caller::Anonymous => "",
    }
}

fn question(caller: &Caller, method: &str, path: &str) -> Value {
    json!({"key": text_of(caller), "method": method, "path": path})
}

fn with(mut question: Value, member: &str, value: Value) -> Value {
    question[member] = value;
    question
}

/// Asks, and expects a decision.
async fn ask(bundle: &Bundle, service: &Caller, question: &Value) -> Value {
    let answer = bundle.post(PATH, service, question).await;
    assert_eq!(answer.status, 200, "{question} {}", answer.text);
    assert_eq!(
        (answer.headers["content-type"].as_str(), answer.headers["cache-control"].as_str()),
        ("application/json", "no-store")
    );
    answer.body["data"].clone()
}

async fn books(bundle: &Bundle, key: &Caller) -> (u64, u64, u64) {
    let cell = bundle.cell(key).await;
    (cell.counters.requests, cell.purse.spent().micro_usd(), cell.purse.reserved.micro_usd())
}

#[tokio::test]
async fn an_admitted_call_is_counted_charged_and_described() {
    let (bundle, service) = Bundle::with_service().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": ["demo:*", "keys:manage"]})).await;
    let said = ask(&bundle, &service, &question(&key, "POST", "/demo/paid")).await;
    assert_eq!((&said["allowed"], &said["status"], &said["code"]), (&json!(true), &json!(200), &json!("ok")));
    assert_eq!(said["body"], Value::Null);
    let headers = &said["headers"];
    assert_eq!((&headers["x-ratelimit-limit"], &headers["x-ratelimit-remaining"]), (&json!("100"), &json!("99")));
    let limits = ["x-ratelimit-reset", "ratelimit-policy", "ratelimit"];
    for name in limits.into_iter().chain(["access-control-allow-origin", "access-control-expose-headers", "vary"]) {
        assert!(headers[name].is_string(), "{name}");
    }
    assert_eq!(headers.as_object().unwrap().len(), 8, "{headers}");
    let cell = bundle.cell(&key).await;
    assert_eq!(
        said["principal"],
        json!({
            "account_id": session.account_id, "project_id": cell.owner.project.to_string(), "key_id": id,
            "client_session_id": null, "environment": "sandbox", "gallery": cell.owner.project.to_string(),
            "scopes": ["demo:*", "keys:manage"], "settle": null, "reserved_usd": null,
        })
    );
    let row = faregate_domain::row::Row::parse(cell.counters.last_row.as_deref().unwrap()).unwrap();
    assert!(said["charge_id"].as_str().unwrap().ends_with(row.charge.as_str()));
    assert_eq!(books(&bundle, &key).await, (1, 10_000, 0));
}

#[tokio::test]
async fn it_says_what_the_authorizer_says() {
    let (bundle, service) = Bundle::with_service().await;
    let (session, _, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "read-only"})).await;
    let (_, poor) = bundle.key(&session, json!({"name": "b", "budget_usd": 0})).await;
    let (_, slow) = bundle.key(&session, json!({"name": "c", "limits": {"per_minute": 1, "burst": 0}})).await;
    let (gone_id, gone) = bundle.key(&session, json!({"name": "d"})).await;
    bundle.delete(&format!("/v1/api-keys/{gone_id}"), &session.caller()).await;
    let (frozen_id, frozen) = bundle.key(&session, json!({"name": "e"})).await;
    bundle.patch(&format!("/v1/api-keys/{frozen_id}"), &session.caller(), &json!({"frozen": true})).await;
    assert_eq!(bundle.knock(&slow, "GET", "/demo/free").await.status, 200);
    let stale = Caller::Bearer(format!("{}x", session.token));
    for (caller, method, path, status, code) in [
        (&key, "GET", "/demo/free", 200, "ok"),
        (&session.caller(), "GET", "/demo/free", 200, "ok"),
        (&key, "POST", "/demo/paid", 403, "insufficient_scope"),
        (&poor, "POST", "/demo/paid", 402, "insufficient_credits"),
        (&frozen, "GET", "/demo/free", 402, "insufficient_credits"),
        (&slow, "GET", "/demo/free", 429, "rate_limited"),
        (&gone, "GET", "/demo/free", 401, "invalid_api_key"),
        (&stale, "GET", "/demo/free", 401, "invalid_token"),
        (&Caller::Bearer("sk_test_junk".into()), "GET", "/demo/free", 401, "invalid_api_key"),
        (&Caller::Bearer("k".repeat(5_000)), "GET", "/demo/free", 401, "invalid_api_key"),
        (&key, "GET", "/nowhere", 404, "unknown_route"),
        (&key, "GET", "/demo//free", 404, "unknown_route"),
        (&key, "get", "/demo/free", 404, "unknown_route"),
    ] {
        let said = ask(&bundle, &service, &question(caller, method, path)).await;
        let knock = bundle.knock(caller, method, path).await;
        let case = format!("{method} {path} {code}: {said}");
        assert_eq!((&said["status"], &said["code"]), (&json!(status), &json!(code)), "{case}");
        assert_eq!(said["allowed"], json!(status == 200), "{case}");
        assert_eq!((knock.status, knock.code.as_str()), (status, code), "{case}");
        let is_known = said["principal"] != Value::Null;
        assert_eq!(is_known, !knock.text("accountId").is_empty(), "{case}");
        if status != 200 {
            assert_eq!(said["charge_id"], Value::Null, "{case}");
            let (mut body, mut problem) = (said["body"].clone(), knock.problem.clone());
            for document in [&mut body, &mut problem] {
                document.as_object_mut().unwrap().remove("request_id");
            }
            assert_eq!(body, problem, "{case}");
            assert_eq!(said["headers"]["content-type"], "application/problem+json");
        }
        for (header, member) in [
            ("retry-after", "retryAfter"),
            ("www-authenticate", "challenge"),
            ("x-ratelimit-limit", "rlLimit"),
            ("x-ratelimit-reset", "rlReset"),
            ("ratelimit-policy", "policy"),
        ] {
            assert_eq!(said["headers"][header].as_str().unwrap_or_default(), knock.text(member), "{header} {case}");
        }
    }
}

#[tokio::test]
async fn both_ways_draw_on_the_same_limits() {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let mut admitted = 0;
    for number in 0..10 {
        let is_admitted = if number % 2 == 0 {
            ask(&bundle, &service, &question(&key, "GET", "/demo/limited")).await["allowed"] == json!(true)
        } else {
            bundle.knock(&key, "GET", "/demo/limited").await.status == 200
        };
        admitted += u32::from(is_admitted);
    }
    assert_eq!(admitted, 7);
}

#[tokio::test]
async fn a_reserved_call_is_settled_by_the_backend_that_asked() {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let said = ask(&bundle, &service, &question(&key, "POST", "/demo/metered")).await;
    assert_eq!((&said["principal"]["settle"], &said["principal"]["reserved_usd"]), (&json!("required"), &json!(0.1)));
    assert_eq!(books(&bundle, &key).await, (1, 0, 100_000));
    let report = json!({"outcome": "succeeded", "actual_usd": "0.037"});
    let settled = bundle.settle(&service, said["charge_id"].as_str().unwrap(), &report).await;
    assert_eq!(settled.status, 200, "{}", settled.text);
    assert_eq!(books(&bundle, &key).await, (1, 37_000, 0));
}

#[tokio::test]
async fn an_origin_is_compared_as_at_the_gate() {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "allowlist": ["https://*.myapp.com"]})).await;
    let question = question(&key, "GET", "/demo/free");
    for (origin, is_allowed) in [
        (Some("https://a.myapp.com"), true),
        (Some("https://a.myapp.com:8443"), true),
        (Some("https://myapp.com"), false),
        (Some("https://a.myapp.com.evil.com"), false),
        (Some("null"), false),
        (Some(""), false),
        (None, false),
    ] {
        let question = match origin {
            Some(origin) => with(question.clone(), "origin", json!(origin)),
            None => question.clone(),
        };
        let said = ask(&bundle, &service, &question).await;
        let code = if is_allowed { "ok" } else { "origin_not_allowed" };
        assert_eq!((&said["allowed"], &said["code"]), (&json!(is_allowed), &json!(code)), "{origin:?}");
    }
}

#[tokio::test]
async fn the_callers_network_is_in_the_row_and_not_the_services() {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    for (ip, network) in
        [(Some("198.51.100.23"), "198.51.100.0/24"), (Some("2001:db8:1:2::3"), "2001:db8:1::/48"), (None, "-")]
    {
        let question = question(&key, "GET", "/demo/free");
        let question = ip.map_or(question.clone(), |ip| with(question, "ip", json!(ip)));
        ask(&bundle, &service, &question).await;
        let row = bundle.cell(&key).await.counters.last_row.unwrap();
        assert!(row.contains(&format!(" {network} ")), "{row}");
    }
}

#[tokio::test]
async fn a_cost_is_named_only_where_the_policy_leaves_it_open() {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    for (path, method, cost, spent, reserved) in [
        ("/demo/free", "GET", "0.25", 250_000, 0),
        ("/demo/free", "GET", "0", 0, 0),
        ("/demo/paid", "POST", "0.01", 10_000, 0),
        ("/demo/metered", "POST", "0.5", 0, 500_000),
        ("/demo/metered", "POST", "0", 0, 0),
    ] {
        let before = books(&bundle, &key).await;
        let said = ask(&bundle, &service, &with(question(&key, method, path), "cost_usd", json!(cost))).await;
        assert_eq!(said["allowed"], true, "{path} {cost} {said}");
        let after = books(&bundle, &key).await;
        assert_eq!((after.0 - before.0, after.1 - before.1, after.2 - before.2), (1, spent, reserved), "{path} {cost}");
        if path == "/demo/metered" {
            let settled =
                bundle.settle(&service, said["charge_id"].as_str().unwrap(), &json!({"outcome": "failed"})).await;
            assert_eq!(settled.status, 200, "{}", settled.text);
        }
    }
    let before = books(&bundle, &key).await;
    for (path, method, cost) in [
        ("/demo/paid", "POST", json!("0.02")),
        ("/demo/paid", "POST", json!(0)),
        ("/demo/free", "GET", json!("1000.000001")),
        ("/demo/free", "GET", json!(-1)),
        ("/demo/free", "GET", json!("0.0000001")),
        ("/demo/free", "GET", json!("1e3")),
        ("/demo/free", "GET", Value::Null),
    ] {
        let answer = bundle.post(PATH, &service, &with(question(&key, method, path), "cost_usd", cost.clone())).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{path} {cost} {}", answer.text);
        assert_eq!(answer.body["field"], "cost_usd", "{path} {cost}");
    }
    assert_eq!(books(&bundle, &key).await, before);
    let dear = ask(&bundle, &service, &with(question(&key, "GET", "/demo/free"), "cost_usd", json!(1000))).await;
    assert_eq!(dear["code"], "insufficient_credits");
    let nowhere = ask(&bundle, &service, &with(question(&key, "GET", "/nowhere"), "cost_usd", json!(1))).await;
    assert_eq!(nowhere["code"], "unknown_route");
}

#[tokio::test]
async fn what_cannot_be_asked_names_the_field_and_counts_nothing() {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let whole = question(&key, "GET", "/demo/free");
    let without = |member: &str| {
        let mut question = whole.clone();
        question.as_object_mut().unwrap().remove(member);
        question
    };
    for (question, field) in [
        (without("key"), "key"),
        (without("method"), "method"),
        (without("path"), "path"),
        (with(whole.clone(), "key", json!(7)), "key"),
        (with(whole.clone(), "key", Value::Null), "key"),
        (with(whole.clone(), "path", json!("/demo/free?a=1")), "path"),
        (with(whole.clone(), "path", json!("/demo/free#a")), "path"),
        (with(whole.clone(), "ip", json!("203.0.113")), "ip"),
        (with(whole.clone(), "ip", json!("203.0.113.7:80")), "ip"),
        (with(whole.clone(), "origin", Value::Null), "origin"),
        (with(whole.clone(), "scope", json!("demo:read")), "scope"),
    ] {
        let answer = bundle.post(PATH, &service, &question).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{question} {}", answer.text);
        assert_eq!(answer.body["field"], field, "{question}");
        assert!(!answer.text.contains(&text_of(&key)[24..46]));
    }
    assert_eq!(bundle.cell(&key).await.counters.requests, 0);
}

#[tokio::test]
async fn only_a_service_asks_and_asking_is_not_counted() {
    let (bundle, service) = Bundle::with_service().await;
    let (session, _, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "admin"})).await;
    let question = question(&key, "GET", "/demo/free");
    for (caller, status, code) in [
        (Caller::Anonymous, 401, "missing_credentials"),
        (Caller::Key("sk_test_x".into()), 401, "invalid_api_key"),
        (session.caller(), 403, "insufficient_scope"),
        (key.clone(), 403, "insufficient_scope"),
    ] {
        let answer = bundle.post(PATH, &caller, &question).await;
        assert_eq!((answer.status, answer.code()), (status, code));
    }
    assert_eq!(bundle.cell(&key).await.counters.requests, 0);
    ask(&bundle, &service, &question).await;
    assert_eq!((bundle.cell(&key).await.counters.requests, bundle.cell(&service).await.counters.requests), (1, 0));
    for method in ["GET", "PATCH", "DELETE"] {
        let answer: Answer = bundle.send(method, PATH, &service, None).await;
        assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "POST"));
    }
}

#[tokio::test]
async fn an_outage_is_a_503_and_neither_an_admission_nor_a_refusal() {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let question = question(&key, "POST", "/demo/paid");
    assert_eq!(ask(&bundle, &service, &question).await["allowed"], true);
    let before = books(&bundle, &key).await;
    for answered in [0, 1] {
        // The service's own key may be read, and the decision fail.
        bundle.link.play(std::iter::repeat_n(Fault::None, answered));
        bundle.link.keep_playing(Some(Fault::LoseRequest));
        let answer = bundle.post(PATH, &service, &question).await;
        bundle.link.clear_faults();
        assert_eq!((answer.status, answer.code()), (503, "gate_unavailable"), "{answered}");
        assert_eq!(answer.headers["retry-after"], "1");
        assert!(!answer.text.contains("allowed"));
    }
    assert_eq!(books(&bundle, &key).await, before);
}

#[tokio::test]
async fn without_an_idempotency_key_a_decision_is_a_read_and_a_write() {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let question = question(&key, "POST", "/demo/paid");
    ask(&bundle, &service, &question).await;
    let before = bundle.link.requests();
    for _ in 0..10 {
        assert_eq!(ask(&bundle, &service, &question).await["allowed"], true);
    }
    assert_eq!(bundle.link.requests() - before, 20);
}
