//! A store that fails is never a denial and never an admission; a re-sent write counts once.

use faregate_domain::{cell::CellId, id::KeyId};
use faregate_tests::{Bundle, Caller, Fault};
use serde_json::json;

async fn counted(bundle: &Bundle, key: &Caller) -> (u64, u64) {
    let Caller::Key(text) = key else { panic!("a key") };
    let id = CellId::Key(KeyId::from_suffix(&text[8..24]).unwrap());
    let cell = bundle.services.store.find_cell(&id).await.unwrap().unwrap();
    (cell.counters.requests, cell.purse.spent().micro_usd())
}

/// A bundle and a key that has made one paid call, so that its slice of money is there.
async fn warm() -> (Bundle, Caller) {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    (bundle, key)
}

#[tokio::test]
async fn an_admission_is_one_call_to_the_table() {
    let (bundle, key) = warm().await;
    let before = bundle.link.requests();
    for _ in 0..10 {
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    }
    assert_eq!(bundle.link.requests() - before, 10);
}

#[tokio::test]
async fn a_lost_answer_neither_loses_nor_doubles() {
    let (bundle, key) = warm().await;
    for faults in [
        vec![Fault::LoseAnswer],
        vec![Fault::LoseAnswer, Fault::LoseAnswer],
        vec![Fault::LoseRequest, Fault::LoseAnswer],
    ] {
        let before = counted(&bundle, &key).await;
        bundle.link.play(faults.clone());
        let knock = bundle.knock(&key, "POST", "/demo/paid").await;
        assert_eq!(knock.status, 200, "{faults:?}");
        let after = counted(&bundle, &key).await;
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 10_000), "{faults:?}");
    }
}

#[tokio::test]
async fn a_copy_of_a_write_that_arrives_late_is_refused() {
    let (bundle, key) = warm().await;
    bundle.link.play([Fault::Duplicate]);
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    let before = counted(&bundle, &key).await;
    assert_eq!(bundle.link.deliver_late().await, [400]);
    assert_eq!(counted(&bundle, &key).await, before);

    bundle.link.play([Fault::Duplicate]);
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    for _ in 0..3 {
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    }
    let before = counted(&bundle, &key).await;
    assert_eq!(bundle.link.deliver_late().await, [400]);
    assert_eq!(counted(&bundle, &key).await, before);
}

#[tokio::test]
async fn a_copy_that_arrives_after_its_slot_was_swept_is_refused_by_its_window() {
    let (bundle, key) = warm().await;
    bundle.link.play([Fault::Duplicate]);
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    bundle.clock.advance_ms(3_600_000);
    let other = bundle.restarted();
    for _ in 0..3 {
        assert_eq!(other.knock(&key, "POST", "/demo/paid").await.status, 200);
    }
    let before = counted(&bundle, &key).await;
    assert_eq!(bundle.link.deliver_late().await, [400]);
    assert_eq!(counted(&bundle, &key).await, before);
}

#[tokio::test]
async fn what_was_refused_takes_nothing_when_a_copy_arrives_after_a_top_up() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 0})).await;
    bundle.link.play([Fault::Delay]);
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 402);
    let topped_up = bundle.patch(&format!("/v1/api-keys/{id}"), &session.caller(), &json!({"budget_usd": 1})).await;
    assert_eq!(topped_up.status, 200, "{}", topped_up.text);
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    let before = counted(&bundle, &key).await;
    assert_eq!(bundle.link.deliver_late().await, [400]);
    assert_eq!(counted(&bundle, &key).await, before);

    let (id, frozen) = bundle.key(&session, json!({"name": "b"})).await;
    let page = format!("/v1/api-keys/{id}");
    bundle.patch(&page, &session.caller(), &json!({"frozen": true})).await;
    bundle.link.play([Fault::Delay]);
    assert_eq!(bundle.knock(&frozen, "GET", "/demo/free").await.status, 402);
    bundle.patch(&page, &session.caller(), &json!({"frozen": false})).await;
    assert_eq!(bundle.link.deliver_late().await, [400]);
    assert_eq!(counted(&bundle, &frozen).await, (0, 0));
}

#[tokio::test]
async fn a_closed_lane_is_not_mistaken_for_an_admission() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 0.01})).await;
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    let before = counted(&bundle, &key).await;
    // The first copy is lost, the second is refused; the write that closes the lane is applied and its answer is lost.
    bundle.link.play([Fault::LoseRequest, Fault::None, Fault::LoseAnswer]);
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 402);
    assert_eq!(counted(&bundle, &key).await, before);
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
}

