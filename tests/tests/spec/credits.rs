//! Credits and accounts' books: operators credit, each reference once for ever; owners and keys see what is theirs.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_tests::{Answer, Bundle, Caller, Fault, Session};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    billing::books,
    projects::{default_project, project},
};

async fn credit(bundle: &Bundle, caller: &Caller, account: &str, body: &Value) -> Answer {
    bundle.post(&format!("/v1/accounts/{account}/credits"), caller, body).await
}

fn of(amount: &str, reference: &str) -> Value {
    json!({"amount_usd": amount, "reference": reference})
}

async fn wallet(bundle: &Bundle, session: &Session) -> Value {
    bundle.get("/v1/billing", &session.caller()).await.body["data"]["wallet_usd"].clone()
}

#[tokio::test]
async fn a_reference_is_credited_once_for_ever() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let first = credit(&bundle, &operator.caller(), &session.account_id, &of("12.5", "invoice 1")).await;
    assert_eq!((first.status, first.headers["cache-control"].as_str()), (201, "no-store"), "{}", first.text);
    let data = &first.body["data"];
    assert_eq!((&data["account_id"], &data["amount_usd"]), (&json!(session.account_id), &json!(12.5)));
    assert_eq!((&data["reference"], &data["wallet_usd"]), (&json!("invoice 1"), &json!(12.5)));
    assert_eq!(credit(&bundle, &operator.caller(), &session.account_id, &of("1", "invoice 2")).await.status, 201);
    // Long after every record of a request is forgotten.
    bundle.clock.advance_ms(40 * 86_400_000);
    let (operator, session) = (bundle.login(&operator.wallet).await, bundle.login(&session.wallet).await);
    let again = credit(&bundle, &operator.caller(), &session.account_id, &of("12.50", "invoice 1")).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    for (account, amount) in [(&session.account_id, "12.51"), (&operator.account_id, "12.5")] {
        let answer = credit(&bundle, &operator.caller(), account, &of(amount, "invoice 1")).await;
        assert_eq!((answer.status, answer.code()), (409, "reference_reused"), "{}", answer.text);
    }
    assert_eq!(wallet(&bundle, &session).await, json!(13.5));
    let entries = bundle.get("/v1/billing/entries", &session.caller()).await.body["data"].clone();
    assert_eq!((&entries[1]["kind"], &entries[1]["reference"]), (&json!("credit"), &json!("invoice 1")));
    assert_eq!((&entries[1]["id"], &entries[1]["project_id"]), (&data["id"], &json!(null)));
    assert_eq!(entries.as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_equal_credits_one_applies_and_all_get_its_answer() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let instances = [bundle.clone(), bundle.restarted()];
    let mut tasks = JoinSet::new();
    for number in 0..20_usize {
        let (bundle, caller, account) = (instances[number % 2].clone(), operator.caller(), session.account_id.clone());
        tasks.spawn(async move { credit(&bundle, &caller, &account, &of("3", "r")).await });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.text == answers[0].text), "{answers:?}");
    assert_eq!(wallet(&bundle, &session).await, json!(3));
    // Of credits that contradict each other, one applies and the others are told so.
    let mut tasks = JoinSet::new();
    for number in 0..12_usize {
        let (bundle, caller, account) = (instances[number % 2].clone(), operator.caller(), session.account_id.clone());
        tasks.spawn(async move { credit(&bundle, &caller, &account, &of(&format!("{}", 1 + number % 3), "s")).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 4);
    assert!(
        answers.iter().all(|answer| matches!((answer.status, answer.code()), (201, _) | (409, "reference_reused")))
    );
    // Different ones all apply.
    let before = wallet(&bundle, &session).await.as_f64().unwrap();
    let mut tasks = JoinSet::new();
    for number in 0..12_usize {
        let (bundle, caller, account) = (instances[number % 2].clone(), operator.caller(), session.account_id.clone());
        tasks.spawn(async move { credit(&bundle, &caller, &account, &of("1", &format!("t{number}"))).await });
    }
    assert!(tasks.join_all().await.iter().all(|answer| answer.status == 201));
    assert_eq!(wallet(&bundle, &session).await.as_f64(), Some(before + 12.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_first_logins_at_once_one_brings_the_sign_up_credit() {
    let bundle = Bundle::new().await;
    let (instances, wallet) = ([bundle.clone(), bundle.restarted()], bundle.wallet("newcomer"));
    let mut tasks = JoinSet::new();
    for number in 0..50_usize {
        let (bundle, wallet) = (instances[number % 2].clone(), wallet.clone());
        tasks.spawn(async move { bundle.login(&wallet).await });
    }
    let sessions = tasks.join_all().await;
    assert!(sessions.iter().all(|session| session.account_id == sessions[0].account_id));
    let entries = bundle.get("/v1/billing/entries", &bundle.login(&wallet).await.caller()).await;
    let kinds: Vec<_> = entries.body["data"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["allocation", "sign_up"]);
    // Nor is there an account that nobody was told of.
    let books = books(&bundle).await;
    assert_eq!((books.accounts, books.allocated), (0, 5_000_000));
}

#[tokio::test]
async fn only_an_operator_who_signed_in_credits() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let (_, service) = bundle.key(&operator, json!({"name": "s", "scopes": ["*", "gate:check"]})).await;
    for account in [session.account_id.as_str(), "acc_0000000000000000000000", "x"] {
        for caller in [session.caller(), service.clone()] {
            let answer = credit(&bundle, &caller, account, &of("1", "r")).await;
            assert_eq!((answer.status, answer.code()), (403, "operator_required"), "{account}");
        }
        let answer = credit(&bundle, &Caller::Anonymous, account, &of("1", "r")).await;
        assert_eq!((answer.status, answer.code()), (401, "missing_credentials"));
    }
    for account in ["acc_0000000000000000000000", "acc_1", "prj_0000000000000000000000", "%2e"] {
        let answer = credit(&bundle, &operator.caller(), account, &of("1", "r")).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{account}");
    }
    assert_eq!(wallet(&bundle, &session).await, json!(0));
    assert_eq!(credit(&bundle, &operator.caller(), &session.account_id, &of("1", "r")).await.status, 201);
}

#[tokio::test]
async fn a_credit_that_is_none_is_refused_by_its_field() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let long = "x".repeat(129);
    for (body, field) in [
        (json!({"amount_usd": 0, "reference": "r"}), "amount_usd"),
        (json!({"amount_usd": -1, "reference": "r"}), "amount_usd"),
        (json!({"amount_usd": "0.0000001", "reference": "r"}), "amount_usd"),
        (json!({"amount_usd": "1000000.000001", "reference": "r"}), "amount_usd"),
        (json!({"amount_usd": "1e3", "reference": "r"}), "amount_usd"),
        (json!({"amount_usd": null, "reference": "r"}), "amount_usd"),
        (json!({"reference": "r"}), "amount_usd"),
        (json!({"amount_usd": 1}), "reference"),
        (json!({"amount_usd": 1, "reference": ""}), "reference"),
        (json!({"amount_usd": 1, "reference": "a\nb"}), "reference"),
        (json!({"amount_usd": 1, "reference": long}), "reference"),
        (json!({"amount_usd": 1, "reference": 7}), "reference"),
        (json!({"amount_usd": 1, "reference": "r", "note": "x"}), "note"),
    ] {
        let answer = credit(&bundle, &operator.caller(), &session.account_id, &body).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{body}: {}", answer.text);
        assert_eq!(answer.body["field"], field, "{body}");
    }
    assert_eq!(wallet(&bundle, &session).await, json!(0));
    let most = credit(&bundle, &operator.caller(), &session.account_id, &of("1000000", "r")).await;
    assert_eq!(most.status, 201, "{}", most.text);
}

#[tokio::test]
async fn no_wallet_holds_more_than_a_billion() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let id = default_project(&bundle, &session).await;
    let put = async |partition: &str, name: &str, value: &str| {
        let update = bundle.link.client().update_item().table_name(&bundle.services.config.table);
        let update =
            update.key("pk", AttributeValue::S(partition.into())).key("sk", AttributeValue::S("wallet".into()));
        let update = update.update_expression("SET #n = :v").expression_attribute_names("#n", name);
        update.expression_attribute_values(":v", AttributeValue::N(value.into())).send().await.unwrap();
    };
    put(&session.account_id, "av", "999999999000000").await;
    let answer = credit(&bundle, &operator.caller(), &session.account_id, &of("1.000001", "r")).await;
    assert_eq!((answer.status, answer.code()), (409, "balance_exceeded"), "{}", answer.text);
    assert_eq!(credit(&bundle, &operator.caller(), &session.account_id, &of("1", "r")).await.status, 201);
    let page = format!("/v1/projects/{id}/allocations");
    for amount in ["999999996", "-1"] {
        let answer = bundle.post(&page, &session.caller(), &json!({"amount_usd": amount})).await;
        assert_eq!((answer.status, answer.code()), (409, "balance_exceeded"), "{amount}: {}", answer.text);
    }
    assert_eq!(wallet(&bundle, &session).await, json!(1_000_000_000));
}

#[tokio::test]
async fn a_credit_whose_answer_is_lost_may_be_sent_again() {
    for fault in [Fault::LoseAnswer, Fault::LoseRequest, Fault::Duplicate, Fault::Delay, Fault::Break] {
        for at in 0..6 {
            let (bundle, operator) = Bundle::with_operator().await;
            let session = bundle.newcomer().await;
            bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([fault]));
            let first = credit(&bundle, &operator.caller(), &session.account_id, &of("2", "r")).await;
            let again = credit(&bundle.restarted(), &operator.caller(), &session.account_id, &of("2", "r")).await;
            assert_eq!(again.status, 201, "{fault:?} {at}: {}", again.text);
            assert!(first.status == 503 || first.text == again.text, "{fault:?} {at}: {}", first.text);
            bundle.link.deliver_late().await;
            assert_eq!(wallet(&bundle, &session).await, json!(2), "{fault:?} {at}");
        }
    }
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    assert_eq!(credit(&bundle, &operator.caller(), &session.account_id, &of("2", "r")).await.status, 503);
    bundle.link.keep_playing(None);
    assert_eq!(wallet(&bundle, &session).await, json!(0));
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_one_credit() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let (bearer, page) = (format!("Bearer {}", operator.token), format!("/v1/accounts/{}/credits", session.account_id));
    let ask = async |key: &str, body: &Value| {
        let headers =
            [("Authorization", bearer.as_str()), ("Content-Type", "application/json"), ("Idempotency-Key", key)];
        bundle.send_with("POST", &page, &headers, Some(&body.to_string())).await
    };
    let first = ask("k", &of("2", "r")).await;
    assert_eq!(ask("k", &of("2", "r")).await.text, first.text);
    assert_eq!(ask("k", &of("2", "s")).await.code(), "idempotency_key_reused");
    // A reference that was credited before counts as this request's answer too.
    assert_eq!(ask("l", &of("2", "r")).await.text, first.text);
    assert_eq!(ask("l", &of("2", "s")).await.code(), "idempotency_key_reused");
    assert_eq!(wallet(&bundle, &session).await, json!(2));
}

