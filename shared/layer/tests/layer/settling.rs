//! What the gate is told by a response, and who waits for that.

use axum::{
    Extension, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use faregate_layer::{ActualCost, ErrorCode, FaregateLayer, MicroUsd, Outcome, Settlement, Settling};
use serde_json::{Value, json};

use crate::{
    backend::{ask, held, serve},
    gate::{Gate, KEY},
};

/// Serves one answer behind the layer.
async fn answering<R>(layer: FaregateLayer, answer: fn() -> R) -> String
where
    R: IntoResponse + 'static,
{
    serve(Router::new().route("/", post(move || async move { answer() })).layer(layer)).await
}

type Handler = fn() -> Response;

fn costing(micro_usd: u64) -> Extension<ActualCost> {
    Extension(ActualCost(MicroUsd::new(micro_usd).unwrap()))
}

#[tokio::test]
async fn the_response_says_how_the_charge_is_settled() {
    let gate = Gate::open().await;
    let layer = || FaregateLayer::behind_gateway(Settling::Awaited(gate.settler()));
    let failed = |code: &str| json!({"outcome": "failed", "error_code": code});
    let succeeded = json!({"outcome": "succeeded"});
    let cases: [(Handler, u16, Value); 9] = [
        (|| "whole".into_response(), 200, succeeded.clone()),
        (|| (costing(37_000), "part").into_response(), 200, json!({"outcome": "succeeded", "actual_usd": "0.037"})),
        (|| (costing(0), "free").into_response(), 200, json!({"outcome": "succeeded", "actual_usd": "0"})),
        (|| (costing(100_001), "too much").into_response(), 200, succeeded.clone()),
        (|| StatusCode::NOT_FOUND.into_response(), 404, succeeded.clone()),
        (|| StatusCode::BAD_GATEWAY.into_response(), 502, failed("http_502")),
        (|| (StatusCode::INTERNAL_SERVER_ERROR, costing(1)).into_response(), 500, failed("http_500")),
        (|| (StatusCode::INTERNAL_SERVER_ERROR, Extension(Outcome::Succeeded)).into_response(), 500, succeeded),
        (
            || Extension(Outcome::Failed(ErrorCode::parse("bad_prompt").unwrap())).into_response(),
            200,
            failed("bad_prompt"),
        ),
    ];
    for (answer, status, body) in cases {
        let url = answering(layer(), answer).await;
        assert_eq!(ask(&url, &held()).await.status, status);
        let wanted = json!({
            "charge": "chg_dddddddddddddddddddddd",
            "authorization": format!("Bearer {KEY}"),
            "body": body,
        });
        assert_eq!(gate.settlement().await, wanted);
    }
    gate.assert_silent().await;
}

#[tokio::test]
async fn a_cost_in_a_header_is_read_and_removed() {
    let gate = Gate::open().await;
    let layer = FaregateLayer::behind_gateway(Settling::Awaited(gate.settler()));
    let answer = || [("x-actual-cost-usd", "0.05"), ("x-own", "kept")];
    let url = answering(layer.clone().with_cost_header(), answer).await;
    let told = ask(&url, &held()).await;
    assert_eq!((told.header("x-actual-cost-usd"), told.header("x-own")), (None, Some("kept")));
    assert_eq!(gate.body().await, json!({"outcome": "succeeded", "actual_usd": "0.05"}));
    let url = answering(layer, answer).await;
    assert_eq!(ask(&url, &held()).await.header("x-actual-cost-usd"), Some("0.05"));
    assert_eq!(gate.body().await, json!({"outcome": "succeeded"}));
}

#[tokio::test]
async fn a_response_waits_until_its_charge_is_settled() {
    let gate = Gate::slow().await;
    let layer = FaregateLayer::behind_gateway(Settling::Awaited(gate.settler()));
    let url = answering(layer, || "done").await;
    let asked = tokio::spawn(async move { ask(&url, &held()).await.status });
    gate.arrival().await;
    assert!(!asked.is_finished(), "the response came before the settlement");
    gate.open_door(1);
    assert_eq!(asked.await.unwrap(), 200);
    assert_eq!(gate.body().await, json!({"outcome": "succeeded"}));
}

#[tokio::test]
async fn a_settlement_in_the_background_holds_nobody_up() {
    let gate = Gate::slow().await;
    let settler = gate.settler();
    let url = answering(FaregateLayer::behind_gateway(Settling::InBackground(settler.clone())), || "done").await;
    assert_eq!(ask(&url, &held()).await.status, 200);
    gate.arrival().await;
    gate.open_door(1);
    settler.finish().await;
    assert_eq!(gate.body().await, json!({"outcome": "succeeded"}));
}

#[tokio::test]
async fn a_settlement_that_fails_does_not_fail_the_response() {
    for status in [400, 401, 404, 409] {
        let gate = Gate::refusing(status).await;
        let settler = gate.settler();
        let url = answering(FaregateLayer::behind_gateway(Settling::Awaited(settler.clone())), || "done").await;
        let answer = ask(&url, &held()).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "done"));
        assert_eq!(gate.body().await, json!({"outcome": "succeeded"}));
        settler.finish().await;
        gate.assert_silent().await;
    }
}

#[tokio::test]
async fn a_backend_may_settle_later() {
    let gate = Gate::open().await;
    let settler = gate.settler();
    let layer = FaregateLayer::behind_gateway(Settling::Awaited(settler.clone()));
    let url = answering(layer, || (StatusCode::ACCEPTED, Extension(Outcome::Deferred), costing(1))).await;
    assert_eq!(ask(&url, &held()).await.status, 202);
    settler.finish().await;
    gate.assert_silent().await;
    let charge = faregate_layer::Charge::parse("chg_dddddddddddddddddddddd").unwrap();
    let settlement = Settlement::Succeeded { actual: MicroUsd::new(5).ok() };
    settler.settle(&charge, &settlement).await.unwrap();
    assert_eq!(gate.body().await, json!({"outcome": "succeeded", "actual_usd": "0.000005"}));
}

#[tokio::test]
async fn a_backend_that_settles_by_itself_is_left_alone() {
    let layer = FaregateLayer::behind_gateway(Settling::LeftToBackend).with_cost_header();
    let url = answering(layer, || ([("x-actual-cost-usd", "0.05")], "done")).await;
    let answer = ask(&url, &held()).await;
    assert_eq!((answer.text.as_str(), answer.header("x-actual-cost-usd")), ("done", None));
}
