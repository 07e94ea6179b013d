//! What the owner of a key hears of: new callers, parts of a budget, a spike, somebody who tries secrets; each once.

use faregate_domain::{id::KeyId, key::ApiKey};
use faregate_edge::{entropy, secrets::SecretName};
use faregate_tests::{Books, Bundle, Caller, knock_event};
use serde_json::{Value, json};

use crate::books::{bundle_with_key, cell_of};

async fn kinds_of_events(bundle: &Bundle, id: &str) -> Vec<String> {
    let events = bundle.services.store.find_events(&cell_of(id), None, 100).await.unwrap();
    let mut kinds: Vec<String> = events.into_iter().map(|(_, event)| event.kind).collect();
    kinds.sort();
    kinds
}

async fn knock_from(bundle: &Bundle, key: &Caller, address: &str, agent: &str) {
    let mut headers = key.headers();
    headers.push(("user-agent".to_owned(), agent.to_owned()));
    let mut event = knock_event("GET", "/demo/free", &headers);
    event["requestContext"]["identity"]["sourceIp"] = json!(address);
    assert_eq!(bundle.ask(event).await.status, 200);
}

#[tokio::test]
async fn the_owner_hears_of_new_callers_but_not_of_the_first() {
    let (bundle, _, _, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    knock_from(&bundle, &key, "203.0.113.7", "curl/8").await;
    knock_from(&bundle, &key, "203.0.113.99", "curl/9").await;
    books.catch_up().await;
    assert!(kinds_of_events(&bundle, &id).await.is_empty());
    knock_from(&bundle, &key, "198.51.100.7", "curl/8").await;
    knock_from(&bundle, &key, "2001:db8:1::7", "python-requests/2").await;
    knock_from(&bundle, &key, "2001:db8:1:ffff::8", "python-requests/3").await;
    let records = books.records();
    for _ in 0..2 {
        assert_eq!(books.tell(&records).await, None);
        assert_eq!(kinds_of_events(&bundle, &id).await, ["new_agent", "new_network", "new_network"]);
    }
    // Another process, which remembers nothing.
    assert_eq!(Books::of(&bundle.restarted()).tell(&records).await, None);
    assert_eq!(kinds_of_events(&bundle, &id).await.len(), 3);
}

#[tokio::test]
async fn the_owner_hears_of_each_part_of_a_budget_once() {
    let (bundle, _) = Bundle::with_service().await;
    let (_, id, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": "0.10"})).await;
    let mut books = Books::of(&bundle);
    let parts = |events: Vec<(String, faregate_store::Event)>| {
        let mut parts: Vec<i64> = events
            .into_iter()
            .filter(|(_, event)| event.kind == "budget")
            .map(|(_, event)| serde_json::from_str::<Value>(&event.details).unwrap()["percent"].as_i64().unwrap())
            .collect();
        parts.sort_unstable();
        parts
    };
    for (calls, wanted) in [(4, &[][..]), (1, &[50]), (2, &[50]), (1, &[50, 80]), (2, &[50, 80, 100])] {
        for _ in 0..calls {
            assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
        }
        books.catch_up().await;
        let events = bundle.services.store.find_events(&cell_of(&id), None, 100).await.unwrap();
        assert_eq!(parts(events), wanted);
    }
}

#[tokio::test]
async fn the_owner_hears_of_an_hour_unlike_those_before() {
    let (bundle, _) = Bundle::with_service().await;
    let limits = json!({"name": "a", "environment": "production"});
    let (_, id, key) = bundle.key_of_newcomer(limits).await;
    let mut books = Books::of(&bundle);
    for (calls, spikes) in [(60, 0), (60, 1), (100, 1)] {
        for _ in 0..calls {
            assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
        }
        books.catch_up().await;
        let kinds = kinds_of_events(&bundle, &id).await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "spike").count(), spikes, "{kinds:?}");
    }
    // An hour as busy as the one before is as usual.
    bundle.clock.advance_ms(3_600_000);
    for _ in 0..220 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    }
    books.catch_up().await;
    let kinds = kinds_of_events(&bundle, &id).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "spike").count(), 1, "{kinds:?}");
}

#[tokio::test]
async fn the_owner_hears_of_somebody_who_tries_secrets() {
    let (bundle, _, _, id, key) = bundle_with_key().await;
    let (mut books, other) = (Books::of(&bundle), bundle.restarted());
    let tag = bundle.services.secrets.find(SecretName::Tag, bundle.clock.now()).await.unwrap();
    let guess = ApiKey::mint_for(&KeyId::parse(&id).unwrap(), "sk_test_", &tag.current, &mut entropy::fill);
    let wrong = Caller::Key(guess.reveal().to_owned());
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    for _ in 0..19 {
        assert_eq!(bundle.knock(&wrong, "GET", "/demo/free").await.status, 401);
    }
    bundle.services.write_down_refused().await;
    books.catch_up().await;
    assert!(kinds_of_events(&bundle, &id).await.is_empty());
    assert_eq!(other.knock(&wrong, "GET", "/demo/free").await.status, 401);
    other.services.write_down_refused().await;
    books.catch_up().await;
    assert_eq!(kinds_of_events(&bundle, &id).await, ["unauthorized"]);
}
