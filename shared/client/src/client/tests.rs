//! The client before gates that fail, wait and recover, on a clock that jumps.

use std::{convert::Infallible, sync::Mutex};

use serde_json::json;
use tokio::time::timeout;
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;
use crate::{ErrorCode, MicroUsd};

type Asked = Arc<Mutex<Vec<Request<String>>>>;

/// A gate that answers with these one after the other, and with the last of them from then on.
fn gate(answers: Vec<Response<String>>) -> (Client, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let client = service_fn(move |request: Request<String>| {
        let mut seen = seen.lock().unwrap();
        let answer = answers.get(seen.len()).or(answers.last()).unwrap().clone();
        seen.push(request);
        async move { Ok::<_, Infallible>(answer) }
    });
    (client_over(client), asked)
}

fn client_over<C>(client: C) -> Client
where
    C: Service<Request<String>, Response = Response<String>> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    let key = ServiceKey::new("sk_prod_secret").unwrap();
    Client::with_client("https://gate.example/base/", key, BoxCloneSyncService::new(client)).unwrap()
}

fn answer(status: u16, retry_after: Option<&str>) -> Response<String> {
    let mut answer = Response::new(String::new());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert("retry-after", seconds.parse().unwrap());
    }
    answer
}

fn refusal() -> Response<String> {
    let data = json!({
        "allowed": false, "status": 401, "code": "invalid_api_key", "headers": {}, "body": {}, "charge_id": null,
        "principal": null,
    });
    Response::new(json!({"data": data}).to_string())
}

fn call() -> Call {
    Call::new("sk_test_caller", "POST", "/videos")
}

fn charge() -> Charge {
    Charge::parse("chg_1").unwrap()
}

const DONE: Settlement = Settlement::Succeeded { actual: None };

#[tokio::test]
async fn a_settlement_is_one_post_with_the_service_key() {
    let (client, asked) = gate(vec![answer(200, None)]);
    let cents = MicroUsd::new(37_000).ok();
    let code = ErrorCode::parse("model.timeout");
    let failed = |code| Settlement::Failed { code };
    for settlement in [DONE, Settlement::Succeeded { actual: cents }, failed(code), failed(None)] {
        client.settle(&charge(), &settlement).await.unwrap();
    }
    let asked = asked.lock().unwrap();
    for request in asked.iter() {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "https://gate.example/base/v1/charges/chg_1/settle");
        assert_eq!(request.headers()["authorization"], "Bearer sk_prod_secret");
        assert!(request.headers()["authorization"].is_sensitive());
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(request.headers()["idempotency-key"], "chg_1");
    }
    let bodies: Vec<Value> = asked.iter().map(|request| serde_json::from_str(request.body()).unwrap()).collect();
    assert_eq!(
        bodies,
        [
            json!({"outcome": "succeeded"}),
            json!({"outcome": "succeeded", "actual_usd": "0.037"}),
            json!({"outcome": "failed", "error_code": "model.timeout"}),
            json!({"outcome": "failed"}),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_attempt_of_a_call_carries_its_one_key() {
    let (client, asked) = gate(vec![answer(500, None), answer(429, Some("2")), refusal()]);
    for _ in 0..2 {
        let Ok(Verdict::Refused(refused)) = client.verify(&call()).await else { panic!("refused") };
        assert_eq!(refused.status, 401);
    }
    let asked = asked.lock().unwrap();
    let keys: Vec<_> = asked.iter().map(|request| request.headers()["idempotency-key"].clone()).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[0] == keys[1] && keys[1] == keys[2] && keys[2] != keys[3], "{keys:?}");
    assert_eq!(keys[0].len(), 32);
    assert!(asked.iter().all(|request| request.uri().path() == "/base/v1/api-keys/verify"));
    assert!(asked.iter().all(|request| request.body() == asked[0].body()));
}

#[tokio::test]
async fn a_call_may_bring_a_key_of_its_own() {
    let (client, asked) = gate(vec![refusal()]);
    let call = call().with_idempotency_key("order-7").unwrap();
    client.verify(&call).await.unwrap();
    client.verify(&call).await.unwrap();
    assert!(asked.lock().unwrap().iter().all(|request| request.headers()["idempotency-key"] == "order-7"));
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_stays_broken_is_asked_three_times() {
    let (client, asked) = gate(vec![answer(502, None)]);
    let refused = client.verify(&call()).await.unwrap_err();
    assert_eq!(refused.to_string(), "the gate answered 502");
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_gate_refuses_is_said_once() {
    for status in [400, 401, 403, 404, 409, 422] {
        let (client, asked) = gate(vec![answer(status, Some("0")), refusal()]);
        assert!(client.verify(&call()).await.is_err());
        assert_eq!(asked.lock().unwrap().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_acted_on_admits_nobody() {
    let (client, asked) = gate(vec![answer(200, None), refusal()]);
    assert!(matches!(client.verify(&call()).await, Err(CallError::Malformed(_))));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_made_again() {
    let attempts = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&attempts);
    let client = client_over(service_fn(move |_: Request<String>| {
        *seen.lock().unwrap() += 1;
        let is_third = *seen.lock().unwrap() == 3;
        async move { if is_third { Ok(refusal()) } else { Err(std::io::Error::other("reset by peer")) } }
    }));
    assert!(client.verify(&call()).await.is_ok());
    assert_eq!(*attempts.lock().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_silent_gate_is_given_up_after_three_attempts_and_two_pauses() {
    let silent = client_over(service_fn(|_: Request<String>| std::future::pending::<Result<_, Infallible>>()));
    let call = call();
    let mut asked = std::pin::pin!(silent.verify(&call));
    assert!(timeout(Duration::from_millis(8_990), &mut asked).await.is_err(), "given up too early");
    // Pauses of at most one second, then two.
    let asked = timeout(Duration::from_millis(3_020), asked).await;
    assert_eq!(asked.expect("given up in time").unwrap_err(), CallError::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn the_gates_wish_to_wait_is_respected_as_far_as_it_is_reasonable() {
    for status in [429, 503] {
        let (client, asked) = gate(vec![answer(status, Some("4")), refusal()]);
        let call = call();
        let mut verdict = std::pin::pin!(client.verify(&call));
        assert!(timeout(Duration::from_millis(3_990), &mut verdict).await.is_err(), "asked again too early");
        assert_eq!(asked.lock().unwrap().len(), 1);
        assert!(timeout(Duration::from_millis(1_020), verdict).await.expect("asked again in time").is_ok());
        let (client, asked) = gate(vec![answer(status, Some("6")), refusal()]);
        assert!(client.verify(&call).await.is_err());
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn only_a_bare_http_address_is_a_gate() {
    let client = |gate| Client::new(gate, ServiceKey::new("sk").unwrap());
    for gate in ["", "a.com", "ftp://a", "http://", "http://a?x=1", "http://a#x", "http://me:pw@a", "file:///x"] {
        assert!(matches!(client(gate), Err(InvalidClient::Gate)), "{gate}");
    }
    let shown = format!("{:?}", client("http://a:3000//").unwrap());
    assert_eq!(shown, "Client { gate: \"http://a:3000\", .. }");
}
