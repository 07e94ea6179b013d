//! A product: the running program under one of the policies that ship with it.

use std::path::Path;

use faregate::{Options, Running, Wallet, start_at};
use faregate_domain::time::Timestamp;
use faregate_edge::now::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{answer::Answer, curl::Curl};

/// The running program, its clock and its operator.
pub(crate) struct Product {
    pub(crate) running: Running,
    pub(crate) clock: Clock,
    /// Where keys are managed.
    keys_path: &'static str,
    operator: Wallet,
    wallets: TempDir,
}

/// Somebody who has signed in.
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) account: String,
    /// What a browser or a script sends as `Cookie`.
    pub(crate) cookie: String,
}

/// A key and its public id.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) text: String,
}

impl Product {
    /// Starts `infra/policies/{name}.yaml` at the beginning of a minute, its keys managed where they are by default.
    pub(crate) async fn open(name: &str) -> Self {
        Self::open_with_keys_at(name, "/v1/api-keys").await
    }

    /// The same for a product that manages its keys elsewhere.
    pub(crate) async fn open_with_keys_at(name: &str, keys_path: &'static str) -> Self {
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/policies").join(name).with_extension("yaml");
        let wallets = tempfile::tempdir().unwrap();
        let operator = Wallet::open(&wallets.path().join("operator.hex")).unwrap();
        let options =
            Options { policy: Some(policy), operator: Some(operator.address().to_string()), ..Options::throw_away() };
        let clock = Clock::standing_at(Timestamp::from_epoch_s(START_EPOCH_S));
        let running = start_at(options, clock.clone()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { running, clock, keys_path, operator, wallets }
    }

    /// Sends one request over a connection of its own.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        fetch(&self.running.url, method, path, headers, body).await
    }

    /// Sends JSON.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers: Vec<_> = headers.iter().copied().chain([("Content-Type", "application/json")]).collect();
        self.ask(method, path, &headers, &body.to_string()).await
    }

    /// Runs a command line of a document; the placeholders in it are replaced as a reader would do.
    pub(crate) async fn curl(&self, line: &str, replacements: &[(&str, &str)]) -> Answer {
        let replaced = replacements.iter().fold(line.to_owned(), |line, (placeholder, value)| {
            assert!(line.contains(placeholder), "{placeholder} is not in {line}");
            line.replace(placeholder, value)
        });
        let curl = Curl::parse(&replaced);
        let headers: Vec<_> = curl.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.ask(&curl.method, &curl.path, &headers, &curl.body).await
    }

    /// A wallet of its own for each name.
    pub(crate) fn wallet(&self, name: &str) -> Wallet {
        Wallet::open(&self.wallets.path().join(format!("{name}.hex"))).unwrap()
    }

    /// Signs a new customer in.
    pub(crate) async fn newcomer(&self) -> Session {
        self.login(&self.wallet("newcomer")).await
    }

    /// Signs the operator in.
    pub(crate) async fn operator(&self) -> Session {
        self.login(&self.operator).await
    }

    /// Signs a wallet in.
    pub(crate) async fn login(&self, wallet: &Wallet) -> Session {
        let nonce = self.ask("GET", &format!("/auth/nonce/{}", wallet.address()), &[], "").await;
        let signature = wallet.sign(nonce.text("/data/message"));
        let nonce = nonce.text("/data/nonce");
        let body = json!({"address": wallet.address().to_string(), "signature": signature, "nonce": nonce});
        let answer = self.send("POST", "/auth/verify", &[], &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        Session {
            token: answer.text("/data/access_token").to_owned(),
            account: answer.text("/data/account_id").to_owned(),
            cookie,
        }
    }

    /// Makes a key.
    pub(crate) async fn key(&self, session: &Session, body: Value) -> Key {
        let answer = self.send("POST", self.keys_path, &[("Authorization", &session.bearer())], &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let at = |pointer: &str, other: &str| answer.body.pointer(pointer).or(answer.body.pointer(other)).cloned();
        let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(ToOwned::to_owned)).unwrap();
        Key { id: text(at("/data/id", "/apiKey/id")), text: text(at("/data/key", "/key")) }
    }

    /// The page of a key.
    pub(crate) fn page(&self, key: &Key) -> String {
        format!("{}/{}", self.keys_path, key.id)
    }

    /// How often in a row this request is admitted, and the answer that ended it.
    pub(crate) async fn exhaust(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u32, Answer) {
        for admitted in 0..MOST_CALLS {
            let answer = self.ask(method, path, headers, "").await;
            if answer.status != 200 {
                return (admitted, answer);
            }
        }
        panic!("{method} {path} has no limit")
    }

    /// Lets time pass.
    pub(crate) fn wait_s(&self, seconds: u64) {
        self.clock.advance_ms(seconds * 1_000);
    }

    /// The time in epoch seconds.
    pub(crate) fn now_s(&self) -> u64 {
        self.clock.now().epoch_s()
    }

    /// Stops the program.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}

impl Session {
    /// The value of `Authorization`.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

impl Key {
    /// The value of `Authorization`.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.text)
    }
}

/// Sends one request to any server and reads its answer to the end.
pub(crate) async fn fetch(url: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let address = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url} is no plain address"));
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = lines.concat();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}Content-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    Answer::read(&String::from_utf8_lossy(&answer))
}

/// A Wednesday, at the first second of a minute and of a day.
const START_EPOCH_S: u64 = 1_792_540_800;
/// More than any limit of the documents that is exhausted.
const MOST_CALLS: u32 = 1_200;
