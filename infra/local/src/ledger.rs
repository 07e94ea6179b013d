//! Feeds the ledger, and the webhooks, from the embedded table's stream, as a Lambda event source mapping does: batches in order, again from
//! the record that failed, halved where a batch as a whole fails, and set aside where a single record does.

use std::{path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use faregate_edge::now::Clock;
use faregate_store::{SetAside, Store};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    data,
    stream::{Stream, StreamError, sequence_number},
};

/// The running feed.
pub struct Feed {
    stop: watch::Sender<bool>,
    feeding: JoinHandle<()>,
}

/// What a feed works with.
pub struct FeedParts {
    /// Calls the function with a batch.
    pub ledger: Ledger,
    /// The filter of the function's event source mapping.
    pub is_wanted: fn(&Value) -> bool,
    /// The clock.
    pub clock: Clock,
    /// The table, for records that are given up; without it they come again for ever.
    pub store: Option<Store>,
    /// The stream, from where it was left.
    pub stream: Stream,
    /// The file that remembers how far it is read; none where nothing is kept.
    pub mark: Option<PathBuf>,
    /// How many of the stream's records make a batch, at most.
    pub batch: usize,
}

/// A function behind the stream: a batch in, its answer or an error message out.
pub type Ledger = Arc<dyn Fn(Value) -> Answering + Send + Sync>;

type Answering = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

impl Feed {
    /// Begins to feed, on the runtime that it is called in.
    #[must_use]
    pub fn start(parts: FeedParts) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, feeding: tokio::spawn(feed(parts, stopped)) }
    }

    /// Enters what is in the stream by now, then ends; for at most ten seconds.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if tokio::time::timeout(GRACE, self.feeding).await.is_err() {
            tracing::warn!("the books are not finished; the next start goes on");
        }
    }
}

async fn feed(mut parts: FeedParts, mut stopped: watch::Receiver<bool>) {
    let mut idle = IDLE;
    loop {
        let is_stopping = *stopped.borrow();
        match parts.turn().await {
            Ok(0) if is_stopping => return,
            Ok(0) => {
                // Whoever is gone wants no more either.
                let _ = tokio::time::timeout(idle, stopped.changed()).await;
                // Each look costs the engine more, the longer its stream is.
                idle = (idle * 2).min(LONGEST_IDLE);
            }
            Ok(_) => idle = IDLE,
            Err(error) => {
                tracing::error!(%error, "the stream cannot be read");
                if is_stopping {
                    return;
                }
                tokio::time::sleep(IDLE).await;
            }
        }
    }
}

impl FeedParts {
    /// Reads some records and has them entered; how many there were.
    async fn turn(&mut self) -> Result<usize, StreamError> {
        let records = self.stream.peek(self.batch)?;
        let wanted: Vec<&Value> = records.iter().filter(|record| (self.is_wanted)(record)).collect();
        if !self.enter(&wanted).await {
            // Neither entered nor set aside: the same records again.
            return Ok(0);
        }
        if let Some(last) = records.last() {
            self.stream.pass(last);
            self.remember();
        }
        Ok(records.len())
    }

    /// Has records entered, in whatever pieces they are taken; false where one was neither entered nor set aside.
    async fn enter(&self, records: &[&Value]) -> bool {
        let mut waiting = vec![records];
        while let Some(batch) = waiting.pop() {
            let mut left = batch;
            for attempt in 0..ATTEMPTS {
                if left.is_empty() {
                    break;
                }
                tokio::time::sleep(PAUSE * attempt).await;
                left = self.unentered(left).await;
            }
            match left {
                [] => {}
                [record] => {
                    if !self.set_aside(record).await {
                        return false;
                    }
                }
                _ => {
                    let (first, second) = left.split_at(left.len() / 2);
                    waiting.push(second);
                    waiting.push(first);
                }
            }
        }
        true
    }

    /// Calls the ledger; the records that it asks for again.
    async fn unentered<'r>(&self, records: &'r [&'r Value]) -> &'r [&'r Value] {
        let answer = (self.ledger)(json!({ "Records": records })).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, "a function behind the stream failed");
                return records;
            }
        };
        let failed = answer.pointer("/batchItemFailures/0/itemIdentifier").and_then(Value::as_str);
        let Some(failed) = failed else { return &[] };
        let place = records.iter().position(|record| sequence_number(record) == Some(failed));
        records.get(place.unwrap_or(0)..).unwrap_or_default()
    }

    async fn set_aside(&self, record: &Value) -> bool {
        let Some(store) = &self.store else { return false };
        let number = sequence_number(record).unwrap_or("none");
        tracing::error!(sequence_number = number, "the ledger does not take a record; it is set aside");
        let (number, why) = (number.to_owned(), "the ledger failed with it".to_owned());
        let at = self.clock.now();
        let aside = SetAside { sequence_number: number, why, record: record.to_string(), at };
        let kept = store.set_aside(&aside).await;
        kept.inspect_err(|error| tracing::error!(%error, "a record is not set aside")).is_ok()
    }

    fn remember(&self) {
        let (Some(mark), Some(position)) = (&self.mark, self.stream.position()) else { return };
        if let Err(error) = data::replace_private(mark, position.as_bytes()) {
            tracing::warn!(%error, "the place in the stream is not remembered; the next start reads it again");
        }
    }
}

/// Records of one batch of the program's own.
pub(crate) const BATCH: usize = 500;
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(100);
/// How long an empty stream is left alone, at first and at last.
const IDLE: Duration = Duration::from_millis(50);
const LONGEST_IDLE: Duration = Duration::from_millis(800);
const GRACE: Duration = Duration::from_secs(10);
