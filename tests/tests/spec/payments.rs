//! Payments by Stripe: signed over the raw bytes, credited once, refunded once; what fits nobody is kept and reported.

mod refunds;

use faregate_domain::time::Timestamp;
use faregate_tests::{Answer, Bundle, Caller, Fault, Session, stripe};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What is in the account's wallet and what it owes, in millionths.
async fn wallet(bundle: &Bundle, account: &str) -> (u64, u64) {
    let account = faregate_domain::id::AccountId::parse(account).unwrap();
    let wallet = bundle.services.store.find_account_wallet(&account).await.unwrap().unwrap();
    (wallet.available.micro_usd(), wallet.owed.micro_usd())
}

/// The account's entries, the oldest first, without those of its sign-up.
async fn entries(bundle: &Bundle, session: &Session) -> Vec<(String, Value, Value)> {
    let answer = bundle.get("/v1/billing/entries?limit=100", &session.caller()).await;
    let entries = answer.body["data"].as_array().unwrap().iter().rev().skip(2);
    let shown = |entry: &Value| {
        (entry["kind"].as_str().unwrap().to_owned(), entry["amount_usd"].clone(), entry["reference"].clone())
    };
    entries.map(shown).collect()
}

fn entry(kind: &str, amount: Value, reference: &str) -> (String, Value, Value) {
    (kind.to_owned(), amount, json!(reference))
}

async fn unmatched(bundle: &Bundle, operator: &Session) -> Vec<Value> {
    let answer = bundle.get("/v1/payments/unmatched", &operator.caller()).await;
    assert_eq!((answer.status, answer.headers["cache-control"].as_str()), (200, "no-store"), "{}", answer.text);
    answer.body["data"].as_array().unwrap().clone()
}

async fn assign(bundle: &Bundle, caller: &Caller, payment: &str, body: &Value) -> Answer {
    bundle.post(&format!("/v1/payments/{payment}/assign"), caller, body).await
}

fn status(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.data("status"))
}

#[tokio::test]
async fn a_paid_checkout_is_credited_once_for_ever() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let paid = stripe::checkout("pi_1", &session.account_id, 1_999);
    for _ in 0..2 {
        let answer = bundle.stripe(&paid).await;
        assert_eq!(status(&answer), (200, "applied"), "{}", answer.text);
        // Long after every other record is forgotten; Stripe signs anew whenever it sends again.
        bundle.clock.advance_ms(40 * 86_400_000);
    }
    // The same payment by another event.
    let mut other = paid.clone();
    (other["id"], other["type"]) = (json!("evt_other"), json!("checkout.session.async_payment_succeeded"));
    assert_eq!(status(&bundle.stripe(&other).await), (200, "applied"));
    let session = bundle.login(&session.wallet).await;
    assert_eq!(wallet(&bundle, &session.account_id).await, (19_990_000, 0));
    assert_eq!(entries(&bundle, &session).await, [entry("credit", json!(19.99), "stripe:pi_1")]);
    assert_eq!(status(&bundle.stripe(&stripe::checkout("pi_2", &session.account_id, 1)).await), (200, "applied"));
    assert_eq!(wallet(&bundle, &session.account_id).await, (20_000_000, 0));
}

