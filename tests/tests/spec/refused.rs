//! Refused calls are counted, each once and under what is known of it, by next to no writes and at nobody else's cost.

use std::collections::BTreeMap;

use faregate_domain::{
    credential::Credential,
    denial::Denial,
    id::AccountId,
    key::ApiKey,
    policy::Policy,
    refused::{RefusedDay, Whose},
    time::Day,
};
use faregate_edge::{entropy, secrets::SecretName};
use faregate_gate::{Call, Gate, Request};
use faregate_tests::{Bundle, Caller, Fault, Session};
use serde_json::json;
use tokio::task::JoinSet;

/// Sheets of an account, or of callers that nobody knows.
async fn sheets(bundle: &Bundle, account: Option<&str>) -> Vec<RefusedDay> {
    let account = account.map(|id| AccountId::parse(id).unwrap());
    let days = (Day(0), Day(1_000_000));
    bundle.services.store.find_refused_days(account.as_ref(), days, None, 1_000).await.unwrap()
}

/// How often each reason was written down, `key_… GET /demo/free|rate_limited`, of an account and of unknown callers.
async fn written(bundle: &Bundle, session: &Session) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for account in [None, Some(session.account_id.as_str())] {
        for day in sheets(bundle, account).await {
            let cell = day.sheet.whose.cell().map_or_else(|| "-".to_owned(), |known| known.cell.partition());
            for (reason, count) in day.hours.values().flatten() {
                *counts.entry(format!("{cell} {reason}")).or_default() += count;
            }
        }
    }
    counts
}

/// Everything that was written down for unknown callers.
async fn unknown(bundle: &Bundle) -> u64 {
    sheets(bundle, None).await.iter().flat_map(|day| day.hours.values()).flat_map(BTreeMap::values).sum()
}

async fn knock_at_nothing(bundle: &Bundle, times: u64) {
    for _ in 0..times {
        assert_eq!(bundle.knock(&Caller::Anonymous, "GET", "/demo/free").await.code, "missing_credentials");
    }
}

#[tokio::test]
async fn a_flood_costs_a_handful_of_writes_and_is_counted_to_the_last_call() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "limits": {"per_minute": 1}})).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    let Caller::Key(text) = &key else { panic!("a key") };
    let gate = Gate::new(bundle.services.clone());
    let request = Request { method: "GET".into(), path: "/demo/free".into(), ..Request::default() };
    let call = Call { request: &request, route: gate.find_route(&request), credential: Credential::of_bearer(text) };
    let nobody = Call { credential: Err(Denial::MissingCredentials), route: call.route.clone(), ..call };
    let (before, state) = (bundle.link.requests(), bundle.cell(&key).await);
    // Ten seconds, in each of which the table is asked about the key once.
    for number in 0..100_000_u32 {
        let call = if number % 10 == 9 { &call } else { &nobody };
        assert!(gate.decide_call(call).await.unwrap().verdict.is_err());
        bundle.clock.advance_ms((number % 10 == 9).into());
    }
    let (calls, looks) = (bundle.link.requests() - before, 5 + 11);
    assert!(calls <= looks + 12, "{calls} calls for 100000 refusals");
    bundle.services.write_down_refused().await;
    assert_eq!(bundle.services.refused.waiting(), 0);
    let wanted = [(format!("{id} GET /demo/free|rate_limited"), 10_000), (ANONYMOUS.to_owned(), 90_000)];
    assert_eq!(written(&bundle, &session).await, wanted.into());
    assert_eq!(bundle.cell(&key).await, state, "nothing was taken");
}

