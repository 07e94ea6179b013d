//! The cap on money through whole HTTP: a thousand calls at once spend what there is, to the cent.

use std::{collections::BTreeMap, sync::Arc};

use faregate::{Options, Running, Wallet, start};
use faregate_domain::policy::Policy;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Barrier, Mutex, MutexGuard},
    task::JoinSet,
};

use crate::program::fetch;

/// The running program with a route for ten cents, and somebody who has just signed in to it and has five dollars.
struct Shop {
    running: Running,
    token: String,
    _alone: MutexGuard<'static, ()>,
}

impl Shop {
    async fn open() -> Self {
        let alone = ONE_RUSH.lock().await;
        allow_sockets();
        let policy = Policy::DEFAULT_TEXT.replace("cost_usd: \"0.01\"", "cost_usd: \"0.10\"");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, policy).unwrap();
        let running = start(Options { policy: Some(file), ..Options::throw_away() }).await.unwrap();

        let wallet = Wallet::open(&folder.path().join("wallet.hex")).unwrap();
        let page = format!("/auth/nonce/{}", wallet.address());
        let (_, nonce) = fetch(&running.url, "GET", &page, &[], "").await;
        let signature = wallet.sign(nonce["data"]["message"].as_str().unwrap());
        let nonce = &nonce["data"]["nonce"];
        let login = json!({"address": wallet.address().to_string(), "signature": signature, "nonce": nonce});
        let json = [("content-type", "application/json")];
        let (_, session) = fetch(&running.url, "POST", "/auth/verify", &json, &login.to_string()).await;
        Self { token: session["data"]["access_token"].as_str().unwrap().to_owned(), running, _alone: alone }
    }

    async fn key(&self, body: &Value) -> String {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let (status, key) = fetch(&self.running.url, "POST", "/v1/api-keys", &headers, &body.to_string()).await;
        assert_eq!(status, 201, "{key}");
        key["data"]["key"].as_str().unwrap().to_owned()
    }

    /// So many calls at once, each over a connection of its own, with the keys in turn; how many got which status.
    async fn rush(&self, keys: &[String], calls: usize) -> BTreeMap<u16, usize> {
        let address = self.running.url.strip_prefix("http://").unwrap();
        let connected = Arc::new(Barrier::new(calls));
        let mut tasks = JoinSet::new();
        for key in keys.iter().cycle().take(calls) {
            let request = format!(
                "POST /demo/paid HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-api-key: {key}\r\ncontent-length: 0\r\n\r\n"
            );
            let (address, connected) = (address.to_owned(), Arc::clone(&connected));
            tasks.spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                connected.wait().await;
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.unwrap();
                String::from_utf8(answer).unwrap().split(' ').nth(1).unwrap().parse::<u16>().unwrap()
            });
        }
        let mut counts = BTreeMap::new();
        for status in tasks.join_all().await {
            *counts.entry(status).or_default() += 1;
        }
        counts
    }
}

/// A call takes a socket at either end, and so does each of its calls to the table: 4,538 files in all were open at once.
fn allow_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// Two rushes at once would only measure how the machine bears it.
static ONE_RUSH: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_spend_a_keys_budget_and_no_more() {
    let shop = Shop::open().await;
    let key = shop.key(&json!({"name": "a", "environment": "production", "budget_usd": "5.00"})).await;
    let counts = shop.rush(&[key], 1_000).await;
    assert_eq!(counts, BTreeMap::from([(200, 50), (402, 950)]));
    shop.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_with_four_keys_spend_their_projects_money_and_no_more() {
    let shop = Shop::open().await;
    let mut keys = Vec::new();
    for name in ["a", "b", "c", "d"] {
        keys.push(shop.key(&json!({"name": name, "environment": "production"})).await);
    }
    let counts = shop.rush(&keys, 1_000).await;
    assert_eq!(counts, BTreeMap::from([(200, 50), (402, 950)]));
    shop.running.stop().await;
}
