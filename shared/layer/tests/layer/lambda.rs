//! The layer in a function on AWS Lambda, on events as API Gateway sends them.

use faregate_layer::{ActualCost, Admission, FaregateLayer, MicroUsd, Settling};
use lambda_http::{Body, Error, Request, Response, service_fn};
use serde_json::{Value, json};
use tower::Service;
use tower_layer::Layer;

use crate::gate::Gate;

/// A proxy event whose authorizer's context is `context`.
fn event(context: &Value, headers: &Value) -> Request {
    let event = json!({
        "resource": "/{proxy+}",
        "path": "/videos",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {},
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": {"proxy": "videos"},
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3d4e5", "httpMethod": "POST", "path": "/live/videos",
            "protocol": "HTTP/1.1", "requestId": "req-7", "requestTimeEpoch": 1_789_000_000, "resourceId": "r",
            "resourcePath": "/{proxy+}", "stage": "live", "identity": {"sourceIp": "203.0.113.7"},
            "authorizer": context,
        },
        "body": "{}",
        "isBase64Encoded": false,
    });
    lambda_http::request::from_str(&event.to_string()).unwrap()
}

fn admitted() -> Value {
    json!({
        "principalId": "key_cccccccccccccccc", "integrationLatency": 7,
        "status": "200", "code": "ok", "problem": "", "retryAfter": "", "challenge": "",
        "accountId": "acc_aaaaaaaaaaaaaaaaaaaaaa", "projectId": "prj_bbbbbbbbbbbbbbbbbbbbbb",
        "keyId": "key_cccccccccccccccc", "environment": "sandbox", "gallery": "prj_bbbbbbbbbbbbbbbbbbbbbb",
        "scopes": "demo:*", "chargeId": "chg_dddddddddddddddddddddd", "settle": "required", "reservedUsd": "0.10",
        "rlLimit": "100", "rlRemaining": "99", "rlReset": "1789000060",
        "policy": "\"minute\";q=100;w=60", "rateLimit": "\"minute\";r=99;t=20",
    })
}

fn with(mut context: Value, member: &str, value: impl Into<Value>) -> Value {
    context[member] = value.into();
    context
}

/// Says who called and which headers came along, at half the price.
async fn work(request: Request) -> Result<Response<Body>, Error> {
    let admission = request.extensions().get::<Admission>().unwrap();
    let mut names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let text = format!("{} {} {names:?}", admission.principal.account, admission.request_id);
    Ok(Response::builder().extension(ActualCost(MicroUsd::new(50_000)?)).body(text.into())?)
}

async fn answer(settling: Settling, request: Request) -> Response<Body> {
    FaregateLayer::on_lambda(settling).layer(service_fn(work)).call(request).await.unwrap()
}

fn text(response: &Response<Body>) -> &str {
    let Body::Text(text) = response.body() else { panic!("text") };
    text
}

#[tokio::test]
async fn an_admitted_event_is_served_and_settled() {
    let gate = Gate::open().await;
    let response = answer(Settling::Awaited(gate.settler()), event(&admitted(), &json!({}))).await;
    assert_eq!(response.status(), 200);
    assert_eq!(text(&response), "acc_aaaaaaaaaaaaaaaaaaaaaa req-7 []");
    assert_eq!(response.headers()["x-ratelimit-remaining"], "99");
    assert_eq!(response.headers()["ratelimit"], "\"minute\";r=99;t=20");
    let settled = gate.settlement().await;
    assert_eq!(settled["charge"], "chg_dddddddddddddddddddddd");
    assert_eq!(settled["body"], json!({"outcome": "succeeded", "actual_usd": "0.05"}));
}

#[tokio::test]
async fn a_refused_event_is_answered_as_the_gate_meant_it() {
    let refused = with(with(admitted(), "status", "402"), "problem", r#"{"code":"insufficient_credits"}"#);
    let gate = Gate::open().await;
    let response = answer(Settling::Awaited(gate.settler()), event(&refused, &json!({}))).await;
    assert_eq!((response.status().as_u16(), text(&response)), (402, r#"{"code":"insufficient_credits"}"#));
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    gate.assert_silent().await;
}

#[tokio::test]
async fn an_event_without_a_decision_is_not_served() {
    let no_context = [Value::Null, json!({}), json!({"principalId": "me"})];
    let bad =
        [("status", json!("204")), ("status", json!(["200"])), ("accountId", json!({})), ("settle", json!("yes"))];
    let bad = bad.map(|(member, value)| with(admitted(), member, value));
    let nested = with(with(admitted(), "status", "402"), "problem", json!({"code": "insufficient_credits"}));
    let forged = json!({"x-faregate-status": "200", "x-faregate-account-id": "acc_aaaaaaaaaaaaaaaaaaaaaa"});
    for context in no_context.iter().chain(&bad).chain([&nested]) {
        let response = answer(Settling::LeftToBackend, event(context, &forged)).await;
        assert_eq!(response.status(), 503, "{context}");
        let body: Value = serde_json::from_str(text(&response)).unwrap();
        assert_eq!((&body["code"], &body["request_id"]), (&json!("gate_unavailable"), &json!("req-7")));
    }
}

#[tokio::test]
async fn a_request_that_is_no_event_of_a_rest_api_is_not_served() {
    let response = answer(Settling::LeftToBackend, Request::new(Body::Empty)).await;
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn a_status_that_is_a_number_is_read_as_api_gateway_writes_it() {
    let response = answer(Settling::LeftToBackend, event(&with(admitted(), "status", 200), &json!({}))).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn neither_credentials_nor_forged_headers_reach_the_function() {
    let headers = json!({
        "Authorization": "Bearer sk_test_1", "X-Api-Key": "sk_test_1", "Cookie": "faregate_session=a; theme=dark",
        "X-Faregate-Account-Id": "acc_ffffffffffffffffffffff", "x_faregate_key_id": "key_f", "accept": "*/*",
    });
    let response = answer(Settling::LeftToBackend, event(&admitted(), &headers)).await;
    assert_eq!(text(&response), "acc_aaaaaaaaaaaaaaaaaaaaaa req-7 [\"accept\", \"cookie\"]");
}

#[tokio::test]
async fn a_function_settles_before_it_stands_still() {
    let gate = Gate::slow().await;
    let settling = Settling::InBackground(gate.settler());
    let answering = tokio::spawn(answer(settling, event(&admitted(), &json!({}))));
    gate.arrival().await;
    assert!(!answering.is_finished(), "the response came before the settlement");
    gate.open_door(1);
    assert_eq!(answering.await.unwrap().status(), 200);
}
