//! Somebody who listens for webhooks, and answers as a test likes.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use crate::link::read_message;

/// A receiver on this machine; clones share what came.
#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answers: Mutex<VecDeque<String>>,
    standing: Mutex<Option<String>>,
    received: Mutex<Vec<Received>>,
}

/// What came in one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The headers by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as it came.
    pub text: String,
}

impl Received {
    /// The webhook's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.headers.get("webhook-id").map(String::as_str).unwrap_or_default()
    }

    /// The body as JSON.
    #[must_use]
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The event's type.
    #[must_use]
    pub fn kind(&self) -> String {
        self.body()["type"].as_str().unwrap_or_default().to_owned()
    }
}

impl Receiver {
    /// Listens, and answers 204 unless it is told otherwise.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap_or_else(|error| panic!("receiver: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("receiver: {error}"));
        let receiver = Self { address, state: Arc::default() };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Ok(Some(request)) = read_message(&mut stream).await else { continue };
                serving.note(&String::from_utf8_lossy(&request));
                let next = lock(&serving.state.answers).pop_front();
                let answer = next.or_else(|| lock(&serving.state.standing).clone());
                let answer = answer.unwrap_or_else(|| status(204));
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        receiver
    }

    fn note(&self, request: &str) {
        let (head, text) = request.split_once("\r\n\r\n").unwrap_or((request, ""));
        let line =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers = head.lines().filter_map(line).collect();
        lock(&self.state.received).push(Received { headers, text: text.to_owned() });
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers the next requests with these whole HTTP answers, one each.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = String>) {
        lock(&self.state.answers).extend(answers);
    }

    /// Answers every request with that from now on, or 204 again.
    pub fn answer_always(&self, answer: Option<String>) {
        *lock(&self.state.standing) = answer;
    }

    /// Forgets what came so far.
    pub fn forget(&self) {
        lock(&self.state.received).clear();
    }

    /// Everything that came since the last time, in its order.
    #[must_use]
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *lock(&self.state.received))
    }
}

/// A whole answer of nothing but a status.
#[must_use]
pub fn status(code: u16) -> String {
    format!("HTTP/1.1 {code} Status\r\ncontent-length: 0\r\n\r\n")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
