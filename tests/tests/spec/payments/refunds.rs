//! Refunds: each taken once from the wallet that has the payment's money, whatever is told of them and in which order.

use std::collections::BTreeMap;

use faregate_tests::{Bundle, Session, stripe};
use serde_json::{Value, json};

use super::{assign, entries, entry, status, unmatched, wallet};
use crate::projects::default_project;

async fn applied(bundle: &Bundle, event: &Value) {
    let answer = bundle.stripe(event).await;
    assert_eq!(status(&answer), (200, "applied"), "{event}: {}", answer.text);
}

async fn pay(bundle: &Bundle, session: &Session, payment: &str, cents: u64) {
    applied(bundle, &stripe::checkout(payment, &session.account_id, cents)).await;
}

#[tokio::test]
async fn partial_refunds_are_taken_once_each_and_the_charges_sum_adds_nothing() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    pay(&bundle, &session, "pi_1", 1_000).await;
    for (event, left) in [
        (stripe::refund("refund.created", "re_1", "pi_1", 300, "pending"), 10_000_000),
        (stripe::refund("refund.updated", "re_1", "pi_1", 300, "succeeded"), 7_000_000),
        (stripe::refund("refund.created", "re_1", "pi_1", 300, "succeeded"), 7_000_000),
        (stripe::refunded("pi_1", 300), 7_000_000),
        (stripe::refunded("pi_1", 500), 5_000_000),
        (stripe::refund("charge.refund.updated", "re_2", "pi_1", 200, "succeeded"), 5_000_000),
        (stripe::refunded("pi_1", 300), 5_000_000),
        (stripe::refund("refund.created", "re_3", "pi_1", 500, "succeeded"), 0),
        (stripe::refunded("pi_1", 1_000), 0),
    ] {
        let answer = bundle.stripe(&event).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(wallet(&bundle, &session.account_id).await, (left, 0), "{event}");
    }
    let refund = |amount: u64| entry("refund", json!(amount), "stripe:pi_1");
    let wanted = [entry("credit", json!(10), "stripe:pi_1"), refund(3), refund(2), refund(5)];
    assert_eq!(entries(&bundle, &session).await, wanted);
}

#[tokio::test]
async fn a_charges_sum_alone_does_as_well() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    pay(&bundle, &session, "pi_1", 1_000).await;
    for (cents, left) in [(250, 7_500_000), (250, 7_500_000), (1_000, 0), (250, 0)] {
        applied(&bundle, &stripe::refunded("pi_1", cents)).await;
        assert_eq!(wallet(&bundle, &session.account_id).await, (left, 0));
    }
}

#[tokio::test]
async fn a_refund_that_comes_to_nothing_is_given_back_once() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    pay(&bundle, &session, "pi_1", 1_000).await;
    let told = |kind: &str, status: &str| stripe::refund(kind, "re_1", "pi_1", 400, status);
    applied(&bundle, &told("refund.created", "succeeded")).await;
    for _ in 0..2 {
        applied(&bundle, &told("refund.failed", "failed")).await;
    }
    // Late news of what was before.
    applied(&bundle, &told("refund.updated", "succeeded")).await;
    assert_eq!(wallet(&bundle, &session.account_id).await, (10_000_000, 0));
    let kinds: Vec<_> = entries(&bundle, &session).await.into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, ["credit", "refund", "refund_reversed"]);
    // One that fails before it is known to have gone through was never taken.
    applied(&bundle, &stripe::refund("refund.failed", "re_2", "pi_1", 400, "failed")).await;
    applied(&bundle, &stripe::refund("refund.updated", "re_2", "pi_1", 400, "succeeded")).await;
    assert_eq!(wallet(&bundle, &session.account_id).await, (10_000_000, 0));
}

#[tokio::test]
async fn a_refund_may_come_before_its_payment() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let early = stripe::refund("refund.created", "re_1", "pi_1", 400, "succeeded");
    assert_eq!(status(&bundle.stripe(&early).await), (200, "kept"));
    assert_eq!(unmatched(&bundle, &operator).await[0]["reason"], "unknown_payment");
    pay(&bundle, &session, "pi_1", 1_000).await;
    assert_eq!(wallet(&bundle, &session.account_id).await, (6_000_000, 0));
    assert!(unmatched(&bundle, &operator).await.is_empty(), "it is known by now");
    applied(&bundle, &early).await;
    assert_eq!(wallet(&bundle, &session.account_id).await, (6_000_000, 0));
}

