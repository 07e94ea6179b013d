//! Refused calls beside the rows: each hour on one page.

use faregate_domain::time::{Day, Timestamp};
use serde_json::{Value, json};

use super::shelf::{Shelf, joined, pages};

/// What is counted, in words that can be compared.
fn line(refused: &Value) -> String {
    let text = |name: &str| refused[name].as_str().unwrap_or("-").to_owned();
    let names = ["hour", "key_id", "project_id", "environment", "route", "code"].map(text);
    format!("{} {}", names.join(" "), refused["calls"])
}

fn lines(pages: &[Value]) -> Vec<String> {
    joined(pages, "refused").iter().map(line).collect()
}

fn hours_ago(shelf: &Shelf, hours: u64) -> Timestamp {
    shelf.bundle.clock.now().minus_s(hours * 3_600)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hour_is_on_the_first_page_that_comes_to_it() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut shelf = Shelf::empty().await;
    shelf.fill(120, 3, &mut random).await;
    let (key, session) = (shelf.places[1].clone(), shelf.places[0].clone());
    let mut wanted = Vec::new();
    for hours in [1, 2, 5, 30, 31, 71] {
        let hour = hours_ago(&shelf, hours);
        shelf.refuse(Some(&shelf.account), Some(&key), hour, &[("GET /demo/free|rate_limited", hours)]).await;
        let key = key.cell.partition();
        let (project, environment) = (&shelf.places[1].project, "sandbox");
        if hours == 2 {
            // Within an hour the most frequent stand first.
            shelf.refuse(Some(&shelf.account), Some(&session), hour, &[("-|unknown_route", 3)]).await;
            shelf.refuse(Some(&shelf.account), None, hour, &[("-|invalid_api_key", 2)]).await;
            wanted.push(format!("{hour} - {project} production - unknown_route 3"));
            wanted.push(format!("{hour} - - - - invalid_api_key 2"));
        }
        wanted.push(format!("{hour} {key} {project} {environment} GET /demo/free rate_limited {hours}"));
    }
    // Nobody's are not this account's.
    shelf.refuse(None, None, hours_ago(&shelf, 1), &[("-|missing_credentials", 9)]).await;
    for limit in [1, 7, 100] {
        let caller = shelf.session.caller();
        let pages = pages(&shelf.bundle, &caller, "/v1/requests?", || limit).await;
        assert_eq!(lines(&pages), wanted, "{limit}");
        for page in &pages {
            let hours = page["refused"].as_array().unwrap().iter().map(|one| one["hour"].as_str().unwrap());
            let oldest = page["data"].as_array().unwrap().iter().map(|row| row["at"].as_str().unwrap()).min();
            // Nothing is told ahead of the list, but at its end.
            for hour in hours.filter(|_| page["next_cursor"].is_string()) {
                assert!(oldest.is_some_and(|oldest| oldest[..13] <= *hour), "{hour} {oldest:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_running_hour_is_told_at_once_however_many_rows_it_has() {
    let mut random = fastrand::Rng::with_seed(16);
    let mut shelf = Shelf::empty().await;
    let (now, place) = (shelf.bundle.clock.now(), shelf.places[1].clone());
    for seconds in [60, 61, 62] {
        let row = shelf.row(&place, now.minus_s(seconds), &mut random);
        shelf.put(row).await;
    }
    shelf.refuse(Some(&shelf.account), Some(&place), hours_ago(&shelf, 1), &[("-|unknown_route", 3)]).await;
    let pages = pages(&shelf.bundle, &shelf.session.caller(), "/v1/requests?", || 1).await;
    let counts: Vec<_> = pages.iter().map(|page| page["refused"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [1, 0, 0]);
}

#[tokio::test]
async fn refused_calls_are_narrowed_as_rows_are() {
    let shelf = Shelf::empty().await;
    let hour = hours_ago(&shelf, 2);
    let reasons =
        [("GET /demo/free|rate_limited", 4), ("POST /demo/paid|insufficient_credits", 5), ("-|unknown_route", 6)];
    for place in &shelf.places {
        shelf.refuse(Some(&shelf.account), Some(place), hour, &reasons).await;
    }
    shelf.refuse(Some(&shelf.account), Some(&shelf.places[1]), hour.minus_s(3 * Day::SECONDS), &reasons).await;
    let key = shelf.places[1].cell.partition();
    let (first, second) = (&shelf.places[1].project, &shelf.places[3].project);
    let from = hour.plus_s(1);
    for (words, calls) in [
        (String::new(), 75),
        (format!("key_id={key}"), 30),
        (format!("project_id={first}"), 60),
        (format!("project_id={second}"), 15),
        ("environment=sandbox".to_owned(), 30),
        ("route=GET /demo/free".to_owned(), 20),
        ("code=unknown_route".to_owned(), 30),
        ("code=ok".to_owned(), 0),
        (format!("from={from}"), 60),
        (format!("to={hour}"), 15),
        (format!("key_id={key}&code=rate_limited&from={from}"), 4),
    ] {
        let answer = shelf.get(&format!("/v1/requests?{words}")).await;
        let sum: u64 = joined(&[answer.body], "refused").iter().map(|one| one["calls"].as_u64().unwrap()).sum();
        assert_eq!(sum, calls, "{words}");
    }
    let own = shelf.bundle.get("/v1/requests", &shelf.places[3].caller).await;
    assert_eq!(lines(&[own.body]).len(), 3, "a key is told of its project");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_ends_where_there_is_no_room_for_more_of_them() {
    let mut random = fastrand::Rng::with_seed(12);
    let mut shelf = Shelf::empty().await;
    shelf.fill(40, 4, &mut random).await;
    let routes: Vec<String> = (0..30).map(|number| format!("GET /{number}|rate_limited")).collect();
    let reasons: Vec<(&str, u64)> = routes.iter().map(|route| (route.as_str(), 1)).collect();
    for hours in 1..=90 {
        shelf.refuse(Some(&shelf.account), Some(&shelf.places[1]), hours_ago(&shelf, hours), &reasons).await;
    }
    let pages = pages(&shelf.bundle, &shelf.session.caller(), "/v1/requests?", || 100).await;
    assert!(pages.len() >= 3, "{}", pages.len());
    assert!(pages.iter().all(|page| page["refused"].as_array().unwrap().len() <= 1_000));
    let mut lines = lines(&pages);
    assert_eq!(lines.len(), 90 * 30);
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 90 * 30);
    let listed: Vec<Value> = joined(&pages, "data").iter().map(|row| row["id"].clone()).collect();
    assert_eq!(json!(listed), json!(shelf.expected(|_| true)));
}

#[tokio::test]
async fn what_the_gate_refuses_is_on_the_list_and_among_the_numbers() {
    let shelf = Shelf::empty().await;
    // A fresh minute of that route admits seven.
    for number in 0..10 {
        let knock = shelf.bundle.knock(&shelf.places[1].caller, "GET", "/demo/limited").await;
        assert_eq!(knock.code, if number < 7 { "ok" } else { "rate_limited" });
    }
    shelf.bundle.services.write_down_refused().await;
    let answer = shelf.get("/v1/requests").await;
    let refused = answer.body["refused"].as_array().unwrap();
    assert_eq!((refused.len(), &refused[0]["calls"], &refused[0]["code"]), (1, &json!(3), &json!("rate_limited")));
    assert_eq!(refused[0]["key_id"], shelf.places[1].cell.partition());
    let analytics = shelf.get("/v1/analytics?bucket=hour&group_by=code").await;
    let groups = analytics.body["data"]["groups"].as_array().unwrap();
    let refused = groups.iter().find(|line| line["group"] == "rate_limited").unwrap();
    assert_eq!((&refused["totals"]["refused"], &analytics.body["data"]["totals"]["refused"]), (&json!(3), &json!(3)));
}
