//! A request that is sent twice is done once.

use serde_json::json;

use super::{
    bench::{Answer, Bench, Key, secrets},
    lossy::Lossy,
};

async fn create(bench: &Bench, who: &str, idempotency_key: &str, body: &str) -> Answer {
    bench.send("POST", "/v1/api-keys", who, Some(body), &[("idempotency-key", idempotency_key)]).await
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_secret_included() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let first = create(&bench, &ann.token, "k", r#"{"name":"n"}"#).await;
    bench.services.clock.advance_ms(599_000);
    let again = create(&bench, &ann.token, "k", r#"{"name":"n"}"#).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.headers["cache-control"], "no-store");
    assert_eq!(bench.kinds().await["key cell"], 1);
    assert_eq!(bench.knock(&Key::of(&again).text, "GET /demo/free").await, "admitted");
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    create(&bench, &ann.token, "k", r#"{"name":"n"}"#).await;
    for body in [r#"{"name":"m"}"#, r#"{"name":7}"#, "junk"] {
        let answer = create(&bench, &ann.token, "k", body).await;
        assert_eq!(answer.refusal(), (422, "idempotency_key_reused"), "{body}");
    }
    assert_eq!(bench.kinds().await["key cell"], 1);
}

#[tokio::test]
async fn callers_do_not_share_idempotency_keys() {
    let bench = Bench::new().await;
    let (ann, bob) = (bench.person(1).await, bench.person(2).await);
    let manager = bench.key(&ann.token, &json!({"name": "m", "scopes": "admin"})).await;
    let mut ids = std::collections::BTreeSet::new();
    for who in [&ann.token, &bob.token, &manager.text] {
        ids.insert(Key::of(&create(&bench, who, "k", r#"{"name":"n"}"#).await).id);
    }
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn an_answer_is_forgotten_after_ten_minutes() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let first = Key::of(&create(&bench, &ann.token, "k", r#"{"name":"n"}"#).await);
    bench.services.clock.advance_ms(600_000);
    let second = Key::of(&create(&bench, &ann.token, "k", r#"{"name":"m"}"#).await);
    assert_ne!(first.id, second.id);
}

#[tokio::test]
async fn a_refused_request_is_not_remembered() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    assert_eq!(create(&bench, &ann.token, "k", r#"{"name":""}"#).await.fault(), (400, "name"));
    assert_eq!(create(&bench, &ann.token, "k", r#"{"name":"n"}"#).await.status, 201);
}

#[tokio::test]
async fn twenty_parallel_requests_make_one_key() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (app, token) = (bench.app.clone(), ann.token.clone());
        calls.spawn(async move {
            let request = lambda_http::http::Request::post("https://gate.example/v1/api-keys")
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/json")
                .header("idempotency-key", "k");
            let request = request.body(lambda_http::Body::Text(r#"{"name":"n"}"#.to_owned())).unwrap();
            let response = app.handle(request).await;
            let lambda_http::Body::Text(text) = response.body() else { panic!("no text") };
            (response.status().as_u16(), text.clone())
        });
    }
    let answers = calls.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 201), "{answers:#?}");
    let kinds = bench.kinds().await;
    assert_eq!((kinds["key cell"], kinds["acc key"], kinds["idm answer"]), (1, 1, 1));
}

#[tokio::test]
async fn a_lost_answer_neither_loses_nor_doubles_a_key() {
    let lossy = Lossy::default();
    let bench = Bench::under(faregate_domain::policy::Policy::DEFAULT_TEXT, Some(&lossy)).await;
    let ann = bench.person(1).await;
    // One lost answer is repaired beneath; so many are not, and the caller is told that nothing is known.
    for (lost, first) in [(1, 201), (4, 503)] {
        lossy.lose(lost);
        let name = format!("lost {lost}");
        let body = json!({"name": name}).to_string();
        let answer = create(&bench, &ann.token, &name.replace(' ', "-"), &body).await;
        assert_eq!((answer.status, lossy.left()), (first, 0), "{}", answer.text);
        let again = create(&bench, &ann.token, &name.replace(' ', "-"), &body).await;
        assert_eq!(again.status, 201, "{}", again.text);
        assert_eq!(bench.knock(&Key::of(&again).text, "GET /demo/free").await, "admitted");
        let list = bench.send("GET", "/v1/api-keys", &ann.token, None, &[]).await;
        let made = list.body["data"].as_array().unwrap().iter().filter(|key| key["name"] == name.as_str()).count();
        assert_eq!(made, 1);
    }
}

#[tokio::test]
async fn an_answer_survives_one_rotation_of_the_seal_secret() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let first = create(&bench, &ann.token, "k", r#"{"name":"n"}"#).await;
    std::fs::write(&bench.secrets_file, secrets("66", Some("55"))).unwrap();
    bench.services.clock.advance_ms(400_000);
    assert_eq!(create(&bench, &ann.token, "k", r#"{"name":"n"}"#).await.text, first.text);
    let second = create(&bench, &ann.token, "l", r#"{"name":"n"}"#).await;
    assert_eq!(create(&bench, &ann.token, "l", r#"{"name":"n"}"#).await.text, second.text);
}

#[tokio::test]
async fn odd_idempotency_keys_are_refused() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    for odd in ["", "a b", &"k".repeat(256)] {
        let answer = create(&bench, &ann.token, odd, r#"{"name":"n"}"#).await;
        assert_eq!(answer.fault(), (400, "Idempotency-Key"), "{odd}");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let answer = bench.send("POST", "/v1/api-keys", &ann.token, Some(r#"{"name":"n"}"#), &twice).await;
    assert_eq!(answer.fault(), (400, "Idempotency-Key"));
    assert_eq!(create(&bench, &ann.token, &"k".repeat(255), r#"{"name":"n"}"#).await.status, 201);
}