#[tokio::test]
async fn who_has_not_paid_yet_is_credited_when_the_payment_comes() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let mut event = stripe::checkout("pi_1", &session.account_id, 500);
    event["data"]["object"]["payment_status"] = json!("unpaid");
    assert_eq!(status(&bundle.stripe(&event).await), (200, "ignored"));
    assert_eq!(wallet(&bundle, &session.account_id).await, (0, 0));
    event["type"] = json!("checkout.session.async_payment_succeeded");
    event["data"]["object"]["payment_status"] = json!("paid");
    assert_eq!(status(&bundle.stripe(&event).await), (200, "applied"));
    for kind in ["checkout.session.expired", "invoice.paid", "payment_intent.succeeded", "customer.created"] {
        let event = stripe::event(kind, &event["data"]["object"]);
        assert_eq!(status(&bundle.stripe(&event).await), (200, "ignored"), "{kind}");
    }
    assert_eq!(wallet(&bundle, &session.account_id).await, (5_000_000, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_equal_events_at_once_one_credits_and_one_refunds() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let paid = stripe::checkout("pi_1", &session.account_id, 700);
    let refunded = stripe::refund("refund.created", "re_1", "pi_1", 300, "succeeded");
    let instances = [bundle.clone(), bundle.restarted()];
    for event in [paid, refunded] {
        let mut tasks = JoinSet::new();
        for number in 0..50_usize {
            let (bundle, event) = (instances[number % 2].clone(), event.clone());
            tasks.spawn(async move { bundle.stripe(&event).await });
        }
        for answer in tasks.join_all().await {
            assert_eq!(status(&answer), (200, "applied"), "{}", answer.text);
        }
    }
    assert_eq!(wallet(&bundle, &session.account_id).await, (4_000_000, 0));
    let wanted = [entry("credit", json!(7), "stripe:pi_1"), entry("refund", json!(3), "stripe:pi_1")];
    assert_eq!(entries(&bundle, &session).await, wanted);
}

#[tokio::test]
async fn whatever_stripe_did_not_sign_is_told_one_thing_and_does_nothing() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let body = stripe::checkout("pi_1", &session.account_id, 500).to_string();
    let now = bundle.clock.now();
    let at = |now: Timestamp| stripe::signature(stripe::SECRET, now, body.as_bytes());
    let right = at(now);
    let stranger = stripe::signature(&"x".repeat(38), now, body.as_bytes());
    let tampered = body.replace("500", "900");
    let mut told = Vec::new();
    for (signature, body) in [
        (String::new(), &body),
        ("t=,v1=".into(), &body),
        (right.replace("v1=", "v0="), &body),
        (right.replace("t=1", "t=2"), &body),
        (format!("{right},t=1"), &body),
        (stranger, &body),
        (at(now.minus_s(301)), &body),
        (at(now.plus_s(301)), &body),
        (right.clone(), &tampered),
        (right.clone(), &format!("{body} ")),
        // Nothing of the body is read before the signature is found right.
        ("t=1,v1=00".into(), &"{".to_owned()),
    ] {
        let answer = bundle.stripe_with(&signature, body.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_event_signature"), "{signature}: {}", answer.text);
        told.push(answer.text);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(wallet(&bundle, &session.account_id).await, (0, 0));
    let long = vec![b' '; 65_537];
    let answer = bundle.stripe_with(&stripe::signature(stripe::SECRET, now, &long), &long).await;
    assert_eq!((answer.status, answer.code()), (413, "body_too_large"));
    for signature in [at(now.minus_s(300)), at(now.plus_s(300)), format!("{right},v1={}", "0".repeat(64)), right] {
        let answer = bundle.stripe_with(&signature, body.as_bytes()).await;
        assert_eq!(status(&answer), (200, "applied"), "{signature}");
    }
    assert_eq!(wallet(&bundle, &session.account_id).await, (5_000_000, 0));
}

#[tokio::test]
async fn what_is_signed_is_the_raw_bytes() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let event = stripe::checkout("pi_1", &session.account_id, 500);
    let now = bundle.clock.now();
    // As text, with the spaces that Stripe's own JSON has.
    let text = format!(" {} \n", serde_json::to_string_pretty(&event).unwrap());
    let signature = stripe::signature(stripe::SECRET, now, text.as_bytes());
    let headers = [("stripe-signature", signature.as_str())];
    let answer = bundle.send_with("POST", "/v1/payments/stripe", &headers, Some(&text)).await;
    assert_eq!(status(&answer), (200, "applied"), "{}", answer.text);
    // Whoever has the secret may sign what is no event, and is told so.
    for body in [&b"\xff\xfe"[..], b"", b"{", b"[]", br#"{"type":"refund.created","data":{"object":{}}}"#] {
        let answer = bundle.stripe_with(&stripe::signature(stripe::SECRET, now, body), body).await;
        let ignored = body.starts_with(b"{\"").then_some((200, ""));
        assert_eq!((answer.status, answer.code()), ignored.unwrap_or((400, "invalid_request")), "{body:?}");
    }
}

#[tokio::test]
async fn a_secret_is_replaced_without_losing_an_event_and_may_be_absent() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let put = |stripe: Value| {
        let mut secrets: Value = serde_json::from_slice(&std::fs::read(bundle.secrets_file()).unwrap()).unwrap();
        secrets["stripe"] = stripe;
        secrets.as_object_mut().unwrap().retain(|_, secret| !secret.is_null());
        std::fs::write(bundle.secrets_file(), secrets.to_string()).unwrap();
    };
    let send = async |bundle: &Bundle, secret: &str, payment: &str| {
        let body = stripe::checkout(payment, &session.account_id, 100).to_string();
        let signature = stripe::signature(secret, bundle.clock.now(), body.as_bytes());
        bundle.stripe_with(&signature, body.as_bytes()).await
    };
    let next = "whsec_th3n3xts1gn1ngs3cr3t0f4t35t3ndp01nt";
    assert_eq!(send(&bundle, stripe::SECRET, "pi_1").await.status, 200);
    put(json!({"current": next, "previous": stripe::SECRET}));
    assert_eq!(send(&bundle, next, "pi_2").await.status, 200, "at once, though the old one was read a moment ago");
    assert_eq!(send(&bundle, stripe::SECRET, "pi_3").await.status, 200);
    put(json!({"current": next}));
    assert_eq!(send(&bundle.restarted(), stripe::SECRET, "pi_4").await.status, 400);
    put(Value::Null);
    let without = bundle.restarted();
    let answer = send(&without, next, "pi_4").await;
    assert_eq!((answer.status, answer.code()), (404, "not_found"), "a deployment that takes no payments");
    put(json!({"current": next}));
    bundle.clock.advance_ms(10_000);
    assert_eq!(send(&without, next, "pi_4").await.status, 200);
    std::fs::write(bundle.secrets_file(), "{").unwrap();
    assert_eq!(send(&bundle.restarted(), next, "pi_5").await.status, 503, "unreadable is not absent");
    assert_eq!(wallet(&bundle, &session.account_id).await, (4_000_000, 0));
}