#[tokio::test]
async fn a_slot_that_came_into_use_again_is_not_swept() {
    let (busy, key) = warm().await;
    busy.clock.advance_ms(700_000);
    let other = busy.restarted();
    // The other instance sees the busy one's slot idle and means to sweep it with its next write.
    assert_eq!(other.knock(&key, "POST", "/demo/paid").await.status, 200);
    busy.link.play([Fault::Duplicate]);
    assert_eq!(busy.knock(&key, "POST", "/demo/paid").await.status, 200);
    assert_eq!(other.knock(&key, "POST", "/demo/paid").await.status, 200);
    let before = counted(&busy, &key).await;
    assert_eq!(busy.link.deliver_late().await, [400]);
    assert_eq!(counted(&busy, &key).await, before);
}

#[tokio::test]
async fn an_instance_behind_midnight_still_writes_into_its_own_day() {
    let (behind, key) = warm().await;
    let midnight = behind.clock.now().minute().day().end();
    behind.clock.set(midnight.plus_s(1));
    assert_eq!(behind.knock(&key, "GET", "/demo/free").await.status, 200);
    for _ in 0..4 {
        behind.clock.set(midnight.minus_s(1));
        assert_eq!(behind.knock(&key, "GET", "/demo/free").await.status, 200);
    }
}

#[tokio::test]
async fn a_throttled_or_broken_table_is_asked_again() {
    let (bundle, key) = warm().await;
    for fault in [Fault::Throttle, Fault::Break, Fault::LoseRequest] {
        bundle.link.play([fault, fault]);
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200, "{fault:?}");
    }
}

#[tokio::test]
async fn an_outage_is_not_a_denial_and_not_an_admission() {
    let (bundle, key) = warm().await;
    let session = bundle.login(&bundle.wallet("newcomer")).await;
    let before = counted(&bundle, &key).await;
    for fault in [Fault::Break, Fault::Throttle, Fault::LoseRequest] {
        bundle.link.keep_playing(Some(fault));
        let knock = bundle.knock(&key, "POST", "/demo/paid").await;
        assert_eq!((knock.status, knock.code.as_str()), (503, "gate unavailable"), "{fault:?}");
        for (method, path) in [("GET", "/v1/api-keys"), ("POST", "/v1/api-keys"), ("DELETE", "/v1/api-keys/self")] {
            let answer = bundle.send(method, path, &key, (method == "POST").then_some("{\"name\":\"a\"}")).await;
            assert!(answer.status >= 500, "{fault:?} {method} {path}: {}", answer.text);
        }
        let answer = bundle.send("POST", "/auth/logout", &session.caller(), None).await;
        assert!(answer.status >= 500, "{fault:?}: {}", answer.text);
        let address = session.wallet.address();
        let answer = bundle.get(&format!("/auth/nonce/{address}"), &Caller::Anonymous).await;
        assert!(answer.status >= 500, "{fault:?}: {}", answer.text);
        bundle.link.keep_playing(None);
    }
    assert_eq!(counted(&bundle, &key).await, before);
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
}

#[tokio::test]
async fn a_grant_that_was_debited_and_never_credited_is_found_again() {
    let bundle = Bundle::new().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    // The attempt that lacks money, the wallet's reading, the debit; then the instance dies.
    bundle.link.play([Fault::None, Fault::None, Fault::None]);
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 503);
    bundle.link.keep_playing(None);
    assert_eq!(counted(&bundle, &key).await, (0, 0));
    let other = bundle.restarted();
    assert_eq!(other.knock(&key, "POST", "/demo/paid").await.status, 200);
    let Caller::Key(text) = &key else { panic!("a key") };
    let id = CellId::Key(KeyId::from_suffix(&text[8..24]).unwrap());
    let cell = bundle.services.store.find_cell(&id).await.unwrap().unwrap();
    let wallet = bundle.services.store.find_wallet(&cell.owner.project).await.unwrap().unwrap();
    assert_eq!(cell.purse.grant_seq, 1);
    let whole = wallet.available.plus(cell.purse.balance).plus(cell.purse.spent());
    assert_eq!(whole.micro_usd(), 5_000_000);
}

#[tokio::test]
async fn a_missing_secret_admits_nobody() {
    let (bundle, key) = warm().await;
    std::fs::remove_file(bundle.secrets_file()).unwrap();
    assert_eq!(bundle.restarted().knock(&key, "GET", "/demo/free").await.status, 503);
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
}
