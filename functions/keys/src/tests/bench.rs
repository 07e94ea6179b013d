//! A function with its own table, secrets and clock, people who signed in, and the gate that their keys knock at.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Builder, Credentials, Region},
    types::AttributeValue,
};
use faregate_domain::{
    cell::{Cell, Owner, Purse, Status, StoredProof},
    client_session::Tabs,
    counters::Counters,
    id::{AccountId, ProjectId, SessionId},
    lease::Leases,
    money::MicroUsd,
    policy::Policy,
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
use faregate_gate::{Gate, Services};
use faregate_store::{Account, Patience, PublishedKey, Store};
use lambda_http::{Body, RequestExt, Response, aws_lambda_events::query_map::QueryMap, http::HeaderMap};
use serde_json::{Value, json};

use crate::App;

pub(crate) const ORIGIN: &str = "https://gate.example";

/// One function, all its own.
pub(crate) struct Bench {
    pub(crate) app: App,
    pub(crate) gate: Gate,
    pub(crate) services: Services,
    pub(crate) secrets_file: std::path::PathBuf,
    client: Client,
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
        Self::under(Policy::DEFAULT_TEXT, None).await
    }

    /// A bench under another policy, or with the function behind another endpoint than the table's own.
    pub(crate) async fn under(policy: &str, between: Option<&super::lossy::Lossy>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
        let endpoint = match between {
            Some(lossy) => lossy.before(own).await,
            None => own,
        };
        let bench = Self::before(policy, &format!("http://{endpoint}"), &format!("http://{own}"));
        bench.services.store.ensure_table().await.unwrap();
        bench
    }

    /// A function whose table has gone away.
    pub(crate) fn without_table() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::before(Policy::DEFAULT_TEXT, &format!("http://{free}"), &format!("http://{free}"))
    }

    fn before(policy: &str, endpoint: &str, own: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets_file = folder.path().join("secrets.json");
        std::fs::write(&secrets_file, secrets("55", None)).unwrap();
        let location = format!("file:{}", secrets_file.display());
        let variables = HashMap::from([("FAREGATE_ORIGIN", ORIGIN.to_owned()), ("FAREGATE_SECRETS", location)]);
        let mut config = Config::from_lookup(|name| variables.get(name).cloned()).unwrap();
        config.policy = Policy::parse(policy).unwrap().with_operator(address(OPERATOR));
        let clock = Clock::standing_at(Timestamp::from_epoch_s(1_760_000_040));
        let services = Services::connect_local(config, endpoint, clock);
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .endpoint_url(own);
        Self {
            app: App::new(services.clone()),
            gate: Gate::new(services.clone()),
            services,
            secrets_file,
            client: Store::client_from(config, Patience::LOCAL),
            _folder: folder,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    /// Opens an account with five dollars and signs its owner in; 0 is the operator.
    pub(crate) async fn person(&self, number: u8) -> Person {
        let now = self.now();
        let account = Account {
            id: AccountId::mint(&mut entropy::fill),
            address: address(number),
            plan: "studio".to_owned(),
            default_project: ProjectId::mint(&mut entropy::fill),
            created_at: now,
        };
        let cell = session_cell(&account);
        let credit = MicroUsd::new(5_000_000).unwrap();
        assert!(self.services.store.insert_account(&account, credit, &cell).await.unwrap());
        let token = self.sign_in(&account).await;
        Person { account: account.id, project: account.default_project, token }
    }

    /// Moves somebody's account to another plan of the policy.
    pub(crate) async fn set_plan(&self, person: &Person, plan: &str) {
        let update = self.client.update_item().table_name("faregate");
        let update = update.key("pk", AttributeValue::S(person.account.to_string()));
        let update = update.key("sk", AttributeValue::S("account".to_owned())).update_expression("SET pl = :plan");
        update.expression_attribute_values(":plan", AttributeValue::S(plan.to_owned())).send().await.unwrap();
    }

    async fn sign_in(&self, account: &Account) -> String {
        let (now, session) = (self.now(), SessionId::mint(&mut entropy::fill));
        let secret = self.services.secrets.find(SecretName::Signing, now).await.unwrap();
        let key = SigningKey::derive(&secret.current).unwrap();
        let public = key.public();
        let until = now.plus_s(90_000);
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

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        who: &str,
        body: Option<&str>,
        more: &[(&str, &str)],
    ) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut request = lambda_http::http::Request::builder().method(method).uri(format!("{ORIGIN}{path}"));
        if !who.is_empty() {
            request = request.header("authorization", format!("Bearer {who}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let body = body.map_or(Body::Empty, |body| Body::Text(body.to_owned()));
        let request = request.body(body).unwrap().with_query_string_parameters(query.parse::<QueryMap>().unwrap());
        Answer::of(self.app.handle(request).await)
    }

    pub(crate) async fn create(&self, who: &str, body: &Value) -> Answer {
        self.send("POST", "/v1/api-keys", who, Some(&body.to_string()), &[]).await
    }

    /// A key that was made without a hitch.
    pub(crate) async fn key(&self, who: &str, body: &Value) -> Key {
        let answer = self.create(who, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        Key::of(&answer)
    }

    pub(crate) async fn read(&self, who: &str, id: &str) -> Answer {
        self.send("GET", &format!("/v1/api-keys/{id}"), who, None, &[]).await
    }

    pub(crate) async fn change(&self, who: &str, id: &str, body: &Value) -> Answer {
        self.send("PATCH", &format!("/v1/api-keys/{id}"), who, Some(&body.to_string()), &[]).await
    }

    pub(crate) async fn revoke(&self, who: &str, id: &str) -> Answer {
        self.send("DELETE", &format!("/v1/api-keys/{id}"), who, None, &[]).await
    }

    /// What the gate says to a request with this key: `admitted` or a code.
    pub(crate) async fn knock(&self, key: &str, route: &str) -> &'static str {
        let (method, path) = route.split_once(' ').unwrap();
        let request = faregate_gate::Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![("x-api-key".to_owned(), key.to_owned())],
            ..faregate_gate::Request::default()
        };
        match self.gate.decide(&request).await.unwrap().verdict {
            Ok(_) => "admitted",
            Err(denial) => denial.code(),
        }
    }

    /// How many of `wanted` free requests the gate lets through.
    pub(crate) async fn admitted(&self, key: &str, wanted: u32) -> u32 {
        let mut admitted = 0;
        for _ in 0..wanted {
            admitted += u32::from(self.knock(key, "GET /demo/free").await == "admitted");
        }
        admitted
    }

    /// Every item of the table.
    pub(crate) async fn items(&self) -> Vec<HashMap<String, AttributeValue>> {
        let mut pages = self.client.scan().table_name("faregate").into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.unwrap());
        }
        items
    }

    /// Items by the kind that their keys show: `key_… cell` is `key cell`.
    pub(crate) async fn kinds(&self) -> BTreeMap<String, usize> {
        let kind = |value: &AttributeValue| value.as_s().unwrap().split('_').next().unwrap().to_owned();
        let mut kinds = BTreeMap::new();
        for item in self.items().await {
            *kinds.entry(format!("{} {}", kind(&item["pk"]), kind(&item["sk"]))).or_insert(0) += 1;
        }
        kinds
    }

    /// Money in the wallets, in the cells, and spent, in millionths; nothing may be on its way.
    pub(crate) async fn books(&self) -> Books {
        let mut books = Books { wallets: 0, cells: 0, spent: 0 };
        for item in self.items().await {
            let number = |name: &str| item[name].as_n().unwrap().parse::<u64>().unwrap();
            match item["sk"].as_s().unwrap().as_str() {
                "wallet" => books.wallets += number("av"),
                "cell" => {
                    books.cells += number("bal");
                    books.spent += number("gt") - number("bal");
                }
                _ => {}
            }
        }
        books
    }
}