#[tokio::test]
async fn an_owner_sees_all_spending_and_a_key_that_of_its_project() {
    let (bundle, service) = Bundle::with_service().await;
    let session = bundle.newcomer().await;
    let own = default_project(&bundle, &session).await;
    let other = project(&bundle, &session, json!({"name": "b"})).await;
    let page = |id: &str| format!("/v1/projects/{id}/allocations");
    for (id, amount) in [(&own, "-3"), (&other, "1")] {
        assert_eq!(bundle.post(&page(id), &session.caller(), &json!({"amount_usd": amount})).await.status, 201);
    }
    let body = |id: &str| json!({"name": "a", "project_id": id, "scopes": ["demo:*", "billing:read"]});
    let (_, here) = bundle.key(&session, body(&own)).await;
    let (ended, ended_key) = bundle.key(&session, body(&own)).await;
    let (_, there) = bundle.key(&session, body(&other)).await;
    for caller in [&here, &ended_key, &there, &there, &session.caller()] {
        assert_eq!(bundle.knock(caller, "POST", "/demo/paid").await.status, 200);
    }
    assert_eq!(bundle.delete(&format!("/v1/api-keys/{ended}"), &session.caller()).await.status, 204);
    let charge = bundle.knock(&here, "POST", "/demo/metered").await.text("chargeId").to_owned();
    let billing = async |caller: &Caller| bundle.get("/v1/billing", caller).await.body["data"].clone();
    let all = billing(&session.caller()).await;
    let wanted = json!({
        "project_id": null, "wallet_usd": 2, "allocated_usd": 3, "available_usd": all["available_usd"],
        "reserved_usd": 0.1, "spent_today_usd": 0.05, "spent_month_usd": 0.05, "spent_usd": 0.05,
    });
    assert_eq!(all, wanted);
    let seen = billing(&there).await;
    assert_eq!(
        (&seen["project_id"], &seen["wallet_usd"], &seen["allocated_usd"]),
        (&json!(other), &json!(null), &json!(1))
    );
    assert_eq!((&seen["spent_usd"], &seen["reserved_usd"]), (&json!(0.02), &json!(0)));
    let seen = billing(&here).await;
    assert_eq!(
        (&seen["spent_usd"], &seen["reserved_usd"], &seen["allocated_usd"]),
        (&json!(0.03), &json!(0.1), &json!(2))
    );
    // Tomorrow the call turns out to have failed: nothing comes back that was not charged.
    bundle.clock.advance_ms(86_400_000);
    let report = json!({"outcome": "succeeded", "actual_usd": 0.04});
    assert_eq!(bundle.settle(&service, &charge, &report).await.status, 200);
    let session = bundle.login(&session.wallet).await;
    let all = billing(&session.caller()).await;
    assert_eq!((&all["spent_today_usd"], &all["spent_month_usd"]), (&json!(0.04), &json!(0.09)));
    assert_eq!((&all["spent_usd"], &all["reserved_usd"]), (&json!(0.09), &json!(0)));
    assert_eq!(books(&bundle).await.accounts, 2_000_000);
    let (_, blind) = bundle.key(&session, json!({"name": "b", "scopes": ["demo:*"]})).await;
    assert_eq!(bundle.get("/v1/billing", &blind).await.code(), "insufficient_scope");
}