#[tokio::test]
async fn what_fits_nobody_is_kept_and_an_operator_says_whose_it_is() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let account = session.account_id.as_str();
    let stranger = "acc_0000000000000000000000";
    for (payment, change, reason, stated, amount) in [
        ("pi_1", json!({"client_reference_id": null}), "no_account", "500 usd", json!(5)),
        ("pi_2", json!({"client_reference_id": stranger}), "unknown_account", "500 usd", json!(5)),
        ("pi_3", json!({"client_reference_id": "x\ny"}), "unknown_account", "500 usd", json!(5)),
        ("pi_4", json!({"currency": "eur"}), "other_currency", "500 eur", json!(null)),
        ("pi_5", json!({"amount_total": 10.5}), "malformed_amount", "10.5 usd", json!(null)),
    ] {
        let mut event = stripe::checkout(payment, account, 500);
        let members = change.as_object().unwrap().clone();
        event["data"]["object"].as_object_mut().unwrap().extend(members);
        bundle.clock.advance_ms(1);
        for _ in 0..2 {
            let answer = bundle.stripe(&event).await;
            assert_eq!(status(&answer), (200, "kept"), "Stripe must not send it for ever: {}", answer.text);
        }
        let kept = unmatched(&bundle, &operator).await[0].clone();
        assert_eq!((&kept["id"], &kept["reason"]), (&json!(payment), &json!(reason)));
        assert_eq!((&kept["stated_amount"], &kept["amount_usd"]), (&json!(stated), &amount));
    }
    assert_eq!(wallet(&bundle, account).await, (0, 0));
    assert_eq!(unmatched(&bundle, &operator).await.len(), 5);
    let operator_caller = operator.caller();
    let to = |payment: &'static str, body: Value| {
        let (bundle, caller) = (&bundle, &operator_caller);
        async move { assign(bundle, caller, payment, &body).await }
    };
    for (payment, body, field) in [
        ("pi_1", json!({}), "account_id"),
        ("pi_1", json!({"account_id": stranger}), "account_id"),
        ("pi_1", json!({"account_id": account, "amount_usd": 5}), "amount_usd"),
        ("pi_1", json!({"account_id": account, "note": 1}), "note"),
        ("pi_4", json!({"account_id": account}), "amount_usd"),
        ("pi_4", json!({"account_id": account, "amount_usd": 0}), "amount_usd"),
        ("pi_4", json!({"account_id": account, "amount_usd": "1000000.01"}), "amount_usd"),
        ("pi_4", json!({"account_id": null, "amount_usd": 1}), "amount_usd"),
    ] {
        let answer = to(payment, body.clone()).await;
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!(field)), "{body}: {}", answer.text);
    }
    for payment in ["pi_9", "x", "%2e%2e"] {
        assert_eq!(to(payment, json!({"account_id": account})).await.code(), "not_found", "{payment}");
    }
    for _ in 0..2 {
        let answer = to("pi_1", json!({"account_id": account})).await;
        assert_eq!((answer.status, &answer.body["data"]["reason"]), (200, &json!(null)), "{}", answer.text);
        assert_eq!(answer.data("account_id"), account);
    }
    assert_eq!(to("pi_1", json!({"account_id": operator.account_id})).await.code(), "reference_reused");
    assert_eq!(to("pi_1", json!({"account_id": null})).await.code(), "reference_reused");
    assert_eq!(to("pi_3", json!({"account_id": null})).await.status, 200);
    assert_eq!(to("pi_3", json!({"account_id": account})).await.code(), "reference_reused");
    assert_eq!(to("pi_4", json!({"account_id": account, "amount_usd": "5.43"})).await.status, 200);
    assert_eq!(wallet(&bundle, account).await, (10_430_000, 0));
    let left: Vec<_> = unmatched(&bundle, &operator).await.iter().map(|kept| kept["id"].clone()).collect();
    assert_eq!(left, [json!("pi_5"), json!("pi_2")]);
    // What was decided is not asked again.
    let mut again = stripe::checkout("pi_3", account, 500);
    again["data"]["object"]["client_reference_id"] = json!("x\ny");
    assert_eq!(status(&bundle.stripe(&again).await), (200, "applied"));
    assert_eq!(unmatched(&bundle, &operator).await.len(), 2);
}

