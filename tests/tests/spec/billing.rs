//! Money between an account and its projects: moved by its owner, once, never beyond what is there.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::money::MicroUsd;
use faregate_tests::{Answer, Bundle, Caller, Fault, Session};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::projects::{default_project, project};

/// Where all money of the table is, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) accounts: u64,
    pub(crate) projects: u64,
    pub(crate) allocated: u64,
    /// Held, reserved and spent by cells.
    pub(crate) granted: u64,
}

/// Adds up every wallet and every cell; nothing may be on its way.
pub(crate) async fn books(bundle: &Bundle) -> Books {
    let scan = bundle.link.client().scan().table_name(&bundle.services.config.table);
    let mut pages = scan.into_paginator().items().send();
    let mut books = Books::default();
    while let Some(item) = pages.next().await {
        let item: HashMap<String, AttributeValue> = item.unwrap();
        let number = |name: &str| item[name].as_n().unwrap().parse::<u64>().unwrap();
        let (partition, sort) = (item["pk"].as_s().unwrap(), item["sk"].as_s().unwrap());
        match sort.as_str() {
            "wallet" if partition.starts_with("acc_") => books.accounts += number("av"),
            "wallet" => {
                books.projects += number("av");
                books.allocated += number("al");
            }
            "cell" => books.granted += number("gt"),
            _ => {}
        }
    }
    assert_eq!(books.allocated, books.projects + books.granted, "{books:?}");
    books
}

/// An amount of an answer in millionths.
fn micro_usd(amount: &Value) -> u64 {
    MicroUsd::parse(&amount.to_string()).unwrap().micro_usd()
}

