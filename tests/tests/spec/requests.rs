//! The list of requests: each row once, the newest first, to those who may see it, by few Queries.

mod events;
mod everybody;
mod refused;
pub(crate) mod shelf;

use faregate_domain::{
    cell::CellId,
    time::{Day, Timestamp},
};
use faregate_store::RequestRow;
use faregate_tests::{Answer, Fault};
use serde_json::{Value, json};

use shelf::{ROUTES, Shelf, id, ids, joined, pages};

/// A filter in words, and as a look at each row.
type Narrowed = (String, Look);

type Look = Box<dyn Fn(&RequestRow) -> bool>;

/// Some of the filters, chosen by chance.
fn narrowed(shelf: &Shelf, random: &mut fastrand::Rng) -> Narrowed {
    let place = shelf.places[random.usize(..shelf.places.len())].clone();
    let now = shelf.bundle.clock.now();
    let (from, to) = (now.minus_s(random.u64(9..20) * Day::SECONDS), now.minus_s(random.u64(..9) * 70_001));
    let (route, code) = (ROUTES[random.usize(..ROUTES.len())], ["ok", "model.timeout", "failed"][random.usize(..3)]);
    let mut words = vec![format!("from={from}&to={to}")];
    let mut looks: Vec<Look> = vec![Box::new(move |row| from <= row.at && row.at < to)];
    let mut add = |text: String, look: Look| {
        if random.u8(..3) == 0 {
            words.push(text);
            looks.push(look);
        }
    };
    let (cell, project) = (place.cell.clone(), place.project.clone());
    if let CellId::Key(key) = &place.cell {
        add(format!("key_id={key}"), Box::new(move |row| row.cell == cell));
    }
    add(format!("project_id={project}"), Box::new(move |row| row.project == project));
    add(format!("environment={}", place.environment), Box::new(move |row| row.environment == place.environment));
    add(format!("route={route}"), Box::new(move |row| row.route == route));
    add(format!("code={code}"), Box::new(move |row| row.code() == code));
    add(format!("account_id={}", shelf.account), Box::new(|_| true));
    (words.join("&"), Box::new(move |row| looks.iter().all(|look| look(row))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_asked_each_row_is_there_once_and_the_newest_first_while_others_arrive() {
    let mut random = fastrand::Rng::with_seed(20_261);
    let mut shelf = Shelf::empty().await;
    shelf.fill(1_500, 20, &mut random).await;
    for round in 0..40 {
        let (words, is_wanted) = narrowed(&shelf, &mut random);
        let expected = shelf.expected(is_wanted);
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let limit = random.usize(1..=100);
            let before = shelf.bundle.link.queries();
            let answer = shelf.get(&format!("/v1/requests?{words}&limit={limit}{cursor}")).await;
            let queries = shelf.bundle.link.queries() - before;
            assert!(queries <= 11, "{queries} for {words}");
            let page = ids(&answer);
            assert!(page.len() <= limit);
            found.extend(page);
            let Some(next) = answer.body["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            // Newer than all that is listed: it belongs to a list that begins after it.
            let (place, now) = (shelf.places[random.usize(..4)].clone(), shelf.bundle.clock.now());
            let row = shelf.row(&place, now, &mut random);
            shelf.put(row).await;
        }
        assert_eq!(found, expected, "round {round}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_hundred_rows_is_one_query() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut shelf = Shelf::empty().await;
    shelf.fill(900, 6, &mut random).await;
    let CellId::Key(key) = &shelf.places[1].cell else { panic!("a key") };
    for words in [
        String::new(),
        format!("&account_id={}", shelf.account),
        format!("&key_id={key}"),
        format!("&project_id={}", shelf.places[1].project),
        "&environment=production".to_owned(),
        "&route=GET /demo/free".to_owned(),
        "&code=ok".to_owned(),
    ] {
        let before = shelf.bundle.link.queries();
        let answer = shelf.get(&format!("/v1/requests?limit=100{words}")).await;
        // The other one asks for what was refused, which nothing under `ok` was.
        let wanted = if words == "&code=ok" { 1 } else { 2 };
        assert_eq!((ids(&answer).len(), shelf.bundle.link.queries() - before), (100, wanted), "{words}");
        assert!(answer.body["next_cursor"].is_string());
    }
    let before = shelf.bundle.link.queries();
    let answer = shelf.get("/v1/requests.csv?limit=100").await;
    assert_eq!((answer.status, shelf.bundle.link.queries() - before), (200, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_for_few_of_many_gets_short_pages_and_all_of_them() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut shelf = Shelf::empty().await;
    let (now, place) = (shelf.bundle.clock.now(), shelf.places[1].clone());
    for number in 0..2_100_u64 {
        let mut row = shelf.row(&place, now.minus_s(2_100 - number), &mut random);
        row.route = if number == 1 { "GET /rare" } else { "GET /common" }.to_owned();
        shelf.put(row).await;
    }
    let before = shelf.bundle.link.queries();
    let answer = shelf.get("/v1/requests?route=GET /rare").await;
    let wanted = shelf.expected(|row| row.route == "GET /rare");
    assert_eq!((ids(&answer), &answer.body["next_cursor"]), (wanted, &Value::Null));
    // 200, 400, 800 and 1,000 rows are looked at, and once what was refused.
    assert_eq!(shelf.bundle.link.queries() - before, 5);
}

#[tokio::test]
async fn a_row_tells_all_there_is_to_tell() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut shelf = Shelf::empty().await;
    let (now, places) = (shelf.bundle.clock.now(), shelf.places.clone());
    let mut fixed = shelf.row(&places[0], now.minus_s(60), &mut random);
    (fixed.is_leased, fixed.settled, fixed.agent) = (false, None, None);
    fixed.amount = faregate_domain::money::MicroUsd::new(10_000).unwrap();
    let mut failed = shelf.row(&places[1], now.minus_s(61), &mut random);
    while failed.settled.as_ref().is_none_or(|settled| settled.settlement.outcome.as_str() != "failed") {
        failed = shelf.row(&places[1], now.minus_s(61), &mut random);
    }
    failed.amount = faregate_domain::money::MicroUsd::new(100_000).unwrap();
    shelf.put(fixed.clone()).await;
    shelf.put(failed.clone()).await;
    let answer = shelf.get("/v1/requests").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let (code, settled_at) = (failed.code(), failed.settled.as_ref().unwrap().at);
    let error_code = Some(code).filter(|code| *code != "failed");
    let wanted = json!([
        {"id": id(&fixed), "at": fixed.at.to_string(), "account_id": shelf.account.to_string(), "key_id": null,
         "project_id": fixed.project.to_string(), "client_session_id": null, "environment": "production", "route": fixed.route, "code": "ok",
         "cost_usd": 0.01, "reserved_usd": null, "outcome": null, "error_code": null, "settled_at": null, "latency_ms": null,
         "network": "203.0.113.0/24", "agent": null},
        {"id": id(&failed), "at": failed.at.to_string(), "account_id": shelf.account.to_string(),
         "key_id": failed.cell.partition(), "project_id": failed.project.to_string(),
         "client_session_id": null, "environment": "sandbox", "route": failed.route, "code": code, "cost_usd": 0, "reserved_usd": 0.1, "outcome": "failed",
         "error_code": error_code, "settled_at": settled_at.to_string(), "latency_ms": settled_at.epoch_ms() - failed.at.epoch_ms(),
         "network": "203.0.113.0/24", "agent": failed.agent},
    ]);
    assert_eq!(answer.body, json!({"data": wanted, "refused": [], "next_cursor": null}));
}

#[tokio::test]
async fn what_has_expired_is_not_shown_before_it_is_collected() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut shelf = Shelf::empty().await;
    let (now, place) = (shelf.bundle.clock.now(), shelf.places[1].clone());
    for seconds in [0, 1] {
        let row = shelf.row(&place, now.minus_s(7 * Day::SECONDS - seconds), &mut random);
        shelf.put(row).await;
    }
    let CellId::Key(key) = &place.cell else { panic!("a key") };
    for words in [String::new(), format!("key_id={key}")] {
        let answer = shelf.get(&format!("/v1/requests?{words}")).await;
        assert_eq!(ids(&answer), shelf.expected(|_| true), "{words}");
        assert_eq!(ids(&answer).len(), 1, "the second of its end is after it");
    }
    shelf.bundle.clock.advance_ms(1_000);
    assert_eq!(ids(&shelf.get("/v1/requests").await).len(), 0);
    let item = shelf.bundle.link.client().scan().table_name(&shelf.bundle.services.config.table).send().await.unwrap();
    assert_eq!(item.items().iter().filter(|item| item.contains_key("ir")).count(), 2, "nobody has collected them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_sees_its_own_project_and_nobody_sees_a_strangers() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut shelf = Shelf::empty().await;
    shelf.fill(80, 5, &mut random).await;
    for place in shelf.places.iter().skip(1) {
        let answer = shelf.bundle.get("/v1/requests?limit=100", &place.caller).await;
        assert_eq!(ids(&answer), shelf.expected(|row| row.project == place.project));
        let other = shelf.places.iter().find(|other| other.project != place.project).unwrap();
        let CellId::Key(key) = &shelf.places.iter().rfind(|one| one.project == other.project).unwrap().cell else {
            panic!("a key")
        };
        for words in [format!("project_id={}", other.project), format!("key_id={key}")] {
            let answer = shelf.bundle.get(&format!("/v1/requests?{words}"), &place.caller).await;
            assert_eq!(ids(&answer), Vec::<String>::new(), "{words}");
        }
    }
    let stranger = shelf.bundle.login(&shelf.bundle.wallet("stranger")).await;
    assert_eq!(ids(&shelf.bundle.get("/v1/requests", &stranger.caller()).await), Vec::<String>::new());
    let CellId::Key(key) = &shelf.places[1].cell else { panic!("a key") };
    for (name, real, made_up) in [
        ("key_id", key.to_string(), "key_0000000000000000".to_owned()),
        ("project_id", shelf.places[1].project.to_string(), format!("prj_{}", "0".repeat(22))),
        ("account_id", shelf.account.to_string(), format!("acc_{}", "0".repeat(22))),
    ] {
        for path in ["/v1/requests", "/v1/requests.csv", "/v1/analytics"] {
            let before = shelf.bundle.link.requests();
            let known = shelf.bundle.get(&format!("{path}?{name}={real}"), &stranger.caller()).await;
            let asked = shelf.bundle.link.requests() - before;
            let unknown = shelf.bundle.get(&format!("{path}?{name}={made_up}"), &stranger.caller()).await;
            assert_eq!(
                (known.status, &known.text, &known.headers),
                (200, &unknown.text, &unknown.headers),
                "{path} {name}"
            );
            assert_eq!(shelf.bundle.link.requests() - before, 2 * asked, "{path} {name}: as much work");
            assert!(!known.text.contains(&real), "{}", known.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_is_good_for_one_caller_and_one_question() {
    let mut random = fastrand::Rng::with_seed(6);
    let mut shelf = Shelf::empty().await;
    shelf.fill(30, 5, &mut random).await;
    let first = shelf.get("/v1/requests?limit=2&code=ok").await;
    let cursor = first.body["next_cursor"].as_str().unwrap().to_owned();
    let good = format!("code=ok&cursor={cursor}");
    assert_eq!(shelf.get(&format!("/v1/requests?limit=7&{good}")).await.status, 200, "the limit may change");
    assert_eq!(shelf.get(&format!("/v1/requests.csv?{good}")).await.status, 200);
    let refused = |answer: Answer| {
        assert_eq!((answer.status, answer.code(), &answer.body["field"]), (400, "invalid_request", &json!("cursor")));
    };
    let stranger = shelf.bundle.login(&shelf.bundle.wallet("stranger")).await;
    for caller in [&stranger.caller(), &shelf.places[1].caller] {
        refused(shelf.bundle.get(&format!("/v1/requests?{good}"), caller).await);
    }
    let key = shelf.places[1].cell.partition();
    for words in [
        format!("cursor={cursor}"),
        format!("code=failed&cursor={cursor}"),
        format!("{good}&from=2026-10-20T00:00:00Z"),
        format!("{good}&key_id={key}"),
        format!("{good}A"),
        format!("code=ok&cursor=B{}", &cursor[1..]),
        format!("code=ok&cursor={}", &cursor[..cursor.len() - 2]),
        "code=ok&cursor=".to_owned(),
        "code=ok&cursor=%FF".to_owned(),
        "code=ok&cursor=MTc2MDAwMDAwMDAwMCAxNzYwMDAwMDAwMDAxIDAwMDAwMDAwMDAwMDFfIC0gLQ".to_owned(),
    ] {
        refused(shelf.get(&format!("/v1/requests?{words}")).await);
    }
    let events = shelf.get(&format!("/v1/api-keys/{key}/events?cursor={cursor}")).await;
    assert_eq!(events.body["field"], "cursor");
}

#[tokio::test]
async fn a_bad_question_is_told_what_is_wrong_with_it() {
    let shelf = Shelf::empty().await;
    let now = shelf.bundle.clock.now();
    let day = |days: i64| {
        let seconds = days.unsigned_abs() * Day::SECONDS;
        if days < 0 { now.minus_s(seconds).to_string() } else { now.plus_s(seconds).to_string() }
    };
    for (words, field) in [
        (format!("from={}&to={}", day(-1), day(-2)), "from"),
        (format!("from={}&to={}", day(-1), day(-1)), "from"),
        (format!("from={}&to={}", day(-402), day(-1)), "from"),
        (format!("from={}", day(-402)), "from"),
        (format!("from={}", day(60)), "from"),
        (format!("to={}", day(60)), "to"),
        ("from=yesterday".to_owned(), "from"),
        ("to=2026-10-20".to_owned(), "to"),
        ("to=".to_owned(), "to"),
        ("key_id=key_1".to_owned(), "key_id"),
        ("project_id=1".to_owned(), "project_id"),
        ("account_id=acc_".to_owned(), "account_id"),
        ("environment=staging".to_owned(), "environment"),
        ("route=".to_owned(), "route"),
        (format!("route={}", "a".repeat(600)), "route"),
        ("route=GET /a b".to_owned(), "route"),
        (format!("code={}", "a".repeat(65)), "code"),
        ("code=not found".to_owned(), "code"),
        ("colour=red".to_owned(), "colour"),
        ("group_by=key&bucket=hour".to_owned(), "bucket"),
        ("limit=0".to_owned(), "limit"),
        ("limit=10001".to_owned(), "limit"),
        ("limit=1e2".to_owned(), "limit"),
    ] {
        for path in ["/v1/requests", "/v1/requests.csv"] {
            let answer = shelf.get(&format!("{path}?{words}")).await;
            assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{words}: {}", answer.text);
            assert_eq!(answer.body["field"], field, "{words}");
        }
    }
    assert_eq!(shelf.get("/v1/requests?limit=101").await.body["field"], "limit");
    assert_eq!(shelf.get(&format!("/v1/requests?from={}&to={}", day(-400), day(0))).await.status, 200);
}

#[tokio::test]
async fn an_outage_is_no_empty_list() {
    let shelf = Shelf::empty().await;
    for path in ["/v1/requests", "/v1/requests.csv", "/v1/analytics"] {
        // Whoever asks is found; nothing after that is.
        shelf.bundle.link.play([Fault::None]);
        shelf.bundle.link.keep_playing(Some(Fault::Break));
        let answer = shelf.get(path).await;
        shelf.bundle.link.clear_faults();
        assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_is_the_list_and_links_to_the_rest() {
    let mut random = fastrand::Rng::with_seed(8);
    let mut shelf = Shelf::empty().await;
    shelf.fill(250, 5, &mut random).await;
    let listed = joined(&pages(&shelf.bundle, &shelf.session.caller(), "/v1/requests?", || 100).await, "data");
    let (mut lines, mut target) = (Vec::new(), "/v1/requests.csv?limit=100".to_owned());
    loop {
        let answer = shelf.get(&target).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8; header=present");
        assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"requests.csv\"");
        let mut page = answer.text.split("\r\n").map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(page.pop().as_deref(), Some(""), "every line ends");
        assert!(page.remove(0).starts_with("at,id,account_id,key_id,project_id,environment,route,code,cost_usd,"));
        lines.extend(page);
        let Some(link) = answer.headers.get("link") else { break };
        let (url, rel) = link.split_once(">; ").unwrap();
        assert_eq!(rel, "rel=\"next\"");
        target = url.strip_prefix("<https://api.example.com").unwrap().to_owned();
    }
    assert_eq!(lines.len(), listed.len());
    for (line, row) in lines.iter().zip(&listed) {
        let fields: Vec<_> = line.split(',').collect();
        let text = |value: &Value| value.as_str().map_or_else(String::new, str::to_owned);
        assert_eq!((fields[1], fields[3]), (row["id"].as_str().unwrap(), text(&row["key_id"]).as_str()));
        let code = row["code"].as_str().unwrap();
        assert_eq!(fields[7].trim_start_matches('\''), code);
        assert_eq!(fields[7].starts_with('\''), code.starts_with('-'), "{line}");
        assert_eq!(fields[8], row["cost_usd"].to_string());
    }
    assert!(lines.iter().any(|line| line.contains(",'-2,")));
}

/// The default span of a list, and one that ends where somebody says.
#[tokio::test]
async fn a_list_is_of_the_last_thirty_days_unless_it_says_otherwise() {
    let mut random = fastrand::Rng::with_seed(9);
    let mut shelf = Shelf::empty().await;
    let (now, place) = (shelf.bundle.clock.now(), shelf.places[2].clone());
    for days in [1, 29, 31, 60] {
        let row = shelf.row(&place, now.minus_s(days * Day::SECONDS), &mut random);
        shelf.put(row).await;
    }
    let at: Vec<Timestamp> = shelf.rows.iter().map(|row| row.at).collect();
    assert_eq!(ids(&shelf.get("/v1/requests").await), shelf.expected(|row| row.at >= at[1]));
    let older = shelf.get(&format!("/v1/requests?to={}", at[2])).await;
    assert_eq!(ids(&older), shelf.expected(|row| row.at == at[3]), "the end is not in it");
    let from = shelf.get(&format!("/v1/requests?from={}", at[2])).await;
    assert_eq!(ids(&from), shelf.expected(|row| row.at >= at[2]), "the beginning is");
    let offset = shelf.get("/v1/requests?from=2026-10-01T02:00:00+02:00").await;
    assert_eq!(offset.status, 200, "{}", offset.text);
}
