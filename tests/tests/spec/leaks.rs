//! Leaked keys: GitHub tells of them, signed, and they end; nobody else is believed.

use std::sync::Arc;

use faregate_domain::{
    outbound::{Reach, Target},
    policy::Policy,
};
use faregate_leaks::App;
use faregate_outbound::Outbound;
use faregate_store::Meter;
use faregate_tests::{
    Answer, Bundle, Caller, Fault, Link, Session,
    github::{GitHub, ReportKey, send_report},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const COMMIT: &str = "https://github.com/octocat/hello/blob/123456/config.py";

fn text_of(key: &Caller) -> &str {
    let Caller::Key(text) = key else { panic!("a key") };
    text
}

fn found(token: &str) -> Value {
    json!({"token": token, "type": "faregate_api_key", "url": COMMIT, "source": "commit"})
}

/// A report that GitHub has signed.
async fn report(function: &App, key: &ReportKey, body: &Value) -> Answer {
    let body = body.to_string();
    send_report(function, &key.headers(body.as_bytes()), body.as_bytes()).await
}

fn labels(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body.as_array().unwrap().iter().map(|label| label["label"].as_str().unwrap()).collect()
}

async fn events(bundle: &Bundle, session: &Session, id: &str) -> Vec<Value> {
    let answer = bundle.get(&format!("/v1/api-keys/{id}/events"), &session.caller()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["data"].as_array().unwrap().clone()
}

struct World {
    bundle: Bundle,
    key: ReportKey,
    github: GitHub,
    function: App,
}

impl World {
    async fn new() -> Self {
        let (bundle, key) = (Bundle::new().await, ReportKey::new(7));
        let github = GitHub::publishing(&[&key]).await;
        let function = github.function(&bundle.services);
        Self { bundle, key, github, function }
    }

    async fn report(&self, body: &Value) -> Answer {
        report(&self.function, &self.key, body).await
    }
}

#[tokio::test]
async fn a_leaked_key_ends_and_its_owner_hears_where_it_was_found() {
    let world = World::new().await;
    let bundle = &world.bundle;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 1})).await;
    let (_, other) = bundle.key(&session, json!({"name": "b"})).await;
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    let text = text_of(&key);
    let near = format!("{}{}", &text[..text.len() - 1], if text.ends_with('0') { '1' } else { '0' });
    let body = json!([found(text), found("junk"), found(&near), found(""), found(&"x".repeat(9_000))]);
    for _ in 0..2 {
        let answer = world.report(&body).await;
        let wanted = ["true_positive", "false_positive", "false_positive", "false_positive", "false_positive"];
        assert_eq!(labels(&answer), wanted);
        let hash = hex::encode(Sha256::digest(text));
        assert_eq!(
            answer.body[0],
            json!({"token_hash": hash, "token_type": "faregate_api_key", "label": "true_positive"})
        );
        assert!(!answer.text.contains(text));
        bundle.clock.advance_ms(1_000);
    }
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.code, "invalid_api_key");
    assert_eq!(bundle.knock(&other, "GET", "/demo/free").await.status, 200);
    let told = events(bundle, &session, &id).await;
    assert_eq!(told.len(), 1, "a report that comes again tells nothing new: {told:?}");
    assert_eq!((&told[0]["kind"], &told[0]["at"]), (&json!("leaked"), &json!("2026-10-21T00:00:00Z")));
    assert_eq!(told[0]["details"], json!({"url": COMMIT, "source": "commit", "reporter": "github"}));
    // As where its owner revokes it: its place is free, and what it had not spent is the project's again.
    let page = bundle.get(&format!("/v1/api-keys/{id}"), &session.caller()).await;
    assert_eq!(page.data("status"), "revoked");
    let billing = bundle.get("/v1/billing", &session.caller()).await;
    assert_eq!(billing.body["data"]["available_usd"], json!(4.99), "{}", billing.text);
    // Found elsewhere too, the owner hears of that.
    bundle.clock.advance_ms(1_000);
    let elsewhere = json!([{"token": text, "type": "faregate_api_key", "url": "https://gist.github.com/1", "source": "gist_content"}]);
    assert_eq!(labels(&world.report(&elsewhere).await), ["true_positive"]);
    assert_eq!(events(bundle, &session, &id).await.len(), 2);
}

