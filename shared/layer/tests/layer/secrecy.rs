//! The service key reaches the gate and nothing else.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::post};
use faregate_layer::{FaregateLayer, Settling};
use tower_layer::Layer;

use crate::{
    backend::{ask, held, serve},
    gate::{Gate, KEY},
};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_service_key_is_in_no_log_and_in_nothing_that_prints() {
    let log = Log::default();
    let writer = log.clone();
    let lines =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    lines.try_init().unwrap();
    let mut shown = Vec::new();
    for gate in [Gate::open().await, Gate::refusing(409).await] {
        let layer = FaregateLayer::behind_gateway(Settling::Awaited(gate.settler()));
        shown.push(format!("{layer:?} {:?} {:?}", layer.layer(()), gate.settler()));
        let url = serve(Router::new().route("/", post(|| async { "done" })).layer(layer)).await;
        shown.push(format!("{:?}", ask(&url, &held()).await));
        assert_eq!(gate.settlement().await["authorization"], format!("Bearer {KEY}"));
    }
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    let shown = shown.concat();
    assert!(logged.contains("could not be settled") && logged.contains("already_settled"), "the log was captured");
    assert!(shown.contains("FaregateLayer") && shown.contains("Settler"), "{shown}");
    for (place, text) in [("a log", &logged), ("what prints", &shown)] {
        assert!(!text.contains(KEY), "the key is in {place}");
    }
}
