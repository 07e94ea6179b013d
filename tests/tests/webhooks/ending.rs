//! What ends an endpoint: its owner, its key, its receiver.

use faregate_tests::{Receiver, receiver_status as status};
use serde_json::json;

use crate::Scene;

#[tokio::test]
async fn a_revoked_key_ends_its_endpoints_and_what_is_on_its_way_to_them() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    scene.receiver.answer_always(Some(status(500)));
    let name = scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    assert_eq!(scene.receiver.take().len(), 1);
    scene.receiver.answer_always(None);
    let revoked = scene.bundle.delete(&format!("/v1/api-keys/{}", scene.key_id), &scene.session.caller()).await;
    assert_eq!(revoked.status, 204);
    // Shown at once, whoever has heard of it.
    let shown = scene.show(&endpoint).await;
    assert_eq!((&shown["status"], &shown["disabled_reason"]), (&json!("disabled"), &json!("key_revoked")));
    scene.pass(600).await;
    assert!(scene.receiver.take().is_empty(), "neither the event nor that the key is revoked");
    let log = scene.deliveries(&endpoint).await;
    let ended = log.iter().find(|one| one["id"] == name.as_str()).unwrap();
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("cancelled"), &json!("key_revoked")));
    for (method, path, body) in [
        ("POST", format!("/v1/webhooks/{endpoint}/test"), json!({})),
        ("POST", format!("/v1/webhooks/{endpoint}/deliveries/{name}/redeliver"), json!({})),
        ("PATCH", format!("/v1/webhooks/{endpoint}"), json!({"enabled": true})),
    ] {
        let answer = scene.bundle.send(method, &path, &scene.session.caller(), Some(&body.to_string())).await;
        assert_eq!(answer.status, 409, "{path} {}", answer.text);
    }
}

#[tokio::test]
async fn an_expired_key_ends_its_endpoints() {
    let mut scene = Scene::new().await;
    let end = scene.bundle.clock.now().plus_s(3_600);
    let body = json!({"name": "short", "scopes": ["*"], "expires_at": end.to_string()});
    let (_, short) = scene.bundle.key(&scene.session, body).await;
    let made = scene
        .bundle
        .post("/v1/webhooks", &short, &json!({"url": scene.receiver.url(), "events": ["key.created"]}))
        .await;
    let endpoint = made.data("id").to_owned();
    scene.hooks.run().await;
    scene.receiver.forget();
    scene.bundle.clock.advance_ms(3_600_000);
    scene.session = scene.bundle.login(&scene.session.wallet).await;
    assert_eq!(scene.show(&endpoint).await["disabled_reason"], "key_expired");
    scene.bundle.key(&scene.session, json!({"name": "another"})).await;
    scene.hooks.run().await;
    assert!(scene.receiver.take().is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_asked_no_more_and_another_hears_of_it() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    let watcher = Receiver::start().await;
    let made = scene
        .bundle
        .post("/v1/webhooks", &scene.key, &json!({"url": watcher.url(), "events": ["webhook.disabled"]}))
        .await;
    assert_eq!(made.status, 201);
    scene.receiver.answer_next([status(410)]);
    scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    assert_eq!(scene.receiver.take().len(), 1);
    assert_eq!(scene.show(&endpoint).await["disabled_reason"], "gone");
    assert_eq!(scene.deliveries(&endpoint).await[0]["status"], "failed");
    let heard = watcher.take();
    assert_eq!((heard.len(), heard[0].kind().as_str()), (1, "webhook.disabled"));
    let data = &heard[0].body()["data"];
    assert_eq!((&data["webhook_id"], &data["reason"]), (&json!(endpoint), &json!("gone")));
    scene.pass(86_400).await;
    assert!(scene.receiver.take().is_empty());
}

#[tokio::test]
async fn five_days_of_nothing_but_failures_end_an_endpoint_and_one_success_saves_it() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    scene.receiver.answer_always(Some(status(503)));
    for day in 0..5 {
        scene.session = scene.bundle.login(&scene.session.wallet).await;
        assert_eq!(scene.show(&endpoint).await["status"], "enabled", "day {day}");
        scene.test_event(&endpoint).await;
        scene.hooks.run().await;
        scene.bundle.clock.advance_ms(86_400_000 - 1);
    }
    scene.receiver.answer_next([status(200)]);
    scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    scene.session = scene.bundle.login(&scene.session.wallet).await;
    scene.bundle.clock.advance_ms(86_400_000);
    scene.session = scene.bundle.login(&scene.session.wallet).await;
    scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    let shown = scene.show(&endpoint).await;
    assert_eq!((&shown["status"], shown["failing_since"].is_string()), (&json!("enabled"), true));
    scene.bundle.clock.advance_ms(5 * 86_400_000);
    scene.session = scene.bundle.login(&scene.session.wallet).await;
    scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    assert_eq!(scene.show(&endpoint).await["disabled_reason"], "failing");
    scene.receiver.forget();
    scene.pass(86_400).await;
    assert!(scene.receiver.take().is_empty());
    // Its owner has mended it.
    scene.receiver.answer_always(None);
    let enabled = scene.bundle.patch(&format!("/v1/webhooks/{endpoint}"), &scene.key, &json!({"enabled": true})).await;
    assert_eq!((enabled.status, &enabled.body["data"]["failing_since"]), (200, &json!(null)), "{}", enabled.text);
    scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    assert_eq!(scene.heard().last().map(String::as_str), Some("webhook.test"));
}

