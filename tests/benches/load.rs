//! What the gate costs as load and instances grow, how large a key's item gets, and how much is left unused when money or
//! a rate runs out. `cargo bench -p faregate-tests --bench load` prints it.
//!
//! Everything is a count on an emulator: calls and sizes, no time.

#![expect(clippy::unwrap_used, clippy::float_arithmetic, reason = "a measurement that fails has nothing to print")]

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{cell::CellId, id::KeyId, policy::Policy, window::WindowLength};
use faregate_tests::{Bundle, Caller, Link, item_bytes};
use serde_json::json;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        spread().await;
        sizes().await;
        leftovers().await;
    });
}

/// The keys of one project, under its rate.
struct Scene {
    bundle: Bundle,
    keys: Vec<(CellId, Caller)>,
}

impl Scene {
    async fn new(credit_usd: &str, rate_per_minute: u32, keys: usize, concurrent: u32) -> Self {
        let policy = Policy::DEFAULT_TEXT
            .replace("credit_usd: \"5.00\"", &format!("credit_usd: \"{credit_usd}\""))
            .replace("per_minute: 5, burst: 2", "cost_usd: \"0.01\", per_minute: 5000, burst: 10");
        let link = Link::before_embedded_engine().await.unwrap();
        let bundle = Bundle::behind(link, &policy, None).await;
        let session = bundle.newcomer().await;
        let mut made = Vec::new();
        for number in 0..keys {
            let limits = json!({"per_minute": 1000, "concurrent": concurrent});
            let body = json!({"name": number.to_string(), "environment": "production", "limits": limits});
            let (id, key) = bundle.key(&session, body).await;
            made.push((CellId::Key(KeyId::parse(&id).unwrap()), key));
        }
        let scene = Self { bundle, keys: made };
        if rate_per_minute > 0 {
            scene.rate(rate_per_minute).await;
        }
        scene
    }

    async fn rate(&self, per_minute: u32) {
        let store = &self.bundle.services.store;
        let project = store.find_cell(&self.keys[0].0).await.unwrap().unwrap().owner.project;
        let update = self.bundle.link.client().update_item().table_name(&self.bundle.services.config.table);
        let update = update.key("pk", AttributeValue::S(project.to_string()));
        let update = update.key("sk", AttributeValue::S("wallet".into()));
        let mut update = update.update_expression("SET tl = :l, tb = :b, tc = :l, tw = :w, sv = :v");
        for (name, value) in [(":l", per_minute), (":b", 0), (":w", 60), (":v", 1)] {
            update = update.expression_attribute_values(name, AttributeValue::N(value.to_string()));
        }
        update.send().await.unwrap();
        for (id, _) in &self.keys {
            store.set_project_window(id, 1, Some(WindowLength::Minute)).await.unwrap();
        }
    }

    async fn item(&self) -> HashMap<String, AttributeValue> {
        self.bundle.link.read(&self.bundle.services.config.table, &self.keys[0].0.partition(), "cell").await
    }
}

/// Calls per admitted request, with a limit of the route, the project's money and the project's rate all on.
async fn spread() {
    println!("calls per admitted request: a limit of the route, the project's money, the project's rate\n");
    println!("| requests a minute | 1 instance | 4 instances | 16 instances |\n|---:|---:|---:|---:|");
    for load in [40_u32, 200, 800] {
        print!("| {load} ");
        for count in [1_usize, 4, 16] {
            let scene = Scene::new("100", 100_000, 1, 10).await;
            let instances: Vec<_> = (0..count).map(|_| scene.bundle.restarted()).collect();
            let minutes = 3;
            let mut before = 0;
            for number in 0..load * (minutes + 1) {
                // The first minute is where each instance learns what it then remembers.
                if number == load {
                    before = scene.bundle.link.requests();
                }
                let instance = &instances[usize::try_from(number).unwrap() % count];
                assert_eq!(instance.knock(&scene.keys[0].1, "GET", "/demo/limited").await.status, 200);
                if number % load == load - 1 {
                    scene.bundle.clock.advance_ms(60_000);
                }
            }
            print!("| {:.3} ", float(scene.bundle.link.requests() - before) / float(u64::from(load * minutes)));
        }
        println!("|");
    }
}

/// Bytes of a key's item, and the units that a write of it costs, with so many calls running.
async fn sizes() {
    println!("\n| calls running | item, bytes | write units of an admission |\n|---:|---:|---:|");
    let scene = Scene::new("100", 100_000, 1, 100).await;
    let mut running = 0;
    for wanted in [0, 10, 20, 40] {
        while running < wanted {
            assert_eq!(scene.bundle.knock(&scene.keys[0].1, "POST", "/demo/metered").await.status, 200);
            running += 1;
        }
        assert_eq!(scene.bundle.knock(&scene.keys[0].1, "GET", "/demo/limited").await.status, 200);
        let bytes = item_bytes(&scene.item().await);
        println!("| {wanted} | {bytes} | {} |", bytes.div_ceil(1_024));
    }
}

/// What four keys of one project leave unused when the last call is refused.
async fn leftovers() {
    println!("\n| four keys of one project | could be admitted | admitted |\n|---|---:|---:|");
    for (what, credit, rate, path, most) in [
        ("money, $1.00 at $0.01", "1.00", 0, ("POST", "/demo/paid"), 100),
        ("rate, 60 a minute", "100", 60, ("GET", "/demo/free"), 60),
        ("rate, 600 a minute", "100", 600, ("GET", "/demo/free"), 600),
    ] {
        for order in ["in turn", "one after the other", "three stop after one call each"] {
            let scene = Scene::new(credit, rate, 4, 10).await;
            let mut admitted = 0;
            for number in 0..most * 4 {
                let key = match order {
                    "in turn" => number % 4,
                    "one after the other" => (number / (most / 2)).min(3),
                    _ => number.min(3),
                };
                let knock = scene.bundle.knock(&scene.keys[key].1, path.0, path.1).await;
                admitted += usize::from(knock.status == 200);
            }
            println!("| {what}, {order} | {most} | {admitted} |");
        }
    }
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
