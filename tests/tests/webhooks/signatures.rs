//! What deliveries are signed under: what follows from the key, through rotations of the key and of the seal.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use faregate_domain::{cell::CellId, id::KeyId, secret::MacSecret};
use faregate_tests::{Caller, Received, signing_secret};
use serde_json::{Value, json};

use crate::Scene;

/// Which of the secrets has signed a request, as a receiver finds out.
fn signers(received: &Received, secrets: &[&str]) -> Vec<bool> {
    let signed = [received.id(), &received.headers["webhook-timestamp"], &received.text].join(".");
    let signatures: Vec<&str> = received.headers["webhook-signature"].split(' ').collect();
    let is_signed = |secret: &&str| {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let tag = MacSecret::new(key).unwrap().mac(&[signed.as_bytes()]);
        signatures.contains(&format!("v1,{}", BASE64_STANDARD.encode(tag)).as_str())
    };
    let found: Vec<_> = secrets.iter().map(is_signed).collect();
    assert_eq!(signatures.len(), found.iter().filter(|found| **found).count(), "nobody else has signed");
    found
}

async fn one(scene: &mut Scene, endpoint: &str) -> Received {
    scene.test_event(endpoint).await;
    scene.hooks.run().await;
    let mut received = scene.receiver.take();
    assert_eq!(received.len(), 1, "{received:?}");
    received.remove(0)
}

async fn rotate(scene: &mut Scene, body: &Value) -> Caller {
    let path = format!("/v1/api-keys/{}/rotate", scene.key_id);
    let answer = scene.bundle.post(&path, &scene.session.caller(), body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    Caller::Key(answer.data("key").to_owned())
}

#[tokio::test]
async fn whoever_holds_the_key_can_check_a_delivery() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["credit.received"]).await;
    let received = one(&mut scene, &endpoint).await;
    assert_eq!(signers(&received, &[&signing_secret(&scene.key)]), [true]);
    assert_eq!(received.headers["webhook-timestamp"], scene.bundle.clock.now().epoch_s().to_string());
}

#[tokio::test]
async fn both_secrets_of_a_rotated_key_sign_until_the_grace_is_over() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["credit.received"]).await;
    let old = signing_secret(&scene.key);
    let new_key = rotate(&mut scene, &json!({"grace_seconds": 3_600})).await;
    let new = signing_secret(&new_key);
    scene.key = new_key;
    assert_eq!(signers(&one(&mut scene, &endpoint).await, &[&new, &old]), [true, true]);
    scene.bundle.clock.advance_ms(3_599_000);
    scene.session = scene.bundle.login(&scene.session.wallet).await;
    assert_eq!(signers(&one(&mut scene, &endpoint).await, &[&new, &old]), [true, true]);
    scene.bundle.clock.advance_ms(1_000);
    assert_eq!(signers(&one(&mut scene, &endpoint).await, &[&new, &old]), [true, false]);
}

#[tokio::test]
async fn a_grace_that_waits_for_the_new_secret_keeps_the_old_signature_as_long() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["credit.received"]).await;
    let old = signing_secret(&scene.key);
    let new_key = rotate(&mut scene, &json!({"grace_seconds": 60, "grace_from": "first_use"})).await;
    let new = signing_secret(&new_key);
    // Asked for with the old secret: nobody has used the new one.
    assert_eq!(signers(&one(&mut scene, &endpoint).await, &[&new, &old]), [true, true]);
    scene.key = new_key;
    one(&mut scene, &endpoint).await;
    scene.bundle.clock.advance_ms(60_000);
    assert_eq!(signers(&one(&mut scene, &endpoint).await, &[&new, &old]), [true, false]);
}

#[tokio::test]
async fn a_second_rotation_leaves_the_last_two() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["credit.received"]).await;
    let first = signing_secret(&scene.key);
    let second = signing_secret(&rotate(&mut scene, &json!({})).await);
    let third_key = rotate(&mut scene, &json!({})).await;
    let third = signing_secret(&third_key);
    scene.key = third_key;
    let received = one(&mut scene, &endpoint).await;
    assert_eq!(signers(&received, &[&third, &second, &first]), [true, true, false]);
}

fn rotate_seal(scene: &Scene, current: &str, previous: &str) {
    let file = scene.bundle.secrets_file();
    let mut secrets: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    secrets["seal"] = json!({"current": current.repeat(64), "previous": previous.repeat(64)});
    std::fs::write(&file, secrets.to_string()).unwrap();
}

