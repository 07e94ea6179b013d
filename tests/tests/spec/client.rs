//! A backend that asks by itself, through the client, against the whole running program.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use faregate::{Options, Running, Wallet, start};
use faregate_client::{Backoff, Call, CallError, Client, ServiceKey, Verdict};
use faregate_tests::{Bundle, Caller, Fault, Link};
use lambda_http::{
    http::{Request, Response},
    service_fn,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{layer::make_key, program::fetch};

/// The example that the documentation shows.
#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../../../shared/client/examples/backend.rs"]
mod backend;

/// The running program, a wire to it, a service's client over the wire, and the operator's wallet.
struct Bench {
    running: Running,
    link: Link,
    client: Client,
    wallet: Wallet,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Wallet::open(&folder.path().join("operator.hex")).unwrap();
        let operator = Some(wallet.address().to_string());
        let running = start(Options { operator, ..Options::throw_away() }).await.unwrap();
        let service = make_key(&running, &wallet, json!({"name": "backend", "scopes": ["gate:check"]})).await;
        let link = Link::before(running.url.replace("http://", "")).await.unwrap();
        let backoff = Backoff { first_bound: Duration::from_millis(10), longest_wait: Duration::from_secs(2) };
        let client = Client::new(&link.url(), ServiceKey::new(&service).unwrap()).unwrap().with_backoff(backoff);
        Self { running, link, client, wallet }
    }

    async fn key(&self, body: Value) -> String {
        make_key(&self.running, &self.wallet, body).await
    }

    /// What a key has spent and what it has reserved, in dollars.
    async fn spent(&self, key: &str) -> (Value, Value) {
        let headers = [("x-api-key", key), ("origin", "https://a.com")];
        let (_, billing) = fetch(&self.running.url, "GET", "/v1/billing", &headers, "").await;
        (billing["data"]["spent_today_usd"].clone(), billing["data"]["reserved_usd"].clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_in_front_of_which_nothing_stands_is_guarded_by_its_own_question() {
    let bench = Bench::new().await;
    let key =
        bench.key(json!({"name": "a", "budget_usd": 0.15, "scopes": "admin", "allowlist": ["https://a.com"]})).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = backend::app(bench.client.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let order = |seconds: u64| json!({"seconds": seconds}).to_string();
    let json = ("content-type", "application/json");
    let (own, other) = (("origin", "https://a.com"), ("origin", "https://b.com"));
    let known = ("x-api-key", key.as_str());
    for (headers, seconds, status, code) in [
        (&[json][..], 1, 401, json!("missing_credentials")),
        (&[json, own, ("x-api-key", "nonsense")], 1, 401, json!("invalid_api_key")),
        (&[json, known], 1, 403, json!("origin_not_allowed")),
        (&[json, known, other], 1, 403, json!("origin_not_allowed")),
        // Ten cents are held each time: the second call has room only if the first gave back what it did not cost.
        (&[json, known, own], 8, 200, Value::Null),
        (&[json, known, own], 20, 200, Value::Null),
        (&[json, known, own], 1, 402, json!("insufficient_credits")),
    ] {
        let (found, body) = fetch(&url, "POST", "/demo/metered", headers, &order(seconds)).await;
        assert_eq!((found, &body["code"]), (status, &code), "{headers:?} {body}");
        if status == 200 {
            assert_eq!(body["seconds"], seconds);
        }
    }
    assert_eq!(bench.spent(&key).await, (json!(0.14), json!(0)));
    bench.link.keep_playing(Some(Fault::LoseRequest));
    let (status, _) = fetch(&url, "POST", "/demo/metered", &[json, known, own], &order(1)).await;
    assert_eq!(status, 503);
    bench.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_network_loses_a_call_is_charged_once() {
    let bench = Bench::new().await;
    let key = bench.key(json!({"name": "a", "scopes": "admin"})).await;
    let call = Call::new(&key, "POST", "/demo/paid");
    for faults in [
        vec![Fault::None],
        vec![Fault::LoseAnswer],
        vec![Fault::LoseRequest, Fault::LoseAnswer],
        vec![Fault::LoseAnswer, Fault::LoseAnswer],
        vec![Fault::Break, Fault::LoseAnswer],
        vec![Fault::Duplicate],
    ] {
        bench.link.play(faults.clone());
        let verdict = bench.client.verify(&call).await;
        assert!(matches!(verdict, Ok(Verdict::Allowed(_))), "{faults:?} {verdict:?}");
    }
    assert!(bench.link.deliver_late().await.iter().all(|status| *status == 200));
    assert_eq!(bench.spent(&key).await.0, json!(0.06));
    bench.link.play([Fault::LoseRequest; 3]);
    assert!(matches!(bench.client.verify(&call).await, Err(CallError::Unreachable(_))));
    assert_eq!(bench.spent(&key).await.0, json!(0.06));
    bench.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_learns_of_the_charge_of_a_process_that_died() {
    let (bundle, Caller::Key(service)) = Bundle::with_service().await else { panic!("a service key") };
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    let Caller::Key(text) = &key else { panic!("a key") };
    let statuses = Arc::new(Mutex::new(Vec::new()));
    let (before, told) = (bundle.clone(), Arc::clone(&statuses));
    let gate = service_fn(move |request: Request<String>| {
        let (bundle, told) = (before.clone(), Arc::clone(&told));
        async move {
            let is_first = told.lock().unwrap().is_empty();
            if is_first {
                // The charge is made, and from then on nothing of the process arrives any more.
                bundle.link.play([Fault::None, Fault::None, Fault::LoseAnswer]);
                bundle.link.keep_playing(Some(Fault::LoseRequest));
            }
            let headers: Vec<_> =
                request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            let answer = bundle.send_with("POST", request.uri().path(), &headers, Some(request.body())).await;
            told.lock().unwrap().push(answer.status);
            bundle.link.clear_faults();
            // The first attempt is given up after three seconds, and the second told to wait for the fourth.
            bundle.clock.advance_ms(if is_first { 3_000 } else { 1_000 });
            if is_first {
                return Err(std::io::Error::other("reset by peer"));
            }
            let mut response = Response::builder().status(answer.status);
            for (name, value) in &answer.headers {
                response = response.header(name, value);
            }
            Ok(response.body(answer.text).unwrap())
        }
    });
    let client = Client::with_client("https://gate.example", ServiceKey::new(&service).unwrap(), gate).unwrap();
    let verdict = client.verify(&Call::new(text, "POST", "/demo/paid")).await;
    let Ok(Verdict::Allowed(allowed)) = verdict else { panic!("{verdict:?} {statuses:?}") };
    assert!(allowed.charge.as_ref().unwrap().as_str().starts_with("chg_k"), "{:?}", allowed.charge);
    assert_eq!(*statuses.lock().unwrap(), [503, 409, 200]);
    let cell = bundle.cell(&key).await;
    assert_eq!((cell.counters.requests, cell.purse.spent().micro_usd()), (2, 20_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_the_right_key_learns_so_at_once() {
    let bench = Bench::new().await;
    let key = bench.key(json!({"name": "a"})).await;
    let client = Client::new(&bench.link.url(), ServiceKey::new(&key).unwrap()).unwrap();
    let before = bench.link.requests();
    let refused = client.verify(&Call::new(&key, "GET", "/demo/free")).await.unwrap_err();
    assert_eq!(refused.to_string(), "the gate answered 403 insufficient_scope");
    assert_eq!(bench.link.requests() - before, 1);
    bench.running.stop().await;
}
