//! Numbers over time: what the books hold, added up, with every bucket there.

use std::collections::BTreeMap;

use faregate_domain::{
    books::{Chunk, Durations, Numbers, Part, Period, Sequence, Slot},
    cell::Owner,
    id::AccountId,
    time::{Day, Timestamp},
};
use faregate_edge::entropy;
use faregate_store::{Booked, RequestRow};
use faregate_tests::{Books, Bundle};
use serde_json::{Value, json};

use crate::{books::bundle_with_key, requests::shelf::Shelf};

/// What calls are kept apart by, in a word, and as a look at each row.
type Grouped = (&'static str, fn(&RequestRow) -> String);

/// How long a settled call took.
fn latency_ms(row: &RequestRow) -> Option<u64> {
    row.settled.as_ref().map(|settled| settled.at.epoch_ms() - row.at.epoch_ms())
}

/// Enters what the rows add up to, as the ledger does.
async fn book(shelf: &Shelf) {
    let mut cells: BTreeMap<_, Vec<Part>> = BTreeMap::new();
    for row in &shelf.rows {
        let took = latency_ms(row).map(Durations::of).unwrap_or_default();
        let numbers = Numbers { calls: 1, micro_usd: i64::try_from(row.cost().micro_usd()).unwrap(), took };
        let adds = vec![(Slot { route: row.route.clone(), code: row.code().to_owned() }, numbers)];
        let part = Part { sequence: Sequence::Requests, seq: row.seq, at: row.at, adds };
        cells.entry((row.account.clone(), row.cell.clone())).or_default().push(part);
    }
    for ((account, cell), parts) in cells {
        let row = shelf.rows.iter().find(|row| row.cell == cell).unwrap();
        let owner = Owner {
            account,
            project: row.project.clone(),
            environment: row.environment.clone(),
            gallery: String::new(),
        };
        for period_of in [Period::hour_of, Period::day_of] {
            for chunk in Chunk::of(&parts, period_of) {
                let booked =
                    Booked { cell: &cell, owner: &owner, rows_kept_until: chunk.period.end().plus_s(7 * 86_400) };
                shelf.bundle.services.store.book(&booked, &chunk, &[]).await.unwrap();
            }
        }
    }
}

/// What is told of a group's calls in a bucket.
#[derive(Debug, Default, PartialEq)]
struct Told {
    calls: i64,
    micro_usd: u64,
    settled: i64,
    mean_ms: Option<u64>,
    p50_ms: Option<u64>,
    p95_ms: Option<u64>,
    p99_ms: Option<u64>,
}

/// The same by bucket and group, by looking at each row.
fn naive(
    shelf: &Shelf,
    bucket_seconds: u64,
    group: impl Fn(&RequestRow) -> String,
    is_wanted: impl Fn(&RequestRow) -> bool,
) -> BTreeMap<(String, String), Told> {
    let mut sums: BTreeMap<_, (i64, u64, Durations)> = BTreeMap::new();
    for row in shelf.rows.iter().filter(|row| is_wanted(row)) {
        let start = Timestamp::from_epoch_s(row.at.epoch_s() / bucket_seconds * bucket_seconds);
        let sum = sums.entry((group(row), start.to_string())).or_default();
        let took = latency_ms(row).map(Durations::of).unwrap_or_default();
        *sum = (sum.0 + 1, sum.1 + row.cost().micro_usd(), sum.2.plus(took));
    }
    let told = |(calls, micro_usd, took): (i64, u64, Durations)| Told {
        calls,
        micro_usd,
        settled: took.calls(),
        mean_ms: took.mean_ms(),
        p50_ms: took.percentile_ms(50),
        p95_ms: took.percentile_ms(95),
        p99_ms: took.percentile_ms(99),
    };
    sums.into_iter().map(|(place, sums)| (place, told(sums))).collect()
}

fn micro_usd(value: &Value) -> u64 {
    faregate_domain::money::MicroUsd::parse(&value.to_string()).unwrap().micro_usd()
}

/// The same out of an answer; every line must have every bucket.
fn shown(data: &Value) -> BTreeMap<(String, String), Told> {
    let starts = |line: &Value| -> Vec<String> {
        line["buckets"].as_array().unwrap().iter().map(|one| one["start"].as_str().unwrap().to_owned()).collect()
    };
    let mut sums = BTreeMap::new();
    for line in data["groups"].as_array().unwrap() {
        assert_eq!(starts(line), starts(data));
        for one in line["buckets"].as_array().unwrap().iter().filter(|one| one["calls"] != 0) {
            let key = (line["group"].as_str().unwrap().to_owned(), one["start"].as_str().unwrap().to_owned());
            let latency = |name: &str| one["latency_ms"][name].as_u64();
            let told = Told {
                calls: one["calls"].as_i64().unwrap(),
                micro_usd: micro_usd(&one["cost_usd"]),
                settled: one["settled"].as_i64().unwrap(),
                mean_ms: latency("mean"),
                p50_ms: latency("p50"),
                p95_ms: latency("p95"),
                p99_ms: latency("p99"),
            };
            assert_eq!(one["latency_ms"].is_null(), told.settled == 0);
            sums.insert(key, told);
        }
    }
    sums
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_those_of_the_rows_by_whatever_they_are_kept_apart() {
    let mut random = fastrand::Rng::with_seed(21);
    let mut shelf = Shelf::empty().await;
    shelf.fill(300, 9, &mut random).await;
    book(&shelf).await;
    let now = shelf.bundle.clock.now();
    let from = now.minus_s(10 * Day::SECONDS);
    let groups: [Grouped; 5] = [
        ("key", |row| Some(row.cell.partition()).filter(|id| id.starts_with("key_")).unwrap_or("sessions".into())),
        ("project", |row| row.project.to_string()),
        ("route", |row| row.route.clone()),
        ("code", |row| row.code().to_owned()),
        ("environment", |row| row.environment.clone()),
    ];
    for (name, group) in groups {
        for (bucket, seconds, count) in [("hour", 3_600, 240), ("day", Day::SECONDS, 10)] {
            let words = format!("from={from}&to={now}&bucket={bucket}&group_by={name}");
            let answer = shelf.get(&format!("/v1/analytics?{words}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let data = &answer.body["data"];
            assert_eq!(data["buckets"].as_array().unwrap().len(), count);
            assert_eq!(shown(data), naive(&shelf, seconds, group, |_| true), "{words}");
            assert_eq!(data["totals"]["calls"], 300);
            assert_eq!(
                (&data["group_by"], &data["bucket"], &data["other"]),
                (&json!(name), &json!(bucket), &Value::Null)
            );
        }
    }
    let place = &shelf.places[1];
    let words = format!("from={from}&group_by=code&key_id={}&route=GET /demo/free", place.cell.partition());
    let answer = shelf.get(&format!("/v1/analytics?{words}")).await;
    let wanted =
        naive(&shelf, Day::SECONDS, groups[3].1, |row| row.cell == place.cell && row.route == "GET /demo/free");
    assert_eq!(shown(&answer.body["data"]), wanted);
    let own = shelf.bundle.get(&format!("/v1/analytics?from={from}&group_by=project"), &place.caller).await;
    let wanted = naive(&shelf, Day::SECONDS, groups[1].1, |row| row.project == place.project);
    assert_eq!(shown(&own.body["data"]), wanted, "a key is told of its project");
}

#[tokio::test]
async fn how_long_settled_calls_took_is_told_with_what_they_cost() {
    let (bundle, service, session, _, key) = bundle_with_key().await;
    let mut charges = Vec::new();
    for _ in 0..4 {
        charges.push(bundle.knock(&key, "POST", "/demo/metered").await.text("chargeId").to_owned());
    }
    for (charge, later_ms, report) in [
        (&charges[0], 150, json!({"outcome": "succeeded"})),
        (&charges[1], 1_450, json!({"outcome": "succeeded", "actual_usd": 0.01})),
        (&charges[2], 400, json!({"outcome": "failed", "error_code": "model.timeout"})),
    ] {
        bundle.clock.advance_ms(later_ms);
        assert_eq!(bundle.settle(&service, charge, &report).await.status, 200);
    }
    Books::of(&bundle).catch_up().await;
    let answer = bundle.get("/v1/analytics?group_by=code", &session.caller()).await;
    let data = &answer.body["data"];
    // One call of 150 ms, 1.6 s and 2 s each: the magnitudes end at 200 ms and 2 s.
    assert_eq!(
        (&data["totals"]["settled"], &data["totals"]["latency_ms"]),
        (&json!(3), &json!({"mean": 1_250, "p50": 1_250, "p95": 1_750, "p99": 1_750}))
    );
    let of = |code: &str| data["groups"].as_array().unwrap().iter().find(|line| line["group"] == code).unwrap();
    assert_eq!(of("ok")["totals"]["settled"], 2, "of three calls");
    assert_eq!(of("ok")["totals"]["latency_ms"]["mean"], 875);
    assert_eq!(of("model.timeout")["totals"]["latency_ms"]["mean"], 2_000);
    let rows = bundle.get("/v1/requests", &session.caller()).await;
    let mut latencies: Vec<_> =
        rows.body["data"].as_array().unwrap().iter().map(|row| row["latency_ms"].as_u64()).collect();
    latencies.sort_unstable();
    assert_eq!(latencies, [None, Some(150), Some(1_600), Some(2_000)]);
    let csv = bundle.get("/v1/requests.csv", &session.caller()).await.text;
    let last = |line: &str| line.rsplit(',').next().unwrap().to_owned();
    let mut column: Vec<_> = csv.lines().map(last).collect();
    column.sort_unstable();
    assert_eq!(column, ["", "150", "1600", "2000", "latency_ms"]);
}

#[tokio::test]
async fn nothing_is_zeros() {
    let shelf = Shelf::empty().await;
    let answer = shelf.get("/v1/analytics").await;
    let data = &answer.body["data"];
    let empty = json!({"calls": 0, "refused": 0, "cost_usd": 0, "settled": 0, "latency_ms": null});
    assert_eq!((&data["totals"], &data["groups"], &data["bucket"]), (&empty, &json!([]), &json!("day")));
    let buckets = data["buckets"].as_array().unwrap();
    assert_eq!(buckets.len(), 31, "thirty days and the one that has begun");
    assert!(buckets.iter().all(|one| one["calls"] == 0 && one["refused"] == 0));
    let hours = shelf.get("/v1/analytics?bucket=hour").await;
    assert_eq!(hours.body["data"]["buckets"].as_array().unwrap().len(), 25);
    let whole = shelf.get("/v1/analytics?from=2026-10-01T10:30:00Z&to=2026-10-01T11:30:00Z&bucket=hour").await;
    assert_eq!((whole.data("from"), whole.data("to")), ("2026-10-01T10:00:00Z", "2026-10-01T12:00:00Z"));
}

#[tokio::test]
async fn refused_calls_are_counted_beside_and_cost_nothing() {
    let shelf = Shelf::empty().await;
    let hour = shelf.bundle.clock.now().minus_s(5 * 3_600);
    let reasons = [("GET /demo/free|rate_limited", 4), ("-|unknown_route", 6)];
    shelf.refuse(Some(&shelf.account), Some(&shelf.places[1]), hour, &reasons).await;
    shelf.refuse(Some(&shelf.account), None, hour, &[("-|invalid_api_key", 1)]).await;
    let key = shelf.places[1].cell.partition();
    for (words, groups) in [
        ("group_by=key", vec![(key.as_str(), 10), ("unknown", 1)]),
        ("group_by=code", vec![("unknown_route", 6), ("rate_limited", 4), ("invalid_api_key", 1)]),
        ("group_by=route&bucket=hour", vec![("unknown", 7), ("GET /demo/free", 4)]),
        ("group_by=environment&code=rate_limited", vec![("sandbox", 4)]),
    ] {
        let answer = shelf.get(&format!("/v1/analytics?{words}")).await;
        let data = &answer.body["data"];
        let found: Vec<_> = data["groups"].as_array().unwrap().iter().collect();
        let found: Vec<_> = found
            .into_iter()
            .map(|line| (line["group"].as_str().unwrap(), line["totals"]["refused"].as_i64().unwrap()))
            .collect();
        assert_eq!(found, groups, "{words}");
        assert_eq!(data["totals"]["cost_usd"], 0);
    }
}

#[tokio::test]
async fn small_groups_stand_together() {
    let mut random = fastrand::Rng::with_seed(22);
    let mut shelf = Shelf::empty().await;
    let (now, place) = (shelf.bundle.clock.now(), shelf.places[1].clone());
    for number in 0..25_u64 {
        let mut row = shelf.row(&place, now.minus_s(3_600), &mut random);
        row.route = format!("GET /{number:02}");
        (row.settled, row.is_leased) = (None, false);
        row.amount = faregate_domain::money::MicroUsd::new(1_000 + number).unwrap();
        shelf.put(row).await;
    }
    book(&shelf).await;
    let answer = shelf.get("/v1/analytics?group_by=route").await;
    let data = &answer.body["data"];
    assert_eq!(data["groups"].as_array().unwrap().len(), 20);
    assert_eq!(data["groups"][0]["group"], "GET /24");
    assert_eq!(data["other"]["totals"]["calls"], 5);
    assert_eq!(micro_usd(&data["other"]["totals"]["cost_usd"]), 5_010);
    assert_eq!(micro_usd(&data["totals"]["cost_usd"]), 25_300);
}

#[tokio::test]
async fn an_operator_adds_up_everybody_or_one() {
    let (bundle, operator) = Bundle::with_operator().await;
    let owner = bundle.newcomer().await;
    let mut shelf = Shelf::of(bundle, owner).await;
    let mut random = fastrand::Rng::with_seed(23);
    let other = AccountId::mint(&mut entropy::fill);
    for (account, days) in [(shelf.account.clone(), 1), (other.clone(), 2), (other, 8)] {
        let at = shelf.bundle.clock.now().minus_s(days * Day::SECONDS);
        let place = shelf.places[3].clone();
        let row = RequestRow { account: account.clone(), ..shelf.row(&place, at, &mut random) };
        shelf.bundle.services.store.note_active(&account, at).await.unwrap();
        shelf.put(row).await;
    }
    shelf.refuse(None, None, shelf.bundle.clock.now().minus_s(3_600), &[("-|missing_credentials", 7)]).await;
    book(&shelf).await;
    let caller = operator.caller();
    let all = shelf.bundle.get("/v1/analytics", &caller).await;
    let totals = &all.body["data"]["totals"];
    assert_eq!((&totals["calls"], &totals["refused"]), (&json!(3), &json!(7)));
    let one = shelf.bundle.get(&format!("/v1/analytics?account_id={}", shelf.account), &caller).await;
    assert_eq!(one.body["data"]["totals"]["calls"], 1);
    let own = shelf.get("/v1/analytics").await;
    assert_eq!(own.body["data"]["totals"], one.body["data"]["totals"]);
}

#[tokio::test]
async fn a_bad_question_is_told_what_is_wrong_with_it() {
    let shelf = Shelf::empty().await;
    let now = shelf.bundle.clock.now();
    let ago = |days: u64| now.minus_s(days * Day::SECONDS);
    for (words, field) in [
        ("bucket=week".to_owned(), "bucket"),
        ("bucket=".to_owned(), "bucket"),
        ("group_by=colour".to_owned(), "group_by"),
        ("group_by=key,route".to_owned(), "group_by"),
        ("limit=5".to_owned(), "limit"),
        ("cursor=a".to_owned(), "cursor"),
        (format!("bucket=hour&from={}&to={now}", ago(32)), "from"),
        (format!("from={}&to={now}", ago(402)), "from"),
        (format!("from={now}&to={}", ago(1)), "from"),
        ("from=now".to_owned(), "from"),
        ("key_id=1".to_owned(), "key_id"),
    ] {
        let answer = shelf.get(&format!("/v1/analytics?{words}")).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{words}: {}", answer.text);
        assert_eq!(answer.body["field"], field, "{words}");
    }
    for words in [format!("bucket=hour&from={}&to={now}", ago(31)), format!("from={}&to={now}", ago(400))] {
        let answer = shelf.get(&format!("/v1/analytics?{words}")).await;
        assert_eq!(answer.status, 200, "{words}: {}", answer.text);
    }
}
