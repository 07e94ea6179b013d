//! A charge is settled once, for at most what was reserved, by services only; whatever arrives late, twice or not at all.

use faregate_tests::{Bundle, Caller, Fault};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A bundle, a service key, a key with a running call, and the call's charge.
async fn running(body: Value) -> (Bundle, Caller, Caller, String) {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(body).await;
    let knock = bundle.knock(&key, "POST", "/demo/metered").await;
    assert_eq!(knock.status, 200);
    (bundle, service, key, knock.text("chargeId").to_owned())
}

/// What a key has left of what it was granted, reserved and spent, in millionths.
async fn purse(bundle: &Bundle, key: &Caller) -> (u64, u64, u64) {
    let purse = bundle.cell(key).await.purse;
    assert_eq!(purse.granted, purse.balance.plus(purse.reserved).plus(purse.spent()));
    (purse.balance.micro_usd(), purse.reserved.micro_usd(), purse.spent().micro_usd())
}

fn succeeded(actual: &str) -> Value {
    json!({"outcome": "succeeded", "actual_usd": actual})
}

#[tokio::test]
async fn a_success_costs_what_it_took_and_the_rest_comes_back() {
    for (report, spent) in [
        (succeeded("0.037"), 37_000),
        (succeeded("0.1"), 100_000),
        (succeeded("0"), 0),
        (json!({"outcome": "succeeded"}), 100_000),
        (json!({"outcome": "failed", "error_code": "model.timeout"}), 0),
        (json!({"outcome": "failed", "actual_usd": 0}), 0),
    ] {
        let (bundle, service, key, charge) = running(json!({"name": "a", "budget_usd": "0.10"})).await;
        let answer = bundle.settle(&service, &charge, &report).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(
            (answer.data("charge_id"), answer.data("outcome")),
            (charge.as_str(), report["outcome"].as_str().unwrap())
        );
        assert_eq!(purse(&bundle, &key).await, (100_000 - spent, 0, spent), "{report}");
        let booked: i64 = bundle.cell(&key).await.counters.spent_by_month.values().sum();
        assert_eq!(booked, i64::try_from(spent).unwrap());
    }
}