/// Where the money is, in millionths of a dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) wallets: u64,
    pub(crate) cells: u64,
    pub(crate) spent: u64,
}

/// A key and its id.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) text: String,
}

impl Key {
    pub(crate) fn of(answer: &Answer) -> Self {
        let text = |name: &str| answer.body["data"][name].as_str().unwrap().to_owned();
        Self { id: text("id"), text: text("key") }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let text = match body {
            Body::Text(text) => text,
            _ => String::new(),
        };
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status: parts.status.as_u16(), headers: parts.headers, text, body }
    }

    /// Status and code of a problem.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// Status and named field of a problem.
    pub(crate) fn fault(&self) -> (u16, &str) {
        (self.status, self.body["field"].as_str().unwrap_or_default())
    }
}

/// The text of a secrets file with these seal secrets.
pub(crate) fn secrets(seal: &str, previous: Option<&str>) -> String {
    let version = |digits: &str| json!({"current": digits.repeat(32), "previous": null});
    let seal = json!({"current": seal.repeat(32), "previous": previous.map(|digits| digits.repeat(32))});
    json!({"pepper": version("11"), "tag": version("22"), "signing": version("33"), "seal": seal}).to_string()
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
        limits: faregate_domain::policy::Limits::new(1_000, 0, 1_000_000, 100).unwrap(),
        purse: Purse::empty(None),
        leases: Leases::default(),
        tabs: Tabs::default(),
        project_window: None,
        counters: Counters::default(),
    }
}

const OPERATOR: u8 = 0;
