//! The wire between the functions and their table, which a test can cut, mute or make stutter.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_sdk_dynamodb::{
    config::{BehaviorVersion, Builder, Credentials, Region},
    types::AttributeValue,
};
use dynoxide::Database;
use faregate_store::{Patience, Store};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::engine::Engine;

fn key(partition: &str, sort: &str) -> Value {
    json!({"pk": {"S": partition}, "sk": {"S": sort}})
}

/// A forwarding HTTP/1.1 link that counts requests and plays the faults it is told to, one per request.
#[derive(Clone)]
pub struct Link(Arc<State>);

impl std::fmt::Debug for Link {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Link at {}", self.url())
    }
}

struct State {
    port: u16,
    behind: String,
    faults: Mutex<VecDeque<Fault>>,
    standing: Mutex<Option<Fault>>,
    requests: AtomicU64,
    queries: AtomicU64,
    late: Mutex<Vec<Vec<u8>>>,
    held: AtomicU64,
    let_through: Semaphore,
    engine: Option<Database>,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is handed on and answered.
    None,
    /// It never arrives.
    LoseRequest,
    /// It arrives and is applied, and its answer is lost.
    LoseAnswer,
    /// It arrives, is answered, and a copy of it is kept to arrive again later.
    Duplicate,
    /// It does not arrive now; it is kept to arrive later.
    Delay,
    /// It is held up until the test lets it through; its sender waits.
    Hold,
    /// It is refused as too much.
    Throttle,
    /// It is answered with an internal error of DynamoDB.
    Break,
}

impl Link {
    /// A link to an empty DynamoDB of its own, or to the one that `FAREGATE_TEST_DYNAMODB` names (`HOST:PORT`).
    ///
    /// # Errors
    /// When no port is free or the emulator does not start.
    pub async fn before_new_table() -> io::Result<Self> {
        match Self::before_named_engine().await? {
            Some(link) => Ok(link),
            None => Self::before_embedded_engine().await,
        }
    }

    /// A link to the engine that `FAREGATE_TEST_DYNAMODB` names (`HOST:PORT`), if it names one.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn before_named_engine() -> io::Result<Option<Self>> {
        match std::env::var("FAREGATE_TEST_DYNAMODB") {
            Ok(address) => Self::before(address).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// A link to an empty embedded DynamoDB of its own.
    ///
    /// # Errors
    /// When no port is free or the emulator does not start.
    pub async fn before_embedded_engine() -> io::Result<Self> {
        Self::before_engine(Database::memory().map_err(io::Error::other)?).await
    }

    /// A link to an embedded DynamoDB.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn before_engine(database: Database) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        Self::to(address.to_string(), Some(database)).await
    }