#[tokio::test]
async fn every_secret_that_works_and_every_environment_is_known() {
    let world = World::new().await;
    let bundle = &world.bundle;
    let session = bundle.newcomer().await;
    let (_, production) = bundle.key(&session, json!({"name": "p", "environment": "production"})).await;
    let (frozen_id, frozen) = bundle.key(&session, json!({"name": "f"})).await;
    let (revoked_id, revoked) = bundle.key(&session, json!({"name": "r"})).await;
    let frozen_page = format!("/v1/api-keys/{frozen_id}");
    assert_eq!(bundle.patch(&frozen_page, &session.caller(), &json!({"frozen": true})).await.status, 200);
    assert_eq!(bundle.delete(&format!("/v1/api-keys/{revoked_id}"), &session.caller()).await.status, 204);
    let body = json!([found(text_of(&production)), found(text_of(&frozen)), found(text_of(&revoked))]);
    assert_eq!(labels(&world.report(&body).await), ["true_positive"; 3]);
    let thawed = bundle.patch(&frozen_page, &session.caller(), &json!({"frozen": false})).await;
    assert_eq!((thawed.status, thawed.code()), (409, "key_revoked"));

    let mut rotated = Vec::new();
    for grace in [3_600, 60] {
        let (id, old) = bundle.key(&session, json!({"name": "o"})).await;
        let answer = bundle
            .post(&format!("/v1/api-keys/{id}/rotate"), &session.caller(), &json!({"grace_seconds": grace}))
            .await;
        assert_eq!(answer.status, 201);
        rotated.push((old, Caller::Key(answer.data("key").to_owned())));
    }
    bundle.clock.advance_ms(60_000);
    let body = json!([found(text_of(&rotated[0].0)), found(text_of(&rotated[1].0))]);
    assert_eq!(
        labels(&world.report(&body).await),
        ["true_positive", "false_positive"],
        "the second one's grace is over"
    );
    let [first, second] = [&rotated[0], &rotated[1]];
    assert_eq!(bundle.knock(&first.1, "GET", "/demo/free").await.status, 401, "the key has ended, not a secret of it");
    assert_eq!(bundle.knock(&second.1, "GET", "/demo/free").await.status, 200);
    bundle.clock.advance_ms(3_600_000);
    assert_eq!(
        labels(&world.report(&body).await),
        ["true_positive", "false_positive"],
        "the same report, the same answer"
    );
    assert_eq!(labels(&world.report(&json!([found(text_of(&second.1))])).await), ["true_positive"]);
}

#[tokio::test]
async fn whoever_is_not_github_is_told_one_thing_and_ends_nothing() {
    let world = World::new().await;
    let bundle = &world.bundle;
    let (.., key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let body = json!([found(text_of(&key))]).to_string();
    let right = world.key.headers(body.as_bytes());
    let [id, signature] = right.clone();
    let stranger = ReportKey::new(8).named(&world.key.id);
    let of_other = |name: &str, value: &str| {
        [id.clone(), signature.clone()]
            .map(|(own, text)| if own == name { (own, value.to_owned()) } else { (own, text) })
            .to_vec()
    };
    let mut told = Vec::new();
    for (headers, body) in [
        (Vec::new(), &body),
        (vec![id.clone()], &body),
        (vec![signature.clone()], &body),
        (of_other("Github-Public-Key-Signature", ""), &body),
        (of_other("Github-Public-Key-Signature", "AAAA"), &body),
        (of_other("Github-Public-Key-Identifier", "unknown"), &body),
        (stranger.headers(body.as_bytes()).to_vec(), &body),
        (right.to_vec(), &format!("{body} ")),
        // Nothing of the body is read before the signature is found right.
        (right.to_vec(), &"{".to_owned()),
        (right.to_vec(), &String::new()),
    ] {
        let answer = send_report(&world.function, &headers, body.as_bytes()).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "invalid_event_signature"),
            "{headers:?} {body}: {}",
            answer.text
        );
        told.push(answer.text);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    // What GitHub has signed and is no report, it is told.
    let long = vec![b' '; 65_537];
    let many = json!(vec![json!({"token": "t", "type": "t"}); 101]).to_string();
    for (body, wanted) in [
        (&b"{}"[..], (400, "invalid_request")),
        (b"", (400, "invalid_request")),
        (b"\xff", (400, "invalid_request")),
        (many.as_bytes(), (400, "invalid_request")),
        (&long, (413, "body_too_large")),
    ] {
        let answer = send_report(&world.function, &world.key.headers(body), body).await;
        assert_eq!((answer.status, answer.code()), wanted);
    }
    assert_eq!(labels(&send_report(&world.function, &right, body.as_bytes()).await), ["true_positive"]);
    assert!(labels(&world.report(&json!([])).await).is_empty());
}

