//! The settler before gates that are silent or recover, on a clock that jumps: its pauses, and what runs by itself.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::StatusCode;
use tokio::time::{Duration, timeout};
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;

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

fn answer(status: u16) -> Response<String> {
    let mut answer = Response::new(String::new());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn charge() -> Charge {
    Charge::parse("chg_1").unwrap()
}

const DONE: Settlement = Settlement::Succeeded { actual: None };

#[tokio::test(start_paused = true)]
async fn a_gate_that_recovers_is_told_the_same_again() {
    let (settler, asked) = gate(vec![answer(500), answer(503), answer(200)]);
    assert_eq!(settler.settle(&charge(), &DONE).await, Ok(()));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|request| request.body() == asked[0].body() && request.uri() == asked[0].uri()));
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
async fn whoever_finishes_waits_for_what_is_under_way() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let door = Arc::clone(&gate);
    let settler = settler(service_fn(move |_: Request<String>| {
        let door = Arc::clone(&door);
        async move {
            door.acquire().await.unwrap().forget();
            Ok::<_, Infallible>(answer(200))
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