async fn allocate(bundle: &Bundle, session: &Session, id: &str, amount: &str) -> Answer {
    let body = format!(r#"{{"amount_usd":{amount}}}"#);
    bundle.send("POST", &format!("/v1/projects/{id}/allocations"), &session.caller(), Some(&body)).await
}

/// Sends an allocation under an idempotency key.
async fn allocate_once(bundle: &Bundle, session: &Session, id: &str, amount: &str, key: &str) -> Answer {
    let (bearer, body) = (format!("Bearer {}", session.token), format!(r#"{{"amount_usd":{amount}}}"#));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json"), ("Idempotency-Key", key)];
    bundle.send_with("POST", &format!("/v1/projects/{id}/allocations"), &headers, Some(&body)).await
}

async fn entries(bundle: &Bundle, caller: &Caller) -> Vec<Value> {
    let answer = bundle.get("/v1/billing/entries?limit=100", caller).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["data"].as_array().unwrap().clone()
}

/// An owner whose five dollars are in the account's wallet, and the owner's first project.
async fn owner() -> (Bundle, Session, String) {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let id = default_project(&bundle, &session).await;
    assert_eq!(allocate(&bundle, &session, &id, "-5").await.status, 201);
    (bundle, session, id)
}

#[tokio::test]
async fn everybody_learns_whom_they_speak_for() {
    let (bundle, operator) = Bundle::with_operator().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": ["demo:read"]})).await;
    let me = bundle.get("/v1/me", &session.caller()).await;
    assert_eq!((me.status, me.headers["cache-control"].as_str()), (200, "no-store"));
    let project = me.data("default_project_id").to_owned();
    let mut wanted = json!({"data": {
        "account_id": session.account_id, "address": session.wallet.address().to_string(),
        "plan": {"name": "studio", "max_keys": 100,
            "limits": {"per_minute": 1000, "burst": 1000, "per_day": 1_000_000, "concurrent": 100}},
        "default_project_id": project, "created_at": bundle.clock.now().to_string(), "is_operator": false, "key": null,
    }});
    assert_eq!(me.body, wanted);
    wanted["data"]["key"] = json!({"id": id, "project_id": project, "environment": "sandbox", "scopes": ["demo:read"]});
    assert_eq!(bundle.get("/v1/me", &key).await.body, wanted);
    assert_eq!(bundle.get("/v1/me", &operator.caller()).await.body["data"]["is_operator"], json!(true));
    assert_eq!(bundle.get("/v1/me", &Caller::Anonymous).await.code(), "missing_credentials");
}

#[tokio::test]
async fn money_goes_to_a_project_and_back_and_each_movement_is_entered() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let (own, other) =
        (default_project(&bundle, &session).await, project(&bundle, &session, json!({"name": "b"})).await);
    for (id, amount, shown, budget, wallet) in [
        (&own, "-2.50", "-2.5", 2.5, 2.5),
        (&other, "1", "1", 1.0, 1.5),
        (&other, "\"0.000001\"", "0.000001", 1.000_001, 1.499_999),
    ] {
        let answer = allocate(&bundle, &session, id, amount).await;
        assert_eq!((answer.status, answer.headers["cache-control"].as_str()), (201, "no-store"), "{}", answer.text);
        assert!(answer.text.contains(&format!("\"amount_usd\":{shown},")), "{}", answer.text);
        let data = &answer.body["data"];
        assert_eq!((&data["project_id"], data["budget_usd"].as_f64()), (&json!(id), Some(budget)));
        assert_eq!(data["wallet_usd"].as_f64(), Some(wallet));
        let project = bundle.get(&format!("/v1/projects/{id}"), &session.caller()).await;
        assert_eq!(project.body["data"]["budget_usd"].as_f64(), Some(budget));
        assert_eq!(project.body["data"]["available_usd"].as_f64(), Some(budget));
    }
    let entries = entries(&bundle, &session.caller()).await;
    let shown: Vec<_> =
        entries.iter().map(|entry| (&entry["kind"], &entry["amount_usd"], &entry["project_id"])).collect();
    assert_eq!(
        shown,
        [
            (&json!("allocation"), &json!(0.000_001), &json!(other)),
            (&json!("allocation"), &json!(1), &json!(other)),
            (&json!("return"), &json!(2.5), &json!(own)),
            (&json!("allocation"), &json!(5), &json!(own)),
            (&json!("sign_up"), &json!(5), &json!(null)),
        ]
    );
    assert!(entries.iter().all(|entry| entry["id"].as_str().unwrap().starts_with("ent_")));
    // A key pays from its own project.
    let (_, key) = bundle.key(&session, json!({"name": "a", "project_id": other})).await;
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    let books = books(&bundle).await;
    assert_eq!((books.accounts, books.projects + books.granted), (1_499_999, 3_500_001));
}

#[tokio::test]
async fn what_is_not_there_is_not_moved() {
    let (bundle, session, id) = owner().await;
    let (_, key) = bundle.key(&session, json!({"name": "a", "budget_usd": 1})).await;
    assert_eq!(allocate(&bundle, &session, &id, "2").await.status, 201);
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    let before = books(&bundle).await;
    assert!(before.granted >= 10_000);
    let answer = allocate(&bundle, &session, &id, "3.000001").await;
    assert_eq!((answer.status, answer.code()), (402, "insufficient_credits"), "{}", answer.text);
    assert_eq!((&answer.body["available_usd"], &answer.body["limit_source"]), (&json!(3), &json!("account")));
    let answer = allocate(&bundle, &session, &id, "-2").await;
    assert_eq!((answer.status, answer.code()), (409, "allocation_exceeded"), "{}", answer.text);
    assert_eq!(micro_usd(&answer.body["available_usd"]), 2_000_000 - before.granted);
    for amount in [
        "0",
        "-0",
        "0.0000001",
        "\"1e3\"",
        "-1000000000.01",
        "1000000001",
        "\"\"",
        "\"--1\"",
        "null",
        "true",
        "[]",
        "{}",
    ] {
        let answer = allocate(&bundle, &session, &id, amount).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{amount}: {}", answer.text);
        assert_eq!(answer.body["field"], "amount_usd", "{amount}");
    }
    for (body, field) in [("{}", "amount_usd"), (r#"{"amount_usd":1,"reference":"x"}"#, "reference"), ("[]", "body")] {
        let answer =
            bundle.send("POST", &format!("/v1/projects/{id}/allocations"), &session.caller(), Some(body)).await;
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!(field)), "{body}");
    }
    assert_eq!(books(&bundle).await, before);
    assert_eq!(entries(&bundle, &session.caller()).await.len(), 4);
}

#[tokio::test]
async fn a_key_moves_no_money_whatever_it_may_do() {
    let bundle = Bundle::new().await;
    let (session, _, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "admin"})).await;
    let id = default_project(&bundle, &session).await;
    for (amount, id) in [("1", id.as_str()), ("-1", &id), ("-1", "prj_0000000000000000000000"), ("junk", &id)] {
        let body = format!(r#"{{"amount_usd":{amount}}}"#);
        let answer = bundle.send("POST", &format!("/v1/projects/{id}/allocations"), &key, Some(&body)).await;
        assert_eq!((answer.status, answer.code()), (403, "session_required"));
    }
    assert_eq!(books(&bundle).await.projects, 5_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_allocations_move_what_is_there_and_not_a_cent_more() {
    let (bundle, session, own) = owner().await;
    let other = project(&bundle, &session, json!({"name": "b"})).await;
    let instances = [bundle.clone(), bundle.restarted()];
    let mut tasks = JoinSet::new();
    for number in 0..20_usize {
        let (bundle, session) = (instances[number % 2].clone(), session.clone());
        let id = if number / 2 % 2 == 0 { own.clone() } else { other.clone() };
        tasks.spawn(async move { allocate(&bundle, &session, &id, "0.45").await });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 402)), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 11);
    let books = books(&bundle).await;
    assert_eq!((books.accounts, books.projects), (50_000, 4_950_000));
    // Each was told the balance that it left, so no two were told the same.
    let mut wallets: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.body["data"]["wallet_usd"].to_string())
        .collect();
    wallets.sort();
    wallets.dedup();
    assert_eq!(wallets.len(), 11);
    assert_eq!(entries(&bundle, &session.caller()).await.len(), 3 + 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_may_come_and_go_while_keys_spend_it_and_the_books_balance() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let id = default_project(&bundle, &session).await;
    let mut spenders = JoinSet::new();
    for number in 0..3 {
        let (_, key) = bundle.key(&session, json!({"name": format!("{number}"), "environment": "production"})).await;
        let bundle = bundle.clone();
        spenders.spawn(async move {
            let mut paid = 0;
            for _ in 0..25 {
                let knock = bundle.knock(&key, "POST", "/demo/paid").await;
                assert!(matches!(knock.status, 200 | 402), "{}", knock.code);
                paid += u64::from(knock.status == 200);
            }
            (key, paid)
        });
    }
    for amount in ["-1.5", "0.25", "-2", "0.5", "-0.3", "1", "-9"] {
        let answer = allocate(&bundle, &session, &id, amount).await;
        assert!(matches!(answer.status, 201 | 402 | 409), "{amount}: {}", answer.text);
    }
    let mut spent = 0;
    for (key, paid) in spenders.join_all().await {
        let cell = bundle.cell(&key).await;
        assert_eq!(cell.purse.spent().micro_usd(), paid * 10_000);
        spent += paid * 10_000;
    }
    let books = books(&bundle).await;
    assert_eq!(books.accounts + books.projects + books.granted, 5_000_000);
    let billing = bundle.get("/v1/billing", &session.caller()).await.body["data"].clone();
    assert_eq!((micro_usd(&billing["spent_usd"]), micro_usd(&billing["wallet_usd"])), (spent, books.accounts));
}

