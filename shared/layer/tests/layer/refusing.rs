//! Requests that do not get through: refused ones, and ones that no gate has decided about.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, routing::post};
use faregate_layer::{FaregateLayer, Settling};
use serde_json::{Value, json};

use crate::{
    backend::{ADMITTED, Answer, ask, held, serve},
    gate::Gate,
};

/// A backend that counts its calls.
struct Backend {
    url: String,
    calls: Arc<AtomicUsize>,
    gate: Gate,
}

impl Backend {
    async fn start() -> Self {
        let gate = Gate::open().await;
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let count = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            async { "done" }
        };
        let layer = FaregateLayer::behind_gateway(Settling::Awaited(gate.settler()));
        Self { url: serve(Router::new().route("/", post(count)).layer(layer)).await, calls, gate }
    }

    /// Asks with a changed admission: a header that is named is replaced, or removed where it is given nothing.
    async fn ask_with(&self, changes: &[(&'static str, Option<&'static str>)]) -> Answer {
        let mut headers = held();
        headers.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        headers.extend(changes.iter().filter_map(|(name, value)| Some((*name, (*value)?))));
        ask(&self.url, &headers).await
    }

    async fn assert_untouched(&self) {
        assert_eq!(self.calls.load(Ordering::SeqCst), 0, "the service was called");
        self.gate.assert_silent().await;
    }
}

fn assert_unavailable(answer: &Answer, request_id: &str) {
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let body: Value = serde_json::from_str(&answer.text).unwrap();
    let wanted = json!({
        "type": "/problems/gate_unavailable",
        "title": "Gate unavailable",
        "status": 503,
        "detail": "The gate cannot decide right now; try again.",
        "code": "gate_unavailable",
        "request_id": request_id,
    });
    assert_eq!(body, wanted);
}

#[tokio::test]
async fn a_refusal_is_answered_as_the_gate_meant_it() {
    let backend = Backend::start().await;
    let problem = r#"{"code":"rate_limited","status":429,"detail":"Zu viele für jetzt"}"#;
    let refused: &[(&str, Option<&str>)] = &[
        ("x-faregate-status", Some("429")),
        ("x-faregate-code", Some("rate_limited")),
        ("x-faregate-problem", Some(problem)),
        ("x-faregate-retry-after", Some("20")),
        ("x-faregate-challenge", Some("Bearer realm=\"faregate\"")),
        ("x-faregate-rl-remaining", Some("0")),
        ("x-faregate-charge-id", None),
        ("x-faregate-account-id", None),
    ];
    let answer = backend.ask_with(refused).await;
    assert_eq!((answer.status, answer.text.as_str()), (429, problem));
    for (name, value) in [
        ("content-type", Some("application/problem+json")),
        ("cache-control", Some("no-store")),
        ("retry-after", Some("20")),
        ("www-authenticate", Some("Bearer realm=\"faregate\"")),
        ("x-ratelimit-limit", Some("100")),
        ("x-ratelimit-remaining", Some("0")),
        ("x-ratelimit-reset", Some("1789000060")),
        ("ratelimit-policy", Some("\"minute\";q=100;w=60")),
        ("ratelimit", Some("\"minute\";r=99;t=20")),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    backend.assert_untouched().await;
}

#[tokio::test]
async fn a_request_that_came_past_the_gate_is_not_served() {
    let backend = Backend::start().await;
    assert_unavailable(&ask(&backend.url, &[]).await, "");
    assert_unavailable(&ask(&backend.url, &[("authorization", "Bearer sk"), ("x-api-key", "sk")]).await, "");
    assert_unavailable(&ask(&backend.url, &[("x_faregate_status", "200")]).await, "");
    backend.assert_untouched().await;
}

#[tokio::test]
async fn a_decision_that_is_neither_yes_nor_no_is_not_served() {
    let backend = Backend::start().await;
    for (name, value) in [
        ("x-faregate-status", None),
        ("x-faregate-status", Some("")),
        ("x-faregate-status", Some("201")),
        ("x-faregate-status", Some("0200")),
        ("x-faregate-status", Some("302")),
        ("x-faregate-status", Some("402")),
        ("x-faregate-account-id", None),
        ("x-faregate-project-id", Some("prj_1")),
        ("x-faregate-key-id", Some("key_1")),
        ("x-faregate-environment", None),
        ("x-faregate-scopes", None),
        ("x-faregate-charge-id", None),
        ("x-faregate-charge-id", Some("chg_/../../keys")),
        ("x-faregate-settle", Some("yes")),
        ("x-faregate-reserved-usd", None),
        ("x-faregate-reserved-usd", Some("lots")),
    ] {
        let answer = backend.ask_with(&[(name, value)]).await;
        assert_unavailable(&answer, "req-1");
    }
    backend.assert_untouched().await;
}

#[tokio::test]
async fn a_header_beside_the_gates_own_is_not_believed() {
    let backend = Backend::start().await;
    for (name, value) in [
        ("x-faregate-account-id", "acc_ffffffffffffffffffffff"),
        ("x-faregate-status", "200"),
        ("X-Faregate-Scopes", "*"),
        ("x-faregate-settle", ""),
    ] {
        for headers in [[&held()[..], &[(name, value)]].concat(), [&[(name, value)], &held()[..]].concat()] {
            assert_unavailable(&ask(&backend.url, &headers).await, "req-1");
        }
    }
    backend.assert_untouched().await;
    assert_eq!(ask(&backend.url, &ADMITTED).await.status, 200);
    assert_eq!(backend.calls.load(Ordering::SeqCst), 1);
}
