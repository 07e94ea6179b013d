//! One account, its neighbour and its operator in a running program, and things of that account to ask about.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use faregate::{Options, Running, Wallet, start_at};
use faregate_domain::time::Timestamp;
use faregate_edge::{api::Operation, now::Clock};
use faregate_tests::{Answer, Caller, Session, ask_over_http, send_over_http, stripe};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The running program and the wallets of those who use it.
pub(super) struct Program {
    running: Running,
    wallets: [Arc<Wallet>; 2],
    clock: Clock,
    folder: TempDir,
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
        let running =
            start_at(Options { operator, stripe_secret, ..Options::throw_away() }, clock.clone()).await.unwrap();
        Self { running, wallets, clock, folder, number: AtomicU32::new(0) }
    }

    pub(super) async fn ask(&self, method: &str, path: &str, caller: &Caller, body: Option<&Value>) -> Answer {
        ask_over_http(&self.running.url, method, path, caller, body).await
    }

    /// The same about a target, signed where it must be.
    pub(super) async fn ask_about(&self, method: &str, target: &Target, caller: &Caller) -> Answer {
        let mut headers = caller.headers();
        headers.extend(target.body.as_ref().map(|_| ("content-type".into(), "application/json".into())));
        headers.extend(target.signature.iter().map(|signature| ("stripe-signature".into(), signature.clone())));
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
    project: String,
}

/// What an operation is asked about.
pub(super) struct Target {
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// What the body is signed with, where it is.
    pub(super) signature: Option<String>,
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
        let (_, wide) = program.key(&owner, json!("admin")).await;
        let (ended, revoked) = program.key(&owner, json!("admin")).await;
        let answer = program.ask("DELETE", &format!("/v1/api-keys/{ended}"), &owner.caller(), None).await;
        assert_eq!(answer.status, 204);
        let (_, service) = program.key(&operator, json!(["gate:check"])).await;
        let me = program.ask("GET", "/v1/me", &owner.caller(), None).await;
        let project = me.data("default_project_id").to_owned();
        let callers =
            [Caller::Anonymous, owner.caller(), neighbour.caller(), narrow, wide, revoked, service, operator.caller()];
        Self { program, owner, callers, project }
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
            Some("charges") => filled("{id}", &self.charge().await),
            Some("billing") => format!("{path}?account_id={}", self.owner.account_id),
            Some("accounts") => filled("{id}", &self.owner.account_id),
            Some("payments") if path.contains("{id}") => filled("{id}", &self.payment().await),
            _ => path.clone(),
        };
        let body = match (*method, operation.path.as_str()) {
            ("POST", "/auth/verify") => Some(self.program.proof(&self.owner.wallet).await),
            ("PATCH", "/v1/accounts/{id}") => Some(json!({"plan": "studio"})),
            ("POST", "/v1/api-keys" | "/v1/projects") | ("PATCH", _) => Some(json!({"name": "new"})),
            ("POST", "/v1/api-keys/{id}/rotate") => Some(json!({"grace_seconds": 60})),
            ("POST", "/v1/api-keys/{id}/explain") => Some(json!({"method": "GET", "path": "/demo/free"})),
            ("POST", "/v1/api-keys/verify") => Some(json!({"key": "", "method": "GET", "path": "/demo/free"})),
            ("POST", "/v1/charges/{id}/settle") => Some(json!({"outcome": "failed"})),
            ("POST", "/v1/projects/{id}/allocations") => Some(json!({"amount_usd": "-0.01"})),
            ("POST", "/v1/accounts/{id}/credits") => {
                let number = self.program.number.fetch_add(1, Ordering::SeqCst);
                Some(json!({"amount_usd": 1, "reference": format!("credit {number}")}))
            }
            ("POST", "/v1/payments/stripe") => Some(self.event(&self.owner.account_id)),
            ("POST", "/v1/payments/{id}/assign") => Some(json!({"account_id": self.owner.account_id})),
            _ => None,
        };
        let signed = body.as_ref().filter(|_| operation.path == "/v1/payments/stripe");
        let signature = signed.map(|body| self.signature(body));
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
        let target =
            Target { path: "/v1/payments/stripe".into(), signature: Some(self.signature(&body)), body: Some(body) };
        let answer = self.program.ask_about("POST", &target, &Caller::Anonymous).await;
        assert_eq!(answer.data("status"), "kept", "{}", answer.text);
        target.body.unwrap()["data"]["object"]["payment_intent"].as_str().unwrap().to_owned()
    }

    fn signature(&self, body: &Value) -> String {
        stripe::signature(stripe::SECRET, self.program.clock.now(), body.to_string().as_bytes())
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
