//! How the cost of a decision grows with what is stored and with what runs: `cargo bench -p faregate-tests --bench growth`
//!
//! Calls and units are counts. Times are processor time on this machine, of two threads: the one that decides, with the SDK,
//! and the one that is the table and the wire to it. `FAREGATE_MOST=100000` stops at so many items, and
//! `FAREGATE_AXIS=rows` measures along that axis only: keys, projects, children, leases, rows. What several instances cost is in
//! the bench `load`.

#![expect(clippy::unwrap_used, clippy::float_arithmetic, reason = "a measurement that fails has nothing to print")]

use std::{path::PathBuf, sync::Arc};

use faregate_domain::policy::Policy;
use faregate_store::Meter;
use faregate_tests::{Books, Bundle, Caller, Link, Session, item_bytes};
use serde_json::{Value, json};

fn main() {
    let most = std::env::var("FAREGATE_MOST").map_or(1_000_000, |text| text.parse().unwrap());
    let axis = std::env::var("FAREGATE_AXIS").ok();
    let is_asked = |name: &str| axis.as_deref().is_none_or(|axis| axis == name);
    if is_asked("keys") {
        on_own_thread(|scene| Box::pin(keys(scene, most)));
    }
    if is_asked("projects") {
        on_own_thread(|scene| Box::pin(projects(scene)));
    }
    if is_asked("children") {
        on_own_thread(|scene| Box::pin(children(scene, most)));
    }
    if is_asked("leases") {
        on_own_thread(|scene| Box::pin(leases(scene)));
    }
    if is_asked("rows") {
        on_own_thread(|scene| Box::pin(rows(scene, most)));
    }
}

/// A bundle whose table, and the wire to it, run on another thread.
struct Scene {
    bundle: Bundle,
    meter: Arc<Meter>,
    /// Where Linux says how long the table's thread was on a processor.
    table_time: PathBuf,
    session: Session,
    key_id: String,
    key: Caller,
}

type Work<'s> = std::pin::Pin<Box<dyn Future<Output = ()> + 's>>;

fn on_own_thread(work: impl for<'s> FnOnce(&'s Scene) -> Work<'s>) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let own = PathBuf::from("/proc").join(std::fs::read_link("/proc/thread-self").unwrap());
            let link = Link::before_engine(faregate::database_in_memory().unwrap()).await.unwrap();
            send.send((link, own.join("schedstat"))).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let (link, table_time) = receive.recv().unwrap();
    runtime().block_on(async {
        let meter = Arc::new(Meter::default());
        let policy = Policy::DEFAULT_TEXT.replace("credit_usd: \"5.00\"", "credit_usd: \"1000000.00\"");
        let policy = policy.replace("max_keys: 100,", "max_keys: 10000,");
        let bundle = Bundle::behind(link, &policy, Some(Arc::clone(&meter))).await;
        let session = bundle.newcomer().await;
        let limits = json!({"per_minute": 1000, "concurrent": 100});
        let body = json!({"name": "a", "environment": "production", "budget_usd": 900, "limits": limits});
        let (key_id, key) = bundle.key(&session, body).await;
        let scene = Scene { bundle, meter, table_time, session, key_id, key };
        scene.decide(50).await;
        work(&scene).await;
    });
    println!();
}

