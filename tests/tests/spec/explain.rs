//! A dry run takes nothing and says what the gate says next.

use faregate_tests::{Answer, Bundle, Caller, Session};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{engines, projects::default_project, rotation::rotated};

async fn explain(bundle: &Bundle, who: &Caller, id: &str, body: &Value) -> Answer {
    bundle.post(&format!("/v1/api-keys/{id}/explain"), who, body).await
}

/// A policy with a little credit, and a route that is closed to the sandbox.
fn policy() -> String {
    let closed =
        "  - { route: GET /demo/closed, scope: \"demo:read\", environments: [production], refusals: backend }\n";
    let text = faregate_domain::policy::Policy::DEFAULT_TEXT.replace("credit_usd: \"5.00\"", "credit_usd: \"0.25\"");
    text.replace("\nplans:", &format!("{closed}\nplans:"))
}

#[derive(Clone, Debug)]
enum Event {
    /// A call with a key, from an origin.
    Call {
        key: usize,
        route: usize,
        origin: usize,
        cost: bool,
    },
    Wait {
        milliseconds: u64,
    },
    Change {
        key: usize,
        change: usize,
    },
    Rate {
        limit: Option<u32>,
    },
}

const ROUTES: [(&str, &str); 7] = [
    ("GET", "/demo/free"),
    ("POST", "/demo/paid"),
    ("POST", "/demo/metered"),
    ("GET", "/demo/limited"),
    ("GET", "/demo/closed"),
    ("GET", "/demo/nowhere"),
    ("POST", "/demo/paid"),
];
const ORIGINS: [Option<&str>; 4] = [None, Some("https://a.com"), Some("https://b.com"), Some("null")];

fn changes() -> Vec<Value> {
    vec![
        json!({"frozen": true}),
        json!({"frozen": false}),
        json!({"frozen": false, "scopes": "demo:*", "allowlist": null, "budget_usd": null}),
        json!({"scopes": "demo:read"}),
        json!({"allowlist": ["a.com"]}),
        json!({"budget_usd": "0.02"}),
        json!({"budget_usd": null}),
        json!({"limits": {"per_minute": 3, "burst": 1, "per_day": 9, "concurrent": 1}}),
        json!({"limits": {"per_minute": 100, "burst": 0, "per_day": 10000, "concurrent": 10}}),
        json!({"expires_at": "2026-10-21T00:05:00Z"}),
        json!({"expires_at": null}),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let call = (0..2_usize, 0..ROUTES.len(), prop_oneof![3 => Just(0_usize), 1 => 0..ORIGINS.len()], any::<bool>());
    let call = call.prop_map(|(key, route, origin, cost)| Event::Call { key, route, origin, cost });
    let wait = prop_oneof![4 => 0..5_000_u64, 2 => 5_000..70_000_u64, 1 => Just(86_400_000)];
    prop::collection::vec(
        prop_oneof![
            14 => call,
            3 => wait.prop_map(|milliseconds| Event::Wait { milliseconds }),
            2 => (0..2_usize, 0..changes().len()).prop_map(|(key, change)| Event::Change { key, change }),
            1 => prop::option::of(1_u32..6).prop_map(|limit| Event::Rate { limit }),
        ],
        1..50,
    )
}

#[test]
fn an_explanation_says_what_the_gate_says_next_and_changes_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() };
    let property = |events: Vec<Event>| runtime.block_on(compare(events));
    TestRunner::new(config).run(&events(), property).unwrap();
}

