//! A session's ceiling: never exceeded under any concurrency, and what a call did not cost comes off it again.

use faregate_domain::client_session::Tabs;
use faregate_tests::Caller;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Scene, redeem, refused};

async fn meter(scene: &Scene, token: &Caller) -> (u16, String) {
    let knock = scene.bundle.knock(token, "POST", "/demo/metered").await;
    (knock.status, if knock.status == 200 { knock.text("chargeId").to_owned() } else { knock.code })
}

async fn settle(scene: &Scene, charge: &str, report: Value) {
    let answer = scene.bundle.settle(&scene.service, charge, &report).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_racing_calls_spend_the_ceiling_and_not_a_cent_more() {
    let scene = Scene::new().await;
    let (id, token) = scene.redeemed(json!({"max_cost_usd": "0.079999"})).await;
    let instances = [scene.bundle.clone(), scene.bundle.restarted(), scene.bundle.restarted()];
    let mut calling = JoinSet::new();
    for number in 0..50 {
        let (bundle, token) = (instances[number % 3].clone(), token.clone());
        calling.spawn(async move { bundle.knock(&token, "POST", "/demo/paid").await });
    }
    let knocks = calling.join_all().await;
    let admitted = knocks.iter().filter(|knock| knock.status == 200).count();
    assert_eq!(admitted, 7);
    for knock in knocks.iter().filter(|knock| knock.status != 200) {
        assert_eq!((knock.status, knock.code.as_str()), (402, "insufficient_credits"));
        assert_eq!(knock.problem["detail"], "Insufficient credits");
        assert_eq!(knock.problem["limit_source"], "session");
    }
    assert_eq!(scene.read(&id).await["spent_usd"], json!(0.07));
    let cell = scene.bundle.cell(&scene.key).await;
    assert_eq!((cell.counters.requests, cell.purse.spent().micro_usd()), (7, 70_000));
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200, "what is free needs no room");
    assert_eq!(scene.knock(&scene.key, "POST", "/demo/paid").await.0, 200, "the key has a purse of its own");
}

#[tokio::test]
async fn a_402_shows_the_sessions_books() {
    let scene = Scene::new().await;
    let (_, token) = scene.redeemed(json!({"max_cost_usd": "0.15"})).await;
    assert_eq!(scene.knock(&token, "POST", "/demo/paid").await.0, 200);
    let (_, charge) = meter(&scene, &token).await;
    let knock = scene.bundle.knock(&token, "POST", "/demo/metered").await;
    let shown = |name: &str| knock.problem[name].to_string();
    assert_eq!(
        (shown("spent_usd"), shown("reserved_usd"), shown("limit_usd")),
        ("0.01".into(), "0.1".into(), "0.15".into())
    );
    assert_eq!(knock.text("retryAfter"), "900", "when what is reserved may come back");
    settle(&scene, &charge, json!({"outcome": "succeeded", "actual_usd": "0.1"})).await;
    let knock = scene.bundle.knock(&token, "POST", "/demo/metered").await;
    assert_eq!((knock.code.as_str(), knock.text("retryAfter")), ("insufficient_credits", ""));
}

#[tokio::test]
async fn a_ceiling_below_the_price_admits_nothing_that_costs() {
    let scene = Scene::new().await;
    for ceiling in ["0", "0.009999"] {
        let (_, token) = scene.redeemed(json!({"max_cost_usd": ceiling})).await;
        assert_eq!(scene.knock(&token, "POST", "/demo/paid").await, refused(402, "insufficient_credits"), "{ceiling}");
        assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
    }
}

#[tokio::test]
async fn what_a_call_did_not_cost_comes_off_the_tab_once() {
    let scene = Scene::new().await;
    let (id, token) = scene.redeemed(json!({"max_cost_usd": "0.10"})).await;
    for (report, spent) in [
        (json!({"outcome": "failed"}), 0.0),
        (json!({"outcome": "succeeded", "actual_usd": "0"}), 0.0),
        (json!({"outcome": "succeeded", "actual_usd": "0.03"}), 0.03),
    ] {
        let (status, charge) = meter(&scene, &token).await;
        assert_eq!(status, 200, "{charge}");
        assert_eq!(scene.read(&id).await["spent_usd"], json!(0.1));
        assert_eq!(meter(&scene, &token).await, refused(402, "insufficient_credits"));
        for _ in 0..2 {
            settle(&scene, &charge, report.clone()).await;
        }
        assert_eq!(
            scene.read(&id).await["spent_usd"],
            json!(spent).as_f64().map_or(json!(0), |it| if it == 0.0 { json!(0) } else { json!(it) })
        );
    }
    assert_eq!(meter(&scene, &token).await, refused(402, "insufficient_credits"), "0.03 + 0.10 is above 0.10");
    assert_eq!(scene.item()["u"]["M"], json!({}), "no call is left on the list");
}

