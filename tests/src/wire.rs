//! A wire in this process in place of the SDK's connections: every request waits in the post until a test decides on it.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Builder, Region, RuntimeComponents, StalledStreamProtectionConfig,
    http::{HttpRequest, HttpResponse},
    retry::RetryPartition,
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        result::ConnectorError,
    },
    http::StatusCode,
};
use tokio::sync::{Notify, oneshot};

use crate::engine::{Engine, Reply};

/// The wire of one or more instances to their table; clones share the post.
#[derive(Clone, Debug, Default)]
pub struct Wire(Arc<Post>);

#[derive(Debug, Default)]
struct Post {
    waiting: Mutex<VecDeque<Parcel>>,
    arrival: Notify,
}

/// One request on its way.
#[derive(Debug)]
pub struct Parcel {
    /// On whose behalf it was sent; 0 where nobody said so.
    pub sender: u64,
    /// DynamoDB's operation, such as `UpdateItem`.
    pub operation: String,
    /// The JSON body.
    pub body: String,
    /// Where the answer is waited for, until the caller gives up. Dropping it is silence.
    pub answer: oneshot::Sender<Result<Reply, Broken>>,
}

/// The connection broke before an answer came.
#[derive(Clone, Copy, Debug)]
pub struct Broken;

tokio::task_local! {
    static SENDER: u64;
}

/// Runs `work`; every request it sends names `sender`.
pub async fn on_behalf_of<F: Future>(sender: u64, work: F) -> F::Output {
    SENDER.scope(sender, work).await
}

impl Wire {
    /// A client's configuration on this wire, with a retry allowance of its own as every process has it. Nothing is
    /// signed: nobody would look at it, and it costs as much as the table's work.
    #[must_use]
    pub fn config(&self) -> Builder {
        Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .allow_no_auth()
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .endpoint_url("http://table.invalid")
            .retry_partition(RetryPartition::custom("wire").build())
            .http_client(self.clone())
    }

    /// Everything that has been sent since the last time, in the order of sending.
    #[must_use]
    pub fn collect(&self) -> Vec<Parcel> {
        self.waiting().drain(..).collect()
    }

    /// Waits until something has been sent.
    pub async fn arrival(&self) {
        while self.waiting().is_empty() {
            self.0.arrival.notified().await;
        }
    }

    /// Carries out and answers whatever is sent, for ever.
    pub async fn serve_at_once(&self, engine: &Engine) {
        loop {
            self.arrival().await;
            for parcel in self.collect() {
                // Whoever has given up meanwhile misses nothing.
                let _ = parcel.answer.send(Ok(engine.apply(&parcel.operation, &parcel.body)));
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<Parcel>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let body = String::from_utf8(body.to_vec()).unwrap_or_else(|error| panic!("the SDK sent no text: {error}"));
        let sender = SENDER.try_with(|sender| *sender).unwrap_or_default();
        let (answer, answered) = oneshot::channel();
        self.waiting().push_back(Parcel { sender, operation, body, answer });
        self.0.arrival.notify_one();
        HttpConnectorFuture::new(async move {
            match answered.await {
                Ok(Ok(reply)) => respond(reply),
                Ok(Err(Broken)) => Err(ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionReset).into())),
                // Nobody will answer any more; how long to wait for it is the caller's business.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

fn respond(reply: Reply) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(reply.status).map_err(|error| ConnectorError::user(error.into()))?;
    let mut response = HttpResponse::new(status, reply.body.into());
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}