#[tokio::test]
async fn a_repetition_gets_the_same_answer_and_a_contradiction_a_conflict() {
    let (bundle, service, key, charge) = running(json!({"name": "a"})).await;
    let before = purse(&bundle, &key).await;
    let first = bundle.settle(&service, &charge, &succeeded("0.037")).await;
    let again = bundle.settle(&service, &charge, &succeeded("0.037")).await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    for report in [succeeded("0.036"), json!({"outcome": "failed"}), succeeded("0.1"), succeeded("9")] {
        let conflict = bundle.settle(&service, &charge, &report).await;
        assert_eq!((conflict.status, conflict.code()), (409, "already_settled"), "{report}");
        assert_eq!(conflict.body["actual_usd"], json!(0.037));
    }
    assert_eq!(purse(&bundle, &key).await, (before.0 + 63_000, 0, 37_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_reports_one_counts() {
    let (bundle, service, key, charge) = running(json!({"name": "a"})).await;
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let (bundle, service, charge) = (bundle.clone(), service.clone(), charge.clone());
        let report = succeeded(&format!("0.0{}", 1 + number % 4));
        tasks.spawn(async move { (bundle.settle(&service, &charge, &report).await, report) });
    }
    let answers = tasks.join_all().await;
    let settled: Vec<_> = answers.iter().filter(|(answer, _)| answer.status == 200).collect();
    assert_eq!(settled.len(), 5, "one amount out of four, and all of its repetitions");
    assert!(answers.iter().all(|(answer, _)| matches!(answer.status, 200 | 409)), "{answers:?}");
    let amount = &settled[0].0.body["data"]["actual_usd"];
    assert!(settled.iter().all(|(answer, _)| answer.body["data"]["actual_usd"] == *amount));
    let actual = amount.to_string();
    let (_, reserved, spent) = purse(&bundle, &key).await;
    assert_eq!((reserved, spent), (0, actual[2..].parse::<u64>().unwrap() * 10_000));
}

#[tokio::test]
async fn a_late_settlement_gives_back_what_was_charged_too_much_once() {
    let (bundle, service, key, charge) = running(json!({"name": "a"})).await;
    bundle.clock.advance_ms(900_000);
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    let (balance, reserved, spent) = purse(&bundle, &key).await;
    assert_eq!((reserved, spent), (0, 100_000));
    for _ in 0..2 {
        assert_eq!(bundle.settle(&service, &charge, &succeeded("0.02")).await.status, 200);
        assert_eq!(purse(&bundle, &key).await, (balance + 80_000, 0, 20_000));
    }
    assert!(bundle.cell(&key).await.leases.lapsed.is_empty());
}

#[tokio::test]
async fn a_settlement_after_the_lease_but_before_any_other_write_counts_as_well() {
    let (bundle, service, key, charge) = running(json!({"name": "a"})).await;
    bundle.clock.advance_ms(5_000_000);
    assert_eq!(bundle.settle(&service, &charge, &json!({"outcome": "failed"})).await.status, 200);
    let (_, reserved, spent) = purse(&bundle, &key).await;
    assert_eq!((reserved, spent), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_settled_moves_nothing() {
    let (bundle, service, key, charge) = running(json!({"name": "a"})).await;
    let before = purse(&bundle, &key).await;
    for (report, field) in [
        (succeeded("0.100001"), "actual_usd"),
        (succeeded("-0.01"), "actual_usd"),
        (succeeded("0.0000001"), "actual_usd"),
        (succeeded("1e-3"), "actual_usd"),
        (json!({"outcome": "failed", "actual_usd": 0.01}), "actual_usd"),
        (json!({"outcome": "perhaps"}), "outcome"),
        (json!({"actual_usd": 0.01}), "outcome"),
        (json!({"outcome": "failed", "error_code": "two words"}), "error_code"),
        (json!({"outcome": "succeeded", "error_code": "x"}), "error_code"),
        (json!({"outcome": "succeeded", "colour": 1}), "colour"),
    ] {
        let answer = bundle.settle(&service, &charge, &report).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{report} {}", answer.text);
        assert_eq!(answer.body["field"], field, "{report}");
    }
    assert_eq!(purse(&bundle, &key).await, before);
}

#[tokio::test]
async fn a_charge_that_does_not_exist_cannot_be_settled() {
    let (bundle, service, key, charge) = running(json!({"name": "a"})).await;
    let paid = bundle.knock(&key, "POST", "/demo/paid").await;
    let other = format!("{}{}", &charge[..charge.len() - 1], if charge.ends_with('0') { '1' } else { '0' });
    let (nonce, zeros) = (&charge[charge.len() - 22..], "0".repeat(16));
    let foreign = format!("chg_k{zeros}{nonce}");
    for id in [paid.text("chargeId"), &other, &foreign, "chg_", "chg_1", "key_1", "%2e%2e", "é"] {
        let answer = bundle.settle(&service, id, &json!({"outcome": "failed"})).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{id}");
    }
    let (_, reserved, _) = purse(&bundle, &key).await;
    assert_eq!(reserved, 100_000);
}

#[tokio::test]
async fn only_a_service_key_settles() {
    let (bundle, _, key, charge) = running(json!({"name": "a", "scopes": "admin"})).await;
    let stranger = bundle.login(&bundle.wallet("stranger")).await;
    let report = json!({"outcome": "failed"});
    for (caller, status, code) in [
        (Caller::Anonymous, 401, "missing_credentials"),
        (Caller::Key("sk_test_x".into()), 401, "invalid_api_key"),
        // A key's own owner, and a key that may do everything its owner may.
        (stranger.caller(), 403, "insufficient_scope"),
        (key.clone(), 403, "insufficient_scope"),
    ] {
        let answer = bundle.settle(&caller, &charge, &report).await;
        assert_eq!((answer.status, answer.code()), (status, code));
    }
    let (_, reserved, _) = purse(&bundle, &key).await;
    assert_eq!(reserved, 100_000);
}

#[tokio::test]
async fn a_report_whose_answer_is_lost_may_be_sent_again_from_anywhere() {
    // Each call to the table on the way of a report fails once, before and after it was applied.
    for at in 0..6 {
        for fault in [Fault::LoseAnswer, Fault::LoseRequest, Fault::Delay, Fault::Throttle, Fault::Break] {
            let (bundle, service, key, charge) = running(json!({"name": "a"})).await;
            let (balance, ..) = purse(&bundle, &key).await;
            bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([fault]));
            let answer = bundle.settle(&service, &charge, &succeeded("0.037")).await;
            assert!(matches!(answer.status, 200 | 503), "{at} {fault:?}: {}", answer.text);
            let again = bundle.restarted().settle(&service, &charge, &succeeded("0.037")).await;
            assert_eq!(again.status, 200, "{at} {fault:?}: {}", again.text);
            bundle.link.deliver_late().await;
            assert_eq!(purse(&bundle, &key).await, (balance + 63_000, 0, 37_000), "{at} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_service_that_dies_half_way_is_finished_by_the_next_report_even_a_contrary_one() {
    let (bundle, service, key, charge) = running(json!({"name": "a"})).await;
    let (balance, ..) = purse(&bundle, &key).await;
    // The caller's key, the cell, the settlement; then the instance dies.
    bundle.link.play([Fault::None, Fault::None, Fault::None]);
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    assert_eq!(bundle.settle(&service, &charge, &succeeded("0.037")).await.status, 503);
    bundle.link.keep_playing(None);
    assert_eq!(purse(&bundle, &key).await, (balance, 100_000, 0));
    let contrary = bundle.restarted().settle(&service, &charge, &succeeded("0.1")).await;
    assert_eq!((contrary.status, contrary.code()), (409, "already_settled"));
    assert_eq!(purse(&bundle, &key).await, (balance + 63_000, 0, 37_000));
}

#[tokio::test]
async fn an_outage_settles_nothing_and_says_so() {
    let (bundle, service, key, charge) = running(json!({"name": "a"})).await;
    let before = purse(&bundle, &key).await;
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    let answer = bundle.settle(&service, &charge, &succeeded("0.037")).await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    bundle.link.keep_playing(None);
    assert_eq!(purse(&bundle, &key).await, before);
    assert_eq!(bundle.settle(&service, &charge, &succeeded("0.037")).await.status, 200);
}

#[tokio::test]
async fn what_comes_back_to_a_revoked_key_goes_home_to_its_project() {
    let (bundle, service) = Bundle::with_service().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let charge = bundle.knock(&key, "POST", "/demo/metered").await.text("chargeId").to_owned();
    assert_eq!(bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await.status, 204);
    let wallet = async || {
        let project = bundle.cell(&key).await.owner.project;
        bundle.services.store.find_wallet(&project).await.unwrap().unwrap().available.micro_usd()
    };
    assert_eq!((purse(&bundle, &key).await, wallet().await), ((0, 100_000, 0), 4_900_000));
    for _ in 0..2 {
        assert_eq!(bundle.settle(&service, &charge, &succeeded("0.04")).await.status, 200);
        assert_eq!((purse(&bundle, &key).await, wallet().await), ((0, 0, 40_000), 4_960_000));
    }
}

#[tokio::test]
async fn calls_that_nobody_settles_leave_their_key_small_and_can_be_settled_for_ever() {
    let (bundle, service) = Bundle::with_service().await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "limits": {"concurrent": 3}})).await;
    let mut charges = Vec::new();
    for _ in 0..6 {
        for _ in 0..3 {
            let knock = bundle.knock(&key, "POST", "/demo/metered").await;
            assert_eq!(knock.status, 200);
            charges.push(knock.text("chargeId").to_owned());
        }
        bundle.clock.advance_ms(1_000_000);
    }
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 200);
    let cell = bundle.cell(&key).await;
    assert!(cell.leases.lapsed.len() <= 9, "{}", cell.leases.lapsed.len());
    let (balance, _, spent) = purse(&bundle, &key).await;
    assert_eq!(spent, 1_800_000);
    for round in 0..2 {
        for charge in &charges {
            let answer = bundle.settle(&service, charge, &succeeded("0.01")).await;
            assert_eq!(answer.status, 200, "{round} {}", answer.text);
            assert_eq!(bundle.settle(&service, charge, &json!({"outcome": "failed"})).await.status, 409);
        }
        assert_eq!(purse(&bundle, &key).await, (balance + 1_620_000, 0, 180_000));
    }
}

#[tokio::test]
async fn money_that_a_dying_service_left_in_a_revoked_key_is_taken_home_by_the_next_report() {
    let (bundle, service) = Bundle::with_service().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let charge = bundle.knock(&key, "POST", "/demo/metered").await.text("chargeId").to_owned();
    assert_eq!(bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await.status, 204);
    // The service's key, the cell, the settlement, the lease; then the instance dies.
    bundle.link.play([Fault::None, Fault::None, Fault::None, Fault::None]);
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    assert_eq!(bundle.settle(&service, &charge, &succeeded("0.04")).await.status, 503);
    bundle.link.keep_playing(None);
    assert_eq!(purse(&bundle, &key).await, (60_000, 0, 40_000));
    assert_eq!(bundle.restarted().settle(&service, &charge, &succeeded("0.04")).await.status, 200);
    assert_eq!(purse(&bundle, &key).await, (0, 0, 40_000));
}