#[tokio::test]
async fn a_payment_that_contradicts_what_was_credited_is_kept() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let account = session.account_id.as_str();
    let body = json!({"amount_usd": 5, "reference": "stripe:pi_1"});
    let page = format!("/v1/accounts/{account}/credits");
    assert_eq!(bundle.post(&page, &operator.caller(), &body).await.status, 201);
    // What an operator has credited already under the payment's reference is this very credit.
    assert_eq!(status(&bundle.stripe(&stripe::checkout("pi_1", account, 500)).await), (200, "applied"));
    for event in [stripe::checkout("pi_1", account, 501), stripe::checkout("pi_1", &operator.account_id, 500)] {
        assert_eq!(status(&bundle.stripe(&event).await), (200, "kept"));
    }
    assert_eq!(unmatched(&bundle, &operator).await[0]["reason"], "conflicting");
    let other = assign(&bundle, &operator.caller(), "pi_1", &json!({"account_id": operator.account_id})).await;
    assert_eq!((other.status, other.code()), (409, "reference_reused"));
    let same = assign(&bundle, &operator.caller(), "pi_1", &json!({"account_id": account})).await;
    assert_eq!(same.status, 200, "{}", same.text);
    assert!(unmatched(&bundle, &operator).await.is_empty());
    assert_eq!((wallet(&bundle, account).await, wallet(&bundle, &operator.account_id).await), ((5_000_000, 0), (0, 0)));
}

