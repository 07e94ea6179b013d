//! The world of a run: one table, keys of one project, and instances that share nothing but the table.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use faregate_domain::{policy::Policy, time::Timestamp};
use faregate_edge::{
    config::{Config, SecretsLocation},
    entropy,
    now::Clock,
    secrets::Secrets,
};
use faregate_gate::Services;
use faregate_store::{Patience, Store};
use faregate_tests::{Caller, Functions, Wallet, engine::Engine, wire::Wire};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    dice::Dice,
    script::{Change, Jump, KeyLimits, dollars},
};

/// What every run begins with, made once through the doors that everybody uses.
pub(crate) struct Template {
    config: Config,
    /// One body of a `PutItem` for each item.
    items: Vec<String>,
    /// The keys that call; the last one is healthy to the end.
    pub(crate) keys: Vec<Key>,
    /// Frontends that call in the name of the first keys, each up to [`CEILING_MICRO_USD`].
    pub(crate) visitors: Vec<Visitor>,
    /// The key that changes the others.
    pub(crate) manager: Caller,
    /// The key of the backends.
    pub(crate) service: Caller,
    /// The partition of the project's wallet.
    pub(crate) project: String,
    _folder: TempDir,
}

/// A key of the project.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) caller: Caller,
}

/// A client session of a key.
pub(crate) struct Visitor {
    /// The key's id.
    pub(crate) key: String,
    /// What the key's cell calls the session.
    pub(crate) session: String,
    pub(crate) caller: Caller,
}

impl Template {
    pub(crate) fn find() -> &'static Self {
        static TEMPLATE: OnceLock<Template> = OnceLock::new();
        TEMPLATE.get_or_init(|| {
            entropy::seed_thread(0);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(Self::make())
        })
    }

    async fn make() -> Self {
        let folder = TempDir::new().unwrap();
        let secret = |digit: &str| json!({"current": digit.repeat(64), "previous": null});
        let secrets = json!({"pepper": secret("a"), "tag": secret("b"), "signing": secret("c"), "seal": secret("d"), "link": secret("e")});
        let file = folder.path().join("secrets.json");
        std::fs::write(&file, secrets.to_string()).unwrap();
        let wallet = Arc::new(Wallet::open(&folder.path().join("wallet.hex")).unwrap());
        let operators = format!("operators: [\"{}\"]", wallet.address());
        let config = Config {
            table: TABLE.to_owned(),
            public_origin: "https://api.example.com".to_owned(),
            chain_id: 1,
            secrets: SecretsLocation::File(file),
            policy: Policy::parse(&POLICY.replace("operators: []", &operators)).unwrap(),
            reach: faregate_domain::outbound::Reach::Public,
        };
        let (engine, wire) = (Engine::in_memory(), Wire::default());
        let (post, table) = (wire.clone(), engine.clone());
        let serving = tokio::spawn(async move { post.serve_at_once(&table).await });
        let services = services(&config, &wire, Clock::standing_at(start()));
        services.store.ensure_table().await.unwrap();
        let functions = Functions::start(&services);
        let owner = functions.login(&wallet).await;
        let (_, manager) = functions.key(&owner, json!({"name": "manager", "scopes": MANAGER_SCOPES})).await;
        let (_, service) = functions.key(&owner, json!({"name": "service", "scopes": ["gate:check"]})).await;
        let mut keys = Vec::new();
        for number in 0..KEYS {
            let body = json!({"name": format!("key {number}"), "scopes": KEY_SCOPES});
            let (id, caller) = functions.key(&owner, body).await;
            keys.push(Key { id, caller });
        }
        let mut visitors = Vec::new();
        for key in &keys[..VISITED] {
            visitors.push(visitor(&functions, key).await);
        }
        serving.abort();
        let items = dump(&engine);
        let is_wallet =
            |item: &&Value| item["sk"]["S"] == "wallet" && item["pk"]["S"].as_str().unwrap().starts_with("prj_");
        let project = items.iter().find(is_wallet).unwrap()["pk"]["S"].as_str().unwrap().to_owned();
        let body = |item: &Value| json!({"TableName": TABLE, "Item": item}).to_string();
        Self {
            config,
            items: items.iter().map(body).collect(),
            keys,
            visitors,
            manager,
            service,
            project,
            _folder: folder,
        }
    }

    /// How many call: the keys, and then the visitors.
    pub(crate) fn callers(&self) -> usize {
        self.keys.len() + self.visitors.len()
    }

    /// Whoever calls under that number, the key that is charged, and the client session where it is one.
    pub(crate) fn caller(&self, number: usize) -> (&Caller, &str, Option<&str>) {
        match self.keys.get(number) {
            Some(key) => (&key.caller, &key.id, None),
            None => {
                let visitor = &self.visitors[number - self.keys.len()];
                (&visitor.caller, &visitor.key, Some(&visitor.session))
            }
        }
    }

    /// What a run's trace calls the partitions, whose real names are drawn anew in every process.
    pub(crate) fn names(&self) -> BTreeMap<String, String> {
        let keys = self.keys.iter().enumerate().map(|(number, key)| (key.id.clone(), format!("K{number}")));
        keys.chain([(self.project.clone(), "P".to_owned())]).collect()
    }

    /// The policy that everybody follows.
    pub(crate) fn policy(&self) -> &Policy {
        &self.config.policy
    }
}

