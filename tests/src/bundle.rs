//! The whole bundle of one test: its own table, its own secrets, its own clock.

use std::sync::Arc;

use faregate::Wallet;
use faregate_domain::{
    base62,
    cell::{Cell, CellId},
    id::{AccountId, KeyId},
    outbound::Reach,
    policy::Policy,
    time::Timestamp,
};
use faregate_edge::{
    config::{Config, SecretsLocation},
    entropy,
    now::Clock,
};
use faregate_gate::Services;
use faregate_store::Meter;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Answer, Caller, Functions, Knock, Link, Session, knock, stripe};

/// A bundle under test; clones share everything.
#[derive(Clone)]
pub struct Bundle {
    /// The parts that the functions are built from.
    pub services: Services,
    /// The clock that all functions read.
    pub clock: Clock,
    /// The wire to the table.
    pub link: Link,
    functions: Functions,
    folder: Arc<TempDir>,
}

impl Bundle {
    /// A bundle under the default policy, at the beginning of a minute.
    pub async fn new() -> Self {
        Self::with_policy(Policy::DEFAULT_TEXT).await
    }

    /// A bundle under a policy of its own.
    pub async fn with_policy(text: &str) -> Self {
        let link = Link::before_new_table().await.unwrap_or_else(|error| panic!("link: {error}"));
        Self::behind(link, text, None).await
    }

    /// A bundle before the empty table at the end of `link`, its calls counted by `meter`.
    pub async fn behind(link: Link, text: &str, meter: Option<Arc<Meter>>) -> Self {
        let policy = Policy::parse(text).unwrap_or_else(|error| panic!("policy: {error}"));
        let folder = TempDir::new().unwrap_or_else(|error| panic!("folder: {error}"));
        let secret = |digit: &str| json!({"current": digit.repeat(64), "previous": null});
        let names = [("pepper", "a"), ("tag", "b"), ("signing", "c"), ("seal", "d"), ("link", "e")];
        let mut secrets: Value = names.map(|(name, digit)| (name, secret(digit))).into_iter().collect();
        secrets["stripe"] = json!({"current": stripe::SECRET});
        let file = folder.path().join("secrets.json");
        std::fs::write(&file, secrets.to_string()).unwrap_or_else(|error| panic!("secrets: {error}"));
        let config = Config {
            // One engine may serve several tests.
            table: format!("faregate-{}", base62::random(8, &mut entropy::fill)),
            public_origin: "https://api.example.com".into(),
            chain_id: 1,
            secrets: SecretsLocation::File(file),
            policy,
            reach: Reach::Loopback,
        };
        let clock = Clock::standing_at(Timestamp::from_epoch_s(START_EPOCH_S));
        let mut services = Services::connect_local(config, &link.url(), clock.clone());
        if let Some(meter) = meter {
            services.store = services.store.metered(meter);
        }
        services.store.ensure_table().await.unwrap_or_else(|error| panic!("table: {error}"));
        Self::on(services, clock, link, Arc::new(folder))
    }

    /// The same table, secrets and clock, seen by functions that have only just started.
    #[must_use]
    pub fn restarted(&self) -> Self {
        let config = Config::clone(&self.services.config);
        let services = Services::connect_local(config, &self.link.url(), self.clock.clone());
        Self::on(services, self.clock.clone(), self.link.clone(), Arc::clone(&self.folder))
    }

    fn on(services: Services, clock: Clock, link: Link, folder: Arc<TempDir>) -> Self {
        Self { functions: Functions::start(&services), services, clock, link, folder }
    }

    /// The file with the secrets.
    #[must_use]
    pub fn secrets_file(&self) -> std::path::PathBuf {
        self.folder.path().join("secrets.json")
    }

    /// A wallet that nobody has used before.
    #[must_use]
    pub fn wallet(&self, name: &str) -> Arc<Wallet> {
        let file = self.folder.path().join(format!("{name}.hex"));
        Arc::new(Wallet::open(&file).unwrap_or_else(|error| panic!("wallet: {error}")))
    }

    /// Signs a wallet in.
    pub async fn login(&self, wallet: &Arc<Wallet>) -> Session {
        self.functions.login(wallet).await
    }

    /// Signs a new wallet in.
    pub async fn newcomer(&self) -> Session {
        self.login(&self.wallet("newcomer")).await
    }

    /// Makes a key; returns its id and the key as a caller.
    pub async fn key(&self, session: &Session, body: Value) -> (String, Caller) {
        self.functions.key(session, body).await
    }

    /// Signs a new wallet in and makes a key with `body`'s settings.
    pub async fn key_of_newcomer(&self, body: Value) -> (Session, String, Caller) {
        let session = self.newcomer().await;
        let (id, caller) = self.key(&session, body).await;
        (session, id, caller)
    }

    /// A bundle under the default policy, and a service key of its operator's.
    pub async fn with_service() -> (Self, Caller) {
        Self::with_service_under(Policy::DEFAULT_TEXT).await
    }

