//! Operators move accounts between plans; what a plan allows is asked when a key is made or changed.

use faregate_domain::policy::Policy;
use faregate_tests::{Bundle, Caller, Fault, Link, Session};
use serde_json::{Value, json};

/// Newcomers have no keys; `small` allows two slow ones.
fn policy() -> String {
    Policy::DEFAULT_TEXT
        .replace(
            "plans:",
            "plans:\n  none: { max_keys: 0, per_minute: 3, per_day: 1000000, concurrent: 100 }\n  \
             small: { max_keys: 2, per_minute: 50, per_day: 1000000, concurrent: 100 }",
        )
        .replace("sign_up: { plan: studio", "sign_up: { plan: none")
}

async fn bundle() -> (Bundle, Session, Session) {
    let link = Link::before_new_table().await.unwrap();
    let (bundle, operator) = Bundle::with_operator_behind(link, &policy()).await;
    let newcomer = bundle.newcomer().await;
    (bundle, operator, newcomer)
}

fn page(session: &Session) -> String {
    format!("/v1/accounts/{}", session.account_id)
}

async fn make_key(bundle: &Bundle, session: &Session, body: Value) -> (u16, Value) {
    let answer = bundle.post("/v1/api-keys", &session.caller(), &body).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn a_plan_without_keys_has_none_until_an_operator_moves_the_account() {
    let (bundle, operator, newcomer) = bundle().await;
    let (status, body) = make_key(&bundle, &newcomer, json!({"name": "a"})).await;
    assert_eq!((status, &body["code"]), (403, &json!("plan_required")));
    let before = bundle.get(&page(&newcomer), &operator.caller()).await;
    assert_eq!(before.status, 200, "{}", before.text);
    assert_eq!(
        (&before.body["data"]["plan"]["name"], &before.body["data"]["plan"]["max_keys"]),
        (&json!("none"), &json!(0))
    );
    let moved = bundle.patch(&page(&newcomer), &operator.caller(), &json!({"plan": "small"})).await;
    assert_eq!((moved.status, moved.headers["cache-control"].as_str()), (200, "no-store"), "{}", moved.text);
    let data = &moved.body["data"];
    assert_eq!((&data["account_id"], &data["plan"]["name"]), (&json!(newcomer.account_id), &json!("small")));
    assert_eq!(data["plan"]["limits"]["per_minute"], 50);
    assert_eq!(bundle.get(&page(&newcomer), &operator.caller()).await.text, moved.text);
    let me = bundle.get("/v1/me", &newcomer.caller()).await;
    assert_eq!(me.body["data"]["plan"], data["plan"]);
    assert_eq!(me.body["data"]["address"], data["address"]);
    for _ in 0..2 {
        assert_eq!(make_key(&bundle, &newcomer, json!({"name": "a"})).await.0, 201);
    }
    let (status, body) = make_key(&bundle, &newcomer, json!({"name": "a"})).await;
    assert_eq!((status, &body["code"], &body["max_keys"]), (403, &json!("plan_required"), &json!(2)));
}

#[tokio::test]
async fn keys_of_a_larger_plan_stay_as_they_are_and_change_within_the_smaller_one() {
    let (bundle, operator, newcomer) = bundle().await;
    for (plan, keys) in [("studio", 3), ("small", 0)] {
        assert_eq!(bundle.patch(&page(&newcomer), &operator.caller(), &json!({"plan": plan})).await.status, 200);
        for _ in 0..keys {
            assert_eq!(make_key(&bundle, &newcomer, json!({"name": "a", "limits": {"per_minute": 90}})).await.0, 201);
        }
    }
    let list = bundle.get("/v1/api-keys", &newcomer.caller()).await;
    let keys = list.body["data"].as_array().unwrap();
    assert!(keys.len() == 3 && keys.iter().all(|key| key["limits"]["per_minute"] == 90 && key["status"] == "active"));
    let key_page = format!("/v1/api-keys/{}", keys[0]["id"].as_str().unwrap());
    let raised = bundle.patch(&key_page, &newcomer.caller(), &json!({"limits": {"per_minute": 80}})).await;
    assert_eq!(raised.status, 400, "{}", raised.text);
    let lowered = bundle.patch(&key_page, &newcomer.caller(), &json!({"limits": {"per_minute": 40}})).await;
    assert_eq!(lowered.status, 200, "{}", lowered.text);
    assert_eq!(make_key(&bundle, &newcomer, json!({"name": "a"})).await.0, 403);
}

#[tokio::test]
async fn a_key_works_on_when_its_account_loses_the_right_to_make_more() {
    let (bundle, operator, newcomer) = bundle().await;
    bundle.patch(&page(&newcomer), &operator.caller(), &json!({"plan": "studio"})).await;
    let (_, key) = bundle.key(&newcomer, json!({"name": "a"})).await;
    bundle.patch(&page(&newcomer), &operator.caller(), &json!({"plan": "none"})).await;
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    assert_eq!(make_key(&bundle, &newcomer, json!({"name": "b"})).await.0, 403);
}

#[tokio::test]
async fn sessions_are_held_to_the_new_plan_in_the_running_minute() {
    let (bundle, operator, newcomer) = bundle().await;
    let statuses = async |count: usize| {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(bundle.knock(&newcomer.caller(), "GET", "/demo/free").await.status);
        }
        statuses
    };
    assert_eq!(statuses(4).await, [200, 200, 200, 429]);
    assert_eq!(bundle.patch(&page(&newcomer), &operator.caller(), &json!({"plan": "small"})).await.status, 200);
    bundle.clock.advance_ms(1_000);
    assert_eq!(statuses(4).await, [200; 4]);
    assert_eq!(bundle.patch(&page(&newcomer), &operator.caller(), &json!({"plan": "none"})).await.status, 200);
    assert_eq!(statuses(1).await, [429]);
}