#[tokio::test]
async fn a_flood_of_unknown_names_is_no_flood_of_fetches() {
    let world = World::new().await;
    let (clock, github) = (&world.bundle.clock, &world.github);
    let body = json!([]);
    assert_eq!(world.report(&body).await.status, 200);
    for _ in 0..5 {
        assert_eq!(world.report(&body).await.status, 200);
    }
    assert_eq!(github.asked(), 1, "the list is kept");
    for number in 0..50 {
        let stranger = ReportKey::new(8).named(&format!("unknown {number}"));
        let answer = report(&world.function, &stranger, &body).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_event_signature"));
    }
    assert_eq!(github.asked(), 1, "a list that was fetched a moment ago says that there is none of that name");
    // A key that was published since is found, once there may be another look.
    let next = ReportKey::new(9);
    github.publish(&[&world.key, &next]);
    clock.advance_ms(30_000);
    for number in 0..50 {
        let stranger = ReportKey::new(8).named(&format!("unknown {number}"));
        assert_eq!(report(&world.function, &stranger, &body).await.status, 400);
    }
    assert_eq!(github.asked(), 2);
    assert_eq!(report(&world.function, &next, &body).await.status, 200);
    // A key that is not published any more signs nothing, once the list is old.
    github.publish(&[&next]);
    clock.advance_ms(3_600_000);
    assert_eq!(report(&world.function, &world.key, &body).await.status, 400);
    assert_eq!(github.asked(), 3);
}

#[tokio::test]
async fn without_the_keys_github_is_asked_to_come_again() {
    let world = World::new().await;
    let (clock, github, body) = (&world.bundle.clock, &world.github, json!([]));
    github.answer_as(500);
    assert_eq!(world.report(&body).await.status, 503, "what an error says is no list");
    clock.advance_ms(30_000);
    let empty = json!({"public_keys": []}).to_string();
    let odd = json!({"public_keys": [{"key_identifier": "a", "key": "no key"}]}).to_string();
    let long = format!("{{\"public_keys\":[],\"x\":\"{}\"}}", "x".repeat(70_000));
    for (status, page) in
        [(500, "{}"), (404, ""), (302, ""), (200, ""), (200, "[]"), (200, &empty), (200, &odd), (200, &long)]
    {
        github.answer(status, page);
        let answer = world.report(&body).await;
        assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{status} {page:.30}");
        assert_eq!(answer.headers["retry-after"], "1");
        clock.advance_ms(30_000);
    }
    let asked = github.asked();
    github.answer(500, "");
    for _ in 0..20 {
        assert_eq!(world.report(&body).await.status, 503);
    }
    assert_eq!(github.asked(), asked + 1, "nor is there a flood of fetches that fail");
    clock.advance_ms(30_000);
    github.publish(&[&world.key]);
    assert_eq!(world.report(&body).await.status, 200);
    // The last list serves for a day while there is no other, and what it has not may have been published since.
    github.answer(500, "");
    clock.advance_ms(86_000_000);
    assert_eq!(world.report(&body).await.status, 200);
    assert_eq!(report(&world.function, &ReportKey::new(9), &body).await.status, 503);
    clock.advance_ms(400_000);
    assert_eq!(world.report(&body).await.status, 503);
    let nowhere = Target::parse("http://127.0.0.1:9/", Reach::Loopback).unwrap();
    let blind = App::new(world.bundle.services.clone(), Outbound::new().unwrap(), nowhere);
    assert_eq!(report(&blind, &world.key, &body).await.status, 503);
}

#[tokio::test]
async fn a_report_that_meets_a_fault_comes_again_and_is_done_once() {
    for fault in [Fault::LoseAnswer, Fault::LoseRequest, Fault::Duplicate, Fault::Break] {
        for at in 0..9 {
            let world = World::new().await;
            let bundle = &world.bundle;
            let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 1})).await;
            assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
            let body = json!([found("junk"), found(text_of(&key))]);
            bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([fault]));
            let first = world.report(&body).await;
            assert!([200, 503].contains(&first.status), "{fault:?} {at}: {}", first.text);
            bundle.link.clear_faults();
            let restarted = world.github.function(&bundle.restarted().services);
            assert_eq!(labels(&report(&restarted, &world.key, &body).await), ["false_positive", "true_positive"]);
            bundle.link.deliver_late().await;
            assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 401, "{fault:?} {at}");
            assert_eq!(events(bundle, &session, &id).await.len(), 1, "{fault:?} {at}");
            let billing = bundle.get("/v1/billing", &session.caller()).await;
            assert_eq!(billing.body["data"]["available_usd"], json!(4.99), "{fault:?} {at}");
        }
    }
    let world = World::new().await;
    let (.., key) = world.bundle.key_of_newcomer(json!({"name": "a"})).await;
    assert_eq!(world.report(&json!([])).await.status, 200);
    world.bundle.link.keep_playing(Some(Fault::LoseRequest));
    assert_eq!(world.report(&json!([found(text_of(&key))])).await.status, 503, "an outage is no 4xx");
    world.bundle.link.keep_playing(None);
    assert_eq!(world.bundle.knock(&key, "GET", "/demo/free").await.status, 200);
}

