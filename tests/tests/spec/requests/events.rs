//! A key's history.

use faregate_domain::time::{Day, Timestamp};
use faregate_store::Event;
use serde_json::{Value, json};

use super::shelf::Shelf;

async fn put(shelf: &Shelf, at: Timestamp, kind: &str, details: &str) {
    let event = Event {
        kind: kind.to_owned(),
        what: String::new(),
        at,
        account: shelf.account.clone(),
        details: details.to_owned(),
    };
    shelf.bundle.services.store.insert_event(&shelf.places[1].cell, &event).await.unwrap();
}

#[tokio::test]
async fn a_keys_history_is_told_page_by_page_the_newest_first() {
    let shelf = Shelf::empty().await;
    let now = shelf.bundle.clock.now();
    for number in 0..7 {
        put(&shelf, now.minus_s(100 - number), "spike", &format!(r#"{{"calls":{number}}}"#)).await;
    }
    put(&shelf, now.minus_s(400 * Day::SECONDS), "new_agent", r#"{"agent":"curl"}"#).await;
    let path = format!("/v1/api-keys/{}/events", shelf.places[1].cell.partition());
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = shelf.get(&format!("{path}?limit=3{cursor}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        found.extend(answer.body["data"].as_array().unwrap().clone());
        let Some(next) = answer.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let wanted: Vec<Value> = (0..7_u64)
        .rev()
        .map(|number| {
            json!({"kind": "spike", "at": now.minus_s(100 - number).to_string(), "details": {"calls": number}})
        })
        .collect();
    assert_eq!(found, wanted, "what has expired is not there");
    assert_eq!(shelf.get(&format!("{path}?colour=red")).await.body["field"], "colour");
    // The other project's key does not know of it, nor does a key elsewhere in the project's environments.
    for place in &shelf.places[2..] {
        let answer = shelf.bundle.get(&path, &place.caller).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    assert_eq!(shelf.bundle.get(&path, &shelf.places[1].caller).await.status, 200);
    let stranger = shelf.bundle.login(&shelf.bundle.wallet("stranger")).await;
    let foreign = shelf.bundle.get(&path, &stranger.caller()).await;
    let none = shelf.bundle.get("/v1/api-keys/key_0000000000000000/events", &stranger.caller()).await;
    assert_eq!((foreign.status, foreign.text), (404, none.text));
}
