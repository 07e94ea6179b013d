//! The books: each admitted request is one row, each settlement amends it, each grant is an entry, however the stream is
//! delivered.

use faregate_domain::{
    books::{Numbers, Sequence, Slot},
    cell::CellId,
    id::{AccountId, KeyId},
    key::ApiKey,
};
use faregate_edge::{entropy, secrets::SecretName};
use faregate_gate::audit::{Auditor, Report};
use faregate_store::RequestRow;
use faregate_tests::{Books, Bundle, Caller, Fault, Session, knock_event};
use serde_json::{Value, json};

fn cell_of(id: &str) -> CellId {
    CellId::Key(KeyId::parse(id).unwrap())
}

async fn rows(bundle: &Bundle, id: &str) -> Vec<RequestRow> {
    bundle.services.store.find_rows(&cell_of(id), None, 1_000).await.unwrap()
}

/// A key's calls of each kind: two free, one priced, three metered of which one succeeds for less and one fails.
async fn live(bundle: &Bundle, service: &Caller, key: &Caller) {
    bundle.knock(key, "GET", "/demo/free").await;
    let mut charges = Vec::new();
    for _ in 0..3 {
        let knock = bundle.knock(key, "POST", "/demo/metered").await;
        if knock.status != 200 {
            return;
        }
        charges.push(knock.text("chargeId").to_owned());
    }
    bundle.knock(key, "POST", "/demo/paid").await;
    bundle.settle(service, &charges[0], &json!({"outcome": "succeeded", "actual_usd": "0.037"})).await;
    bundle.settle(service, &charges[1], &json!({"outcome": "failed", "error_code": "model.timeout"})).await;
    bundle.knock(key, "GET", "/demo/free").await;
}

async fn bundle_with_key() -> (Bundle, Caller, Session, String, Caller) {
    let (bundle, service) = Bundle::with_service().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    (bundle, service, session, id, key)
}

#[tokio::test]
async fn an_admitted_request_is_one_row_and_its_settlement_amends_it() {
    let (bundle, service, session, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    live(&bundle, &service, &key).await;
    books.catch_up().await;
    let rows = rows(&bundle, &id).await;
    let told: Vec<_> = rows.iter().map(|row| (row.route.as_str(), row.code(), row.cost().micro_usd())).collect();
    let mut wanted = vec![
        ("GET /demo/free", "ok", 0),
        ("GET /demo/free", "ok", 0),
        ("POST /demo/metered", "model.timeout", 0),
        ("POST /demo/metered", "ok", 37_000),
        ("POST /demo/metered", "ok", 100_000),
        ("POST /demo/paid", "ok", 10_000),
    ];
    let mut sorted = told.clone();
    sorted.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted);
    let mut numbers: Vec<_> = rows.iter().map(|row| row.seq).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    let first = rows.iter().find(|row| row.seq == 1).unwrap();
    assert_eq!((first.account.to_string(), first.environment.as_str()), (session.account_id.clone(), "sandbox"));
    assert_eq!(first.expires_at, first.at.plus_s(7 * 86_400));

    let (account, from) = (rows[0].account.clone(), bundle.clock.now().minus_s(1));
    let hours = bundle.services.store.find_hours(&account, &cell_of(&id), from, from.plus_s(3_600)).await.unwrap();
    let [hour] = hours.as_slice() else { panic!("one hour: {hours:?}") };
    let slot = |route: &str, code: &str| Slot { route: route.to_owned(), code: code.to_owned() };
    assert_eq!(hour.slots[&slot("POST /demo/metered", "ok")], Numbers { calls: 2, micro_usd: 137_000 });
    assert_eq!(hour.slots[&slot("POST /demo/metered", "model.timeout")], Numbers { calls: 1, micro_usd: 0 });
    assert_eq!(hour.total(), Numbers { calls: 6, micro_usd: 147_000 });

    let cell = bundle.cell(&key).await;
    let grants = bundle.services.store.find_movements(&cell_of(&id), Sequence::Grants, 0, 100).await.unwrap();
    let granted: i64 = grants.iter().map(|grant| grant.micro_usd).sum();
    assert_eq!(granted, i64::try_from(cell.purse.granted.micro_usd()).unwrap());
}

