//! The books: each admitted request is one row, each settlement amends it, each grant is an entry, however the stream is
//! delivered.

use faregate_domain::{
    books::{Durations, Numbers, Sequence, Slot},
    cell::CellId,
    id::{AccountId, KeyId},
};
use faregate_store::RequestRow;
use faregate_tests::{Books, Bundle, Caller, Fault, Session};
use serde_json::{Value, json};

pub(crate) fn cell_of(id: &str) -> CellId {
    CellId::Key(KeyId::parse(id).unwrap())
}

async fn rows(bundle: &Bundle, id: &str) -> Vec<RequestRow> {
    bundle.services.store.find_rows(&cell_of(id), None, 1_000).await.unwrap()
}

/// A key's calls of each kind: two free, one priced, three metered of which one succeeds for less and one fails.
pub(crate) async fn live(bundle: &Bundle, service: &Caller, key: &Caller) {
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

pub(crate) async fn bundle_with_key() -> (Bundle, Caller, Session, String, Caller) {
    let (bundle, service) = Bundle::with_service().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    (bundle, service, session, id, key)
}

/// Numbers of calls of which some were settled in the instant of their admission.
fn took(calls: i64, micro_usd: i64, settled: u32) -> Numbers {
    let took = (0..settled).fold(Durations::default(), |sum, _| sum.plus(Durations::of(0)));
    Numbers { calls, micro_usd, took }
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
    assert_eq!(hour.slots[&slot("POST /demo/metered", "ok")], took(2, 137_000, 1));
    assert_eq!(hour.slots[&slot("POST /demo/metered", "model.timeout")], took(1, 0, 1));
    assert_eq!(hour.total(), took(6, 147_000, 2));

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
    assert_eq!(hours[0].total(), took(6, 147_000, 2));
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

#[tokio::test]
async fn an_api_that_invents_words_for_failures_does_not_fill_the_books() {
    let (bundle, service, session, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    for number in 0..260 {
        if number % 20 == 0 {
            bundle.clock.advance_ms(60_000);
        }
        let charge = bundle.knock(&key, "POST", "/demo/metered").await.text("chargeId").to_owned();
        let report = json!({"outcome": "failed", "error_code": format!("word{number}")});
        assert_eq!(bundle.settle(&service, &charge, &report).await.status, 200);
        if number % 40 == 39 {
            books.catch_up().await;
        }
    }
    books.catch_up().await;
    let account = AccountId::parse(&session.account_id).unwrap();
    let days = bundle.services.store.find_all_days(&account).await.unwrap();
    let day = days.iter().find(|day| day.cell == cell_of(&id)).unwrap();
    assert_eq!(day.total(), took(260, 0, 260));
    assert!((200..250).contains(&day.slots.len()), "{}", day.slots.len());
    assert!(rows(&bundle, &id).await.iter().any(|row| row.code() == "word259"));
}

#[tokio::test]
async fn a_batch_that_was_counted_half_way_and_given_up_is_counted_once() {
    let (bundle, _, session, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    for _ in 0..4 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    }
    let all = books.records();
    let records: Vec<Value> = all.into_iter().filter(|record| is_admission(record, &id)).collect();
    assert_eq!(books.tell(&records[..1]).await, None);
    // Position and row are answered, and so is the hour; the day is not, and the batch is given up.
    let (answered, lost) = ([Fault::None; 3], [Fault::Break; 4]);
    bundle.link.play(answered.into_iter().chain(lost));
    assert_eq!(books.tell(&records[1..2]).await, Some(0));
    bundle.link.clear_faults();
    let account = AccountId::parse(&session.account_id).unwrap();
    let store = &bundle.services.store;
    let (cell, from) = (cell_of(&id), bundle.clock.now().minus_s(1));
    let hour = || store.find_hours(&account, &cell, from, from.plus_s(3_600));
    let days = || store.find_all_days(&account);
    assert_eq!((hour().await.unwrap()[0].total().calls, days().await.unwrap()[0].total().calls), (2, 1));
    // The stream goes on, then what was given up is replayed, and once more.
    for batch in [&records[2..], &records[1..2], &records[1..2], &records[..]] {
        assert_eq!(books.tell(batch).await, None);
    }
    assert_eq!((hour().await.unwrap()[0].total().calls, days().await.unwrap()[0].total().calls), (4, 4));
    let position = store.find_position(&cell_of(&id)).await.unwrap().position;
    assert_eq!(position.holes().count(), 0);
}

#[tokio::test]
async fn a_gap_is_raised_once_however_often_its_raising_breaks_off() {
    let (bundle, _, _, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    for _ in 0..3 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    }
    let all = books.records();
    let records: Vec<Value> = all.into_iter().filter(|record| is_admission(record, &id)).collect();
    for answered in 1..5 {
        bundle.link.play(std::iter::repeat_n(Fault::None, answered).chain([Fault::Break; 4]));
        books.tell(&records[2..]).await;
        bundle.link.clear_faults();
        let position = bundle.services.store.find_position(&cell_of(&id)).await.unwrap().position;
        assert!(position.holes().count() == 0 || books.count("evt_") == 1, "noted, and not raised");
    }
    assert_eq!(books.tell(&records[2..]).await, None);
    assert_eq!(books.count("evt_"), 1);
}

#[tokio::test]
async fn wherever_a_batch_beyond_a_gap_breaks_off_what_was_missing_is_counted_when_it_comes() {
    let (bundle, _, session, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    for _ in 0..3 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    }
    let all = books.records();
    let records: Vec<Value> = all.into_iter().filter(|record| is_admission(record, &id)).collect();
    let (account, store) = (AccountId::parse(&session.account_id).unwrap(), &bundle.services.store);
    for answered in 0..10 {
        books.forget();
        let ledger = Books::of(&bundle.restarted());
        assert_eq!(ledger.tell(&records[..1]).await, None);
        bundle.link.play(std::iter::repeat_n(Fault::None, answered).chain([Fault::Break; 4]));
        ledger.tell(&records[2..]).await;
        bundle.link.clear_faults();
        // The next ledger knows nothing, and begins at an older place of the stream.
        let ledger = Books::of(&bundle.restarted());
        assert_eq!(ledger.tell(&records[1..]).await, None);
        let from = bundle.clock.now().minus_s(1);
        let hours = store.find_hours(&account, &cell_of(&id), from, from.plus_s(3_600)).await.unwrap();
        let days = store.find_all_days(&account).await.unwrap();
        let calls = (rows(&bundle, &id).await.len(), hours[0].total().calls, days[0].total().calls);
        assert_eq!(calls, (3, 3, 3), "after {answered} answers");
    }
}

#[tokio::test]
async fn what_the_ledger_wrote_may_arrive_once_more_after_everything_else() {
    let (bundle, service, _, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    let charge = bundle.knock(&key, "POST", "/demo/metered").await.text("chargeId").to_owned();
    let records = books.records();
    bundle.link.keep_playing(Some(Fault::Duplicate));
    assert_eq!(books.tell(&records).await, None);
    bundle.link.keep_playing(None);
    let report = json!({"outcome": "failed", "error_code": "model.timeout"});
    assert_eq!(bundle.settle(&service, &charge, &report).await.status, 200);
    books.catch_up().await;
    let before = books.dump();
    let late = bundle.link.deliver_late().await;
    assert!(late.len() > 5, "{late:?}");
    assert_eq!(books.dump(), before);
    // Of a failed call a list by code finds the row, and not under `ok`.
    let row = books.dump().into_values().find(|item| item["ir"].is_object()).unwrap();
    assert_eq!((rows(&bundle, &id).await.len(), &row["co"]["S"]), (1, &json!("model.timeout")));
}