/// A client session of a key that lasts for a day, redeemed.
async fn visitor(functions: &Functions, key: &Key) -> Visitor {
    let ceiling = dollars(u64::try_from(CEILING_MICRO_USD).unwrap() / 10_000);
    let body = json!({"client_reference_id": "visitor", "ttl_seconds": 86_400, "max_cost_usd": ceiling}).to_string();
    let made = functions.send("POST", "/v1/client-sessions", &key.caller, Some(&body)).await;
    let secret = made.body.pointer("/data/client_secret/secret").unwrap_or_else(|| panic!("{}", made.text));
    let body = json!({"client_secret": secret}).to_string();
    let redeemed = functions.send("POST", "/v1/client-sessions/redeem", &Caller::Anonymous, Some(&body)).await;
    let session = redeemed.data("client_session_id").split_once('_').unwrap().1.to_owned();
    Visitor { key: key.id.clone(), session, caller: Caller::Bearer(redeemed.data("access_token").to_owned()) }
}

/// One run's table and instances.
pub(crate) struct World {
    pub(crate) template: &'static Template,
    pub(crate) engine: Engine,
    pub(crate) wire: Wire,
    pub(crate) instances: Vec<Instance>,
    pub(crate) began: tokio::time::Instant,
    jumped_ms: u64,
}

/// A process with functions, lanes, memory and clock of its own.
pub(crate) struct Instance {
    pub(crate) functions: Functions,
    pub(crate) clock: Clock,
    /// Milliseconds by which its clock is ahead of the one that is furthest behind.
    skew_ms: u64,
}

impl World {
    /// So many instances before a project with a little money and keys with small limits; the last key is made for much.
    pub(crate) fn new(template: &'static Template, instances: u64, dice: &mut Dice) -> Self {
        let engine = Engine::in_memory();
        assert!(engine.apply("CreateTable", &table()).is_success());
        for item in &template.items {
            let reply = engine.apply("PutItem", item);
            assert!(reply.is_success(), "{}", reply.body);
        }
        let most = *dice.pick(&[30, 300]);
        let mut settings = vec![("av", dice.between(5, most) * 10_000)];
        let project_window = dice.chance(300).then(|| *dice.pick(&[1, 10, 60]));
        if let Some(seconds) = project_window {
            let (limit, burst) = (dice.between(2, 20), dice.between(0, 2));
            settings.extend([("tw", seconds), ("tl", limit), ("tb", burst), ("tc", limit + burst)]);
        }
        change(&engine, &template.project, "wallet", &settings);
        if dice.chance(500) {
            crowd(&engine, &template.project);
        }
        for (number, key) in template.keys.iter().enumerate() {
            let mut settings: Vec<_> = project_window.map(|seconds| ("pw", seconds)).into_iter().collect();
            if number + 1 < template.keys.len() {
                let [per_minute, burst, per_day, concurrent] = KeyLimits::roll(dice).numbers();
                settings.extend([("tl", per_minute), ("tb", burst), ("tc", per_minute + burst)]);
                settings.extend([("dl", per_day), ("lc", concurrent)]);
                if let Change::Budget { cents: Some(cents) } = Change::roll_budget(dice) {
                    settings.push(("bc", cents * 10_000));
                }
            }
            change(&engine, &key.id, "cell", &settings);
        }
        let mut world = Self {
            template,
            engine,
            wire: Wire::default(),
            instances: Vec::new(),
            began: tokio::time::Instant::now(),
            jumped_ms: 0,
        };
        for _ in 0..instances {
            let instance = world.start(dice);
            world.instances.push(instance);
        }
        world
    }

