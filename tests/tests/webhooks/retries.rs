//! Deliveries: to whom, in which order, and when again.

use faregate_domain::{
    id::WebhookId,
    webhook::{Data, Delivery, Event, EventKind},
};
use faregate_tests::{Hooks, Receiver, receiver_status as status};
use serde_json::{Value, json};

use crate::Scene;

#[tokio::test]
async fn an_event_arrives_once_and_is_in_the_log() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["key.created"]).await;
    let (made, _) = scene.bundle.key(&scene.session, json!({"name": "another"})).await;
    scene.hooks.run().await;
    let received = scene.receiver.take();
    assert_eq!(received.len(), 1, "{received:?}");
    let (body, cell) = (received[0].body(), scene.bundle.cell(&scene.key).await);
    let at = scene.bundle.clock.now().to_string();
    let data = json!({
        "account_id": scene.session.account_id, "project_id": cell.owner.project.to_string(), "key_id": made,
        "name": "another", "environment": "sandbox", "key_prefix": format!("sk_test_{}", &made[4..12]), "created_at": at,
    });
    assert_eq!(body, json!({"type": "key.created", "timestamp": at, "data": data}));
    assert_eq!(received[0].headers["content-type"], "application/json");
    let log = scene.deliveries(&endpoint).await;
    let attempts = json!([{"at": at, "status_code": 204, "error": null}]);
    let wanted = json!([{
        "id": received[0].id(), "type": "key.created", "status": "delivered", "reason": null, "created_at": at,
        "next_attempt_at": null, "attempts": attempts,
    }]);
    assert_eq!(json!(log), wanted);
    scene.pass(86_400).await;
    assert!(scene.receiver.take().is_empty());
}

#[tokio::test]
async fn a_delivery_that_fails_is_tried_on_the_standards_schedule_under_one_name() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["credit.received"]).await;
    scene.receiver.answer_always(Some(status(500)));
    let name = scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    let mut received = scene.receiver.take();
    assert_eq!(received.len(), 1);
    for (pause, tried) in [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400].into_iter().zip(2..) {
        let next = scene.deliveries(&endpoint).await[0]["next_attempt_at"].as_str().unwrap().to_owned();
        // Longer by a tenth at most, and not earlier.
        scene.pass(pause - 1).await;
        assert!(scene.receiver.take().is_empty(), "attempt {tried} is early");
        scene.pass(pause / 10 + 1 + 60).await;
        let again = scene.receiver.take();
        assert_eq!(again.len(), 1, "attempt {tried}, due {next}");
        received.extend(again);
    }
    let log = scene.deliveries(&endpoint).await;
    assert_eq!((log[0]["status"].as_str(), &log[0]["next_attempt_at"]), (Some("failed"), &Value::Null));
    assert_eq!(log[0]["attempts"].as_array().unwrap().len(), 10);
    scene.pass(10 * 86_400).await;
    assert!(scene.receiver.take().is_empty());
    let texts: std::collections::BTreeSet<_> = received.iter().map(|one| (one.id(), one.text.as_str())).collect();
    assert_eq!(texts.len(), 1, "every attempt is the same message");
    let stamps: std::collections::BTreeSet<_> = received.iter().map(|one| &one.headers["webhook-timestamp"]).collect();
    assert_eq!((received[0].id(), stamps.len()), (name.as_str(), 10), "and each says when it is made");
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    let busy = "HTTP/1.1 429 Too Many\r\nretry-after: 600\r\ncontent-length: 0\r\n\r\n".to_owned();
    scene.receiver.answer_next([busy]);
    scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    assert_eq!(scene.receiver.take().len(), 1);
    scene.pass(599).await;
    assert!(scene.receiver.take().is_empty());
    scene.pass(1).await;
    assert_eq!(scene.receiver.take().len(), 1);
    assert_eq!(scene.deliveries(&endpoint).await[0]["status"], "delivered");
}