#[tokio::test]
async fn a_rotation_of_the_seal_is_survived_for_ever_when_a_day_lies_in_between() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["credit.received"]).await;
    let secret = signing_secret(&scene.key);
    for (current, previous) in [("1", "d"), ("2", "1"), ("3", "2")] {
        rotate_seal(&scene, current, previous);
        // Longer than a reading of the secrets is used.
        scene.bundle.clock.advance_ms(3_600_000);
        scene.hooks.task("reseal").await;
        assert_eq!(signers(&one(&mut scene, &endpoint).await, &[&secret]), [true], "{current}");
    }
}

#[tokio::test]
async fn a_secret_that_was_sealed_too_long_ago_ends_the_endpoint_until_its_key_asks() {
    let (mut scene, endpoint) = Scene::with_endpoint(&["credit.received"]).await;
    rotate_seal(&scene, "2", "1");
    scene.bundle.clock.advance_ms(3_600_000);
    scene.session = scene.bundle.login(&scene.session.wallet).await;
    scene.test_event(&endpoint).await;
    scene.hooks.run().await;
    assert!(scene.receiver.take().is_empty(), "nothing goes out unsigned");
    assert_eq!(scene.show(&endpoint).await["disabled_reason"], "secret_unknown");
    let path = format!("/v1/webhooks/{endpoint}");
    let owners = scene.bundle.patch(&path, &scene.session.caller(), &json!({"enabled": true})).await;
    assert_eq!((owners.status, owners.code()), (409, "webhook_secret_unknown"));
    let own = scene.bundle.patch(&path, &scene.key, &json!({"enabled": true})).await;
    assert_eq!((own.status, own.data("status")), (200, "enabled"), "{}", own.text);
    let secret = signing_secret(&scene.key);
    assert_eq!(signers(&one(&mut scene, &endpoint).await, &[&secret]), [true]);
}

#[tokio::test]
async fn a_key_of_an_earlier_version_gets_its_secret_kept_when_it_asks() {
    let mut scene = Scene::new().await;
    let account = &scene.session.account_id;
    let (partition, sort) = (format!("hook_{account}"), format!("secret_{}", scene.key_id));
    let table = &scene.bundle.services.config.table;
    scene.bundle.link.change(table, &partition, &sort, "REMOVE #name", "s0");
    let body = json!({"url": scene.receiver.url(), "key_id": scene.key_id});
    let owners = scene.bundle.post("/v1/webhooks", &scene.session.caller(), &body).await;
    assert_eq!((owners.status, owners.code()), (409, "webhook_secret_unknown"));
    let endpoint = scene.endpoint(&["credit.received"]).await;
    scene.hooks.run().await;
    let secret = signing_secret(&scene.key);
    assert_eq!(signers(&one(&mut scene, &endpoint).await, &[&secret]), [true]);
    assert_eq!(scene.bundle.post("/v1/webhooks", &scene.session.caller(), &body).await.status, 201);
}

#[tokio::test]
async fn a_kept_secret_is_readable_by_nobody_without_the_seal() {
    let scene = Scene::new().await;
    let id = KeyId::parse(&scene.key_id).unwrap();
    let account = scene.bundle.cell(&scene.key).await.owner.account;
    let kept = scene.bundle.services.store.find_key_secrets(&account, &id).await.unwrap().unwrap();
    let sealed = kept.find(0).unwrap();
    let secret = signing_secret(&scene.key);
    assert!(!sealed.sealed.windows(8).any(|window| window == &secret.as_bytes()[6..14]));
    assert!(scene.bundle.services.store.find_cell(&CellId::Key(id)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_kept_secret_that_was_copied_to_another_key_signs_nothing() {
    let scene = Scene::new().await;
    let (other, _) = scene.bundle.key(&scene.session, json!({"name": "other", "scopes": ["*"]})).await;
    let (link, table) = (&scene.bundle.link, &scene.bundle.services.config.table);
    let kept = |key: &str| link.item(table, &format!("hook_{}", scene.session.account_id), &format!("secret_{key}"));
    let mut copied = kept(&other);
    copied["s0"] = kept(&scene.key_id)["s0"].clone();
    link.put(table, &copied);
    // Asked for by the owner: the key itself would have its own kept again.
    let body = json!({"url": scene.receiver.url(), "key_id": other});
    let answer = scene.bundle.post("/v1/webhooks", &scene.session.caller(), &body).await;
    assert_eq!((answer.status, answer.code()), (409, "webhook_secret_unknown"));
}
