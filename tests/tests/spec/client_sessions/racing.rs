//! Between what is read and what is written something else happens: the write finds that out, and nothing is lost.

use faregate_domain::client_session::Tabs;
use faregate_tests::{Answer, Caller, Fault};
use serde_json::json;
use tokio::task::JoinHandle;

use super::{PATH, Scene, redeem, refused};

/// A redemption that has read what it needs, and whose write is held up.
async fn redeem_slowly(scene: &Scene, secret: &str) -> JoinHandle<Answer> {
    let (bundle, secret) = (scene.bundle.clone(), secret.to_owned());
    let redeeming = async move { redeem(&bundle, &secret).await };
    held_up(scene, 2, redeeming).await
}

/// The same with the end of a session.
async fn end_slowly(scene: &Scene, id: &str) -> JoinHandle<Answer> {
    let (bundle, key, path) = (scene.bundle.clone(), scene.key.clone(), format!("{PATH}/{id}"));
    let ending = async move { bundle.delete(&path, &key).await };
    // The caller's cell, the session and its key's cell are read before.
    held_up(scene, 3, ending).await
}

async fn held_up(
    scene: &Scene,
    reads: usize,
    asking: impl Future<Output = Answer> + Send + 'static,
) -> JoinHandle<Answer> {
    let link = &scene.bundle.link;
    let before = link.held();
    link.play(std::iter::repeat_n(Fault::None, reads).chain([Fault::Hold]));
    let asking = tokio::spawn(asking);
    while link.held() == before {
        assert!(!asking.is_finished(), "nothing was held up");
        tokio::task::yield_now().await;
    }
    asking
}

async fn let_through(scene: &Scene, asking: JoinHandle<Answer>) -> Answer {
    scene.bundle.link.let_through();
    asking.await.unwrap()
}

fn token_of(answer: &Answer) -> Caller {
    assert_eq!(answer.status, 200, "{}", answer.text);
    Caller::Bearer(answer.data("access_token").to_owned())
}

#[tokio::test]
async fn a_key_that_is_revoked_or_a_session_that_is_ended_meanwhile_gives_no_token() {
    for settings in [json!({}), json!({"max_cost_usd": 1})] {
        let scene = Scene::new().await;
        let (id, secret) = scene.made(settings.clone()).await;
        let redeeming = redeem_slowly(&scene, &secret).await;
        assert_eq!(scene.end(&id).await.status, 204);
        assert_eq!(let_through(&scene, redeeming).await.code(), "invalid_client_secret", "{settings}");
        assert_eq!(scene.read(&id).await["status"], "ended");
        let (_, secret) = scene.made(settings.clone()).await;
        let redeeming = redeem_slowly(&scene, &secret).await;
        scene.revoke_key().await;
        assert_eq!(let_through(&scene, redeeming).await.code(), "invalid_client_secret", "{settings}");
        assert!(scene.bundle.cell(&scene.key).await.tabs.open.is_empty());
    }
}

#[tokio::test]
async fn a_key_whose_end_is_set_earlier_meanwhile_gives_no_token() {
    let scene = Scene::new().await;
    let (_, secret) = scene.made(json!({})).await;
    let now = scene.bundle.clock.now();
    // Whoever sets the end has a clock that is behind.
    scene.bundle.clock.advance_ms(3_000);
    let redeeming = redeem_slowly(&scene, &secret).await;
    scene.bundle.clock.set(now);
    scene.change_key(json!({"expires_at": now.plus_s(2).to_string()})).await;
    scene.bundle.clock.advance_ms(3_000);
    assert_eq!(let_through(&scene, redeeming).await.code(), "invalid_client_secret");
}

#[tokio::test]
async fn the_first_two_tabs_of_a_key_are_both_kept() {
    let scene = Scene::new().await;
    let (_, first) = scene.made(json!({"max_cost_usd": 1})).await;
    let (_, second) = scene.made(json!({"max_cost_usd": 1})).await;
    let redeeming = redeem_slowly(&scene, &first).await;
    let second = token_of(&redeem(&scene.bundle, &second).await);
    let first = token_of(&let_through(&scene, redeeming).await);
    for token in [&first, &second] {
        assert_eq!(scene.knock(token, "POST", "/demo/paid").await.0, 200);
    }
}