#[tokio::test]
async fn a_repeated_allocation_is_one_allocation() {
    let (bundle, session, id) = owner().await;
    let first = allocate_once(&bundle, &session, &id, "1", "k").await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(allocate(&bundle, &session, &id, "0.5").await.status, 201);
    let again = allocate_once(&bundle, &session, &id, "1", "k").await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    let other = allocate_once(&bundle, &session, &id, "2", "k").await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    assert_eq!(books(&bundle).await.accounts, 3_500_000);
    let mut tasks = JoinSet::new();
    for _ in 0..12 {
        let (bundle, session, id) = (bundle.clone(), session.clone(), id.clone());
        tasks.spawn(async move { allocate_once(&bundle, &session, &id, "-0.25", "l").await });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.text == answers[0].text), "{answers:?}");
    assert_eq!(books(&bundle).await.accounts, 3_750_000);
}

#[tokio::test]
async fn a_lost_message_neither_loses_nor_doubles_money() {
    for fault in [Fault::LoseAnswer, Fault::LoseRequest, Fault::Duplicate, Fault::Delay, Fault::Throttle, Fault::Break]
    {
        for at in 0..8 {
            let (bundle, session, id) = owner().await;
            bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([fault]));
            let first = allocate_once(&bundle, &session, &id, "1", "k").await;
            assert!(matches!(first.status, 201 | 503), "{fault:?} {at}: {}", first.text);
            let again = allocate_once(&bundle.restarted(), &session, &id, "1", "k").await;
            assert_eq!(again.status, 201, "{fault:?} {at}: {}", again.text);
            bundle.link.deliver_late().await;
            assert_eq!(books(&bundle).await.accounts, 4_000_000, "{fault:?} {at}");
            assert_eq!(entries(&bundle, &session.caller()).await.len(), 4, "{fault:?} {at}");
        }
    }
    // Nothing but the movement itself tells a re-sent one from a second one.
    for at in 0..6 {
        let (bundle, session, id) = owner().await;
        bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([Fault::LoseAnswer]));
        let answer = allocate(&bundle, &session, &id, "1").await;
        assert_eq!(answer.status, 201, "{at}: {}", answer.text);
        assert_eq!(books(&bundle).await.accounts, 4_000_000, "{at}");
    }
}

#[tokio::test]
async fn an_outage_moves_nothing_and_says_so() {
    let (bundle, session, id) = owner().await;
    let before = books(&bundle).await;
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    let answer = allocate(&bundle, &session, &id, "1").await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    for path in ["/v1/me", "/v1/billing", "/v1/billing/entries"] {
        assert_eq!(bundle.get(path, &session.caller()).await.status, 503, "{path}");
    }
    bundle.link.keep_playing(None);
    assert_eq!(books(&bundle).await, before);
}