#[tokio::test]
async fn what_the_wallet_has_not_is_owed_reported_and_taken_first_from_what_comes() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    let account = session.account_id.as_str();
    let project = default_project(&bundle, &session).await;
    let move_money = async |amount: &str| {
        let page = format!("/v1/projects/{project}/allocations");
        bundle.post(&page, &session.caller(), &json!({"amount_usd": amount})).await
    };
    let owed = async || {
        let answer = bundle.get(&format!("/v1/accounts/{account}"), &operator.caller()).await;
        answer.body["data"]["owed_usd"].clone()
    };
    pay(&bundle, &session, "pi_1", 1_000).await;
    assert_eq!(move_money("7").await.status, 201);
    let refund = stripe::refund("refund.created", "re_1", "pi_1", 1_000, "succeeded");
    assert_eq!(status(&bundle.stripe(&refund).await), (200, "kept"));
    assert_eq!((wallet(&bundle, account).await, owed().await), ((0, 7_000_000), json!(7)));
    let kept = unmatched(&bundle, &operator).await[0].clone();
    assert_eq!((&kept["reason"], &kept["debited_usd"]), (&json!("not_covered"), &json!(10)));
    // Money that comes back from the project is not the owner's to move again.
    assert_eq!(move_money("-2").await.status, 201);
    let answer = move_money("1").await;
    assert_eq!((answer.status, answer.code()), (402, "insufficient_credits"), "{}", answer.text);
    assert_eq!((wallet(&bundle, account).await, owed().await), ((0, 5_000_000), json!(5)));
    pay(&bundle, &session, "pi_2", 300).await;
    assert_eq!(wallet(&bundle, account).await, (0, 2_000_000));
    let body = json!({"amount_usd": 6, "reference": "a gift"});
    let credited = bundle.post(&format!("/v1/accounts/{account}/credits"), &operator.caller(), &body).await;
    assert_eq!(credited.status, 201, "{}", credited.text);
    assert_eq!((wallet(&bundle, account).await, owed().await), ((4_000_000, 0), json!(0)));
    // The operator has seen it; said again, nothing is taken again.
    let seen = assign(&bundle, &operator.caller(), "pi_1", &json!({"account_id": account})).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    applied(&bundle, &refund).await;
    assert!(unmatched(&bundle, &operator).await.is_empty());
    assert_eq!(wallet(&bundle, account).await, (4_000_000, 0));
    // The refund comes to nothing after all.
    applied(&bundle, &stripe::refund("refund.failed", "re_1", "pi_1", 1_000, "failed")).await;
    assert_eq!(wallet(&bundle, account).await, (14_000_000, 0));
}