    /// A new process in the place of one that crashed.
    pub(crate) fn restart(&mut self, at: usize, dice: &mut Dice) {
        self.instances[at] = self.start(dice);
    }

    fn start(&self, dice: &mut Dice) -> Instance {
        let clock = Clock::standing_at(start());
        let services = services(&self.template.config, &self.wire, clock.clone());
        let instance =
            Instance { functions: Functions::start(&services), clock, skew_ms: dice.between(0, MAX_SKEW_MS) };
        instance.clock.set(self.now().plus_ms(instance.skew_ms));
        instance
    }

    /// The time of the clock that is furthest behind.
    pub(crate) fn now(&self) -> Timestamp {
        let ran_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        start().plus_ms(ran_ms + self.jumped_ms)
    }

    /// Sets every clock to what it shows now.
    pub(crate) fn wind_clocks(&self) {
        for instance in &self.instances {
            instance.clock.set(self.now().plus_ms(instance.skew_ms));
        }
    }

    /// Time passes while every process stands still.
    pub(crate) fn jump(&mut self, jump: Jump, dice: &mut Dice) {
        let now = self.now();
        let mut until =
            |edge: Timestamp| (edge.epoch_ms() - now.epoch_ms()).saturating_sub(MAX_SKEW_MS + dice.between(0, 200));
        self.jumped_ms += match jump {
            Jump::Minute => until(now.minute().end()),
            Jump::Day => until(now.minute().day().end()),
            Jump::By(milliseconds) => milliseconds,
        };
        self.wind_clocks();
    }
}

trait PlusMs {
    fn plus_ms(self, milliseconds: u64) -> Self;
}

impl PlusMs for Timestamp {
    fn plus_ms(self, milliseconds: u64) -> Self {
        Self::from_epoch_ms(self.epoch_ms() + milliseconds)
    }
}

fn services(config: &Config, wire: &Wire, clock: Clock) -> Services {
    let client = Store::client_from(wire.config(), Patience::DEPLOYED);
    // Secrets come from a file; the SDK's configuration is for those who ask Secrets Manager.
    let aws = aws_config::SdkConfig::builder().build();
    Services {
        store: Store::new(client, config.table.clone()),
        secrets: Secrets::new(&config.secrets, &aws),
        clock,
        refused: faregate_gate::RefusedCalls::default(),
        config: Arc::new(config.clone()),
    }
}

/// Every item of the table.
pub(crate) fn dump(engine: &Engine) -> Vec<Value> {
    let reply = engine.apply("Scan", &json!({"TableName": TABLE, "ConsistentRead": true}).to_string());
    let mut answer: Value = serde_json::from_str(&reply.body).unwrap();
    serde_json::from_value(answer["Items"].take()).unwrap()
}

/// The table as [`Store::ensure_table`] makes it, less the stream, which nobody reads here.
fn table() -> String {
    json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}
        ],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    })
    .to_string()
}