#[tokio::test]
async fn one_key_that_cannot_be_ended_does_not_keep_the_next() {
    let world = World::new().await;
    let bundle = &world.bundle;
    let (session, _, first) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let (_, second) = bundle.key(&session, json!({"name": "b"})).await;
    assert_eq!(world.report(&json!([])).await.status, 200);
    // The read of the first one's cell is lost, as often as it is tried.
    bundle.link.play([Fault::Break; 4]);
    let answer = world.report(&json!([found(text_of(&first)), found(text_of(&second))])).await;
    bundle.link.clear_faults();
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(bundle.knock(&second, "GET", "/demo/free").await.status, 401);
}

#[tokio::test]
async fn whatever_a_text_is_one_cell_is_read_for_it() {
    let meter = Arc::new(Meter::default());
    let link = Link::before_new_table().await.unwrap();
    let bundle = Bundle::behind(link, Policy::DEFAULT_TEXT, Some(Arc::clone(&meter))).await;
    let key = ReportKey::new(7);
    let github = GitHub::publishing(&[&key]).await;
    let function = github.function(&bundle.services);
    assert_eq!(report(&function, &key, &json!([])).await.status, 200);
    let (session, id, leaked) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let answer =
        bundle.post(&format!("/v1/api-keys/{id}/rotate"), &session.caller(), &json!({"grace_seconds": 0})).await;
    assert_eq!(answer.status, 201);
    // Rotated out: it has its tag and its checksum, and is no secret any more.
    let out = text_of(&leaked);
    let near = format!("{}{}", &out[..out.len() - 1], if out.ends_with('0') { '1' } else { '0' });
    for text in [out, "junk", "", &near, "sk_test_", &"x".repeat(5_000)] {
        let before = meter.calls();
        assert_eq!(labels(&report(&function, &key, &json!([found(text)])).await), ["false_positive"]);
        assert_eq!(meter.calls() - before, 1, "{text:.20}");
    }
}

#[tokio::test]
async fn a_place_that_holds_the_key_is_not_repeated() {
    let world = World::new().await;
    let bundle = &world.bundle;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let text = text_of(&key);
    let mut shown = String::new();
    for (url, source) in [
        (json!(format!("https://example.com/?key={text}")), json!(text)),
        (json!("javascript:alert(1)"), json!("a\nb")),
        (json!(""), json!(null)),
        (json!(format!("https://example.com/{}", "a".repeat(3_000))), json!("s".repeat(100))),
    ] {
        let body = json!([{"token": text, "type": "t", "url": url, "source": source}]);
        shown += &world.report(&body).await.text;
    }
    let told = events(bundle, &session, &id).await;
    assert_eq!(told.len(), 1, "an unknown place is one place: {told:?}");
    assert_eq!(told[0]["details"], json!({"url": null, "source": null, "reporter": "github"}));
    assert!(!shown.contains(&text[24..46]) && !json!(told).to_string().contains(&text[24..46]));
}

#[tokio::test]
async fn no_answer_comes_sooner_than_the_end_of_a_key_takes() {
    let world = World::new().await;
    assert_eq!(world.report(&json!([])).await.status, 200, "GitHub's keys are here");
    // From here on time passes only where somebody waits for it.
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert!(labels(&world.report(&json!([])).await).is_empty());
    assert!(before.elapsed() >= std::time::Duration::from_millis(300));
}

#[tokio::test]
async fn a_key_of_a_pepper_that_was_rotated_elsewhere_is_known() {
    let world = World::new().await;
    let bundle = &world.bundle;
    let (session, ..) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let mut secrets: Value = serde_json::from_slice(&std::fs::read(bundle.secrets_file()).unwrap()).unwrap();
    secrets["pepper"] = json!({"current": "9".repeat(64), "previous": secrets["pepper"]["current"]});
    std::fs::write(bundle.secrets_file(), secrets.to_string()).unwrap();
    let (_, newer) = bundle.restarted().key(&session, json!({"name": "b"})).await;
    assert_eq!(labels(&world.report(&json!([found(text_of(&newer))])).await), ["true_positive"]);
}