#[tokio::test]
async fn a_refusal_is_counted_where_it_belongs() {
    let (bundle, service) = Bundle::with_service().await;
    let session = bundle.newcomer().await;
    let tag = bundle.services.secrets.find(SecretName::Tag, bundle.clock.now()).await.unwrap();
    let stranger = Caller::Key(ApiKey::mint("sk_test_", &tag.current, &mut entropy::fill).reveal().to_owned());
    let (id, key) = bundle.key(&session, json!({"name": "a", "scopes": "demo:read", "budget_usd": 0})).await;
    let (rotated_id, rotated) = bundle.key(&session, json!({"name": "b"})).await;
    let rotation = json!({"grace_seconds": 0});
    bundle.post(&format!("/v1/api-keys/{rotated_id}/rotate"), &session.caller(), &rotation).await;
    let (revoked_id, revoked) = bundle.key(&session, json!({"name": "c"})).await;
    bundle.delete(&format!("/v1/api-keys/{revoked_id}"), &session.caller()).await;
    let (limited_id, limited) = bundle.key(&session, json!({"name": "d", "limits": {"per_minute": 1}})).await;
    assert_eq!(bundle.knock(&limited, "GET", "/demo/free").await.status, 200);

    for (caller, method, path, code) in [
        (&Caller::Anonymous, "GET", "/demo/free", "missing_credentials"),
        (&Caller::Key("junk".into()), "GET", "/demo/free", "invalid_api_key"),
        (&stranger, "POST", "/demo/paid", "invalid_api_key"),
        (&key, "GET", "/nowhere", "unknown_route"),
        (&key, "POST", "/demo/paid", "insufficient_scope"),
        (&rotated, "GET", "/demo/free", "invalid_api_key"),
        (&revoked, "GET", "/demo/free", "invalid_api_key"),
    ] {
        assert_eq!(bundle.knock(caller, method, path).await.code, code);
    }
    for _ in 0..20 {
        // The last of them out of memory.
        assert_eq!(bundle.knock(&limited, "GET", "/demo/free").await.code, "rate_limited");
    }
    let (Caller::Key(text), Caller::Key(limited)) = (&key, &limited) else { panic!("keys") };
    for question in [
        json!({"key": text, "method": "POST", "path": "/demo/paid"}),
        json!({"key": limited, "method": "GET", "path": "/demo/free"}),
        json!({"key": "junk", "method": "GET", "path": "/demo/free"}),
    ] {
        let answer = bundle.post("/v1/api-keys/verify", &service, &question).await;
        assert_eq!(answer.body["data"]["allowed"], false, "{}", answer.text);
    }
    // Managing: a key without the scope, a caller that is no service, nobody.
    assert_eq!(bundle.get("/v1/api-keys", &key).await.status, 403);
    let charge = format!("/v1/charges/chg_k{}/settle", "1".repeat(38));
    assert_eq!(bundle.post(&charge, &key, &json!({"outcome": "failed"})).await.status, 403);
    assert_eq!(bundle.get("/v1/api-keys", &Caller::Anonymous).await.status, 401);
    bundle.services.write_down_refused().await;

    let wanted = [
        ("-", "-|missing_credentials", 1),
        ("-", "-|unknown_route", 1),
        ("-", "GET /demo/free|invalid_api_key", 2),
        ("-", "GET /demo/free|missing_credentials", 1),
        ("-", "POST /demo/paid|invalid_api_key", 1),
        (&id, "-|insufficient_scope", 2),
        (&id, "POST /demo/paid|insufficient_scope", 2),
        (&rotated_id, "GET /demo/free|invalid_api_key", 1),
        (&revoked_id, "GET /demo/free|invalid_api_key", 1),
        (&limited_id, "GET /demo/free|rate_limited", 21),
    ];
    let wanted = wanted.map(|(cell, reason, count)| (format!("{cell} {reason}"), count));
    assert_eq!(written(&bundle, &session).await, wanted.into());
    let known = sheets(&bundle, Some(&session.account_id)).await;
    for day in known {
        let Whose::Cell(known) = day.sheet.whose else { panic!("a cell") };
        let owner = bundle.services.store.find_cell(&known.cell).await.unwrap().unwrap().owner;
        assert_eq!((known.project, known.environment), (owner.project, owner.environment));
    }
}

#[tokio::test]
async fn a_management_call_that_is_limited_counts_as_its_route() {
    let management = "management:\n  limits:\n    - { route: GET /v1/api-keys, per_minute: 1 }\n";
    let bundle = Bundle::with_policy(&format!("{}\n{management}", Policy::DEFAULT_TEXT)).await;
    let session = bundle.newcomer().await;
    let caller = session.caller();
    assert_eq!(bundle.get("/v1/api-keys", &caller).await.status, 200);
    for _ in 0..3 {
        assert_eq!(bundle.get("/v1/api-keys", &caller).await.code(), "rate_limited");
    }
    bundle.services.write_down_refused().await;
    let cell = format!("ssn_{}", session.account_id.trim_start_matches("acc_"));
    assert_eq!(written(&bundle, &session).await, [(format!("{cell} GET /v1/api-keys|rate_limited"), 3)].into());
}