/// Writes numbers into an item as it is before anything happens.
fn change(engine: &Engine, partition: &str, sort: &str, numbers: &[(&str, u64)]) {
    if numbers.is_empty() {
        return;
    }
    let clauses: Vec<_> = numbers.iter().map(|(name, _)| format!("{name} = :{name}")).collect();
    let values = numbers.iter().map(|(name, number)| (format!(":{name}"), json!({"N": number.to_string()})));
    let request = json!({
        "TableName": TABLE,
        "Key": {"pk": {"S": partition}, "sk": {"S": sort}},
        "UpdateExpression": format!("SET {}", clauses.join(", ")),
        "ExpressionAttributeValues": values.collect::<serde_json::Map<_, _>>()
    });
    let reply = engine.apply("UpdateItem", &request.to_string());
    assert!(reply.is_success(), "{}", reply.body);
}

/// Fills a wallet with entries of cells that are nowhere, so that each grant more is followed by a sweep. They have taken
/// tokens in a window to come: a sweep looks at all others first.
fn crowd(engine: &Engine, project: &str) {
    let names: Vec<_> = (0..CROWD).map(|number| format!("key_{number:0>16}")).collect();
    let map = |value: Value| json!({"M": names.iter().map(|name| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>()});
    let request = json!({
        "TableName": TABLE,
        "Key": {"pk": {"S": project}, "sk": {"S": "wallet"}},
        "UpdateExpression": "SET gs = :gs, ga = :ga",
        "ExpressionAttributeValues": {":gs": map(json!({"N": "1"})), ":ga": map(json!({"S": "0 99999999999 1"}))}
    });
    let reply = engine.apply("UpdateItem", &request.to_string());
    assert!(reply.is_success(), "{}", reply.body);
}

/// A Wednesday, ten seconds before the end of a minute.
fn start() -> Timestamp {
    Timestamp::from_epoch_s(1_792_540_850)
}

pub(crate) const TABLE: &str = "faregate";
/// Clocks are at most two seconds fast or slow.
pub(crate) const MAX_SKEW_MS: u64 = 4_000;
const KEYS: usize = 4;
/// With so many entries a wallet is swept.
const CROWD: usize = 24;
/// Keys with a visitor.
const VISITED: usize = 2;
/// The most that a visitor's calls may cost in all.
pub(crate) const CEILING_MICRO_USD: i64 = 150_000;
const KEY_SCOPES: [&str; 2] = ["demo:*", "sessions:write"];
const MANAGER_SCOPES: [&str; 3] = ["keys:manage", "demo:read", "demo:write"];

const POLICY: &str = r#"
environments:
  - name: sandbox
    prefix: sk_test_
    limits: { per_minute: 1000, burst: 1000, per_day: 100000, concurrent: 1000 }
    retention_days: 7
credentials: [x-api-key, authorization]
scopes:
  catalogue:
    demo:read: Read
    demo:write: Write
    keys:manage: Manage keys
    gate:check: Settle
    sessions:write: Make client sessions
  presets:
    full-access: ["demo:*"]
  default: full-access
  operator_only: ["gate:check"]
lease_seconds: 30
routes:
  - { route: GET /demo/free, scope: "demo:read", refusals: backend }
  - { route: POST /demo/paid, scope: "demo:write", cost_usd: "0.01", refusals: backend }
  - { route: POST /demo/dear, scope: "demo:write", cost_usd: "0.04", refusals: backend }
  - { route: POST /demo/metered, scope: "demo:write", cost_usd: "0.05", settle: required, refusals: backend }
  - { route: GET /demo/steady, scope: "demo:read", per_10_seconds: 4, burst: 2, refusals: backend }
  - { route: POST /demo/brisk, scope: "demo:write", cost_usd: "0.01", per_second: 3, burst: 1, refusals: backend }
  - { route: GET /demo/limited, scope: "demo:read", per_minute: 5, burst: 2, refusals: backend }
plans:
  studio: { max_keys: 100, per_minute: 1000, burst: 1000, per_day: 100000, concurrent: 1000 }
sign_up: { plan: studio, credit_usd: "5.00" }
operators: []
"#;