#[tokio::test]
async fn the_last_place_is_taken_once() {
    let scene = Scene::new().await;
    for number in 1..Tabs::MAX_OPEN {
        let ttl = if number == 1 { 60 } else { 900 };
        scene.redeemed(json!({"max_cost_usd": 1, "ttl_seconds": ttl})).await;
    }
    let mut secrets = Vec::new();
    for _ in 0..4 {
        secrets.push(scene.made(json!({"max_cost_usd": 1})).await.1);
    }
    // One place is free; then one whose session is over, which both find and only one may count on.
    for two in secrets.chunks(2) {
        let redeeming = redeem_slowly(&scene, &two[0]).await;
        assert_eq!(redeem(&scene.bundle, &two[1]).await.status, 200);
        let late = let_through(&scene, redeeming).await;
        assert_eq!((late.status, late.code()), (429, "too_many_sessions"));
        assert_eq!(scene.bundle.cell(&scene.key).await.tabs.open.len(), Tabs::MAX_OPEN);
        scene.bundle.clock.advance_ms(60_000);
    }
}

#[tokio::test]
async fn a_key_remembers_so_many_ended_sessions_and_not_one_more() {
    let scene = Scene::new().await;
    let (ended, _) = scene.redeemed(json!({"ttl_seconds": 60})).await;
    let (first, token) = scene.redeemed(json!({})).await;
    let (second, _) = scene.redeemed(json!({})).await;
    assert_eq!(scene.end(&ended).await.status, 204);
    let mut item = scene.item();
    let tab = item["c"]["M"][&ended["ses_".len()..]].clone();
    for number in 2..Tabs::MAX {
        item["c"]["M"][format!("{number:022}")] = tab.clone();
    }
    scene.bundle.link.put(&scene.bundle.services.config.table, &item);
    let ending = end_slowly(&scene, &first).await;
    assert_eq!(scene.end(&second).await.status, 204, "the last place");
    let late = let_through(&scene, ending).await;
    assert_eq!((late.status, late.code()), (429, "too_many_sessions"));
    assert_eq!(late.headers["retry-after"], "60");
    assert_eq!(scene.bundle.cell(&scene.key).await.tabs.open.len(), Tabs::MAX);
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
    scene.bundle.clock.advance_ms(60_000);
    assert_eq!(scene.end(&first).await.status, 204);
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await, refused(401, "invalid_token"));
}

#[tokio::test]
async fn a_session_that_is_redeemed_while_it_is_ended_is_ended() {
    for settings in [json!({}), json!({"max_cost_usd": 1})] {
        let scene = Scene::new().await;
        let (id, secret) = scene.made(settings.clone()).await;
        let ending = end_slowly(&scene, &id).await;
        let token = token_of(&redeem(&scene.bundle, &secret).await);
        assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
        assert_eq!(let_through(&scene, ending).await.status, 204);
        assert_eq!(scene.knock(&token, "GET", "/demo/free").await, refused(401, "invalid_token"), "{settings}");
    }
}

#[tokio::test]
async fn whoever_ends_a_session_first_says_when() {
    let scene = Scene::new().await;
    let (id, _) = scene.made(json!({})).await;
    let ending = end_slowly(&scene, &id).await;
    scene.bundle.clock.advance_ms(1_000);
    assert_eq!(scene.end(&id).await.status, 204);
    assert_eq!(let_through(&scene, ending).await.status, 204);
    assert_eq!(scene.read(&id).await["ended_at"], "2026-10-21T00:00:01Z");
}

/// The balance is the key's and is given back; the tab has gone, and nothing of it comes back with a late report.
#[tokio::test]
async fn a_session_that_ends_while_its_call_is_settled_stays_ended() {
    let scene = Scene::new().await;
    let (id, token) = scene.redeemed(json!({"max_cost_usd": 1})).await;
    let charge = scene.bundle.knock(&token, "POST", "/demo/metered").await.text("chargeId").to_owned();
    let before = scene.bundle.cell(&scene.key).await.purse;
    let (bundle, service, report) = (scene.bundle.clone(), scene.service.clone(), json!({"outcome": "failed"}));
    // The service's own cell, the settlement that there is none of yet, and the cell of the charge.
    let settling =
        held_up(&scene, SETTLING_READS, async move { bundle.settle(&service, &charge, &report).await }).await;
    assert_eq!(scene.end(&id).await.status, 204);
    assert_eq!(let_through(&scene, settling).await.status, 200);
    let cell = scene.bundle.cell(&scene.key).await;
    assert_eq!(cell.purse.balance, before.balance.plus(before.reserved));
    assert!(cell.tabs.open.is_empty() && cell.tabs.calls.is_empty());
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await, refused(401, "invalid_token"));
}

/// Requests of a settlement before the write that ends the lease.
const SETTLING_READS: usize = 3;