async fn compare(events: Vec<Event>) -> Result<(), TestCaseError> {
    let bundle = Bundle::with_policy(&policy()).await;
    let session = bundle.newcomer().await;
    let project = default_project(&bundle, &session).await;
    let mut keys = Vec::new();
    for name in ["a", "b"] {
        keys.push(bundle.key(&session, json!({"name": name})).await);
    }
    for event in events {
        match event {
            Event::Call { key, route, origin, cost } => {
                let (id, key) = &keys[key];
                meet(&bundle, &session, (id, key), ROUTES[route], ORIGINS[origin], cost).await?;
            }
            Event::Wait { milliseconds } => bundle.clock.advance_ms(milliseconds),
            Event::Change { key, change } => {
                let owner = bundle.login(&session.wallet).await;
                let page = format!("/v1/api-keys/{}", keys[key].0);
                let answer = bundle.patch(&page, &owner.caller(), &changes()[change]).await;
                // An end in the past is refused, which is another matter.
                prop_assert!([200, 400].contains(&answer.status), "{}", answer.text);
                bundle.clock.advance_ms(1_000);
            }
            Event::Rate { limit } => {
                let owner = bundle.login(&session.wallet).await;
                let limits = limit.map(|limit| json!({"per_minute": limit, "burst": 0}));
                let page = format!("/v1/projects/{project}");
                let answer = bundle.patch(&page, &owner.caller(), &json!({"limits": limits})).await;
                prop_assert_eq!(answer.status, 200, "{}", answer.text);
                bundle.clock.advance_ms(1_000);
            }
        }
    }
    Ok(())
}

/// Asks what a call would meet, then makes it.
async fn meet(
    bundle: &Bundle,
    session: &Session,
    (id, key): (&str, &Caller),
    (method, path): (&str, &str),
    origin: Option<&str>,
    with_cost: bool,
) -> Result<(), TestCaseError> {
    let owner = bundle.login(&session.wallet).await;
    let mut question = json!({"method": method, "path": path, "ip": "203.0.113.7"});
    if let Some(origin) = origin {
        question["origin"] = json!(origin);
    }
    if with_cost && path == "/demo/paid" {
        question["cost_usd"] = json!("0.01");
    }
    let before = engines::items(bundle).await;
    let told = explain(bundle, &owner.caller(), id, &question).await;
    prop_assert_eq!(told.status, 200, "{}", told.text);
    prop_assert!(before == engines::items(bundle).await, "an explanation changed the table");
    let mut headers = key.headers();
    headers.extend(origin.map(|origin| ("Origin".to_owned(), origin.to_owned())));
    // An instance that remembers nothing: one that does may name a limit of the key where the project refuses as well.
    let knock = bundle.restarted().knock_with(method, path, &headers).await;
    let data = &told.body["data"];
    let code = data["code"].as_str().unwrap();
    prop_assert_eq!(
        (data["status"].as_u64(), code),
        (Some(knock.status.into()), knock.code.as_str()),
        "{}",
        &told.text
    );
    prop_assert_eq!(data["allowed"].as_bool(), Some(knock.status == 200));
    if knock.status != 200 && knock.status != 401 {
        let mut problem = knock.problem.clone();
        problem.as_object_mut().unwrap().remove("request_id");
        prop_assert_eq!(&data["problem"], &problem);
    }
    Ok(())
}