#[tokio::test]
async fn entries_come_in_pages_and_a_key_sees_those_of_its_project() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let stranger = bundle.login(&bundle.wallet("stranger")).await;
    let own = default_project(&bundle, &session).await;
    let other = project(&bundle, &session, json!({"name": "b"})).await;
    for number in 1..=6 {
        let (id, amount) = if number % 2 == 1 { (&own, "-1") } else { (&other, "1") };
        let page = format!("/v1/projects/{id}/allocations");
        assert_eq!(bundle.post(&page, &session.caller(), &json!({"amount_usd": amount})).await.status, 201);
    }
    let (_, key) = bundle.key(&session, json!({"name": "k", "project_id": other, "scopes": ["billing:read"]})).await;
    for (caller, wanted) in [(session.caller(), 8), (key, 3), (stranger.caller(), 2)] {
        for limit in [1, 2, 3, 100] {
            let (mut seen, mut next) = (Vec::new(), format!("/v1/billing/entries?limit={limit}"));
            loop {
                let answer = bundle.get(&next, &caller).await;
                let data = answer.body["data"].as_array().unwrap().clone();
                assert!(data.len() <= limit);
                seen.extend(data.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()));
                let Some(cursor) = answer.body["next_cursor"].as_str() else { break };
                next = format!("/v1/billing/entries?limit={limit}&cursor={cursor}");
            }
            assert_eq!(seen.len(), wanted, "{limit}");
            assert!(seen.is_sorted_by(|one, other| one > other), "{seen:?}");
        }
    }
    let page = bundle.get("/v1/billing/entries?limit=1", &session.caller()).await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let theirs = bundle.get(&format!("/v1/billing/entries?cursor={cursor}"), &stranger.caller()).await;
    assert_eq!((theirs.status, theirs.body["field"].as_str()), (400, Some("cursor")));
    for query in ["cursor=nonsense", "limit=0", "limit=101", "limit=x"] {
        let answer = bundle.get(&format!("/v1/billing/entries?{query}"), &session.caller()).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{query}");
    }
}