#[tokio::test]
async fn the_list_comes_in_pages_and_only_for_operators() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    for number in 0..5 {
        assert_eq!(status(&bundle.stripe(&stripe::checkout(&format!("pi_{number}"), "", 1)).await), (200, "kept"));
        bundle.clock.advance_ms(1);
    }
    let settled = assign(&bundle, &operator.caller(), "pi_3", &json!({"account_id": null})).await;
    assert_eq!(settled.status, 200, "{}", settled.text);
    let (mut seen, mut page) = (Vec::new(), "/v1/payments/unmatched?limit=2".to_owned());
    loop {
        let answer = bundle.get(&page, &operator.caller()).await;
        seen.extend(answer.body["data"].as_array().unwrap().iter().map(|kept| kept["id"].clone()));
        let Some(cursor) = answer.body["next_cursor"].as_str() else { break };
        page = format!("/v1/payments/unmatched?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["pi_4", "pi_2", "pi_1", "pi_0"]);
    for query in ["limit=0", "limit=101", "cursor=x", "cursor=YWNjXzE", "cursor="] {
        let answer = bundle.get(&format!("/v1/payments/unmatched?{query}"), &operator.caller()).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{query}");
    }
    for caller in [session.caller(), bundle.key(&operator, json!({"name": "k", "scopes": ["*"]})).await.1] {
        assert_eq!(bundle.get("/v1/payments/unmatched", &caller).await.code(), "operator_required");
        let answer = assign(&bundle, &caller, "pi_1", &json!({"account_id": session.account_id})).await;
        assert_eq!((answer.status, answer.code()), (403, "operator_required"));
    }
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_one_assignment() {
    let (bundle, operator) = Bundle::with_operator().await;
    let (bearer, page) = (format!("Bearer {}", operator.token), "/v1/payments/pi_1/assign");
    assert_eq!(status(&bundle.stripe(&stripe::checkout("pi_1", "", 100)).await), (200, "kept"));
    let ask = async |body: &Value| {
        let headers =
            [("Authorization", bearer.as_str()), ("Content-Type", "application/json"), ("Idempotency-Key", "k")];
        bundle.send_with("POST", page, &headers, Some(&body.to_string())).await
    };
    let first = ask(&json!({"account_id": operator.account_id})).await;
    assert_eq!(first.status, 200, "{}", first.text);
    bundle.clock.advance_ms(1_000);
    assert_eq!(ask(&json!({"account_id": operator.account_id})).await.text, first.text);
    assert_eq!(ask(&json!({"account_id": null})).await.code(), "idempotency_key_reused");
    assert_eq!(wallet(&bundle, &operator.account_id).await, (1_000_000, 0));
}

#[tokio::test]
async fn an_event_that_meets_a_fault_is_sent_again_and_counts_once() {
    for fault in [Fault::LoseAnswer, Fault::LoseRequest, Fault::Duplicate, Fault::Delay, Fault::Break] {
        for at in 0..8 {
            let (bundle, operator) = Bundle::with_operator().await;
            let session = bundle.newcomer().await;
            let paid = stripe::checkout("pi_1", &session.account_id, 500);
            let refund = stripe::refund("refund.created", "re_1", "pi_1", 200, "succeeded");
            let lost = stripe::checkout("pi_2", "nobody", 100);
            for event in [&paid, &refund, &lost] {
                bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([fault]));
                let first = bundle.stripe(event).await;
                assert!([200, 503].contains(&first.status), "{fault:?} {at}: {}", first.text);
                bundle.link.clear_faults();
                assert_eq!(bundle.restarted().stripe(event).await.status, 200, "{fault:?} {at}");
                bundle.link.deliver_late().await;
            }
            assert_eq!(wallet(&bundle, &session.account_id).await, (3_000_000, 0), "{fault:?} {at}");
            assert_eq!(unmatched(&bundle, &operator).await.len(), 1, "{fault:?} {at}");
        }
    }
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    let answer = bundle.stripe(&stripe::checkout("pi_1", &session.account_id, 500)).await;
    assert_eq!(answer.status, 503, "an outage is no 4xx, after which Stripe might give up");
    bundle.link.keep_playing(None);
    assert_eq!(wallet(&bundle, &session.account_id).await, (0, 0));
}