#[tokio::test]
async fn every_check_and_every_limit_is_told() {
    let bundle = Bundle::new().await;
    let wish = json!({"name": "a", "budget_usd": 1, "limits": {"concurrent": 1, "per_minute": 4}});
    let (session, id, key) = bundle.key_of_newcomer(wish).await;
    let project = default_project(&bundle, &session).await;
    let limits = json!({"limits": {"per_minute": 50, "burst": 0}});
    bundle.patch(&format!("/v1/projects/{project}"), &session.caller(), &limits).await;
    assert_eq!(bundle.knock(&key, "POST", "/demo/metered").await.status, 200);
    let answer = explain(&bundle, &session.caller(), &id, &json!({"method": "POST", "path": "/demo/metered"})).await;
    assert_eq!((answer.status, answer.headers["cache-control"].as_str()), (200, "no-store"), "{}", answer.text);
    let data = &answer.body["data"];
    assert_eq!((&data["rule"], &data["code"]), (&json!("concurrent"), &json!("rate_limited_concurrent")));
    assert_eq!(
        data["route"],
        json!({"route": "POST /demo/metered", "scope": "demo:write", "cost_usd": 0.1, "settle": true})
    );
    let outcomes: Vec<_> = data["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| (check["check"].as_str().unwrap(), check["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("route", "passed"),
            ("credential", "passed"),
            ("origin", "passed"),
            ("scope", "passed"),
            ("environment", "passed"),
            ("credit", "passed"),
            ("project_credit", "passed"),
            ("day", "passed"),
            ("minute", "passed"),
            ("route_limit", "passed"),
            ("concurrent", "refused"),
            ("project_rate", "passed"),
        ]
    );
    let used: Vec<_> = data["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|limit| {
            (limit["name"].as_str().unwrap(), limit["limit"].as_u64().unwrap(), limit["used"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(used[..3], [("minute", 4, 1), ("day", 10_000, 1), ("concurrent", 1, 1)]);
    assert_eq!((used[3].0, used[3].1), ("project", 50));
    let money = &data["money"];
    assert_eq!(
        (&money["reserved_usd"], &money["budget_usd"], &money["spent_usd"]),
        (&json!(0.1), &json!(1), &json!(0))
    );
    let (balance, grantable) = (money["balance_usd"].as_f64().unwrap(), money["grantable_usd"].as_f64().unwrap());
    assert!((balance + grantable + 0.1 - 1.0).abs() < 1e-9, "what the key holds and may still get is its budget");

    // Two things that are wrong are both told; the first of them is the answer.
    let twice = json!({"method": "POST", "path": "/demo/paid", "cost_usd": 2});
    bundle.patch(&format!("/v1/api-keys/{id}"), &session.caller(), &json!({"allowlist": ["a.com"]})).await;
    let data = explain(&bundle, &session.caller(), &id, &twice).await.body["data"].clone();
    assert_eq!(
        (&data["rule"], &data["status"], &data["money"]["cost_usd"]),
        (&json!("origin"), &json!(403), &json!(2))
    );
    let refused: Vec<_> = data["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["outcome"] == "refused")
        .map(|check| check["code"].as_str().unwrap())
        .collect();
    assert_eq!(refused, ["origin_not_allowed", "insufficient_credits"]);
}

#[tokio::test]
async fn who_may_not_manage_a_key_is_told_nothing_of_it_and_mistakes_are_named() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let question = json!({"method": "GET", "path": "/demo/free"});
    assert_eq!(explain(&bundle, &key, &id, &question).await.code(), "insufficient_scope");
    let stranger = bundle.login(&bundle.wallet("stranger")).await;
    assert_eq!(explain(&bundle, &stranger.caller(), &id, &question).await.status, 404);
    for (body, field) in [
        (json!({"path": "/"}), "method"),
        (json!({"method": "GET"}), "path"),
        (json!({"method": "GET", "path": "/", "ip": "nowhere"}), "ip"),
        (json!({"method": "GET", "path": "/", "cost_usd": -1}), "cost_usd"),
        (json!({"method": "GET", "path": "/", "key": "x"}), "key"),
    ] {
        let answer = explain(&bundle, &session.caller(), &id, &body).await;
        assert_eq!((answer.status, answer.body["field"].as_str()), (400, Some(field)), "{}", answer.text);
    }
    // A rotated key is explained as whoever holds its new secret would find it; nothing counts as that one's first use.
    rotated(&bundle, &session, &id, &json!({"grace_from": "first_use"})).await;
    assert_eq!(explain(&bundle, &session.caller(), &id, &question).await.body["data"]["allowed"], true);
    assert_eq!(crate::rotation::rotation(&bundle, &session, &id).await["grace_ends_at"], Value::Null);
    bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await;
    let data = explain(&bundle, &session.caller(), &id, &question).await.body["data"].clone();
    assert_eq!((&data["rule"], &data["code"]), (&json!("credential"), &json!("invalid_api_key")));
}