#[tokio::test]
async fn a_deleted_endpoint_gets_nothing_more() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    scene.test_event(&endpoint).await;
    assert_eq!(scene.bundle.delete(&format!("/v1/webhooks/{endpoint}"), &scene.key).await.status, 204);
    scene.hooks.run().await;
    scene.pass(3_600).await;
    assert!(scene.receiver.take().is_empty());
}

#[tokio::test]
async fn an_owner_who_disables_an_endpoint_stops_what_is_on_its_way() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    scene.test_event(&endpoint).await;
    let path = format!("/v1/webhooks/{endpoint}");
    assert_eq!(scene.bundle.patch(&path, &scene.key, &json!({"enabled": false})).await.status, 200);
    scene.bundle.key(&scene.session, json!({"name": "another"})).await;
    scene.hooks.run().await;
    assert!(scene.receiver.take().is_empty());
    assert_eq!(scene.deliveries(&endpoint).await.len(), 1, "what happens meanwhile is not kept for later");
}

#[tokio::test]
async fn others_hear_of_an_endpoint_that_ended_with_its_key_and_not_of_one_that_its_owner_disabled() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["key.created"]).await;
    let (id, other) = scene.bundle.key(&scene.session, json!({"name": "other", "scopes": ["*"]})).await;
    let body = json!({"url": scene.receiver.url(), "events": ["key.created"]});
    let of_other = scene.bundle.post("/v1/webhooks", &other, &body).await;
    let watcher = Receiver::start().await;
    let body = json!({"url": watcher.url(), "events": ["webhook.disabled"]});
    assert_eq!(scene.bundle.post("/v1/webhooks", &scene.key, &body).await.status, 201);
    scene.hooks.run().await;
    let off = json!({"enabled": false});
    assert_eq!(scene.bundle.patch(&format!("/v1/webhooks/{endpoint}"), &scene.key, &off).await.status, 200);
    scene.hooks.run().await;
    assert!(watcher.take().is_empty());
    assert_eq!(scene.bundle.delete(&format!("/v1/api-keys/{id}"), &scene.session.caller()).await.status, 204);
    scene.hooks.run().await;
    let heard = watcher.take();
    assert_eq!(heard.len(), 1);
    let data = &heard[0].body()["data"];
    assert_eq!((&data["webhook_id"], &data["reason"]), (&json!(of_other.data("id")), &json!("key_revoked")));
}

#[tokio::test]
async fn a_url_that_may_not_be_called_any_more_is_not_called() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["*"]).await;
    let account = &scene.session.account_id;
    let table = &scene.bundle.services.config.table;
    let item = scene.bundle.link.item(table, &format!("hook_{account}"), &endpoint);
    let mut changed = item.clone();
    changed["ur"] = json!({"S": "http://10.0.0.1/hook"});
    scene.bundle.link.put(table, &changed);
    scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    let log = scene.deliveries(&endpoint).await;
    assert_eq!(log[0]["attempts"][0]["error"], "address_not_public");
}
