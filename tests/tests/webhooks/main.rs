//! Webhooks: who hears what, under which signature, and what becomes of it when receivers, functions or wires fail.

#![expect(clippy::unwrap_used, reason = "what does not work in a test fails the test")]

mod crashes;
mod ending;
mod endpoints;
mod events;
mod racing;
mod retries;
mod signatures;

use std::pin::Pin;

use faregate_tests::{Answer, Bundle, Caller, Hooks, Received, Receiver, Session};
use serde_json::{Value, json};

/// A bundle with a key that may manage webhooks, and somebody who listens.
pub(crate) struct Scene {
    pub(crate) bundle: Bundle,
    pub(crate) session: Session,
    pub(crate) key_id: String,
    pub(crate) key: Caller,
    pub(crate) receiver: Receiver,
    pub(crate) hooks: Hooks,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let bundle = Bundle::new().await;
        let (session, key_id, key) = bundle.key_of_newcomer(json!({"name": "hooks", "scopes": ["*"]})).await;
        let (receiver, hooks) = (Receiver::start().await, Hooks::of(&bundle).await);
        Self { bundle, session, key_id, key, receiver, hooks }
    }

    /// A scene in which the key has an endpoint, and nothing is to be told any more.
    pub(crate) fn with_endpoint<'e>(
        events: &'e [&'e str],
    ) -> Pin<Box<dyn Future<Output = (Self, String)> + Send + 'e>> {
        // More than each test's own future should hold.
        Box::pin(async move {
            let mut scene = Self::new().await;
            scene.hooks.run().await;
            let endpoint = scene.endpoint(events).await;
            scene.hooks.run().await;
            (scene, endpoint)
        })
    }

    /// Makes an endpoint of the key at the receiver.
    pub(crate) async fn endpoint(&self, events: &[&str]) -> String {
        let body = json!({"url": self.receiver.url(), "events": events});
        let answer = self.bundle.post("/v1/webhooks", &self.key, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.data("id").to_owned()
    }

    /// Asks for a test event, which is told by the stream.
    pub(crate) async fn test_event(&self, endpoint: &str) -> String {
        let answer = self.bundle.post(&format!("/v1/webhooks/{endpoint}/test"), &self.key, &json!({})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.data("id").to_owned()
    }

    /// The endpoint as its owner sees it.
    pub(crate) async fn show(&self, endpoint: &str) -> Value {
        let answer = self.ask_as_owner(&format!("/v1/webhooks/{endpoint}")).await;
        answer.body["data"].clone()
    }

    /// The deliveries to it, the newest first.
    pub(crate) async fn deliveries(&self, endpoint: &str) -> Vec<Value> {
        let path = format!("/v1/webhooks/{endpoint}/deliveries?limit=100");
        let answer = self.ask_as_owner(&path).await;
        answer.body["data"].as_array().unwrap().clone()
    }

    /// Whoever signed in may have to do so again: tests let days pass.
    async fn ask_as_owner(&self, path: &str) -> Answer {
        let answer = self.bundle.get(path, &self.session.caller()).await;
        if answer.status == 200 {
            return answer;
        }
        let again = self.bundle.login(&self.session.wallet).await;
        let answer = self.bundle.get(path, &again.caller()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer
    }

    /// The kinds of what the receiver got since the last time.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.receiver.take().iter().map(Received::kind).collect()
    }

    /// Lets time pass, in seconds, and everything happen that was to happen by then.
    pub(crate) async fn pass(&mut self, seconds: u64) {
        self.bundle.clock.advance_ms(seconds * 1_000);
        self.hooks.sweep().await;
        self.hooks.run().await;
    }
}
