//! What is told: every kind of event, made from what stands in the table's stream.

use faregate_tests::{Books, Bundle, Received, Receiver, stripe};
use serde_json::{Value, json};

use crate::Scene;

fn of_kind(received: &[Received], kind: &str) -> Vec<Value> {
    received.iter().filter(|one| one.kind() == kind).map(|one| one.body()["data"].clone()).collect()
}

#[tokio::test]
async fn the_life_of_a_key_is_told() {
    let (mut scene, _) = Scene::with_endpoint(&["*"]).await;
    let owner = scene.session.caller();
    let (id, _) = scene.bundle.key(&scene.session, json!({"name": "short"})).await;
    let path = format!("/v1/api-keys/{id}");
    assert_eq!(scene.bundle.post(&format!("{path}/rotate"), &owner, &json!({})).await.status, 201);
    assert_eq!(scene.bundle.patch(&path, &owner, &json!({"name": "other"})).await.status, 200);
    assert_eq!(scene.bundle.delete(&path, &owner).await.status, 204);
    scene.hooks.run().await;
    let received = scene.receiver.take();
    let kinds: Vec<_> = received.iter().map(Received::kind).collect();
    assert_eq!(kinds, ["key.created", "key.rotated", "key.revoked"]);
    for one in &received {
        let data = &one.body()["data"];
        assert_eq!((&data["key_id"], &data["account_id"]), (&json!(id), &json!(scene.session.account_id)));
        assert!(data["project_id"].is_string());
    }
    assert_eq!(received[1].body()["data"]["rotations"], 1);
    assert_eq!(scene.bundle.delete(&path, &owner).await.status, 204, "ending it again is no news");
    scene.hooks.run().await;
    assert!(scene.receiver.take().is_empty());
}

#[tokio::test]
async fn a_keys_end_is_told_a_week_before_and_once() {
    let (mut scene, _) = Scene::with_endpoint(&["key.expiring"]).await;
    let day = 86_400;
    let end = scene.bundle.clock.now().plus_s(30 * day);
    let (id, _) = scene.bundle.key(&scene.session, json!({"name": "a", "expires_at": end.to_string()})).await;
    let (moved, _) = scene.bundle.key(&scene.session, json!({"name": "b", "expires_at": end.to_string()})).await;
    let (ended, _) = scene.bundle.key(&scene.session, json!({"name": "c", "expires_at": end.to_string()})).await;
    let soon = scene.bundle.clock.now().plus_s(3 * day);
    scene.bundle.key(&scene.session, json!({"name": "d", "expires_at": soon.to_string()})).await;
    let owner = scene.session.caller();
    let later = end.plus_s(10 * day);
    let path = format!("/v1/api-keys/{moved}");
    assert_eq!(scene.bundle.patch(&path, &owner, &json!({"expires_at": later.to_string()})).await.status, 200);
    assert_eq!(scene.bundle.delete(&format!("/v1/api-keys/{ended}"), &owner).await.status, 204);
    scene.hooks.run().await;
    scene.pass(23 * day - 60).await;
    assert!(scene.receiver.take().is_empty());
    scene.pass(120).await;
    let told = of_kind(&scene.receiver.take(), "key.expiring");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["key_id"], &told[0]["expires_at"]), (&json!(id), &json!(end.to_string())));
    scene.pass(day).await;
    assert!(scene.receiver.take().is_empty());
    scene.pass(9 * day).await;
    let told = of_kind(&scene.receiver.take(), "key.expiring");
    assert_eq!((told.len(), &told[0]["key_id"]), (1, &json!(moved)));
}

#[tokio::test]
async fn money_that_comes_in_is_told_to_the_whole_account() {
    let (mut scene, _) = Scene::with_endpoint(&["credit.received"]).await;
    let project = scene.bundle.post("/v1/projects", &scene.session.caller(), &json!({"name": "other"})).await;
    let body = json!({"name": "b", "project_id": project.data("id"), "scopes": ["*"]});
    let (_, key) = scene.bundle.key(&scene.session, body).await;
    let elsewhere = Receiver::start().await;
    assert_eq!(scene.bundle.post("/v1/webhooks", &key, &json!({"url": elsewhere.url()})).await.status, 201);
    scene.hooks.run().await;
    elsewhere.forget();
    let paid = stripe::checkout("pi_1", &scene.session.account_id, 1_234);
    assert_eq!(scene.bundle.stripe(&paid).await.status, 200);
    scene.hooks.run().await;
    for receiver in [&scene.receiver, &elsewhere] {
        let received = receiver.take();
        let told = of_kind(&received, "credit.received");
        assert_eq!((received.len(), told.len()), (1, 1));
        assert_eq!((&told[0]["amount_usd"], &told[0]["reference"]), (&json!(12.34), &json!("stripe:pi_1")));
    }
}

