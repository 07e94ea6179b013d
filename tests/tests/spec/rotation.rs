//! A key gets another secret and stays the same key.

use std::collections::BTreeSet;

use faregate_tests::{Answer, Bundle, Caller, Fault, Session};
use serde_json::{Value, json};
use tokio::task::JoinSet;

pub(crate) async fn rotate(bundle: &Bundle, who: &Caller, id: &str, body: &Value) -> Answer {
    bundle.post(&format!("/v1/api-keys/{id}/rotate"), who, body).await
}

/// The new secret of a rotation that succeeds.
pub(crate) async fn rotated(bundle: &Bundle, session: &Session, id: &str, body: &Value) -> Caller {
    let answer = rotate(bundle, &session.caller(), id, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    Caller::Key(answer.data("key").to_owned())
}

pub(crate) async fn status(bundle: &Bundle, key: &Caller) -> u16 {
    bundle.knock(key, "GET", "/demo/free").await.status
}

/// What the key's page says of its last rotation.
pub(crate) async fn rotation(bundle: &Bundle, session: &Session, id: &str) -> Value {
    bundle.get(&format!("/v1/api-keys/{id}"), &session.caller()).await.body["data"]["rotation"].clone()
}

#[tokio::test]
async fn a_rotated_key_is_the_same_key_with_another_secret() {
    let bundle = Bundle::new().await;
    let wish = json!({"name": "a", "budget_usd": 0.05, "limits": {"per_day": 5}, "allowlist": [], "scopes": "demo:*"});
    let (session, id, Caller::Key(old)) = bundle.key_of_newcomer(wish).await else { panic!("a key") };
    let old_caller = Caller::Key(old.clone());
    for _ in 0..2 {
        assert_eq!(bundle.knock(&old_caller, "POST", "/demo/paid").await.status, 200);
    }
    let before = bundle.cell(&old_caller).await;
    let answer = rotate(&bundle, &session.caller(), &id, &json!({})).await;
    assert_eq!((answer.status, answer.headers["cache-control"].as_str()), (201, "no-store"), "{}", answer.text);
    let new = answer.data("key").to_owned();
    assert_eq!((new[..24].to_owned(), new.len()), (old[..24].to_owned(), old.len()));
    assert_ne!(new[24..46], old[24..46]);
    assert_eq!((answer.data("id"), answer.data("key_prefix")), (id.as_str(), &old[..16]));
    let after = bundle.cell(&old_caller).await;
    assert_eq!((&after.purse, &after.counters, &after.leases), (&before.purse, &before.counters, &before.leases));
    assert_eq!((&after.grants, &after.limits, after.status), (&before.grants, &before.limits, before.status));

    // Both secrets draw on one budget and one quota.
    let new = Caller::Key(new);
    for key in [&new, &old_caller, &new] {
        assert_eq!(bundle.knock(key, "POST", "/demo/paid").await.status, 200);
    }
    for key in [&new, &old_caller] {
        assert_eq!(bundle.knock(key, "GET", "/demo/free").await.code, "rate_limited_daily");
        assert_eq!(bundle.knock(key, "POST", "/demo/paid").await.code, "insufficient_credits");
    }
    assert_eq!(bundle.cell(&new).await.purse.spent().micro_usd(), 50_000);
}

#[tokio::test]
async fn the_new_secret_is_shown_once() {
    let bundle = Bundle::new().await;
    let (session, id, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let Caller::Key(new) = rotated(&bundle, &session, &id, &json!({})).await else { panic!("a key") };
    for page in ["/v1/api-keys".to_owned(), format!("/v1/api-keys/{id}")] {
        let answer = bundle.get(&page, &session.caller()).await;
        assert!(answer.status == 200 && !answer.text.contains(&new[24..46]), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_old_secret_works_until_its_grace_ends_and_no_longer() {
    let bundle = Bundle::new().await;
    let (session, id, old) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let other = bundle.restarted();
    for instance in [&bundle, &other] {
        assert_eq!(status(instance, &old).await, 200);
    }
    let began = bundle.clock.now();
    let new = rotated(&bundle, &session, &id, &json!({"grace_seconds": 3_600, "grace_from": "rotation"})).await;
    for (second, expected) in [(0, 200), (3_599, 200), (3_600, 401), (7_200, 401)] {
        bundle.clock.set(began.plus_s(second));
        for instance in [&bundle, &other] {
            assert_eq!(status(instance, &old).await, expected, "old after {second} s");
            assert_eq!(status(instance, &new).await, 200, "new after {second} s");
        }
    }
    let session = bundle.login(&session.wallet).await;
    let none = rotated(&bundle, &session, &id, &json!({"grace_seconds": 0})).await;
    for instance in [&bundle, &other] {
        assert_eq!((status(instance, &new).await, status(instance, &none).await), (401, 200));
    }
}

#[tokio::test]
async fn a_grace_from_the_first_use_begins_with_it() {
    let bundle = Bundle::new().await;
    let (session, id, old) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let other = bundle.restarted();
    assert_eq!((status(&bundle, &old).await, status(&other, &old).await), (200, 200));
    let new = rotated(&bundle, &session, &id, &json!({"grace_seconds": 60, "grace_from": "first_use"})).await;
    bundle.clock.advance_ms(30 * 86_400_000);
    let session = bundle.login(&session.wallet).await;
    let unaware = bundle.restarted();
    for instance in [&bundle, &other, &unaware] {
        assert_eq!(status(instance, &old).await, 200);
    }
    assert_eq!(rotation(&bundle, &session, &id).await["grace_ends_at"], Value::Null);

    let end = bundle.clock.now().plus_s(60);
    assert_eq!(status(&bundle, &new).await, 200);
    bundle.clock.advance_ms(30_000);
    assert_eq!(status(&other, &new).await, 200);
    assert_eq!(rotation(&bundle, &session, &id).await["grace_ends_at"], end.to_string(), "a later use moves nothing");
    assert_eq!((status(&bundle, &old).await, status(&other, &old).await), (200, 200));
    bundle.clock.set(end);
    // One of them last saw the key when nobody had used its new secret.
    for instance in [&unaware, &bundle, &other] {
        assert_eq!((status(instance, &old).await, status(instance, &new).await), (401, 200));
    }
}

#[tokio::test]
async fn a_first_use_that_is_no_call_of_the_gates_begins_the_grace_too() {
    let bundle = Bundle::new().await;
    let (session, id, old) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "admin"})).await;
    let new = rotated(&bundle, &session, &id, &json!({"grace_seconds": 60, "grace_from": "first_use"})).await;
    let page = format!("/v1/api-keys/{id}");
    bundle.clock.advance_ms(5_000);
    assert_eq!(bundle.get(&page, &old).await.status, 200);
    let used_at = bundle.clock.now();
    assert_eq!(rotation(&bundle, &session, &id).await["old_secret_last_used_at"], used_at.to_string());
    assert_eq!(bundle.get(&page, &new).await.status, 200);
    assert_eq!(rotation(&bundle, &session, &id).await["grace_ends_at"], used_at.plus_s(60).to_string());
    bundle.clock.set(used_at.plus_s(60));
    assert_eq!((bundle.get(&page, &old).await.status, bundle.get(&page, &new).await.status), (401, 200));
}

#[tokio::test]
async fn a_second_rotation_ends_the_first_ones_grace() {
    let bundle = Bundle::new().await;
    let (session, id, first) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let other = bundle.restarted();
    let second = rotated(&bundle, &session, &id, &json!({"grace_from": "first_use"})).await;
    for instance in [&bundle, &other] {
        assert_eq!(status(instance, &first).await, 200);
    }
    let third = rotated(&bundle, &session, &id, &json!({"grace_seconds": 60})).await;
    for instance in [&bundle, &other] {
        let statuses =
            [status(instance, &first).await, status(instance, &second).await, status(instance, &third).await];
        assert_eq!(statuses, [401, 200, 200]);
    }
}

#[tokio::test]
async fn the_page_tells_when_the_old_secret_was_last_used() {
    let bundle = Bundle::new().await;
    let (session, id, old) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    assert_eq!(rotation(&bundle, &session, &id).await, Value::Null);
    let at = bundle.clock.now();
    let new = rotated(&bundle, &session, &id, &json!({})).await;
    let mut page = json!({
        "rotated_at": at.to_string(),
        "grace_ends_at": at.plus_s(86_400).to_string(),
        "old_secret_last_used_at": null,
    });
    assert_eq!(rotation(&bundle, &session, &id).await, page);
    bundle.clock.advance_ms(7_000);
    assert_eq!((status(&bundle, &old).await, status(&bundle, &new).await), (200, 200));
    page["old_secret_last_used_at"] = json!(at.plus_s(7).to_string());
    bundle.clock.advance_ms(1_000);
    assert_eq!(status(&bundle, &new).await, 200);
    assert_eq!(rotation(&bundle, &session, &id).await, page, "the new one's use is no use of the old one");
    let again = bundle.clock.now();
    rotated(&bundle, &session, &id, &json!({"grace_seconds": 5})).await;
    page = json!({
        "rotated_at": again.to_string(),
        "grace_ends_at": again.plus_s(5).to_string(),
        "old_secret_last_used_at": null,
    });
    assert_eq!(rotation(&bundle, &session, &id).await, page);
}

#[tokio::test]
async fn an_admission_is_one_call_with_either_secret() {
    let bundle = Bundle::new().await;
    let (session, id, old) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    assert_eq!(status(&bundle, &old).await, 200);
    let new = rotated(&bundle, &session, &id, &json!({"grace_from": "first_use"})).await;
    // The first use of either finds out how the key has changed.
    assert_eq!((status(&bundle, &old).await, status(&bundle, &new).await), (200, 200));
    let before = bundle.link.requests();
    for key in [&old, &old, &new, &old, &new, &new] {
        assert_eq!(status(&bundle, key).await, 200);
    }
    assert_eq!(bundle.link.requests() - before, 6);
}

#[tokio::test]
async fn racing_first_uses_begin_one_grace() {
    let bundle = Bundle::new().await;
    let (session, id, old) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let new = rotated(&bundle, &session, &id, &json!({"grace_seconds": 10, "grace_from": "first_use"})).await;
    let end = bundle.clock.now().plus_s(10);
    let mut knocks = JoinSet::new();
    for number in 0..12 {
        let (instance, key) = (bundle.restarted(), if number % 3 == 0 { old.clone() } else { new.clone() });
        knocks.spawn(async move { status(&instance, &key).await });
    }
    assert_eq!(knocks.join_all().await, [200; 12]);
    assert_eq!(rotation(&bundle, &session, &id).await["grace_ends_at"], end.to_string());
    assert_eq!(bundle.cell(&new).await.counters.requests, 12);
}

#[tokio::test]
async fn revoking_and_expiring_end_both_secrets_at_once() {
    for ended in [json!({"expires_at": "2026-10-21T00:01:00Z"}), Value::Null] {
        let bundle = Bundle::new().await;
        let (session, id, old) = bundle.key_of_newcomer(json!({"name": "a"})).await;
        let new = rotated(&bundle, &session, &id, &json!({"grace_from": "first_use"})).await;
        let other = bundle.restarted();
        for instance in [&bundle, &other] {
            assert_eq!((status(instance, &old).await, status(instance, &new).await), (200, 200));
        }
        let page = format!("/v1/api-keys/{id}");
        if ended.is_null() {
            assert_eq!(bundle.delete(&page, &session.caller()).await.status, 204);
            let answer = rotate(&bundle, &session.caller(), &id, &json!({})).await;
            assert_eq!((answer.status, answer.code()), (409, "key_revoked"));
        } else {
            let answer = bundle.patch(&page, &session.caller(), &ended).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            bundle.clock.advance_ms(60_000);
        }
        for instance in [&bundle, &other] {
            assert_eq!((status(instance, &old).await, status(instance, &new).await), (401, 401), "{ended}");
        }
        assert_eq!(bundle.get(&page, &new).await.code(), "invalid_api_key");
    }
}

#[tokio::test]
async fn of_rotations_that_meet_each_shown_secret_works_until_a_later_one_ends_it() {
    let bundle = Bundle::new().await;
    let (session, id, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let mut rotations = JoinSet::new();
    for _ in 0..8 {
        let (instance, who, id) = (bundle.restarted(), session.caller(), id.clone());
        rotations.spawn(async move { rotate(&instance, &who, &id, &json!({"grace_seconds": 3_600})).await });
    }
    let answers = rotations.join_all().await;
    let codes: BTreeSet<_> = answers.iter().map(|answer| (answer.status, answer.code().to_owned())).collect();
    assert!(codes.is_subset(&[(201, String::new()), (409, "key_rotated".to_owned())].into()), "{codes:?}");
    let shown: Vec<Caller> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| Caller::Key(answer.data("key").to_owned()))
        .collect();
    let cell = bundle.cell(&shown[0]).await;
    assert_eq!(cell.secrets().unwrap().rotations(), u64::try_from(shown.len()).unwrap(), "no rotation is lost");
    let mut working = 0;
    for key in &shown {
        working += usize::from(status(&bundle, key).await == 200);
    }
    assert_eq!(working, shown.len().min(2), "the last one, and the one before it in its grace");
}

#[tokio::test]
async fn a_flood_with_a_secret_of_before_keeps_nobody_out() {
    let bundle = Bundle::new().await;
    let (session, id, first) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let second = rotated(&bundle, &session, &id, &json!({"grace_seconds": 0})).await;
    for _ in 0..20 {
        assert_eq!(status(&bundle, &first).await, 401);
    }
    assert_eq!(status(&bundle, &second).await, 200);
    for _ in 0..20 {
        assert_eq!(status(&bundle, &first).await, 401);
    }
    let third = rotated(&bundle, &session, &id, &json!({})).await;
    assert_eq!((status(&bundle, &third).await, status(&bundle, &second).await), (200, 200));
    let before = bundle.link.requests();
    for _ in 0..100 {
        assert_eq!(status(&bundle, &first).await, 401);
    }
    assert!(bundle.link.requests() - before <= 6, "the flood is answered from memory");
}

#[tokio::test]
async fn a_lost_answer_of_the_table_rotates_once_and_the_secret_is_shown() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    for place in 0..5 {
        let mut faults = vec![Fault::None; place];
        faults.push(Fault::LoseAnswer);
        bundle.link.play(faults);
        let before = bundle.cell(&key).await.secrets().unwrap().rotations();
        let new = rotated(&bundle, &session, &id, &json!({})).await;
        assert_eq!(status(&bundle, &new).await, 200, "{place}");
        assert_eq!(bundle.cell(&key).await.secrets().unwrap().rotations(), before + 1, "{place}");
    }
}

#[tokio::test]
async fn a_secret_that_was_rotated_out_makes_nothing_that_outlasts_it() {
    let bundle = Bundle::new().await;
    let (session, id, old) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "admin"})).await;
    let new = rotated(&bundle, &session, &id, &json!({"grace_seconds": 600})).await;
    let child = json!({"name": "b"});
    let denied = [
        rotate(&bundle, &old, &id, &json!({"grace_seconds": 0})).await,
        bundle.post("/v1/api-keys", &old, &child).await,
    ];
    for answer in denied {
        assert_eq!((answer.status, answer.code()), (409, "key_rotated"), "{}", answer.text);
    }
    assert_eq!((status(&bundle, &old).await, status(&bundle, &new).await), (200, 200));
    assert_eq!(bundle.get(&format!("/v1/api-keys/{id}"), &old).await.status, 200);
    assert_eq!(bundle.post("/v1/api-keys", &new, &child).await.status, 201);
    assert_eq!(rotate(&bundle, &new, &id, &json!({"grace_seconds": 0})).await.status, 201);
    assert_eq!((status(&bundle, &old).await, status(&bundle, &new).await), (401, 401));
}