    /// A link to the HTTP server at `behind`, an address such as `127.0.0.1:8000`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn before(behind: String) -> io::Result<Self> {
        Self::to(behind, None).await
    }

    async fn to(behind: String, engine: Option<Database>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let link = Self(Arc::new(State {
            port: listener.local_addr()?.port(),
            behind,
            faults: Mutex::default(),
            standing: Mutex::default(),
            requests: AtomicU64::new(0),
            queries: AtomicU64::new(0),
            late: Mutex::default(),
            held: AtomicU64::new(0),
            let_through: Semaphore::new(0),
            engine,
        }));
        let serving = link.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let link = serving.clone();
                tokio::spawn(async move { link.serve(caller).await });
            }
        });
        Ok(link)
    }

    /// An item of the embedded engine, as DynamoDB writes it.
    #[must_use]
    pub fn item(&self, table: &str, partition: &str, sort: &str) -> Value {
        let answer = self.carry_out("GetItem", &json!({"TableName": table, "Key": key(partition, sort)}));
        answer["Item"].clone()
    }

    /// An item as the SDK reads it, from whichever engine.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn read(&self, table: &str, partition: &str, sort: &str) -> HashMap<String, AttributeValue> {
        let read = self.client().get_item().table_name(table).key("pk", AttributeValue::S(partition.to_owned()));
        let read = read.key("sk", AttributeValue::S(sort.to_owned())).send().await;
        let item = read.unwrap_or_else(|error| panic!("{error}")).item;
        item.unwrap_or_else(|| panic!("{partition} has no {sort}"))
    }

    /// Puts an item into the embedded engine.
    pub fn put(&self, table: &str, item: &Value) {
        self.carry_out("PutItem", &json!({"TableName": table, "Item": item}));
    }

    /// Changes an item of the embedded engine by an update expression, in which `:one` is 1 and `#name` is `name`.
    pub fn change(&self, table: &str, partition: &str, sort: &str, update: &str, name: &str) {
        let mut request = json!({"TableName": table, "Key": key(partition, sort), "UpdateExpression": update});
        if update.contains("#name") {
            request["ExpressionAttributeNames"] = json!({"#name": name});
        }
        if update.contains(":one") {
            request["ExpressionAttributeValues"] = json!({":one": {"N": "1"}});
        }
        self.carry_out("UpdateItem", &request);
    }

    fn carry_out(&self, operation: &str, request: &Value) -> Value {
        let Some(engine) = self.engine() else { panic!("only the embedded engine is at hand") };
        let reply = Engine::over(engine.clone()).apply(operation, &request.to_string());
        assert!(reply.is_success(), "{operation} {request}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The embedded engine at its end, where it is one.
    #[must_use]
    pub fn engine(&self) -> Option<&Database> {
        self.0.engine.as_ref()
    }

    /// Where callers find the link.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }

    /// A client of the SDK's that speaks over the link, with credentials that are none and our store's bounds.
    #[must_use]
    pub fn client(&self) -> aws_sdk_dynamodb::Client {
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(self.url())
            .credentials_provider(Credentials::new("local", "local", None, None, "test"));
        Store::client_from(config, Patience::LOCAL)
    }

    /// Plays `faults` on the next requests, one each.
    pub fn play(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.0.faults).extend(faults);
    }

    /// Plays one fault on every request from now on, or none.
    pub fn keep_playing(&self, fault: Option<Fault>) {
        *lock(&self.0.standing) = fault;
    }

    /// Forgets the faults that were not played yet.
    pub fn clear_faults(&self) {
        lock(&self.0.faults).clear();
        *lock(&self.0.standing) = None;
    }

    /// Requests that reached the link so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::SeqCst)
    }

    /// Those of them that were Queries.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.0.queries.load(Ordering::SeqCst)
    }

    /// Requests that were held up so far.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::SeqCst)
    }

    /// Lets one request through that is held up.
    pub fn let_through(&self) {
        self.0.let_through.add_permits(1);
    }

    /// Lets everything arrive that was kept; returns each answer's status.
    pub async fn deliver_late(&self) -> Vec<u16> {
        let kept = std::mem::take(&mut *lock(&self.0.late));
        let mut statuses = Vec::new();
        for request in kept {
            let answer = self.forward(&request).await.unwrap_or_default();
            let status = String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|text| text.parse().ok());
            statuses.push(status.unwrap_or(0));
        }
        statuses
    }

    async fn serve(&self, mut caller: TcpStream) {
        while let Ok(Some(request)) = read_message(&mut caller).await {
            self.0.requests.fetch_add(1, Ordering::SeqCst);
            if find(&request, b"DynamoDB_20120810.Query").is_some() {
                self.0.queries.fetch_add(1, Ordering::SeqCst);
            }
            let standing = *lock(&self.0.standing);
            let fault = lock(&self.0.faults).pop_front().or(standing).unwrap_or(Fault::None);
            let answer = match fault {
                Fault::LoseRequest => return,
                Fault::Delay => {
                    lock(&self.0.late).push(request);
                    return;
                }
                Fault::LoseAnswer => {
                    let _ = self.forward(&request).await;
                    return;
                }
                Fault::Duplicate => {
                    lock(&self.0.late).push(request.clone());
                    self.forward(&request).await
                }
                Fault::Hold => {
                    self.0.held.fetch_add(1, Ordering::SeqCst);
                    let Ok(permit) = self.0.let_through.acquire().await else { return };
                    permit.forget();
                    self.forward(&request).await
                }
                Fault::Throttle => Ok(error(400, "ProvisionedThroughputExceededException")),
                Fault::Break => Ok(error(500, "InternalServerError")),
                Fault::None => self.forward(&request).await,
            };
            let Ok(answer) = answer else { return };
            if caller.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    async fn forward(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(&self.0.behind).await?;
        server.write_all(request).await?;
        let answer = read_message(&mut server).await?;
        answer.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

/// Reads one message with a `Content-Length`; `None` when the sender has gone.
///
/// # Errors
/// When the stream breaks.
pub async fn read_message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                bytes.truncate(end + 4 + length);
                return Ok(Some(bytes));
            }
        }
        let mut chunk = [0; 8_192];
        match stream.read(&mut chunk).await? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

fn error(status: u16, code: &str) -> Vec<u8> {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"injected"}}"#);
    let head = format!("HTTP/1.1 {status} Injected\r\ncontent-type: application/x-amz-json-1.0\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