#[tokio::test]
async fn a_refusal_that_is_repeated_under_its_idempotency_key_counts_once() {
    let (bundle, service) = Bundle::with_service().await;
    let session = bundle.newcomer().await;
    let (id, key) = bundle.key(&session, json!({"name": "a", "scopes": "demo:read"})).await;
    let (limited_id, limited) = bundle.key(&session, json!({"name": "b", "limits": {"per_minute": 1}})).await;
    assert_eq!(bundle.knock(&limited, "GET", "/demo/free").await.status, 200);
    let (Caller::Key(text), Caller::Key(service), Caller::Key(limited)) = (&key, &service, &limited) else {
        panic!("keys")
    };
    let ask = async |key: &str, path: &str, name: &str| {
        let question = json!({"key": key, "method": if path == "/demo/paid" { "POST" } else { "GET" }, "path": path});
        let headers =
            [("x-api-key", service.as_str()), ("content-type", "application/json"), ("idempotency-key", name)];
        let answer = bundle.send_with("POST", "/v1/api-keys/verify", &headers, Some(&question.to_string())).await;
        assert_eq!(answer.body["data"]["allowed"], false, "{}", answer.text);
    };
    for name in ["one", "one", "one", "two"] {
        ask(text, "/demo/paid", name).await;
    }
    // The same out of memory, which the second time would word it another way.
    bundle.clock.advance_ms(500);
    for name in ["1", "2", "3", "4", "5", "6"] {
        ask(limited, "/demo/free", name).await;
    }
    bundle.clock.advance_ms(800);
    let before = bundle.link.requests();
    ask(limited, "/demo/free", "6").await;
    assert_eq!(bundle.link.requests() - before, 2, "the service and the record, and not the key");
    bundle.services.write_down_refused().await;
    let wanted = [
        (format!("{id} POST /demo/paid|insufficient_scope"), 2),
        (format!("{limited_id} GET /demo/free|rate_limited"), 6),
    ];
    assert_eq!(written(&bundle, &session).await, wanted.into());
}

#[tokio::test]
async fn a_few_refusals_are_seen_at_once_and_many_within_ten_seconds() {
    let bundle = Bundle::new().await;
    for number in 1..=8 {
        knock_at_nothing(&bundle, 1).await;
        assert_eq!(unknown(&bundle).await, number);
    }
    let before = bundle.link.requests();
    knock_at_nothing(&bundle, 50).await;
    bundle.clock.advance_ms(9_999);
    knock_at_nothing(&bundle, 50).await;
    assert_eq!(bundle.link.requests(), before);
    bundle.clock.advance_ms(1);
    knock_at_nothing(&bundle, 50).await;
    assert_eq!(bundle.link.requests() - before, 1);
    assert_eq!((unknown(&bundle).await, bundle.services.refused.waiting()), (109, 49));
}

#[tokio::test]
async fn who_is_admitted_neither_writes_nor_waits_for_who_is_refused() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    knock_at_nothing(&bundle, 12).await;
    bundle.clock.advance_ms(20_000);
    // Counts wait, and it is time; the admitted leave them alone.
    let before = bundle.link.requests();
    for _ in 0..5 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    }
    assert_eq!(bundle.link.requests() - before, 5);
    assert_eq!(bundle.services.refused.waiting(), 4);

    bundle.link.play([Fault::Hold]);
    let refused = tokio::spawn({
        let bundle = bundle.clone();
        async move { bundle.knock(&Caller::Anonymous, "GET", "/demo/free").await }
    });
    while bundle.link.held() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    knock_at_nothing(&bundle, 3).await;
    assert!(!refused.is_finished());
    bundle.link.let_through();
    assert_eq!(refused.await.unwrap().code, "missing_credentials");
    assert_eq!((unknown(&bundle).await, bundle.services.refused.waiting()), (13, 3));
}

#[tokio::test]
async fn a_table_that_fails_changes_no_refusal_and_no_count() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "limits": {"per_minute": 1}})).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    let mut limited = 0;
    let mut told = None;
    for fault in [Fault::Break, Fault::Throttle, Fault::LoseRequest, Fault::LoseAnswer, Fault::Duplicate, Fault::Delay]
    {
        for _ in 0..8 {
            assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.code, "rate_limited", "{fault:?}");
            limited += 1;
        }
        // The sheets are due; the key is remembered.
        bundle.services.write_down_refused().await;
        knock_at_nothing(&bundle, 1).await;
        bundle.clock.advance_ms(10_000);
        bundle.link.keep_playing(Some(fault));
        let mut knock = bundle.knock(&Caller::Anonymous, "GET", "/demo/free").await.answer;
        bundle.link.keep_playing(None);
        knock["context"]["problem"].take();
        assert_eq!(*told.get_or_insert(knock.clone()), knock, "{fault:?}");
        assert!(bundle.link.deliver_late().await.iter().all(|status| [200, 400].contains(status)));
        bundle.clock.advance_ms(60_000);
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    }
    bundle.services.write_down_refused().await;
    assert_eq!(bundle.services.refused.waiting(), 0);
    let wanted = [(format!("{id} GET /demo/free|rate_limited"), limited), (ANONYMOUS.to_owned(), 12)];
    assert_eq!(written(&bundle, &session).await, wanted.into());
}