    /// A bundle under a policy whose operator is a wallet of its own, and a service key of that operator's.
    pub async fn with_service_under(text: &str) -> (Self, Caller) {
        let link = Link::before_new_table().await.unwrap_or_else(|error| panic!("link: {error}"));
        Self::with_service_behind(link, text).await
    }

    /// The same before the empty table at the end of `link`.
    pub async fn with_service_behind(link: Link, text: &str) -> (Self, Caller) {
        let (bundle, session) = Self::with_operator_behind(link, text).await;
        let (_, service) = bundle.key(&session, json!({"name": "service", "scopes": ["gate:check"]})).await;
        (bundle, service)
    }

    /// A bundle under the default policy whose operator is a wallet of its own, signed in.
    pub async fn with_operator() -> (Self, Session) {
        let link = Link::before_new_table().await.unwrap_or_else(|error| panic!("link: {error}"));
        Self::with_operator_behind(link, Policy::DEFAULT_TEXT).await
    }

    /// A bundle before the empty table at the end of `link`, under a policy whose operator is a wallet of its own, signed
    /// in.
    pub async fn with_operator_behind(link: Link, text: &str) -> (Self, Session) {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("folder: {error}"));
        let operator = Wallet::open(&folder.path().join("operator.hex")).unwrap_or_else(|error| panic!("{error}"));
        let operators = format!("operators: [\"{}\"]", operator.address());
        let bundle = Self::behind(link, &text.replace("operators: []", &operators), None).await;
        let session = bundle.login(&Arc::new(operator)).await;
        (bundle, session)
    }

    /// Reports what a call came to.
    pub async fn settle(&self, service: &Caller, charge: &str, report: &Value) -> Answer {
        self.post(&format!("/v1/charges/{charge}/settle"), service, report).await
    }

    /// The cell of a key, as it is now.
    pub async fn cell(&self, key: &Caller) -> Cell {
        let Caller::Key(text) = key else { panic!("a key") };
        let id = KeyId::from_suffix(&text[8..24]).unwrap_or_else(|error| panic!("{error}"));
        let found = self.services.store.find_cell(&CellId::Key(id)).await;
        found.unwrap_or_else(|error| panic!("{error}")).unwrap_or_else(|| panic!("a cell"))
    }

    /// The cell of an account's sessions, as it is now.
    pub async fn session_cell(&self, session: &Session) -> Cell {
        let id = AccountId::parse(&session.account_id).unwrap_or_else(|error| panic!("{error}"));
        let found = self.services.store.find_cell(&CellId::Session(id)).await;
        found.unwrap_or_else(|error| panic!("{error}")).unwrap_or_else(|| panic!("a cell"))
    }

    /// Knocks at the gate.
    pub async fn knock(&self, caller: &Caller, method: &str, path: &str) -> Knock {
        self.knock_with(method, path, &caller.headers()).await
    }

    /// Knocks at the gate with exactly these headers.
    pub async fn knock_with(&self, method: &str, path: &str, headers: &[(String, String)]) -> Knock {
        self.ask(knock::knock_event(method, path, headers)).await
    }

    /// Puts any event before the authorizer.
    pub async fn ask(&self, event: Value) -> Knock {
        self.functions.ask(event).await
    }

    /// Sends a management request with a JSON body.
    pub async fn post(&self, path: &str, caller: &Caller, body: &Value) -> Answer {
        self.send("POST", path, caller, Some(&body.to_string())).await
    }

    /// Sends an event as Stripe does, signed here and now.
    pub async fn stripe(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = stripe::signature(stripe::SECRET, self.clock.now(), body.as_bytes());
        self.stripe_with(&signature, body.as_bytes()).await
    }

    /// Sends any bytes to where Stripe's events go; API Gateway may hand them on as base64.
    pub async fn stripe_with(&self, signature: &str, body: &[u8]) -> Answer {
        self.functions.stripe_with(signature, body).await
    }

    /// Changes something by a management request.
    pub async fn patch(&self, path: &str, caller: &Caller, body: &Value) -> Answer {
        self.send("PATCH", path, caller, Some(&body.to_string())).await
    }

    /// Reads something by a management request.
    pub async fn get(&self, path: &str, caller: &Caller) -> Answer {
        self.send("GET", path, caller, None).await
    }

    /// Ends something by a management request.
    pub async fn delete(&self, path: &str, caller: &Caller) -> Answer {
        self.send("DELETE", path, caller, None).await
    }

    /// Sends a management request.
    pub async fn send(&self, method: &str, path: &str, caller: &Caller, body: Option<&str>) -> Answer {
        self.functions.send(method, path, caller, body).await
    }

    /// Sends a management request with exactly these headers.
    pub async fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        self.functions.send_with(method, path, headers, body).await
    }
}

/// A Wednesday, at the first second of a minute and of a day.
const START_EPOCH_S: u64 = 1_792_540_800;
