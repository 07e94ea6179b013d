//! The settler before gates that fail, wait and recover, on a clock that jumps.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::StatusCode;
use tokio::time::{Duration, timeout};
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;
use crate::{ErrorCode, MicroUsd};

type Asked = Arc<Mutex<Vec<Request<String>>>>;

/// A gate that answers with these one after the other, and with the last of them from then on.
fn gate(answers: Vec<Response<String>>) -> (Settler, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let client = service_fn(move |request: Request<String>| {
        let mut seen = seen.lock().unwrap();
        let answer = answers.get(seen.len()).or(answers.last()).unwrap().clone();
        seen.push(request);
        async move { Ok::<_, Infallible>(answer) }
    });
    (settler(client), asked)
}

fn settler<C>(client: C) -> Settler
where
    C: Service<Request<String>, Response = Response<String>> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    let key = ServiceKey::new("sk_prod_secret").unwrap();
    Settler::with_client("https://gate.example/base/", key, BoxCloneSyncService::new(client)).unwrap()
}

fn answer(status: u16, retry_after: Option<&str>) -> Response<String> {
    let mut answer = Response::new(String::new());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert("retry-after", seconds.parse().unwrap());
    }
    answer
}

fn charge() -> Charge {
    Charge::parse("chg_1").unwrap()
}

const DONE: Settlement = Settlement::Succeeded { actual: None };

#[tokio::test]
async fn a_settlement_is_one_post_with_the_service_key() {
    let (settler, asked) = gate(vec![answer(200, None)]);
    let cents = MicroUsd::new(37_000).ok();
    let code = ErrorCode::parse("model.timeout");
    let failed = |code| Settlement::Failed { code };
    for settlement in [DONE, Settlement::Succeeded { actual: cents }, failed(code), failed(None)] {
        settler.settle(&charge(), &settlement).await.unwrap();
    }
    let asked = asked.lock().unwrap();
    for request in asked.iter() {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "https://gate.example/base/v1/charges/chg_1/settle");
        assert_eq!(request.headers()["authorization"], "Bearer sk_prod_secret");
        assert!(request.headers()["authorization"].is_sensitive());
        assert_eq!(request.headers()["content-type"], "application/json");
    }
    let bodies: Vec<serde_json::Value> =
        asked.iter().map(|request| serde_json::from_str(request.body()).unwrap()).collect();
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
async fn a_gate_that_recovers_is_told_the_same_again() {
    let (settler, asked) = gate(vec![answer(500, None), answer(503, None), answer(200, None)]);
    assert_eq!(settler.settle(&charge(), &DONE).await, Ok(()));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|request| request.body() == asked[0].body() && request.uri() == asked[0].uri()));
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_stays_broken_is_asked_three_times() {
    let (settler, asked) = gate(vec![answer(502, None)]);
    let refused = settler.settle(&charge(), &DONE).await.unwrap_err();
    assert_eq!(refused.to_string(), "the gate answered 502");
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_gate_refuses_is_said_once() {
    for status in [400, 401, 404, 409, 429] {
        let (settler, asked) = gate(vec![answer(status, Some("0")), answer(200, None)]);
        assert!(settler.settle(&charge(), &DONE).await.is_err());
        assert_eq!(asked.lock().unwrap().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_made_again() {
    let attempts = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&attempts);
    let settler = settler(service_fn(move |_: Request<String>| {
        *seen.lock().unwrap() += 1;
        let is_third = *seen.lock().unwrap() == 3;
        async move { if is_third { Ok(answer(200, None)) } else { Err(std::io::Error::other("reset by peer")) } }
    }));
    assert_eq!(settler.settle(&charge(), &DONE).await, Ok(()));
    assert_eq!(*attempts.lock().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_silent_gate_is_given_up_after_three_times_three_seconds() {
    let silent = settler(service_fn(|_: Request<String>| std::future::pending::<Result<_, Infallible>>()));
    let charge = charge();
    let mut settled = std::pin::pin!(silent.settle(&charge, &DONE));
    assert!(timeout(Duration::from_millis(8_990), &mut settled).await.is_err(), "given up too early");
    let settled = timeout(Duration::from_millis(620), settled).await;
    assert_eq!(settled.expect("given up in time"), Err(SettleError::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn the_gates_wish_to_wait_is_respected() {
    let (settler, asked) = gate(vec![answer(503, Some("4")), answer(200, None)]);
    let charge = charge();
    let mut settled = std::pin::pin!(settler.settle(&charge, &DONE));
    assert!(timeout(Duration::from_millis(3_990), &mut settled).await.is_err(), "asked again too early");
    assert_eq!(asked.lock().unwrap().len(), 1);
    let settled = timeout(Duration::from_millis(220), settled).await;
    assert_eq!(settled.expect("asked again in time"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_wait_for_long_ends_the_attempts() {
    let (settler, asked) = gate(vec![answer(503, Some("6")), answer(200, None)]);
    assert!(settler.settle(&charge(), &DONE).await.is_err());
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_finishes_waits_for_what_is_under_way() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let door = Arc::clone(&gate);
    let settler = settler(service_fn(move |_: Request<String>| {
        let door = Arc::clone(&door);
        async move {
            door.acquire().await.unwrap().forget();
            Ok::<_, Infallible>(answer(200, None))
        }
    }));
    finish(&settler).await;
    let running = settler.spawn(&Handle::current(), charge(), DONE);
    assert!(timeout(Duration::from_secs(1), settler.finish()).await.is_err(), "finished while one was under way");
    gate.add_permits(1);
    finish(&settler).await;
    running.await.unwrap();
    let stopped = settler.spawn(&Handle::current(), charge(), DONE);
    stopped.abort();
    finish(&settler).await;
}

async fn finish(settler: &Settler) {
    timeout(Duration::from_secs(9), settler.finish()).await.expect("nothing is under way any more");
}

#[tokio::test]
async fn only_a_bare_http_address_is_a_gate() {
    let settler = |gate| Settler::new(gate, ServiceKey::new("sk").unwrap());
    for gate in ["", "a.com", "ftp://a", "http://", "http://a?x=1", "http://a#x", "http://me:pw@a", "file:///x"] {
        assert!(matches!(settler(gate), Err(InvalidSettler::Gate)), "{gate}");
    }
    let shown = format!("{:?}", settler("http://a:3000//").unwrap());
    assert_eq!(shown, "Settler { gate: \"http://a:3000\", .. }");
}
