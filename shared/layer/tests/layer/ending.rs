//! Requests that end otherwise than by a response.

use std::{
    future::{pending, poll_fn},
    sync::Arc,
    task::{Context, Poll},
};

use axum::{Router, routing::post};
use faregate_layer::{Faregate, FaregateLayer, Settling};
use http::{Request, Response};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore};
use tower::{Service, service_fn};
use tower_layer::Layer;

use crate::{
    backend::{held, serve, try_ask},
    gate::Gate,
};

fn request() -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in held() {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

fn behind<S>(gate: &Gate, service: S) -> Faregate<S> {
    FaregateLayer::behind_gateway(Settling::Awaited(gate.settler())).layer(service)
}

/// Begins a request of which the rest never comes from this side.
async fn begin(url: &str) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap();
    let lines: Vec<_> = held().iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("POST / HTTP/1.1\r\nhost: {address}\r\n{}content-length: 0\r\n\r\n", lines.concat());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_caller_who_goes_away_pays_nothing() {
    let gate = Gate::open().await;
    let begun = Arc::new(Semaphore::new(0));
    let signal = Arc::clone(&begun);
    let wait = move || {
        signal.add_permits(1);
        pending::<&str>()
    };
    let layer = FaregateLayer::behind_gateway(Settling::Awaited(gate.settler()));
    let url = serve(Router::new().route("/", post(wait)).layer(layer)).await;
    let stream = begin(&url).await;
    begun.acquire().await.unwrap().forget();
    gate.assert_silent().await;
    drop(stream);
    assert_eq!(gate.body().await, json!({"outcome": "failed", "error_code": "cancelled"}));
}

#[tokio::test]
async fn a_caller_who_goes_away_after_the_work_pays_for_it() {
    let gate = Gate::slow().await;
    let settler = gate.settler();
    let done = service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>(Response::new("done".to_owned())) });
    let mut service = FaregateLayer::behind_gateway(Settling::Awaited(settler.clone())).layer(done);
    let asked = tokio::spawn(service.call(request()));
    gate.arrival().await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    gate.open_door(9);
    assert_eq!(gate.body().await, json!({"outcome": "succeeded"}));
    settler.finish().await;
    gate.assert_silent().await;
}

#[tokio::test]
async fn a_panic_of_the_service_is_settled_and_goes_on() {
    let gate = Gate::open().await;
    let layer = FaregateLayer::behind_gateway(Settling::Awaited(gate.settler()));
    let handler = || async {
        fail().await.unwrap();
    };
    let url = serve(Router::new().route("/", post(handler)).layer(layer)).await;
    assert!(try_ask(&url, &held()).await.is_none(), "the connection was answered");
    assert_eq!(gate.body().await, json!({"outcome": "failed", "error_code": "panic"}));
    gate.assert_silent().await;
}

#[tokio::test]
async fn a_panic_is_settled_before_it_goes_on() {
    let gate = Gate::slow().await;
    let mut service = behind(&gate, service_fn(|_: Request<()>| fail()));
    let asked = tokio::spawn(service.call(request()));
    gate.arrival().await;
    assert!(!asked.is_finished(), "the panic went on before the settlement");
    gate.open_door(1);
    let panic = asked.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a bug of the backend"));
    assert_eq!(gate.body().await["error_code"], "panic");
}

async fn fail() -> Result<Response<String>, std::io::Error> {
    tokio::task::yield_now().await;
    panic!("a bug of the backend")
}

#[tokio::test]
async fn an_error_of_the_service_is_settled_as_a_failure() {
    let gate = Gate::open().await;
    let broken = service_fn(|_: Request<()>| async { Err::<Response<String>, _>(std::io::Error::other("broken")) });
    let error = behind(&gate, broken).call(request()).await.unwrap_err();
    assert_eq!(error.to_string(), "broken");
    assert_eq!(gate.body().await, json!({"outcome": "failed", "error_code": "service_error"}));
    gate.assert_silent().await;
}

#[tokio::test]
async fn a_request_that_was_never_begun_is_settled_as_well() {
    let gate = Gate::open().await;
    let mut service = behind(&gate, service_fn(|_: Request<()>| fail()));
    drop(service.call(request()));
    assert_eq!(gate.body().await, json!({"outcome": "failed", "error_code": "cancelled"}));
}

/// A service that is never ready.
#[derive(Clone)]
struct Busy;

impl Service<Request<()>> for Busy {
    type Response = Response<String>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Response<String>, std::io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        panic!("called before it was ready")
    }
}

#[tokio::test]
async fn a_request_that_waits_for_a_busy_service_has_its_charge_settled_when_it_is_given_up() {
    let gate = Gate::open().await;
    let mut service = behind(&gate, Busy);
    poll_fn(|context| service.poll_ready(context)).await.unwrap();
    let mut waiting = service.call(request());
    let first = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await;
    assert!(first, "a busy service answered");
    drop(waiting);
    assert_eq!(gate.body().await, json!({"outcome": "failed", "error_code": "cancelled"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_dropped_on_a_thread_without_a_runtime_is_settled() {
    let gate = Gate::open().await;
    let waiting = behind(&gate, Busy).call(request());
    std::thread::spawn(move || drop(waiting)).join().unwrap();
    assert_eq!(gate.body().await, json!({"outcome": "failed", "error_code": "cancelled"}));
}
