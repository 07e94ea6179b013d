//! The embedded queues: as much of SQS as the functions use, on loopback, and a pump that hands messages to the webhooks
//! function as Lambda does: one of each group at a time, others side by side, later ones after their pause.
//!
//! Nothing of it is kept. The table knows every delivery, and a sweep sends again what is lost.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use faregate_edge::entropy;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore, mpsc},
    task::{JoinHandle, JoinSet},
};

use crate::dynamodb::DynamoDbError;

/// Queues that run in this process and are reached over HTTP.
pub struct EmbeddedQueues {
    address: SocketAddr,
    waiting: Arc<Waiting>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Waiting {
    messages: Mutex<VecDeque<Message>>,
    arrival: Notify,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub id: String,
    /// Whatever was sent.
    pub body: String,
    /// Those of a group are taken one after the other; `None` in a queue without groups.
    pub group: Option<String>,
    /// How long it is kept back.
    pub pause: Duration,
}

impl Message {
    /// The event in which Lambda hands it over.
    #[must_use]
    pub fn event(&self) -> Value {
        json!({"Records": [{"messageId": self.id, "body": self.body, "eventSource": "aws:sqs"}]})
    }
}

/// Takes an event; its answer, or an error message.
pub type Taker = Arc<dyn Fn(Value) -> Taking + Send + Sync>;

type Taking = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

impl EmbeddedQueues {
    /// Serves the queues at `listen`.
    ///
    /// # Errors
    /// [`DynamoDbError`] when the address cannot be served.
    pub async fn start(listen: &str) -> Result<Self, DynamoDbError> {
        let address = |source| DynamoDbError::Listen { address: listen.to_owned(), source };
        let listener = TcpListener::bind(listen).await.map_err(address)?;
        let bound = listener.local_addr().map_err(address)?;
        if !bound.ip().is_loopback() {
            return Err(DynamoDbError::NotLoopback(listen.to_owned()));
        }
        let waiting = Arc::new(Waiting::default());
        let server = tokio::spawn(serve(listener, Arc::clone(&waiting)));
        Ok(Self { address: bound, waiting, server })
    }

    /// Where the SDK reaches them.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes out all messages, in the order in which they came; a test hands them on itself.
    #[must_use]
    pub fn take(&self) -> Vec<Message> {
        self.waiting.lock().drain(..).collect()
    }

    /// Hands each message to `taker`, for as long as the task that is returned lives.
    pub(crate) fn pump(&self, taker: Taker) -> JoinHandle<()> {
        tokio::spawn(pump(Arc::clone(&self.waiting), taker))
    }
}

impl Drop for EmbeddedQueues {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pump(waiting: Arc<Waiting>, taker: Taker) {
    let (places, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    // One for each endpoint that was ever sent to; each takes its messages one after the other.
    let mut groups: HashMap<String, mpsc::UnboundedSender<Message>> = HashMap::new();
    loop {
        let arrival = waiting.arrival.notified();
        let messages: Vec<Message> = waiting.lock().drain(..).collect();
        if messages.is_empty() {
            arrival.await;
            while running.try_join_next().is_some() {}
        }
        for message in messages {
            let (taker, places) = (Arc::clone(&taker), Arc::clone(&places));
            let Some(group) = message.group.clone() else {
                running.spawn(async move {
                    tokio::time::sleep(message.pause).await;
                    let _place = places.acquire().await;
                    hand_over(&message, &taker).await;
                });
                continue;
            };
            let group = groups.entry(group).or_insert_with(|| {
                let (sender, mut messages) = mpsc::unbounded_channel::<Message>();
                running.spawn(async move {
                    while let Some(message) = messages.recv().await {
                        let _place = places.acquire().await;
                        hand_over(&message, &taker).await;
                    }
                });
                sender
            });
            // Its receiver lives as long as this does.
            let _ = group.send(message);
        }
    }
}

async fn hand_over(message: &Message, taker: &Taker) {
    for attempt in 1..=ATTEMPTS {
        match taker(message.event()).await {
            Ok(answer) if answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty) => return,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the webhooks function failed with a message"),
        }
        tokio::time::sleep(PAUSE * attempt).await;
    }
    tracing::error!(message = message.id, "a message is given up; the next sweep sends another");
}

async fn serve(listener: TcpListener, waiting: Arc<Waiting>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let waiting = Arc::clone(&waiting);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&waiting)));
            // Whoever breaks off sends again.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, waiting: Arc<Waiting>) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_sending = target == "AmazonSQS.SendMessage";
    let body = Limited::new(request.into_body(), MAX_MESSAGE_BYTES).collect().await;
    let (status, text) = match body.map(|body| serde_json::from_slice::<Sending>(&body.to_bytes())) {
        _ if !is_sending => (400, refused("UnsupportedOperation")),
        Ok(Ok(sending)) if waiting.lock().len() < MAX_MESSAGES => {
            let message = sending.message();
            let text = json!({"MessageId": message.id}).to_string();
            waiting.lock().push_back(message);
            waiting.arrival.notify_one();
            (200, text)
        }
        Ok(Ok(_)) => (400, refused("OverLimit")),
        _ => (400, refused("InvalidMessageContents")),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    Ok(response)
}

fn refused(code: &str) -> String {
    json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": code}).to_string()
}

/// What `SendMessage` says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sending {
    message_body: String,
    #[serde(default)]
    message_group_id: Option<String>,
    #[serde(default)]
    delay_seconds: u64,
}

impl Sending {
    fn message(self) -> Message {
        let mut name = [0; 16];
        entropy::fill(&mut name);
        let pause = Duration::from_secs(self.delay_seconds.min(900));
        Message { id: hex::encode(name), body: self.message_body, group: self.message_group_id, pause }
    }
}

/// Deliveries that are tried side by side.
const AT_ONCE: usize = 32;
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);
const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// Whoever sends more is told to come again.
const MAX_MESSAGES: usize = 100_000;
