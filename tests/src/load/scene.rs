//! The running program, and those who call: accounts with a rich and a poor project each, keys of both, sessions, a service.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use faregate::{Options, Running, Wallet, start_unfed};
use faregate_domain::policy::Policy;
use faregate_edge::now::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Answer, Caller, Session,
    load::{Place, client::Client, tally::Tally},
};

/// Who is there.
pub(crate) struct Scene {
    pub(crate) running: Running,
    pub(crate) operator: Session,
    pub(crate) service: Caller,
    pub(crate) accounts: Vec<Account>,
    callers: Mutex<Vec<Caller>>,
    /// How many of them stay to the end.
    lasting: usize,
    folder: TempDir,
}

/// An owner, and the projects: one with more money than is ever spent, one that is short of it.
pub(crate) struct Account {
    pub(crate) session: Session,
    pub(crate) rich: String,
    pub(crate) poor: String,
}

impl Scene {
    /// Starts the program, and signs everybody in.
    pub(crate) async fn new(callers: usize, place: Place, tally: &Tally) -> Self {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("folder: {error}"));
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, policy()).unwrap_or_else(|error| panic!("policy: {error}"));
        let wallet = |name: String| {
            let wallet = Wallet::open(&folder.path().join(format!("{name}.hex")));
            Arc::new(wallet.unwrap_or_else(|error| panic!("wallet: {error}")))
        };
        let operator = wallet("operator".into());
        let options = Options {
            memory: place == Place::Memory,
            data: folder.path().join("data"),
            policy: Some(file),
            operator: Some(operator.address().to_string()),
            ..Options::throw_away()
        };
        let running = start_unfed(options, Clock::system()).await.unwrap_or_else(|error| panic!("start: {error}"));
        let mut client = Newcomer { client: Client::to(&running.url), tally };
        let operator = client.sign_in(&operator).await;
        let service = json!({"name": "service", "environment": "production", "scopes": ["gate:check"]});
        let service = client.make_key(&operator, &service).await;
        let mut accounts = Vec::new();
        for number in 0..ACCOUNTS {
            accounts.push(client.account(&operator, &wallet(number.to_string())).await);
        }
        let mut all: Vec<_> = accounts.iter().map(|account| account.session.caller()).collect();
        for number in 0..callers.max(ACCOUNTS * 2) {
            let account = &accounts[number % ACCOUNTS];
            let project = if number / ACCOUNTS % 3 == 1 { &account.poor } else { &account.rich };
            all.push(client.make_key(&account.session, &new_key(project)).await);
        }
        Self { running, operator, service, accounts, lasting: all.len(), callers: Mutex::new(all), folder }
    }

    /// Where the ledger's feed notes how far it is.
    pub(crate) fn mark(&self) -> PathBuf {
        self.folder.path().join("ledger.position")
    }

    /// One of those who may call, or could once.
    pub(crate) fn any_caller(&self) -> Caller {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers[fastrand::usize(..callers.len())].clone()
    }

    /// One more who may call, for a while: whoever joined some others ago stays away from then on.
    pub(crate) fn join(&self, caller: Caller) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.push(caller);
        if callers.len() > self.lasting + PASSING {
            callers.remove(self.lasting);
        }
    }
}

/// A key with all that a call may need.
pub(crate) fn new_key(project: &str) -> Value {
    json!({"name": "key", "environment": "production", "project_id": project})
}

/// Whoever brings everybody in.
struct Newcomer<'t> {
    client: Client,
    tally: &'t Tally,
}

impl Newcomer<'_> {
    async fn sign_in(&mut self, wallet: &Arc<Wallet>) -> Session {
        let address = wallet.address().to_string();
        let nonce = self.send("GET", &format!("/auth/nonce/{address}"), &Caller::Anonymous, None).await;
        let signature = wallet.sign(nonce.data("message"));
        let proof = json!({"address": address, "signature": signature, "nonce": nonce.data("nonce")});
        let answer = self.send("POST", "/auth/verify", &Caller::Anonymous, Some(&proof)).await;
        Session {
            token: answer.data("access_token").to_owned(),
            account_id: answer.data("account_id").to_owned(),
            wallet: Arc::clone(wallet),
        }
    }

    async fn make_key(&mut self, session: &Session, body: &Value) -> Caller {
        let answer = self.send("POST", "/v1/api-keys", &session.caller(), Some(body)).await;
        Caller::Key(answer.data("key").to_owned())
    }

    async fn account(&mut self, operator: &Session, wallet: &Arc<Wallet>) -> Account {
        let session = self.sign_in(wallet).await;
        let caller = session.caller();
        let me = self.send("GET", "/v1/me", &caller, None).await;
        let credit = json!({"amount_usd": 1_000, "reference": session.account_id});
        let page = format!("/v1/accounts/{}/credits", session.account_id);
        self.send("POST", &page, &operator.caller(), Some(&credit)).await;
        let poor = self.send("POST", "/v1/projects", &caller, Some(&json!({"name": "poor"}))).await;
        let poor = poor.data("id").to_owned();
        let allocation = json!({"amount_usd": 1});
        self.send("POST", &format!("/v1/projects/{poor}/allocations"), &caller, Some(&allocation)).await;
        Account { rich: me.data("default_project_id").to_owned(), poor, session }
    }

    async fn send(&mut self, method: &str, path: &str, caller: &Caller, body: Option<&Value>) -> Answer {
        let answer = self.client.send(method, path, caller, body).await;
        self.tally.managed(path, &[200, 201], answer.as_ref());
        let answer = answer.unwrap_or_else(|| panic!("{method} {path}: no answer"));
        assert!(answer.status < 300, "{method} {path}: {}", answer.text);
        answer
    }
}

/// The default policy where limits hold nobody up, and a call that nobody settles is not open for long.
fn policy() -> String {
    [
        ("per_minute: 100,", "per_minute: 1000000,"),
        ("per_minute: 1000,", "per_minute: 1000000,"),
        ("per_day: 1000000,", "per_day: 1000000000,"),
        ("concurrent: 100 ", "concurrent: 1000 "),
        ("lease_seconds: 900", "lease_seconds: 30"),
        ("credit_usd: \"5.00\"", "credit_usd: \"100000\""),
    ]
    .into_iter()
    .fold(Policy::DEFAULT_TEXT.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the default policy has no {from:?}");
        text.replace(from, to)
    })
}

const ACCOUNTS: usize = 3;
/// Callers beside the lasting ones, some of whom have lost their keys.
const PASSING: usize = 4;