#[tokio::test]
async fn a_budget_that_is_used_up_is_told_at_each_threshold() {
    let (mut scene, _) = Scene::with_endpoint(&["budget.threshold"]).await;
    let mut books = Books::of(&scene.bundle);
    let (id, key) = scene.bundle.key(&scene.session, json!({"name": "a", "budget_usd": 0.10})).await;
    for _ in 0..10 {
        assert_eq!(scene.bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    }
    books.catch_up().await;
    scene.hooks.run().await;
    let told = of_kind(&scene.receiver.take(), "budget.threshold");
    let percents: Vec<_> = told.iter().map(|data| data["percent"].clone()).collect();
    assert_eq!(percents, [json!(50), json!(80), json!(100)]);
    assert_eq!(
        (&told[2]["key_id"], &told[2]["budget_usd"], &told[2]["spent_usd"]),
        (&json!(id), &json!(0.1), &json!(0.1))
    );
}

#[tokio::test]
async fn many_refused_calls_are_told() {
    let (mut scene, _) = Scene::with_endpoint(&["refusals.spike", "key.unauthorized_burst"]).await;
    let mut books = Books::of(&scene.bundle);
    let (id, key) = scene.bundle.key(&scene.session, json!({"name": "a", "scopes": ["demo:read"]})).await;
    for _ in 0..120 {
        assert_eq!(scene.bundle.knock(&key, "POST", "/demo/paid").await.status, 403);
    }
    scene.bundle.clock.advance_ms(60_000);
    scene.bundle.services.write_down_refused().await;
    books.catch_up().await;
    scene.hooks.run().await;
    let received = scene.receiver.take();
    let told = of_kind(&received, "refusals.spike");
    assert_eq!((received.len(), told.len()), (1, 1), "{received:?}");
    assert_eq!((&told[0]["key_id"], told[0]["calls"].as_u64().is_some_and(|calls| calls >= 100)), (&json!(id), true));
}

#[tokio::test]
async fn what_the_ledger_notices_is_told_under_its_public_name() {
    let (mut scene, _) = Scene::with_endpoint(&["*"]).await;
    let account = scene.bundle.cell(&scene.key).await.owner.account;
    let key = faregate_domain::cell::CellId::parse(&scene.key_id).unwrap();
    let kinds = [
        ("new_network", "key.new_network"),
        ("new_agent", "key.new_agent"),
        ("unauthorized", "key.unauthorized_burst"),
        ("leaked", "key.leaked"),
        ("spike", "usage.spike"),
        ("a kind of tomorrow", ""),
    ];
    for (kind, _) in kinds {
        let event = faregate_store::Event {
            kind: kind.to_owned(),
            what: "a".into(),
            at: scene.bundle.clock.now(),
            account: account.clone(),
            details: r#"{"calls":7,"account_id":"somebody else's"}"#.into(),
        };
        scene.bundle.services.store.insert_event(&key, &event).await.unwrap();
    }
    scene.hooks.run().await;
    let received = scene.receiver.take();
    let told: Vec<_> = received.iter().map(Received::kind).collect();
    assert_eq!(told, kinds.iter().map(|(_, kind)| *kind).filter(|kind| !kind.is_empty()).collect::<Vec<_>>());
    for one in &received {
        assert_eq!(one.body()["data"]["account_id"], json!(scene.session.account_id));
        assert_eq!(one.body()["data"]["calls"], 7);
    }
}

#[tokio::test]
async fn a_client_session_that_is_opened_is_told_once() {
    let (mut scene, _) = Scene::with_endpoint(&["client_session.redeemed"]).await;
    let (owner, table) = (scene.bundle.cell(&scene.key).await.owner, scene.bundle.services.config.table.clone());
    let id = format!("ses_{}", "1".repeat(22));
    let text = |text: &str| json!({"S": text});
    let mut item = json!({
        "pk": text(&id), "sk": text("session"), "st": text("created"), "acc": text(owner.account.suffix()),
        "prj": text(owner.project.suffix()), "ky": text(&scene.key_id[4..]), "rf": text("order 7"), "h": text("hash"),
    });
    scene.bundle.link.put(&table, &item);
    scene.hooks.run().await;
    assert!(scene.receiver.take().is_empty());
    item["st"] = text("redeemed");
    item["rd"] = json!({"N": "1792540801000"});
    scene.bundle.link.put(&table, &item);
    // What is booked under it later is no news.
    item["ca"] = json!({"N": "1"});
    scene.bundle.link.put(&table, &item);
    scene.hooks.run().await;
    let received = scene.receiver.take();
    let told = of_kind(&received, "client_session.redeemed");
    assert_eq!((received.len(), told.len()), (1, 1));
    let wanted = [("session_id", id.as_str()), ("key_id", &scene.key_id), ("client_reference_id", "order 7")];
    for (name, value) in wanted {
        assert_eq!(told[0][name], json!(value));
    }
    assert!(!received[0].text.contains("hash"));
}

#[tokio::test]
async fn a_call_that_is_admitted_is_no_news_and_costs_the_webhooks_nothing() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let mut stream = faregate::Stream::new(bundle.link.engine().unwrap().clone(), &bundle.services.config.table, None);
    while let Some(last) = stream.peek(1_000).unwrap().last() {
        stream.pass(last);
    }
    for _ in 0..5 {
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    }
    let records = stream.peek(1_000).unwrap();
    assert!(records.len() >= 5);
    assert!(!records.iter().any(faregate_webhooks::is_news));
}