#[tokio::test]
async fn whatever_is_no_success_is_told_by_its_kind() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    let elsewhere = Receiver::start().await;
    let redirect = format!("HTTP/1.1 302 Go\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
    let headers = "a: b\r\n".repeat(100);
    for (answer, status_code, error) in [
        (redirect, json!(302), "redirect_not_followed"),
        ("HTTP/1.1 301 Go\r\nlocation: http://169.254.169.254/\r\n\r\n".into(), json!(301), "redirect_not_followed"),
        (status(404), json!(404), "unsuccessful_status"),
        (String::new(), Value::Null, "connection_broken"),
        ("nonsense".into(), Value::Null, "connection_broken"),
        (format!("HTTP/1.1 200 OK\r\n{headers}\r\n"), Value::Null, "connection_broken"),
    ] {
        scene.receiver.answer_next([answer.clone()]);
        scene.test_event(&endpoint).await;
        scene.hooks.run().await;
        let log = scene.deliveries(&endpoint).await;
        let attempt = log.iter().find_map(|one| one["attempts"].get(0).filter(|one| one["error"] == error));
        assert_eq!(attempt.map(|attempt| &attempt["status_code"]), Some(&status_code), "{answer} {log:?}");
        scene.bundle.clock.advance_ms(1);
    }
    assert!(elsewhere.take().is_empty());
    // An answer of more than anybody reads is still an answer.
    scene.receiver.answer_next([format!("HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n{}", "a".repeat(99_999))]);
    let name = scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    let log = scene.deliveries(&endpoint).await;
    assert_eq!(log.iter().find(|one| one["id"] == name.as_str()).unwrap()["status"], "delivered");
}

#[tokio::test]
async fn first_attempts_are_made_in_the_order_of_events() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    let mut wanted = Vec::new();
    for _ in 0..30 {
        wanted.push(scene.test_event(&endpoint).await);
        scene.bundle.clock.advance_ms(1);
    }
    scene.hooks.run().await;
    let names: Vec<_> = scene.receiver.take().iter().map(|one| one.id().to_owned()).collect();
    assert_eq!(names, wanted);
    let listed: Vec<_> = scene.deliveries(&endpoint).await.iter().map(|one| one["id"].clone()).collect();
    assert_eq!(listed, wanted.iter().rev().map(|name| json!(name)).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_endpoint_that_fails_holds_no_place_that_others_wait_for() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    scene.receiver.answer_always(Some(status(500)));
    scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    assert_eq!(scene.receiver.take().len(), 1);
    // The next event is not even tried in the line.
    let name = scene.test_event(&endpoint).await;
    while scene.hooks.tell_some().await {}
    let in_line = scene.hooks.messages();
    assert_eq!((in_line.len(), in_line[0].group.as_deref()), (1, Some(endpoint.as_str())));
    scene.hooks.hand_over(&in_line[0]).await;
    assert!(scene.receiver.take().is_empty());
    let aside = scene.hooks.messages();
    assert_eq!((aside.len(), aside[0].group.as_deref()), (1, None));
    scene.receiver.answer_always(None);
    scene.hooks.hand_over(&aside[0]).await;
    let names: Vec<_> = scene.receiver.take().iter().map(|one| one.id().to_owned()).collect();
    assert_eq!(names, [name]);
    // It answers again, so the line is its place again.
    scene.test_event(&endpoint).await;
    while scene.hooks.tell_some().await {}
    let in_line = scene.hooks.messages();
    scene.hooks.hand_over(&in_line[0]).await;
    assert_eq!(scene.receiver.take().len(), 1);
}

#[tokio::test]
async fn a_delivery_can_be_sent_again_under_its_name() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    let name = scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    let first = scene.receiver.take();
    let path = format!("/v1/webhooks/{endpoint}/deliveries/{name}/redeliver");
    let answer = scene.bundle.post(&path, &scene.key, &json!({})).await;
    assert_eq!((answer.status, answer.data("status")), (202, "pending"), "{}", answer.text);
    scene.hooks.run().await;
    let second = scene.receiver.take();
    assert_eq!((second.len(), second[0].id(), &second[0].text), (1, name.as_str(), &first[0].text));
    assert_eq!(scene.deliveries(&endpoint).await[0]["attempts"].as_array().unwrap().len(), 2);
    for unknown in ["msg_00000000000000000000000000", "nonsense"] {
        let path = format!("/v1/webhooks/{endpoint}/deliveries/{unknown}/redeliver");
        assert_eq!(scene.bundle.post(&path, &scene.key, &json!({})).await.status, 404);
    }
}