#[tokio::test]
async fn a_sheet_has_one_entry_of_a_process_on_its_way_at_a_time() {
    let bundle = Bundle::new().await;
    knock_at_nothing(&bundle, 1).await;
    bundle.link.play([Fault::LoseRequest]);
    knock_at_nothing(&bundle, 1).await;
    bundle.clock.advance_ms(10_000);
    // What was lost is sent again by itself; what came since waits for the next turn, which is lost as well.
    bundle.link.play([Fault::None, Fault::LoseRequest]);
    let before = bundle.link.requests();
    knock_at_nothing(&bundle, 1).await;
    assert_eq!((bundle.link.requests() - before, bundle.services.refused.waiting()), (1, 1));
    bundle.clock.advance_ms(10_000);
    knock_at_nothing(&bundle, 1).await;
    assert_eq!(bundle.services.refused.waiting(), 2);
    bundle.services.write_down_refused().await;
    assert_eq!((unknown(&bundle).await, bundle.services.refused.waiting()), (4, 0));
}

#[tokio::test]
async fn several_instances_add_up_whatever_their_clocks_say() {
    let bundle = Bundle::new().await;
    let instances: Vec<_> = (0..5).map(|_| bundle.restarted()).collect();
    for round in 0..6_u64 {
        for (number, instance) in instances.iter().enumerate() {
            // One of them is five minutes ahead, the others behind it.
            let skew = if number == 0 { 300 } else { 0 };
            let now = bundle.clock.now();
            bundle.clock.set(now.plus_s(skew));
            knock_at_nothing(instance, round + 1).await;
            bundle.clock.set(now);
        }
        bundle.clock.advance_ms(10_000);
    }
    for instance in &instances {
        instance.services.write_down_refused().await;
        assert_eq!(instance.services.refused.waiting(), 0);
    }
    assert_eq!(unknown(&bundle).await, 5 * 21);
}

#[tokio::test]
async fn a_clock_that_is_behind_and_an_answer_that_is_lost_lose_no_count() {
    let ahead = Bundle::new().await;
    let behind = ahead.restarted();
    let now = ahead.clock.now();
    ahead.clock.set(now.plus_s(300));
    knock_at_nothing(&ahead, 1).await;
    ahead.clock.set(now);
    // The sheet names its number, is written to under it, and nobody hears of that.
    behind.link.play([Fault::None, Fault::LoseAnswer]);
    knock_at_nothing(&behind, 1).await;
    assert_eq!(behind.services.refused.waiting(), 1);
    for _ in 0..3 {
        behind.clock.advance_ms(10_000);
        knock_at_nothing(&behind, 1).await;
    }
    behind.services.write_down_refused().await;
    assert_eq!((unknown(&behind).await, behind.services.refused.waiting()), (5, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_callers_at_once_are_counted_to_the_last() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "demo:read"})).await;
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let (bundle, key) = (bundle.clone(), key.clone());
        callers.spawn(async move {
            for _ in 0..10 {
                assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.code, "insufficient_scope");
                knock_at_nothing(&bundle, 1).await;
                bundle.clock.advance_ms(700);
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    bundle.services.write_down_refused().await;
    let wanted = [(format!("{id} POST /demo/paid|insufficient_scope"), 500), (ANONYMOUS.to_owned(), 500)];
    assert_eq!(written(&bundle, &session).await, wanted.into());
}

#[tokio::test]
async fn what_is_written_down_has_nothing_of_the_credential() {
    let bundle = Bundle::new().await;
    let (_, id, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "demo:read"})).await;
    let Caller::Key(text) = &key else { panic!("a key") };
    bundle.knock(&key, "POST", "/demo/paid").await;
    bundle.knock(&key, "GET", &format!("/{text}")).await;
    bundle.knock(&Caller::Key(format!("{text}x")), "GET", "/demo/free").await;
    bundle.knock(&Caller::Bearer(text.clone()), "POST", "/demo/paid").await;
    bundle.services.write_down_refused().await;
    let items = crate::engines::items(&bundle).await;
    let refused: Vec<_> = items.iter().filter(|(key, _)| key.starts_with("refused_")).collect();
    let stored = format!("{refused:?}");
    assert!(refused.len() == 2 && stored.contains(&id), "{stored}");
    for part in ["sk_test_", &text[24..46], &text[46..57], &text[57..]] {
        assert!(!stored.contains(part), "{part} in {stored}");
    }
}

const ANONYMOUS: &str = "- GET /demo/free|missing_credentials";