#[tokio::test]
async fn refunds_of_a_payment_that_was_never_credited_are_an_operators_matter() {
    let (bundle, operator) = Bundle::with_operator().await;
    let session = bundle.newcomer().await;
    pay(&bundle, &session, "pi_1", 500).await;
    let euro = |name: &str| {
        let mut event = stripe::refund("refund.created", name, "pi_1", 100, "succeeded");
        event["data"]["object"]["currency"] = json!("eur");
        event
    };
    for (event, reason) in [
        (stripe::refunded("pi_8", 200), "unknown_payment"),
        (stripe::refund("refund.created", "re_9", "pi_9", 200, "succeeded"), "unknown_payment"),
        (euro("re_1"), "other_currency"),
    ] {
        assert_eq!(status(&bundle.stripe(&event).await), (200, "kept"));
        assert!(unmatched(&bundle, &operator).await.iter().any(|kept| kept["reason"] == reason), "{event}");
    }
    assert_eq!(wallet(&bundle, &session.account_id).await, (5_000_000, 0));
    let to = async |payment: &str, account: Value| {
        let answer = assign(&bundle, &operator.caller(), payment, &json!({"account_id": account})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    to("pi_8", json!(session.account_id)).await;
    to("pi_9", json!(null)).await;
    to("pi_1", json!(session.account_id)).await;
    assert_eq!(wallet(&bundle, &session.account_id).await, (3_000_000, 0));
    assert!(unmatched(&bundle, &operator).await.is_empty());
    // More of the one that is ours, more of the one that is not.
    applied(&bundle, &stripe::refunded("pi_8", 250)).await;
    applied(&bundle, &stripe::refund("refund.created", "re_10", "pi_9", 200, "succeeded")).await;
    assert_eq!(wallet(&bundle, &session.account_id).await, (2_500_000, 0));
    // No refund takes more than the payment brought.
    pay(&bundle, &session, "pi_2", 100).await;
    assert_eq!(status(&bundle.stripe(&stripe::refunded("pi_2", 150)).await), (200, "kept"));
    assert_eq!(unmatched(&bundle, &operator).await[0]["reason"], "exceeds_payment");
    assert_eq!(wallet(&bundle, &session.account_id).await, (2_500_000, 0));
}

/// Cents, by what Stripe says of them.
#[derive(Default)]
struct Truth {
    paid: BTreeMap<u64, u64>,
    /// Refunds by number: payment, cents, and whether it failed in the end.
    refunds: BTreeMap<u64, (u64, u64, bool)>,
}

impl Truth {
    /// What the account has been paid, less what was refunded of it, in millionths.
    fn worth(&self) -> i128 {
        let paid: u64 = self.paid.values().sum();
        let refunded: u64 = self.refunds.values().filter(|(.., failed)| !failed).map(|(_, cents, _)| cents).sum();
        (i128::from(paid) - i128::from(refunded)) * 10_000
    }
}

/// Every cent that came in or went back is an entry, whatever happens in which order, twice or at the same time as the owner
/// moves money about.
#[tokio::test]
async fn after_any_sequence_of_events_the_entries_are_the_wallet() {
    for seed in 0..12 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let bundle = Bundle::new().await;
        let session = bundle.newcomer().await;
        let project = default_project(&bundle, &session).await;
        let (mut truth, mut events) = (Truth::default(), Vec::new());
        for payment in 0..dice.u64(1..4) {
            let (name, cents) = (format!("pi_{payment}"), dice.u64(100..2_000));
            truth.paid.insert(payment, cents);
            events.push(stripe::checkout(&name, &session.account_id, cents));
            let (mut left, mut sum) = (cents, 0);
            for number in 0..dice.u64(0..4) {
                let (id, cents, fails) = (payment * 10 + number, dice.u64(1..=left / 2 + 1).min(left), dice.bool());
                if cents == 0 {
                    continue;
                }
                (left, sum) = (left - if fails { 0 } else { cents }, sum + cents);
                truth.refunds.insert(id, (payment, cents, fails));
                let told = |kind, status| stripe::refund(kind, &format!("re_{id}"), &name, cents, status);
                events.push(told("refund.created", "succeeded"));
                events.extend(fails.then(|| told("refund.failed", "failed")));
                events.extend((!fails && sum <= truth.paid[&payment]).then(|| stripe::refunded(&name, sum)));
            }
        }
        let again: Vec<_> = events.iter().filter(|_| dice.bool()).cloned().collect();
        events.extend(again);
        dice.shuffle(&mut events);
        for event in &events {
            assert_eq!(bundle.stripe(event).await.status, 200, "{seed} {event}");
            if dice.bool() {
                let sign = if dice.bool() { "-" } else { "" };
                let body = json!({"amount_usd": format!("{sign}{}.{:02}", dice.u64(0..9), dice.u64(1..99))});
                bundle.post(&format!("/v1/projects/{project}/allocations"), &session.caller(), &body).await;
            }
        }
        let (available, owed) = wallet(&bundle, &session.account_id).await;
        let page = bundle.get("/v1/billing/entries?limit=100", &session.caller()).await;
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for entry in page.body["data"].as_array().unwrap() {
            let amount = faregate_domain::money::MicroUsd::parse(&entry["amount_usd"].to_string()).unwrap();
            *sums.entry(entry["kind"].as_str().unwrap().to_owned()).or_default() += i128::from(amount.micro_usd());
        }
        let sum = |kinds: &[&str]| kinds.iter().filter_map(|kind| sums.get(*kind)).sum::<i128>();
        let entered = sum(&["sign_up", "credit", "return", "refund_reversed"]) - sum(&["allocation", "refund"]);
        assert_eq!(entered, i128::from(available), "{seed}: {sums:?}");
        let (credited, refunded) = (sum(&["credit"]), sum(&["refund"]) - sum(&["refund_reversed"]));
        assert_eq!(credited - refunded - i128::from(owed), truth.worth(), "{seed}: {sums:?}, owed {owed}");
        let books = crate::billing::books(&bundle).await;
        let everywhere = i128::from(books.accounts + books.projects + books.granted);
        assert_eq!(everywhere - i128::from(owed), truth.worth() + sum(&["sign_up"]), "{seed}: {books:?}");
    }
}