#[tokio::test]
async fn only_an_operator_sees_and_moves_accounts() {
    let (bundle, operator, newcomer) = bundle().await;
    let (_, service) = {
        bundle.patch(&page(&operator), &operator.caller(), &json!({"plan": "studio"})).await;
        bundle.key(&operator, json!({"name": "service", "scopes": ["gate:check"]})).await
    };
    let (_, admin) = bundle.key(&operator, json!({"name": "admin", "scopes": "admin"})).await;
    for (caller, status, code) in [
        (Caller::Anonymous, 401, "missing_credentials"),
        (newcomer.caller(), 403, "operator_required"),
        (service, 403, "operator_required"),
        (admin, 403, "operator_required"),
    ] {
        let read = bundle.get(&page(&newcomer), &caller).await;
        assert_eq!((read.status, read.code()), (status, code));
        let moved = bundle.patch(&page(&newcomer), &caller, &json!({"plan": "studio"})).await;
        assert_eq!((moved.status, moved.code()), (status, code));
    }
    let me = bundle.get("/v1/me", &newcomer.caller()).await;
    assert_eq!(me.body["data"]["plan"]["name"], "none");
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let (bundle, operator, newcomer) = bundle().await;
    let caller = operator.caller();
    for id in ["acc_aaaaaaaaaaaaaaaaaaaaaa", "acc_1", "key_1", "%2e"] {
        let page = format!("/v1/accounts/{id}");
        for answer in [bundle.get(&page, &caller).await, bundle.patch(&page, &caller, &json!({"plan": "small"})).await]
        {
            assert_eq!((answer.status, answer.code()), (404, "not_found"), "{id}");
        }
    }
    for (body, field) in [
        (json!({"plan": "gold"}), "plan"),
        (json!({"plan": ""}), "plan"),
        (json!({"plan": 7}), "plan"),
        (json!({"plan": null}), "plan"),
        (json!({}), "plan"),
        (json!({"plan": "small", "address": "0x0"}), "address"),
    ] {
        let answer = bundle.patch(&page(&newcomer), &caller, &body).await;
        assert_eq!(
            (answer.status, answer.code(), &answer.body["field"]),
            (400, "invalid_request", &json!(field)),
            "{body}"
        );
    }
    let answer = bundle.delete(&page(&newcomer), &caller).await;
    assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "GET, PATCH"));
}

#[tokio::test]
async fn a_move_whose_answer_is_lost_may_be_sent_again() {
    for at in 0..5 {
        for fault in [Fault::LoseAnswer, Fault::LoseRequest, Fault::Break] {
            let (bundle, operator, newcomer) = bundle().await;
            bundle.link.play(std::iter::repeat_n(Fault::None, at).chain(std::iter::repeat_n(fault, 4)));
            let first = bundle.patch(&page(&newcomer), &operator.caller(), &json!({"plan": "small"})).await;
            assert!(matches!(first.status, 200 | 503), "{at} {fault:?} {}", first.text);
            bundle.link.clear_faults();
            let again = bundle.patch(&page(&newcomer), &operator.caller(), &json!({"plan": "small"})).await;
            assert_eq!((again.status, &again.body["data"]["plan"]["name"]), (200, &json!("small")), "{at} {fault:?}");
            let cell = bundle.session_cell(&newcomer).await;
            assert_eq!(cell.limits.per_minute.limit(), 50, "{at} {fault:?}");
        }
    }
}