#[tokio::test]
async fn a_late_report_still_comes_off_the_tab_wherever_the_lease_is() {
    for lapsed in [1, 12] {
        let scene = Scene::with(json!({"name": "a", "limits": {"concurrent": 20}})).await;
        let (id, token) = scene.redeemed(json!({"max_cost_usd": "2.00", "ttl_seconds": 3_600})).await;
        let mut charges = Vec::new();
        for _ in 0..lapsed {
            charges.push(meter(&scene, &token).await.1);
        }
        scene.bundle.clock.advance_ms(901_000);
        for _ in 0..4 {
            // Calls of the key move what is over out of the way, and what has gathered out of the cell.
            assert_eq!(scene.knock(&scene.key, "GET", "/demo/free").await.0, 200);
        }
        let cell = scene.bundle.cell(&scene.key).await;
        assert!(cell.leases.held.is_empty());
        assert_eq!(cell.leases.lapsed.is_empty(), lapsed == 12, "{:?}", cell.leases.lapsed.len());
        let before = scene.read(&id).await["spent_usd"].as_f64().unwrap();
        settle(&scene, &charges[0], json!({"outcome": "failed"})).await;
        let after = scene.read(&id).await["spent_usd"].as_f64().unwrap();
        assert!((before - after - 0.1).abs() < 1e-9, "{before} {after}");
        let counted = scene.bundle.cell(&scene.key).await;
        assert!(counted.tabs.calls.len() < lapsed, "{:?}", counted.tabs.calls);
    }
}

#[tokio::test]
async fn a_session_that_was_ended_takes_its_tab_with_it_and_its_calls_are_still_settled() {
    let scene = Scene::new().await;
    let (id, token) = scene.redeemed(json!({"max_cost_usd": 1})).await;
    let (_, charge) = meter(&scene, &token).await;
    let before = scene.bundle.cell(&scene.key).await.purse;
    assert_eq!(scene.end(&id).await.status, 204);
    settle(&scene, &charge, json!({"outcome": "failed"})).await;
    let purse = scene.bundle.cell(&scene.key).await.purse;
    assert_eq!(purse.balance, before.balance.plus(before.reserved));
    let item = scene.item();
    assert_eq!((&item["c"]["M"], &item["u"]["M"]), (&json!({}), &json!({})));
    assert_eq!(meter(&scene, &token).await, refused(401, "invalid_token"));
}

#[tokio::test]
async fn racing_settlements_and_an_end_lose_no_money() {
    for _ in 0..5 {
        let scene = Scene::new().await;
        let (id, token) = scene.redeemed(json!({"max_cost_usd": 1})).await;
        let (_, first) = meter(&scene, &token).await;
        let (_, second) = meter(&scene, &token).await;
        let report = json!({"outcome": "succeeded", "actual_usd": "0.02"});
        let (one, two, ended) = tokio::join!(
            scene.bundle.settle(&scene.service, &first, &report),
            scene.bundle.settle(&scene.service, &second, &report),
            scene.end(&id)
        );
        assert_eq!((one.status, two.status, ended.status), (200, 200, 204));
        assert_eq!(scene.bundle.cell(&scene.key).await.purse.spent().micro_usd(), 40_000);
    }
}

#[tokio::test]
async fn a_key_has_room_for_so_many_sessions_with_a_ceiling_and_says_when_for_more() {
    let scene = Scene::new().await;
    for number in 0..Tabs::MAX_OPEN {
        let ttl = if number == 0 { 60 } else { 900 };
        scene.redeemed(json!({"max_cost_usd": 1, "ttl_seconds": ttl})).await;
    }
    let (id, secret) = scene.made(json!({"max_cost_usd": 1})).await;
    let answer = redeem(&scene.bundle, &secret).await;
    assert_eq!((answer.status, answer.code()), (429, "too_many_sessions"));
    assert_eq!(answer.headers["retry-after"], "60");
    scene.redeemed(json!({})).await;
    scene.bundle.clock.advance_ms(60_000);
    assert_eq!(redeem(&scene.bundle, &secret).await.status, 200, "the secret was not used up");
    assert_eq!(scene.bundle.cell(&scene.key).await.tabs.open.len(), Tabs::MAX_OPEN, "what is over has made room");
    assert_eq!(scene.end(&id).await.status, 204);
}

#[tokio::test]
async fn tabs_of_sessions_that_are_over_go_in_passing() {
    let scene = Scene::new().await;
    let (_, token) = scene.redeemed(json!({"max_cost_usd": 1, "ttl_seconds": 60})).await;
    let (id, open) = scene.redeemed(json!({"ttl_seconds": 60})).await;
    assert_eq!(scene.end(&id).await.status, 204);
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
    assert_eq!(scene.knock(&open, "GET", "/demo/free").await.1, "invalid_token");
    assert_eq!(scene.bundle.cell(&scene.key).await.tabs.open.len(), 2);
    scene.bundle.clock.advance_ms(60_000);
    for _ in 0..2 {
        assert_eq!(scene.knock(&scene.key, "GET", "/demo/free").await.0, 200);
    }
    assert_eq!(scene.bundle.cell(&scene.key).await.tabs.open.len(), 0);
}

#[tokio::test]
async fn a_key_without_sessions_that_must_be_known_pays_nothing_for_them() {
    let scene = Scene::new().await;
    assert_eq!(scene.knock(&scene.key, "POST", "/demo/paid").await.0, 200);
    let (_, token) = scene.redeemed(json!({})).await;
    let item = scene.item();
    assert!(["c", "u", "ls"].iter().all(|name| item.get(name).is_none()), "{item}");
    assert_eq!(scene.knock(&token, "POST", "/demo/paid").await.0, 200);
    let item = scene.item();
    assert!(item.get("c").is_none() && item.get("ls").is_some(), "{item}");
}