impl Scene {
    /// Lets the key's calls in.
    async fn decide(&self, rounds: u32) {
        for round in 0..rounds {
            if round % 200 == 199 {
                self.bundle.clock.advance_ms(60_000);
            }
            let answer = self.bundle.knock(&self.key, "POST", "/demo/paid").await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }

    /// Prints what `work` costs once, where it is done `rounds` times.
    async fn row<F: Future<Output = ()>>(&self, size: u64, rounds: u32, work: impl Fn(u32) -> F) {
        println!("{}", self.measure(size, rounds, work).await);
    }

    async fn measure<F: Future<Output = ()>>(&self, size: u64, rounds: u32, work: impl Fn(u32) -> F) -> String {
        // Once to be warm, once to be measured.
        work(rounds / 5).await;
        self.bundle.clock.advance_ms(60_000);
        let before = self.now();
        work(rounds).await;
        let after = self.now();
        let [calls, units, gate, table] =
            std::array::from_fn(|place| (after[place] - before[place]) / f64::from(rounds));
        format!("| {size} | {calls:.2} | {:.2} | {:.0} | {:.0} |", units / 10.0, gate / 1_000.0, table / 1_000.0)
    }

    fn now(&self) -> [f64; 4] {
        let on_processor = |path: &str| {
            let text = std::fs::read_to_string(path).unwrap();
            text.split(' ').next().unwrap().parse().unwrap()
        };
        let count = |count: u64| f64::from(u32::try_from(count).unwrap());
        let (gate, table) = ("/proc/thread-self/schedstat", self.table_time.to_str().unwrap());
        [count(self.meter.calls()), count(self.meter.unit_tenths()), on_processor(gate), on_processor(table)]
    }

    fn table(&self) -> &str {
        &self.bundle.services.config.table
    }
}

fn head(what: &str, size: &str) {
    println!(
        "{what}\n\n| {size} | calls | write units | gate and SDK, µs | table and wire, µs |\n|---:|---:|---:|---:|---:|"
    );
}

/// Other keys beside the one that is measured, each with its cell and its description.
async fn keys(scene: &Scene, most: u64) {
    head("**Keys** in the table:", "keys");
    let (link, account) = (&scene.bundle.link, scene.session.account_id.as_str());
    let cell = link.item(scene.table(), &scene.key_id, "cell");
    let description = link.item(scene.table(), account, &scene.key_id);
    let mut stored = 1;
    for size in sizes(most) {
        while stored < size {
            let id = format!("key_{stored:016}");
            link.put(scene.table(), &renamed(&cell, &id, "cell"));
            link.put(scene.table(), &renamed(&description, account, &id));
            stored += 1;
        }
        scene.row(size, 1_000, |rounds| scene.decide(rounds)).await;
    }
}

/// Other projects of the account, each with its money.
async fn projects(scene: &Scene) {
    head("**Projects** of the account:", "projects");
    let (link, account) = (&scene.bundle.link, scene.session.account_id.as_str());
    let project = scene.bundle.cell(&scene.key).await.owner.project.to_string();
    let item = link.item(scene.table(), account, &project);
    let wallet = link.item(scene.table(), &project, "wallet");
    let mut stored = 1;
    for size in [1, 10, 100, 1_000, 10_000] {
        while stored < size {
            let id = format!("prj_{stored:022}");
            link.put(scene.table(), &renamed(&item, account, &id));
            link.put(scene.table(), &renamed(&wallet, &id, "wallet"));
            stored += 1;
        }
        scene.row(size, 1_000, |rounds| scene.decide(rounds)).await;
    }
}

/// Keys of one project that have money of it: the first calls of others, each of which fetches some, and the calls of one.
async fn children(scene: &Scene, most: u64) {
    let project = scene.bundle.cell(&scene.key).await.owner.project.to_string();
    let (mut stored, mut firsts) = (1, Vec::new());
    head("**Keys that have money of one project**, a decision of one of them:", "keys");
    for size in [10, 200, 1_000, 5_000].into_iter().filter(|size| *size <= most) {
        let new = new_keys(scene, usize::try_from(size - stored).unwrap()).await;
        for key in &new {
            pay(scene, key).await;
        }
        stored = size;
        scene.row(size, 1_000, |rounds| scene.decide(rounds)).await;
        let others = new_keys(scene, 120).await;
        let (warm, measured) = others.split_at(20);
        let first_calls = async |rounds: u32| {
            for key in if rounds == 100 { measured } else { warm } {
                pay(scene, key).await;
            }
        };
        firsts.push(scene.measure(size, 100, first_calls).await);
        stored += 120;
    }
    println!();
    head("**Keys that have money of one project**, the first paid call of another, which fetches some:", "keys");
    println!("{}", firsts.join("\n"));
    let item = scene.bundle.link.read(scene.table(), &project, "wallet").await;
    println!("\nThe wallet has {} bytes then.", item_bytes(&item));
}

async fn new_keys(scene: &Scene, count: usize) -> Vec<Caller> {
    let owner = scene.bundle.login(&scene.session.wallet).await;
    let mut keys = Vec::new();
    for number in 0..count {
        let body = json!({"name": format!("key {number}"), "environment": "production"});
        keys.push(scene.bundle.key(&owner, body).await.1);
    }
    keys
}

async fn pay(scene: &Scene, key: &Caller) {
    assert_eq!(scene.bundle.knock(key, "POST", "/demo/paid").await.status, 200);
}

/// Calls of the key that run, each with its lease.
async fn leases(scene: &Scene) {
    head("**Leases** that the key holds (at most its limit of concurrent calls, here 100):", "leases");
    let mut held = 0;
    for size in [0, 1, 10, 30, 90] {
        while held < size {
            let answer = scene.bundle.knock(&scene.key, "POST", "/demo/metered").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            held += 1;
        }
        // Nothing may run out meanwhile, or the leases would go.
        scene.row(size, 100, |rounds| scene.decide(rounds)).await;
    }
    let item = scene.bundle.link.read(scene.table(), &scene.key_id, "cell").await;
    println!("\nThe item has {} bytes with {held} of them.", item_bytes(&item));
}

/// Calls of the past in the books; a page of them is read, which no call waits for, and a call is decided.
async fn rows(scene: &Scene, most: u64) {
    let (link, mut books) = (&scene.bundle.link, Books::of(&scene.bundle));
    books.catch_up().await;
    let dump = books.dump();
    let (place, row) = dump.iter().find(|(place, _)| place.contains(" row_")).unwrap();
    let (partition, _) = place.split_once(' ').unwrap();
    let digits = place.rsplit('_').next().unwrap().len();
    let newest: u64 = row["at"]["N"].as_str().unwrap().parse().unwrap();
    let (mut stored, mut pages) = (0, Vec::new());
    head("**Rows** in the books, a decision beside them:", "rows");
    for size in sizes(most) {
        while stored < size {
            let index = format!("{:013}_{stored:0digits$}", newest - stored);
            let mut older = renamed(row, partition, &format!("row_{index}"));
            older["ir"]["S"] = json!(index);
            older["at"]["N"] = json!((newest - stored).to_string());
            link.put(scene.table(), &older);
            stored += 1;
        }
        scene.row(size, 1_000, |rounds| scene.decide(rounds)).await;
        // A session is short beside what passes here.
        let owner = scene.bundle.login(&scene.session.wallet).await.caller();
        pages.push(scene.measure(size, 20, |rounds| read_pages(scene, &owner, rounds)).await);
    }
    println!();
    head("**Rows** in the books, a page of 100 read by the owner:", "rows");
    println!("{}", pages.join("\n"));
}

async fn read_pages(scene: &Scene, owner: &Caller, rounds: u32) {
    for _ in 0..rounds {
        let answer = scene.bundle.get("/v1/requests?limit=100", owner).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

fn sizes(most: u64) -> impl Iterator<Item = u64> {
    [10, 100, 1_000, 10_000, 100_000, 1_000_000].into_iter().filter(move |size| *size <= most)
}

fn renamed(item: &Value, partition: &str, sort: &str) -> Value {
    let mut other = item.clone();
    other["pk"]["S"] = json!(partition);
    other["sk"]["S"] = json!(sort);
    other
}
