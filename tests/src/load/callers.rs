//! Callers: each sends its next call when it has the answer to the last one, and reports later what metered calls came to.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::load::{Span, client::Client, lag::Lag, scene::Scene, tally::Tally};

/// Calls until it is over, then reports what is still open.
pub(crate) async fn call(scene: Arc<Scene>, tally: Arc<Tally>, span: Arc<Span>, lag: Arc<Lag>) {
    let mut client = Client::to(&scene.running.url);
    let mut open = VecDeque::new();
    while span.takes_another() {
        while lag.is_too_long() {
            tokio::time::sleep(PATIENCE).await;
        }
        let (method, path, price) = match fastrand::u8(..100) {
            0..50 => ("GET", "/demo/free", 0),
            50..75 => ("POST", "/demo/paid", 10_000),
            75..97 => ("POST", "/demo/metered", RESERVED),
            _ => ("GET", "/demo/limited", 0),
        };
        let answer = client.send(method, path, &scene.any_caller(), None).await;
        let charge = tally.called(path, price, answer.as_ref());
        // One metered call in forty is reported by nobody.
        if let Some(charge) = charge.filter(|_| price == RESERVED && fastrand::u8(..40) > 0) {
            open.push_back(charge);
        }
        if open.len() > fastrand::usize(..MAX_OPEN)
            && let Some(charge) = open.pop_front()
        {
            report(&mut client, &scene, &tally, &charge).await;
        }
    }
    for charge in open {
        report(&mut client, &scene, &tally, &charge).await;
    }
}

async fn report(client: &mut Client, scene: &Scene, tally: &Tally, charge: &str) {
    let (report, actual) = match fastrand::u8(..10) {
        0 => (json!({"outcome": "failed"}), 0),
        1..3 => (json!({"outcome": "failed", "error_code": "model.timeout"}), 0),
        3 => (json!({"outcome": "succeeded"}), RESERVED),
        _ => {
            let actual = fastrand::u64(..=RESERVED);
            (json!({"outcome": "succeeded", "actual_usd": usd(actual)}), actual)
        }
    };
    let times = if fastrand::u8(..20) == 0 { 2 } else { 1 };
    for _ in 0..times {
        let answer = send(client, scene, charge, &report).await;
        tally.settled(charge, actual, answer.as_ref());
    }
}

async fn send(client: &mut Client, scene: &Scene, charge: &str, report: &Value) -> Option<crate::Answer> {
    client.send("POST", &format!("/v1/charges/{charge}/settle"), &scene.service, Some(report)).await
}

/// An amount below a dollar, as one writes it.
fn usd(micro_usd: u64) -> String {
    format!("0.{micro_usd:06}")
}

const PATIENCE: Duration = Duration::from_millis(20);
/// What a metered call reserves, in millionths of a dollar.
const RESERVED: u64 = 100_000;
/// Metered calls of one caller that wait for their report, at most.
const MAX_OPEN: usize = 12;