#[tokio::test]
async fn the_books_come_out_the_same_however_the_stream_is_delivered() {
    let (bundle, service, session, _, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    let (_, other) = bundle.key(&session, json!({"name": "b", "budget_usd": "1"})).await;
    for _ in 0..3 {
        live(&bundle, &service, &key).await;
        live(&bundle, &service, &other).await;
        bundle.knock(&session.caller(), "GET", "/demo/free").await;
    }
    let records = books.records();
    let mut dice = fastrand::Rng::with_seed(7);
    // Cells apart, each in its order, each record up to three times, in batches of any size, some of which fail half way.
    let mut delivered = 0;
    while delivered < records.len() {
        let back = dice.usize(..=delivered.min(6));
        let from = delivered - back;
        let to = (from + dice.usize(1..12)).min(records.len());
        for _ in 0..dice.usize(0..4) {
            bundle.link.play([[Fault::None, Fault::LoseAnswer, Fault::LoseRequest, Fault::Break][dice.usize(..4)]]);
        }
        match books.tell(&records[from..to]).await {
            None => delivered = delivered.max(to),
            Some(place) => delivered = delivered.max(from + place),
        }
    }
    let in_pieces = books.dump();

    assert_eq!(books.count("row_"), 39);
    books.forget();
    assert!(books.dump().is_empty());
    // Whole, by a ledger that has only just started.
    let twin = Books::of(&bundle.restarted());
    assert_eq!(twin.tell(&records).await, None);
    assert_eq!(in_pieces, twin.dump());
}

#[tokio::test]
async fn a_gap_is_raised_before_anything_beyond_it_and_closes_when_the_record_comes() {
    let (bundle, service, _, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    live(&bundle, &service, &key).await;
    let records = books.records();
    let admissions: Vec<usize> = (0..records.len()).filter(|place| is_admission(&records[*place], &id)).collect();
    // The second admission, a metered call that is settled later, is lost on the way.
    let lost = admissions[1];
    let rest: Vec<Value> =
        records.iter().enumerate().filter(|(place, _)| *place != lost).map(|(_, record)| record.clone()).collect();
    assert_eq!(books.tell(&rest).await, None);
    let position = bundle.services.store.find_position(&cell_of(&id)).await.unwrap().position;
    let holes: Vec<String> = position.holes().map(ToString::to_string).collect();
    assert!(holes.contains(&"n:2-2".to_owned()), "{holes:?}");
    assert_eq!(books.count("evt_"), holes.len());
    assert_eq!(rows(&bundle, &id).await.len(), 5);

    assert_eq!(books.tell(&records[lost..=lost]).await, None);
    let position = bundle.services.store.find_position(&cell_of(&id)).await.unwrap().position;
    assert_eq!(position.holes().count(), 0);
    let late = rows(&bundle, &id).await.into_iter().find(|row| row.seq == 2).unwrap();
    assert_eq!((late.code(), late.cost().micro_usd()), ("ok", 37_000));
    // Once more changes nothing.
    let before = books.dump();
    assert_eq!(books.tell(&records).await, None);
    assert_eq!(books.dump(), before);
    let (account, from) = (late.account, bundle.clock.now().minus_s(1));
    let hours = bundle.services.store.find_hours(&account, &cell_of(&id), from, from.plus_s(3_600)).await.unwrap();
    assert_eq!(hours[0].total(), Numbers { calls: 6, micro_usd: 147_000 });
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_is_set_aside_and_holds_up_nothing() {
    let (bundle, service, _, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    live(&bundle, &service, &key).await;
    let records = books.records();
    let place = (0..records.len()).find(|place| is_admission(&records[*place], &id)).unwrap();
    let mut poisoned = records.clone();
    poisoned[place]["dynamodb"]["NewImage"]["lr"] = json!({"S": "no row"});
    assert_eq!(books.tell(&poisoned).await, None);
    assert_eq!(rows(&bundle, &id).await.len(), 5);
    let aside = bundle.services.store.find_set_aside(None, 10).await.unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(serde_json::from_str::<Value>(&aside[0].record).unwrap(), poisoned[place]);
    assert!(aside[0].why.contains("lr"), "{}", aside[0].why);
    // Mended, it is entered as if nothing had been.
    assert_eq!(books.tell(&records[place..=place]).await, None);
    assert_eq!(rows(&bundle, &id).await.len(), 6);
}

#[tokio::test]
async fn while_the_table_does_not_answer_nothing_is_passed_over() {
    let (bundle, service, _, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    live(&bundle, &service, &key).await;
    let records = books.records();
    bundle.link.keep_playing(Some(Fault::Break));
    let first = (0..records.len()).find(|place| is_of(&records[*place], &id)).unwrap();
    assert!(books.tell(&records).await.is_some_and(|place| place <= first));
    bundle.link.keep_playing(None);
    assert_eq!(books.tell(&records).await, None);
    assert_eq!(rows(&bundle, &id).await.len(), 6);
}

fn is_of(record: &Value, id: &str) -> bool {
    record["dynamodb"]["Keys"]["pk"]["S"] == json!(id)
}

fn is_admission(record: &Value, id: &str) -> bool {
    let image = |name: &str| record["dynamodb"][name]["n"]["N"].clone();
    is_of(record, id) && image("OldImage") != json!(null) && image("OldImage") != image("NewImage")
}

async fn audited(bundle: &Bundle, session: &Session) -> Report {
    let services = &bundle.services;
    let auditor = Auditor::new(services.store.clone(), bundle.clock.now(), services.config.policy.clone());
    let (id, mut report) = (AccountId::parse(&session.account_id).unwrap(), Report::default());
    auditor.account(&id, &mut report).await.unwrap();
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_agrees_while_calls_go_on() {
    let (bundle, service, session, _, key) = bundle_with_key().await;
    let (_, other) = bundle.key(&session, json!({"name": "b", "budget_usd": "1"})).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let feeding = tokio::spawn({
        let (mut books, stopped) = (Books::of(&bundle), stopped.clone());
        async move {
            while !*stopped.borrow() {
                books.catch_up().await;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    });
    let calling = tokio::spawn({
        let (bundle, service, stopped) = (bundle.clone(), service.clone(), stopped.clone());
        async move {
            let mut rounds = 0_u64;
            while !*stopped.borrow() {
                live(&bundle, &service, &key).await;
                live(&bundle, &service, &other).await;
                rounds += 1;
            }
            rounds
        }
    });
    for _ in 0..4 {
        let report = audited(&bundle, &session).await;
        assert_eq!(report.differences, []);
    }
    stop.send(true).unwrap();
    assert!(calling.await.unwrap() > 1);
    feeding.await.unwrap();
}

#[tokio::test]
async fn an_audit_finds_whatever_is_changed_by_hand() {
    let (bundle, service, session, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    live(&bundle, &service, &key).await;
    books.catch_up().await;
    let report = audited(&bundle, &session).await;
    assert_eq!((report.differences.as_slice(), report.cells, report.requests), ([].as_slice(), 2, 6));
    let project = bundle.cell(&key).await.owner.project.to_string();
    let lease = bundle.cell(&key).await.leases.held.keys().next().unwrap().as_str().to_owned();
    let book = format!("book_{id}");
    let row =
        books.dump().keys().find_map(|key| key.strip_prefix(&format!("{book} row_"))).map(|rest| format!("row_{rest}"));
    for (partition, sort, update, named) in [
        (id.as_str(), "cell", "SET bal = bal + :one", id.as_str()),
        (&id, "cell", "SET n = n + :one", &id),
        (&id, "cell", "SET gt = gt + :one", &id),
        (&id, "cell", "REMOVE l.#name", &id),
        (&project, "wallet", "SET av = av + :one", &project),
        (&project, "wallet", "SET al = al + :one", &project),
        (&session.account_id, "wallet", "SET av = av + :one", &session.account_id),
        (&book, row.as_deref().unwrap(), "SET am = am + :one", &id),
        (&book, "gnt_0000000000000000001", "SET am = am + :one", &id),
    ] {
        let before = bundle.link.item(&bundle.services.config.table, partition, sort);
        bundle.link.change(&bundle.services.config.table, partition, sort, update, &lease);
        if update.contains(" n ") {
            // The books never come as far as a cell that says more than happened.
            let id = AccountId::parse(&session.account_id).unwrap();
            let services = &bundle.services;
            let auditor = Auditor::new(services.store.clone(), bundle.clock.now(), services.config.policy.clone());
            let mut report = Report::default();
            let asking = auditor.account(&id, &mut report);
            let behind = tokio::time::timeout(std::time::Duration::from_secs(1), asking);
            assert!(behind.await.is_err(), "{update}");
        } else {
            let found = audited(&bundle, &session).await.differences;
            assert!(found.iter().any(|difference| difference.item == named), "{update}: {found:?}");
        }
        bundle.link.put(&bundle.services.config.table, &before);
        assert_eq!(audited(&bundle, &session).await.differences, [], "{update}");
    }
}

async fn kinds_of_events(bundle: &Bundle, id: &str) -> Vec<String> {
    let events = bundle.services.store.find_events(&cell_of(id), None, 100).await.unwrap();
    let mut kinds: Vec<String> = events.into_iter().map(|(_, event)| event.kind).collect();
    kinds.sort();
    kinds
}

async fn knock_from(bundle: &Bundle, key: &Caller, address: &str, agent: &str) {
    let mut headers = key.headers();
    headers.push(("user-agent".to_owned(), agent.to_owned()));
    let mut event = knock_event("GET", "/demo/free", &headers);
    event["requestContext"]["identity"]["sourceIp"] = json!(address);
    assert_eq!(bundle.ask(event).await.status, 200);
}

#[tokio::test]
async fn the_owner_hears_of_new_callers_but_not_of_the_first() {
    let (bundle, _, _, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    knock_from(&bundle, &key, "203.0.113.7", "curl/8").await;
    knock_from(&bundle, &key, "203.0.113.99", "curl/9").await;
    books.catch_up().await;
    assert!(kinds_of_events(&bundle, &id).await.is_empty());
    knock_from(&bundle, &key, "198.51.100.7", "curl/8").await;
    knock_from(&bundle, &key, "2001:db8:1::7", "python-requests/2").await;
    knock_from(&bundle, &key, "2001:db8:1:ffff::8", "python-requests/3").await;
    let records = books.records();
    for _ in 0..2 {
        assert_eq!(books.tell(&records).await, None);
        assert_eq!(kinds_of_events(&bundle, &id).await, ["new_agent", "new_network", "new_network"]);
    }
    // Another process, which remembers nothing.
    assert_eq!(Books::of(&bundle.restarted()).tell(&records).await, None);
    assert_eq!(kinds_of_events(&bundle, &id).await.len(), 3);
}

#[tokio::test]
async fn the_owner_hears_of_each_part_of_a_budget_once() {
    let (bundle, _) = Bundle::with_service().await;
    let (_, id, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": "0.10"})).await;
    let mut books = Books::of(&bundle);
    let parts = |events: Vec<(String, faregate_store::Event)>| {
        let mut parts: Vec<i64> = events
            .into_iter()
            .filter(|(_, event)| event.kind == "budget")
            .map(|(_, event)| serde_json::from_str::<Value>(&event.details).unwrap()["percent"].as_i64().unwrap())
            .collect();
        parts.sort_unstable();
        parts
    };
    for (calls, wanted) in [(4, &[][..]), (1, &[50]), (2, &[50]), (1, &[50, 80]), (2, &[50, 80, 100])] {
        for _ in 0..calls {
            assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
        }
        books.catch_up().await;
        let events = bundle.services.store.find_events(&cell_of(&id), None, 100).await.unwrap();
        assert_eq!(parts(events), wanted);
    }
}

#[tokio::test]
async fn the_owner_hears_of_an_hour_unlike_those_before() {
    let (bundle, _) = Bundle::with_service().await;
    let limits = json!({"name": "a", "environment": "production"});
    let (_, id, key) = bundle.key_of_newcomer(limits).await;
    let mut books = Books::of(&bundle);
    for (calls, spikes) in [(60, 0), (60, 1), (100, 1)] {
        for _ in 0..calls {
            assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
        }
        books.catch_up().await;
        let kinds = kinds_of_events(&bundle, &id).await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "spike").count(), spikes, "{kinds:?}");
    }
    // An hour as busy as the one before is as usual.
    bundle.clock.advance_ms(3_600_000);
    for _ in 0..220 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    }
    books.catch_up().await;
    let kinds = kinds_of_events(&bundle, &id).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "spike").count(), 1, "{kinds:?}");
}

#[tokio::test]
async fn the_owner_hears_of_somebody_who_tries_secrets() {
    let (bundle, _, _, id, key) = bundle_with_key().await;
    let (mut books, other) = (Books::of(&bundle), bundle.restarted());
    let tag = bundle.services.secrets.find(SecretName::Tag, bundle.clock.now()).await.unwrap();
    let guess = ApiKey::mint_for(&KeyId::parse(&id).unwrap(), "sk_test_", &tag.current, &mut entropy::fill);
    let wrong = Caller::Key(guess.reveal().to_owned());
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    for _ in 0..19 {
        assert_eq!(bundle.knock(&wrong, "GET", "/demo/free").await.status, 401);
    }
    bundle.services.write_down_refused().await;
    books.catch_up().await;
    assert!(kinds_of_events(&bundle, &id).await.is_empty());
    assert_eq!(other.knock(&wrong, "GET", "/demo/free").await.status, 401);
    other.services.write_down_refused().await;
    books.catch_up().await;
    assert_eq!(kinds_of_events(&bundle, &id).await, ["unauthorized"]);
}

#[tokio::test]
async fn what_a_key_received_of_its_project_is_listed() {
    let (bundle, service, session, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    live(&bundle, &service, &key).await;
    bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await;
    books.catch_up().await;
    let path = format!("/v1/billing/entries?key_id={id}");
    let whole = bundle.get(&path, &session.caller()).await;
    assert_eq!(whole.status, 200, "{}", whole.text);
    let entries = whole.body["data"].as_array().unwrap();
    assert!(entries.len() > 1);
    let sum: f64 = entries
        .iter()
        .map(|entry| entry["amount_usd"].as_f64().unwrap() * if entry["kind"] == "grant" { 1.0 } else { -1.0 })
        .sum();
    let held = bundle.cell(&key).await.purse.granted;
    assert_eq!(format!("{sum:.6}").trim_end_matches('0'), held.to_string());
    // Page by page it is the same.
    let (mut told, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bundle.get(&format!("{path}&limit=1{cursor}"), &session.caller()).await;
        told.extend(page.body["data"].as_array().unwrap().clone());
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(&told, entries);
    // Nobody else's, nor one that never was.
    let stranger = bundle.login(&bundle.wallet("stranger")).await;
    let foreign = bundle.get(&path, &stranger.caller()).await;
    let unknown = bundle.get("/v1/billing/entries?key_id=key_0000000000000000", &stranger.caller()).await;
    assert_eq!((foreign.status, unknown.status), (404, 404));
    assert_eq!(foreign.text, unknown.text);
}
