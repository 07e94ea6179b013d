//! What one decision costs: calls, capacity, item bytes and processor time. `cargo bench -p faregate-tests` prints it.
//!
//! An emulator's latency says nothing of AWS, so none is printed. The gate's processor time is that of the thread
//! which decides, less that of sending equal writes through the bare SDK on the same thread.

#![expect(clippy::unwrap_used, clippy::float_arithmetic, reason = "a measurement that fails has nothing to print")]

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use faregate_domain::policy::Policy;
use faregate_store::Meter;
use faregate_tests::{Bundle, Caller, Link, item_bytes};
use serde_json::json;

const ROUNDS: u32 = 1_000;
static SEQ: AtomicU64 = AtomicU64::new(1_792_540_810_000);

fn main() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    // The table and the wire to it run elsewhere, so that this thread's time is the gate's and the SDK's alone.
    std::thread::spawn(move || {
        runtime().block_on(async {
            send.send(Link::before_new_table().await.unwrap()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let link = receive.recv().unwrap();
    runtime().block_on(measure(link));
}

async fn measure(link: Link) {
    let meter = Arc::new(Meter::default());
    let bundle = Bundle::behind(link, Policy::DEFAULT_TEXT, Some(Arc::clone(&meter))).await;
    let session = bundle.newcomer().await;
    let body = json!({"name": "a", "environment": "production", "budget_usd": 4});
    let (id, key) = bundle.key(&session, body).await;
    bundle.knock(&key, "POST", "/demo/paid").await;

    println!("{:<46}{:>9}{:>9}", "request", "calls", "WCU");
    let knocks = Knocks { bundle: &bundle, meter: &meter };
    knocks.count("admitted, paid from the key's slice", &key, "POST", "/demo/paid", 40).await;
    knocks.count("admitted, route with a limit of its own", &key, "GET", "/demo/limited", 5).await;
    knocks.count("refused, route limit used up (after its burst)", &key, "GET", "/demo/limited", 50).await;
    let mut junk = String::new();
    if let Caller::Key(text) = &key {
        junk = format!("{}x", &text[..text.len() - 1]);
    }
    knocks.count("refused, junk", &Caller::Key(junk), "GET", "/demo/free", 50).await;
    knocks.count("refused, no credential", &Caller::Anonymous, "GET", "/demo/free", 50).await;
    knocks.count("admitted, session", &session.caller(), "GET", "/demo/free", 50).await;

    let client = bundle.link.client();
    let table = bundle.services.config.table.as_str();
    let item = bundle.link.read(table, &id, "cell").await;
    println!("\nitem: {} bytes (1 KiB is one write unit)", item_bytes(&item));

    bundle.clock.advance_ms(60_000);
    let gate = thread_time(|| knocks.run(&key, "GET", "/demo/free", ROUNDS)).await;
    let sdk = thread_time(|| send_bare(&client, table, &id, &item, ROUNDS)).await;
    println!(
        "\nprocessor time per decision: {gate:.1} us, of which the bare SDK {sdk:.1} us, the gate {:.1} us",
        gate - sdk
    );
}

struct Knocks<'b> {
    bundle: &'b Bundle,
    meter: &'b Meter,
}

impl Knocks<'_> {
    async fn run(&self, key: &Caller, method: &str, path: &str, rounds: u32) {
        for round in 0..rounds {
            if round % 500 == 499 {
                self.bundle.clock.advance_ms(60_000);
            }
            self.bundle.knock(key, method, path).await;
        }
    }

    async fn count(&self, what: &str, key: &Caller, method: &str, path: &str, rounds: u32) {
        let before = (self.meter.calls(), self.meter.unit_tenths());
        self.run(key, method, path, rounds).await;
        let per_round = |count: u64| f64::from(u32::try_from(count).unwrap()) / f64::from(rounds);
        let calls = per_round(self.meter.calls() - before.0);
        let units = per_round(self.meter.unit_tenths() - before.1) / 10.0;
        println!("{what:<46}{calls:>9.2}{units:>9.2}");
    }
}

/// Microseconds per round that this thread was on a processor (Linux's schedstat).
async fn thread_time<F: Future<Output = ()>>(work: impl Fn() -> F) -> f64 {
    let on_processor_ns = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ')
            .next()
            .unwrap()
            .parse::<u32>()
            .map_or_else(|_| text.split(' ').next().unwrap().parse::<f64>().unwrap(), f64::from)
    };
    work().await;
    let before = on_processor_ns();
    work().await;
    (on_processor_ns() - before) / f64::from(ROUNDS) / 1_000.0
}

/// A write with as many names, values and clauses as the gate's own, and an answer as large.
async fn send_bare(client: &Client, table: &str, id: &str, item: &HashMap<String, AttributeValue>, rounds: u32) {
    let number = |value: u64| AttributeValue::N(value.to_string());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    for _ in 0..rounds {
        let write = client
            .update_item()
            .table_name(table)
            .key("pk", text(id))
            .key("sk", text("cell"))
            .update_expression(
                "SET w = :k, #t = if_not_exists(#t, tc) - :zero, #d = if_not_exists(#d, :zero) + :zero, bal = bal - :zero, \
                 q.#i = :seq, lr = :row, n = n + :zero",
            )
            .condition_expression(
                "h IN (:h0) AND st = :active AND NOT xp <= :now AND (contains(sc, :s0) OR contains(sc, :s1) OR \
                 contains(sc, :s2)) AND (attribute_not_exists(al)) AND NOT w > :k AND (#t >= :one OR \
                 (attribute_not_exists(#t) AND NOT #tp < tb)) AND NOT #d >= dl AND bal >= :zero AND NOT q.#i >= :seq",
            )
            .expression_attribute_names("#t", "m99999998")
            .expression_attribute_names("#tp", "m99999997")
            .expression_attribute_names("#d", "d99999")
            .expression_attribute_names("#i", "benchbar")
            .expression_attribute_values(":k", number(99_999_998))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":now", number(1))
            .expression_attribute_values(":seq", number(SEQ.fetch_add(1, Ordering::Relaxed)))
            .expression_attribute_values(":row", item["lr"].clone())
            .expression_attribute_values(":h0", item["h"].clone())
            .expression_attribute_values(":active", text("A"))
            .expression_attribute_values(":s0", text("demo:write"))
            .expression_attribute_values(":s1", text("demo:*"))
            .expression_attribute_values(":s2", text("*"))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .return_values_on_condition_check_failure(
                aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
            );
        write.send().await.unwrap();
    }
}
