//! One account, its neighbour and its operator in a running program, and things of that account to ask about.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use faregate::{Options, Running, Wallet, start_at};
use faregate_domain::{
    outbound::{Reach, Target as Url},
    time::Timestamp,
};
use faregate_edge::{api::Operation, now::Clock};
use faregate_tests::{
    Answer, Caller, Session, ask_over_http,
    github::{GitHub, ReportKey},
    send_over_http, stripe,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The running program and the wallets of those who use it.
pub(super) struct Program {
    running: Running,
    wallets: [Arc<Wallet>; 2],
    clock: Clock,
    folder: TempDir,
    report_key: ReportKey,
    number: AtomicU32,
}

impl Program {
    pub(super) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let wallet = |name: &str| Arc::new(Wallet::open(&folder.path().join(format!("{name}.hex"))).unwrap());
        let wallets = ["neighbour", "operator"].map(wallet);
        let operator = Some(wallets[1].address().to_string());
        let clock = Clock::standing_at(Timestamp::from_epoch_s(1_792_540_800));
        let stripe_secret = Some(stripe::SECRET.into());
        let report_key = ReportKey::new(7);
        let github_keys = Url::parse(&GitHub::publishing(&[&report_key]).await.url, Reach::Loopback).ok();
        let options = Options { operator, stripe_secret, github_keys, ..Options::throw_away() };
        let running = start_at(options, clock.clone()).await.unwrap();
        Self { running, wallets, clock, folder, report_key, number: AtomicU32::new(0) }
    }

    pub(super) async fn ask(&self, method: &str, path: &str, caller: &Caller, body: Option<&Value>) -> Answer {
        ask_over_http(&self.running.url, method, path, caller, body).await
    }

    /// The same about a target, signed where it must be.
    pub(super) async fn ask_about(&self, method: &str, target: &Target, caller: &Caller) -> Answer {
        let mut headers = caller.headers();
        headers.extend(target.body.as_ref().map(|_| ("content-type".into(), "application/json".into())));
        headers.extend(target.signature.iter().cloned());
        let text = target.body.as_ref().map(Value::to_string).unwrap_or_default();
        self.send(method, &target.path, &headers, &text).await
    }

    /// The same with headers and a body that no caller should send.
    pub(super) async fn send(&self, method: &str, path: &str, headers: &[(String, String)], body: &str) -> Answer {
        send_over_http(&self.running.url, method, path, headers, body).await
    }

    pub(super) async fn stop(self) {
        self.running.stop().await;
    }

    /// What `POST /auth/verify` takes from this wallet, once.
    async fn proof(&self, wallet: &Wallet) -> Value {
        let address = wallet.address().to_string();
        let nonce = self.ask("GET", &format!("/auth/nonce/{address}"), &Caller::Anonymous, None).await;
        let signature = wallet.sign(nonce.data("message"));
        json!({"address": address, "signature": signature, "nonce": nonce.data("nonce")})
    }

    async fn login(&self, wallet: &Arc<Wallet>) -> Session {
        let proof = self.proof(wallet).await;
        let answer = self.ask("POST", "/auth/verify", &Caller::Anonymous, Some(&proof)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Session {
            token: answer.data("access_token").to_owned(),
            account_id: answer.data("account_id").to_owned(),
            wallet: Arc::clone(wallet),
        }
    }

    async fn key(&self, session: &Session, scopes: Value) -> (String, Caller) {
        let body = json!({"name": "a key", "scopes": scopes});
        let answer = self.ask("POST", "/v1/api-keys", &session.caller(), Some(&body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        (answer.data("id").to_owned(), Caller::Key(answer.data("key").to_owned()))
    }
}

/// Those who ask, freshly signed in and with fresh keys.
pub(super) struct World<'p> {
    program: &'p Program,
    owner: Session,
    callers: [Caller; 8],
    /// The id of the key with every scope.
    wide: String,
    project: String,
}

/// What an operation is asked about.
pub(super) struct Target {
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The headers with what the body is signed with, where it is.
    pub(super) signature: Vec<(String, String)>,
}

impl<'p> World<'p> {
    pub(super) async fn new(program: &'p Program) -> Self {
        // How often one network may sign in within a minute, and how many keys an account may have, is not the matter here.
        program.clock.advance_ms(60_000);
        let owner = format!("owner{}.hex", program.number.fetch_add(1, Ordering::SeqCst));
        let owner = program.login(&Arc::new(Wallet::open(&program.folder.path().join(owner)).unwrap())).await;
        let neighbour = program.login(&program.wallets[0]).await;
        let operator = program.login(&program.wallets[1]).await;
        let (_, narrow) = program.key(&owner, json!(["demo:write"])).await;
        let (wide_id, wide) = program.key(&owner, json!("admin")).await;
        let (ended, revoked) = program.key(&owner, json!("admin")).await;
        let answer = program.ask("DELETE", &format!("/v1/api-keys/{ended}"), &owner.caller(), None).await;
        assert_eq!(answer.status, 204);
        let (_, service) = program.key(&operator, json!(["gate:check"])).await;
        let me = program.ask("GET", "/v1/me", &owner.caller(), None).await;
        let project = me.data("default_project_id").to_owned();
        let callers =
            [Caller::Anonymous, owner.caller(), neighbour.caller(), narrow, wide, revoked, service, operator.caller()];
        Self { program, owner, callers, wide: wide_id, project }
    }

    /// One for each column.
    pub(super) fn callers(&self) -> &[Caller; 8] {
        &self.callers
    }

    /// Something of the owner's that the operation is about, and a body that would do.
    pub(super) async fn target(&self, operation: &Operation) -> Target {
        let Operation { method, path, .. } = operation;
        let filled = |name: &str, value: &str| path.replace(name, value);
        let path = match path.split('/').nth(2) {
            Some("nonce") => filled("{address}", &self.owner.wallet.address().to_string()),
            Some("{page}") => filled("{page}", "keys"),
            Some("{code}") => filled("{code}", "not_found"),
            Some("api-keys") if path.contains("{id}") => {
                filled("{id}", &self.program.key(&self.owner, json!("read-only")).await.0)
            }
            Some("projects") => filled("{id}", &self.project),
            Some("client-sessions") if path.contains("{id}") => filled("{id}", &self.client_session().await.0),
            Some("sessions") if path.contains("{id}") => filled("{id}", &self.login().await),
            Some("charges") => filled("{id}", &self.charge().await),
            Some("billing") => format!("{path}?account_id={}", self.owner.account_id),
            Some("accounts") => filled("{id}", &self.owner.account_id),
            Some("webhooks") if path.contains("{id}") => self.webhook(path).await,
            Some("payments") if path.contains("{id}") => filled("{id}", &self.payment().await),
            _ => path.clone(),
        };
        let body = match (*method, operation.path.as_str()) {
            ("POST", "/auth/verify") => Some(self.program.proof(&self.owner.wallet).await),
            ("PATCH", "/v1/accounts/{id}") => Some(json!({"plan": "studio"})),
            ("POST", "/v1/webhooks") => Some(json!({"url": "https://hooks.invalid/", "key_id": self.wide})),
            ("PATCH", "/v1/webhooks/{id}") => Some(json!({"events": ["key.created"]})),
            ("POST", "/v1/api-keys" | "/v1/projects") | ("PATCH", _) => Some(json!({"name": "new"})),
            ("POST", "/v1/api-keys/{id}/rotate") => Some(json!({"grace_seconds": 60})),
            ("POST", "/v1/api-keys/{id}/explain") => Some(json!({"method": "GET", "path": "/demo/free"})),
            ("POST", "/v1/api-keys/verify") => Some(json!({"key": "", "method": "GET", "path": "/demo/free"})),
            ("POST", "/v1/client-sessions") => Some(json!({"client_reference_id": "user-42"})),
            ("POST", "/v1/client-sessions/redeem") => Some(json!({"client_secret": self.client_session().await.1})),
            ("POST", "/v1/charges/{id}/settle") => Some(json!({"outcome": "failed"})),
            ("POST", "/v1/signed-urls") => Some(json!({"path": "/demo/media/cat.png?size=2"})),
            ("POST", "/v1/projects/{id}/allocations") => Some(json!({"amount_usd": "-0.01"})),
            ("POST", "/v1/accounts/{id}/credits") => {
                let number = self.program.number.fetch_add(1, Ordering::SeqCst);
                Some(json!({"amount_usd": 1, "reference": format!("credit {number}")}))
            }
            ("POST", "/v1/leaks/github") => Some(json!([{"token": "junk", "type": "faregate_api_key", "url": ""}])),
            ("POST", "/v1/payments/stripe") => Some(self.event(&self.owner.account_id)),
            ("POST", "/v1/payments/{id}/assign") => Some(json!({"account_id": self.owner.account_id})),
            _ => None,
        };
        let signature = match (operation.path.as_str(), &body) {
            ("/v1/payments/stripe", Some(body)) => self.signature(body),
            ("/v1/leaks/github", Some(body)) => self.program.report_key.headers(body.to_string().as_bytes()).into(),
            _ => Vec::new(),
        };
        Target { path, body, signature }
    }

    /// A paid checkout that Stripe was never heard of before.
    fn event(&self, account: &str) -> Value {
        let number = self.program.number.fetch_add(1, Ordering::SeqCst);
        stripe::checkout(&format!("pi_{number}"), account, 500)
    }

    /// A payment that nobody was credited with.
    async fn payment(&self) -> String {
        let body = self.event("a stranger");
        let target = Target { path: "/v1/payments/stripe".into(), signature: self.signature(&body), body: Some(body) };
        let answer = self.program.ask_about("POST", &target, &Caller::Anonymous).await;
        assert_eq!(answer.data("status"), "kept", "{}", answer.text);
        target.body.unwrap()["data"]["object"]["payment_intent"].as_str().unwrap().to_owned()
    }

    fn signature(&self, body: &Value) -> Vec<(String, String)> {
        let signature = stripe::signature(stripe::SECRET, self.program.clock.now(), body.to_string().as_bytes());
        vec![("stripe-signature".into(), signature)]
    }

    /// A sign-in of the owner's beside the one that asks.
    async fn login(&self) -> String {
        self.program.login(&self.owner.wallet).await;
        let answer = self.program.ask("GET", "/v1/sessions", &self.owner.caller(), None).await;
        let sessions = answer.body["data"].as_array().unwrap();
        let other = sessions.iter().find(|one| one["is_current"] == false).unwrap();
        other["id"].as_str().unwrap().to_owned()
    }

    /// A client session of the key that may everything, and its secret.
    async fn client_session(&self) -> (String, String) {
        let body = json!({"client_reference_id": "user-42"});
        let answer = self.program.ask("POST", "/v1/client-sessions", &self.callers[4], Some(&body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let text = |pointer: &str| answer.body.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        (text("/data/session/id"), text("/data/client_secret/secret"))
    }

    /// A path about an endpoint of the key with every scope, and about a delivery to it.
    async fn webhook(&self, path: &str) -> String {
        let body = json!({"url": "https://hooks.invalid/"});
        let made = self.program.ask("POST", "/v1/webhooks", &self.callers[4], Some(&body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let path = path.replace("{id}", made.data("id"));
        if !path.contains("{delivery}") {
            return path;
        }
        let test = format!("/v1/webhooks/{}/test", made.data("id"));
        let sent = self.program.ask("POST", &test, &self.callers[4], None).await;
        path.replace("{delivery}", sent.data("id"))
    }

    /// A call that waits to be settled.
    async fn charge(&self) -> String {
        let answer = self.program.ask("POST", "/demo/metered", &self.callers[3], None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["data"]["context"]["chargeId"].as_str().unwrap().to_owned()
    }
}

/// A target's path with an id that nobody ever had.
pub(super) fn stranger(operation: &Operation, path: &str) -> String {
    if let Some((before, id)) = path.split_once("?account_id=acc_") {
        return format!("{before}?account_id=acc_{}", "0".repeat(id.len()));
    }
    let at = operation.path.split('/').position(|segment| segment == "{id}").unwrap();
    let mut segments: Vec<_> = path.split('/').map(str::to_owned).collect();
    let (kind, id) = segments[at].split_once('_').unwrap();
    segments[at] = format!("{kind}_{}", "0".repeat(id.len()));
    segments.join("/")
}
