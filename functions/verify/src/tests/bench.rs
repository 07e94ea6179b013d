//! A function with its own table, secrets and clock, and wallets that sign.

use std::collections::HashMap;

use faregate_domain::time::Timestamp;
use faregate_domain::wallet::{Address, Message, Nonce, RelyingParty, SIGN_IN_STATEMENT};
use faregate_edge::config::Config;
use faregate_edge::entropy;
use faregate_edge::now::Clock;
use faregate_gate::Services;
use faregate_store::IssuedNonce;
use k256::ecdsa::SigningKey;
use lambda_http::http::{HeaderMap, StatusCode};
use lambda_http::{Body, Request};
use serde_json::{Value, json};
use sha3::{Digest, Keccak256};

use crate::App;

pub(crate) const ORIGIN: &str = "https://gate.example";

/// One function, all its own.
pub(crate) struct Bench {
    pub(crate) app: App,
    pub(crate) services: Services,
    pub(crate) secrets_file: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
        let bench = Self::before(&endpoint, None);
        bench.services.store.ensure_table().await.unwrap();
        bench
    }

    /// A function with this policy, and a table that is nowhere.
    pub(crate) fn with_policy(text: &str) -> Self {
        Self::before("http://127.0.0.1:9", Some(text))
    }

    /// A function whose table is nowhere.
    pub(crate) fn without_table() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::before(&format!("http://{free}"), None)
    }

    fn before(endpoint: &str, policy: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets_file = folder.path().join("secrets.json");
        write_secret(&secrets_file, "aa", None);
        let location = format!("file:{}", secrets_file.display());
        let mut variables = HashMap::from([("FAREGATE_ORIGIN", ORIGIN.to_owned()), ("FAREGATE_SECRETS", location)]);
        if let Some(text) = policy {
            let file = folder.path().join("policy.yaml");
            std::fs::write(&file, text).unwrap();
            variables.insert("FAREGATE_POLICY", file.display().to_string());
        }
        let config = Config::from_lookup(|name| variables.get(name).cloned()).unwrap();
        let clock = Clock::standing_at(Timestamp::from_epoch_s(1_760_000_000));
        let services = Services::connect_local(config, endpoint, clock);
        Self { app: App::new(services.clone()).unwrap(), services, secrets_file, _folder: folder }
    }

    /// Hands out a nonce as the other function would.
    pub(crate) async fn issue(&self, address: Address) -> Issued {
        let now = self.services.clock.now();
        let nonce = Nonce::mint(&mut entropy::fill);
        let party = RelyingParty::new(ORIGIN, SIGN_IN_STATEMENT, 1).unwrap();
        let message = Message::issue(&party, address, &nonce, now, now.plus_s(300)).to_string();
        let issued = IssuedNonce { address, message: message.clone() };
        self.services.store.insert_nonce(&nonce, &issued, now).await.unwrap();
        Issued { nonce: nonce.to_string(), message }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        self.send("POST", path, Body::Text(body.to_string()), &all).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Body, headers: &[(&str, &str)]) -> Answer {
        let mut request = lambda_http::http::Request::builder().method(method).uri(format!("{ORIGIN}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request: Request = request.body(body).unwrap();
        let response = self.app.handle(request).await;
        let (parts, body) = response.into_parts();
        let body = match body {
            Body::Text(text) => serde_json::from_str(&text).unwrap(),
            _ => Value::Null,
        };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Signs a wallet in all the way.
    pub(crate) async fn login(&self, wallet: &Wallet) -> Answer {
        let issued = self.issue(wallet.address()).await;
        self.post("/auth/verify", &wallet.proof(&issued), &[]).await
    }

    /// Signs a wallet in and gives its token.
    pub(crate) async fn token(&self, wallet: &Wallet) -> String {
        self.login(wallet).await.body["data"]["access_token"].as_str().unwrap().to_owned()
    }
}

/// A nonce and its message.
pub(crate) struct Issued {
    pub(crate) nonce: String,
    pub(crate) message: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Status and code of a problem.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// A key that signs as wallets do.
pub(crate) struct Wallet(SigningKey);

impl Wallet {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub(crate) fn address(&self) -> Address {
        let point = self.0.verifying_key().to_sec1_point(false);
        Address::from_public_key(point.as_bytes()[1..].try_into().unwrap())
    }

    /// `personal_sign`, 65 bytes.
    pub(crate) fn sign(&self, message: &str) -> [u8; 65] {
        let text = format!("\x19Ethereum Signed Message:\n{}{message}", message.len());
        let (signature, parity) = self.0.sign_prehash_recoverable(&Keccak256::digest(text.as_bytes()));
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = 27 + parity.to_byte();
        bytes
    }

    /// The body that proves this wallet.
    pub(crate) fn proof(&self, issued: &Issued) -> Value {
        json!({
            "address": self.address().to_string(),
            "nonce": issued.nonce,
            "signature": format!("0x{}", hex::encode(self.sign(&issued.message))),
        })
    }
}

/// Writes the signing secret, each version as one repeated byte.
pub(crate) fn write_secret(path: &std::path::Path, current: &str, previous: Option<&str>) {
    let previous = previous.map(|byte| byte.repeat(32));
    let text = json!({"signing": {"current": current.repeat(32), "previous": previous}}).to_string();
    std::fs::write(path, text).unwrap();
}
