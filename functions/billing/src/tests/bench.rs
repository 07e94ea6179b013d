//! A function with its own table, secrets and clock, and people who signed in.

use std::collections::{BTreeMap, HashMap};

use faregate_domain::{
    cell::{Cell, Owner, Purse, Status, StoredProof},
    client_session::Tabs,
    counters::Counters,
    id::{AccountId, ProjectId, SessionId},
    lease::Leases,
    money::MicroUsd,
    policy::{Limits, Policy},
    scope::{Grant, GrantSet},
    time::Timestamp,
    wallet::Address,
};
use faregate_edge::{
    config::Config,
    entropy,
    now::Clock,
    secrets::SecretName,
    token::{Issuance, SessionClaims, SigningKey},
};
use faregate_gate::Services;
use faregate_store::{Account, PublishedKey};
use lambda_http::{Body, Response};
use serde_json::{Value, json};

use super::lossy::Lossy;
use crate::App;

const ORIGIN: &str = "https://gate.example";
const OPERATOR: u8 = 0;

/// One function, all its own.
pub(crate) struct Bench {
    app: App,
    services: Services,
    pub(crate) lossy: Lossy,
    _folder: tempfile::TempDir,
}

/// Somebody who signed in.
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) token: String,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let table = listener.local_addr().unwrap();
        tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
        let lossy = Lossy::default();
        let endpoint = lossy.before(table).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.json");
        let version = |digits: &str| json!({"current": digits.repeat(32), "previous": null});
        let secrets =
            json!({"pepper": version("11"), "tag": version("22"), "signing": version("33"), "seal": version("55")});
        std::fs::write(&file, secrets.to_string()).unwrap();
        let location = format!("file:{}", file.display());
        let variables = HashMap::from([("FAREGATE_ORIGIN", ORIGIN.to_owned()), ("FAREGATE_SECRETS", location)]);
        let mut config = Config::from_lookup(|name| variables.get(name).cloned()).unwrap();
        config.policy = Policy::parse(Policy::DEFAULT_TEXT).unwrap().with_operator(address(OPERATOR));
        let clock = Clock::standing_at(Timestamp::from_epoch_s(1_760_000_040));
        let services = Services::connect_local(config, &format!("http://{endpoint}"), clock);
        services.store.ensure_table().await.unwrap();
        Self { app: App::new(services.clone()), services, lossy, _folder: folder }
    }

    /// Opens an account with five dollars and signs its owner in; 0 is the operator.
    pub(crate) async fn person(&self, number: u8) -> Person {
        let account = Account {
            id: AccountId::mint(&mut entropy::fill),
            address: address(number),
            plan: "studio".to_owned(),
            default_project: ProjectId::mint(&mut entropy::fill),
            created_at: self.services.clock.now(),
        };
        let credit = MicroUsd::new(5_000_000).unwrap();
        assert!(self.services.store.insert_account(&account, credit, &session_cell(&account)).await.unwrap());
        let token = self.sign_in(&account).await;
        Person { account: account.id, project: account.default_project, token }
    }

    async fn sign_in(&self, account: &Account) -> String {
        let (now, session) = (self.services.clock.now(), SessionId::mint(&mut entropy::fill));
        let secret = self.services.secrets.find(SecretName::Signing, now).await.unwrap();
        let key = SigningKey::derive(&secret.current).unwrap();
        let (public, until) = (key.public(), now.plus_s(90_000));
        let published =
            PublishedKey { kid: public.id().to_string(), x: public.x().to_owned(), y: public.y().to_owned(), until };
        self.services.store.publish_keys(&[published], &[]).await.unwrap();
        assert!(self.services.store.insert_session(&account.id, &session, until, &[]).await.unwrap());
        let claims = SessionClaims {
            account: account.id.clone(),
            address: account.address,
            chain_id: 1,
            session,
            issued_at: now,
            expires_at: until,
        };
        key.sign(&claims, &Issuance::of(ORIGIN)).unwrap().expose().to_owned()
    }

    /// Sends a request, under an idempotency key where one is given.
    pub(crate) async fn send(&self, method: &str, path: &str, who: &str, body: &str, key: Option<&str>) -> Answer {
        let mut request = lambda_http::http::Request::builder()
            .method(method)
            .uri(format!("{ORIGIN}{path}"))
            .header("authorization", format!("Bearer {who}"))
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Body::Text(body.to_owned())).unwrap();
        Answer::of(self.app.handle(request).await)
    }

    /// What is in the account's wallet, in its project's, and how many entries say so.
    pub(crate) async fn books(&self, person: &Person) -> (u64, u64, usize) {
        let store = &self.services.store;
        let own = store.find_account_wallet(&person.account).await.unwrap().unwrap();
        let project = store.find_wallet(&person.project).await.unwrap().unwrap();
        assert_eq!(project.available, project.allocated);
        let entries = store.find_entries(&person.account, None, 100).await.unwrap();
        (own.available.micro_usd(), project.available.micro_usd(), entries.len())
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) allow: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let Body::Text(text) = body else { panic!("no text") };
        let body = serde_json::from_str(&text).unwrap();
        let allow = parts.headers.get("allow").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(parts.headers["cache-control"], "no-store");
        Self { status: parts.status.as_u16(), text, allow, body }
    }
}

fn address(number: u8) -> Address {
    format!("0x{}", format!("{number:02x}").repeat(20)).parse().unwrap()
}

fn session_cell(account: &Account) -> Cell {
    Cell {
        owner: Owner {
            account: account.id.clone(),
            project: account.default_project.clone(),
            environment: "sandbox".to_owned(),
            gallery: account.default_project.to_string(),
        },
        status: Status::Active,
        proof: StoredProof::Sessions(BTreeMap::new()),
        expires_at: None,
        grants: GrantSet::new([Grant::parse("*").unwrap()]).unwrap(),
        allowlist: None,
        limits: Limits::new(1_000, 0, 1_000_000, 100).unwrap(),
        purse: Purse::empty(None),
        leases: Leases::default(),
        tabs: Tabs::default(),
        project_window: None,
        counters: Counters::default(),
    }
}