#[tokio::test]
async fn the_log_forgets_after_thirty_days() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    let name = scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    scene.bundle.clock.advance_ms(30 * 86_400_000 - 1_000);
    let session = scene.bundle.login(&scene.session.wallet).await;
    scene.session = session;
    assert_eq!(scene.deliveries(&endpoint).await.len(), 1);
    scene.bundle.clock.advance_ms(1_000);
    assert!(scene.deliveries(&endpoint).await.is_empty());
    let path = format!("/v1/webhooks/{endpoint}/deliveries/{name}/redeliver");
    assert_eq!(scene.bundle.post(&path, &scene.key, &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_message_that_is_lost_loses_no_delivery() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    let name = scene.test_event(&endpoint).await;
    while scene.hooks.tell_some().await {}
    scene.hooks.lose_messages();
    scene.hooks.run().await;
    assert!(scene.receiver.take().is_empty());
    scene.pass(31).await;
    let names: Vec<_> = scene.receiver.take().iter().map(|one| one.id().to_owned()).collect();
    assert_eq!(names, [name]);
}

#[tokio::test]
async fn a_message_that_comes_again_or_late_makes_no_attempt_of_its_own() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    scene.receiver.answer_next([status(500)]);
    scene.test_event(&endpoint).await;
    while scene.hooks.tell_some().await {}
    let messages = scene.hooks.messages();
    assert_eq!(messages.len(), 1);
    for _ in 0..3 {
        scene.hooks.hand_over(&messages[0]).await;
    }
    assert_eq!(scene.receiver.take().len(), 1);
    scene.bundle.clock.advance_ms(6_000);
    scene.hooks.hand_over(&messages[0]).await;
    assert!(scene.receiver.take().is_empty(), "its attempt was made");
    scene.hooks.run().await;
    assert_eq!(scene.receiver.take().len(), 1);
    scene.hooks.hand_over(&messages[0]).await;
    assert!(scene.receiver.take().is_empty());
    assert_eq!(scene.deliveries(&endpoint).await[0]["attempts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_thousand_events_arrive_each_once_and_in_order() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    let account = scene.bundle.cell(&scene.key).await.owner.account;
    let store = &scene.bundle.services.store;
    let found = store.find_endpoint(&account, &WebhookId::parse(&endpoint).unwrap()).await.unwrap().unwrap();
    let mut wanted = Vec::new();
    for number in 0..1_000 {
        let (at, whose) = (scene.bundle.clock.now(), (account.clone(), None));
        let event = Event::new(EventKind::CreditReceived, at, whose, &number.to_string(), Data::default());
        assert!(store.insert_delivery(&Delivery::new(&event, &found, at)).await.unwrap());
        wanted.push(event.id.to_string());
        scene.bundle.clock.advance_ms(1);
    }
    scene.hooks.run().await;
    let names: Vec<_> = scene.receiver.take().iter().map(|one| one.id().to_owned()).collect();
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn two_accounts_hear_nothing_of_each_other() {
    let (mut scene, _) = Scene::with_endpoint(&["*"]).await;
    let other = scene.bundle.login(&scene.bundle.wallet("other")).await;
    let (_, key) = scene.bundle.key(&other, json!({"name": "theirs", "scopes": ["*"]})).await;
    let theirs = Receiver::start().await;
    let made = scene.bundle.post("/v1/webhooks", &key, &json!({"url": theirs.url()})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    scene.hooks.run().await;
    assert!(scene.receiver.take().is_empty());
    theirs.forget();
    scene.bundle.key(&scene.session, json!({"name": "mine"})).await;
    scene.hooks.run().await;
    assert!(theirs.take().is_empty());
    assert_eq!(scene.heard(), ["key.created"]);
}

/// The function started anew, with nothing but the table.
#[tokio::test]
async fn a_function_that_reads_the_whole_stream_again_tells_nothing_twice() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    scene.test_event(&endpoint).await;
    scene.bundle.key(&scene.session, json!({"name": "another"})).await;
    scene.hooks.run().await;
    assert_eq!(scene.heard(), ["webhook.test", "key.created"]);
    Hooks::of(&scene.bundle).await.run().await;
    // The endpoint's own key was made before it; now there is somebody to tell.
    assert_eq!(scene.heard(), ["key.created"]);
    Hooks::of(&scene.bundle).await.run().await;
    assert!(scene.heard().is_empty());
}
