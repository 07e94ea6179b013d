//! The webhooks of one bundle: its table's stream, its queues and its clock, moved on as a test likes.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use faregate::{EmbeddedQueues, Message, Stream};
use faregate_domain::{secret::MacSecret, time::Timestamp};
use faregate_outbound::Outbound;
use faregate_webhooks::{App, Queues, is_news};
use serde_json::{Value, json};

use crate::{Bundle, Caller};

/// The webhooks function of a bundle before an embedded engine, and what feeds it.
pub struct Hooks {
    bundle: Bundle,
    app: App,
    stream: Stream,
    queues: EmbeddedQueues,
    /// Messages that are kept back, and until when.
    later: Vec<(Timestamp, Message)>,
}

impl Hooks {
    /// The webhooks of a bundle, with nothing told yet.
    pub async fn of(bundle: &Bundle) -> Self {
        let Some(database) = bundle.link.engine().cloned() else { panic!("only the embedded engine has a stream") };
        let stream = Stream::new(database, &bundle.services.config.table, None);
        let queues = EmbeddedQueues::start("127.0.0.1:0").await.unwrap_or_else(|error| panic!("{error}"));
        let outbound = Outbound::new().unwrap_or_else(|error| panic!("{error}"));
        let app = App::new(bundle.services.clone(), outbound, Queues::at(&queues.url()));
        Self { bundle: bundle.clone(), app, stream, queues, later: Vec::new() }
    }

    /// Tells all that the stream has and hands over every message whose time has come, until nothing is left of either.
    /// Whatever fails comes again, as it would.
    pub async fn run(&mut self) {
        for _ in 0..10_000 {
            let is_told = self.tell_some().await;
            if !self.hand_over_some().await && !is_told {
                return;
            }
        }
        panic!("the webhooks do not come to rest");
    }

    /// Tells the next records of the stream; whether there were any.
    pub async fn tell_some(&mut self) -> bool {
        let records = self.stream.peek(100).unwrap_or_else(|error| panic!("{error}"));
        let Some(last) = records.last() else { return false };
        let wanted: Vec<&Value> = records.iter().filter(|record| is_news(record)).collect();
        let failed = if wanted.is_empty() { None } else { self.tell(&wanted).await };
        match failed {
            None => self.stream.pass(last),
            Some(failed) => {
                // All before it are taken.
                let before = records.iter().take_while(|record| record["dynamodb"]["SequenceNumber"] != json!(failed));
                if let Some(before) = before.last() {
                    self.stream.pass(before);
                }
            }
        }
        true
    }

    /// Hands a batch of records over; the number of the first one that must come again.
    pub async fn tell(&self, records: &[&Value]) -> Option<String> {
        let answer = self.app.handle(json!({ "Records": records })).await.unwrap_or_else(|error| panic!("{error}"));
        answer.batch_item_failures.first().map(|failure| failure.item_identifier.clone())
    }

    /// Hands over the messages whose time has come; whether there were any.
    async fn hand_over_some(&mut self) -> bool {
        let now = self.bundle.clock.now();
        let due_at = |message: &Message| now.plus_s(message.pause.as_secs());
        self.later.extend(self.queues.take().into_iter().map(|message| (due_at(&message), message)));
        let (due, later): (Vec<_>, Vec<_>) = self.later.drain(..).partition(|(at, _)| *at <= now);
        self.later = later;
        for (at, message) in &due {
            let answer = self.app.handle(message.event()).await.unwrap_or_else(|error| panic!("{error}"));
            if !answer.batch_item_failures.is_empty() {
                self.later.push((*at, message.clone()));
            }
        }
        !due.is_empty()
    }

    /// Takes out the messages that wait, in place of handing them over.
    pub fn messages(&mut self) -> Vec<Message> {
        self.queues.take()
    }

    /// Hands a message over, whoever else does so too.
    pub async fn hand_over(&self, message: &Message) {
        let answer = self.app.handle(message.event()).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(answer.batch_item_failures, []);
    }

    /// Loses every message that waits.
    pub fn lose_messages(&mut self) {
        drop(self.queues.take());
        self.later.clear();
    }

    /// Does what is done every minute.
    pub async fn sweep(&self) {
        self.task("sweep").await;
    }

    /// Does what is done every day, or every minute.
    pub async fn task(&self, task: &str) {
        for _ in 0..20 {
            if self.app.handle(json!({ "task": task })).await.is_ok() {
                return;
            }
        }
        panic!("{task} does not come to its end");
    }
}

/// The signing secret that follows from a key, as its holder computes it.
#[must_use]
pub fn signing_secret(key: &Caller) -> String {
    let Caller::Key(text) = key else { panic!("a key") };
    let own = MacSecret::new(text.as_bytes().to_vec()).unwrap_or_else(|error| panic!("{error}"));
    format!("whsec_{}", BASE64_STANDARD.encode(own.mac(&[b"faregate webhook v1"])))
}
