//! The queues that wake deliveries: the first attempts of each endpoint in order, later ones after a pause.

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    config::{BehaviorVersion, Builder, Credentials, Region, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata as _, SdkError},
    operation::send_message::{SendMessageError, builders::SendMessageFluentBuilder},
};
use faregate_domain::{
    id::{MessageId, WebhookId},
    time::Timestamp,
    webhook::{Delivery, DeliveryState},
};
use faregate_gate::services::{aws_of_lambda, find_variable};
use serde::{Deserialize, Serialize};

/// Where messages go; cheap to clone.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
    /// In order for each endpoint (FIFO).
    first: String,
    /// Each message after a pause of its own.
    later: String,
}

/// That a delivery is to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wake {
    endpoint: String,
    message: String,
    pub(crate) round: u32,
    pub(crate) tried: u32,
    /// Taken out of its endpoint's line.
    #[serde(default)]
    is_aside: bool,
}

impl Wake {
    fn of(delivery: &Delivery) -> Self {
        let (endpoint, message) = (delivery.endpoint.to_string(), delivery.id.to_string());
        Self { endpoint, message, round: delivery.round, tried: delivery.tried, is_aside: false }
    }

    /// Whether it stands in its endpoint's line, where all lines wait for the same few places.
    pub(crate) fn is_in_line(&self) -> bool {
        self.tried == 0 && !self.is_aside
    }

    /// Which delivery.
    pub(crate) fn delivery(&self) -> Option<(WebhookId, MessageId)> {
        Some((WebhookId::parse(&self.endpoint).ok()?, MessageId::parse(&self.message).ok()?))
    }
}

impl Queues {
    /// The queues that `FAREGATE_FIRST_QUEUE` and `FAREGATE_LATER_QUEUE` name by their URLs.
    ///
    /// # Errors
    /// [`QueuesError::Unnamed`] says which one is not named.
    pub fn from_env() -> Result<Self, QueuesError> {
        let url = |name: &'static str| find_variable(name).ok_or(QueuesError::Unnamed(name));
        let (first, later) = (url("FAREGATE_FIRST_QUEUE")?, url("FAREGATE_LATER_QUEUE")?);
        let mut config = Builder::from(&aws_of_lambda());
        config.set_endpoint_url(find_variable("AWS_ENDPOINT_URL_SQS").or_else(|| find_variable("AWS_ENDPOINT_URL")));
        Ok(Self::over(config, first, later))
    }

    /// The queues `first` and `later` of whoever speaks for SQS at `endpoint`.
    #[must_use]
    pub fn at(endpoint: &str) -> Self {
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "faregate"))
            .endpoint_url(endpoint);
        Self::over(config, format!("{endpoint}/first.fifo"), format!("{endpoint}/later"))
    }

    fn over(config: Builder, first: String, later: String) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
        Self { client: Client::from_conf(config.timeout_config(timeouts).build()), first, later }
    }

    /// Sends a message about a delivery that is pending; none where its time is so far off that a sweep finds it.
    ///
    /// # Errors
    /// [`QueuesError`] when the queue did not take it.
    pub(crate) async fn wake(&self, delivery: &Delivery, now: Timestamp) -> Result<(), QueuesError> {
        let DeliveryState::Pending(at) = delivery.state else { return Ok(()) };
        let pause = now.seconds_until(at);
        if pause > MAX_PAUSE_SECONDS {
            return Ok(());
        }
        let wake = Wake::of(delivery);
        let send = self.message(&wake)?;
        let send = if wake.is_in_line() {
            let told_apart = format!("{}-{}-{}", delivery.endpoint.suffix(), delivery.id.suffix(), delivery.round);
            send.queue_url(&self.first).message_group_id(wake.endpoint).message_deduplication_id(told_apart)
        } else {
            send.queue_url(&self.later).delay_seconds(i32::try_from(pause).unwrap_or_default())
        };
        sent(send).await
    }

    /// Moves a message from its endpoint's line to where attempts after a failure are made.
    ///
    /// # Errors
    /// [`QueuesError`] when the queue did not take it.
    pub(crate) async fn set_aside(&self, wake: &Wake) -> Result<(), QueuesError> {
        let aside = Wake { is_aside: true, ..wake.clone() };
        sent(self.message(&aside)?.queue_url(&self.later)).await
    }

    fn message(&self, wake: &Wake) -> Result<SendMessageFluentBuilder, QueuesError> {
        let body = serde_json::to_string(wake).map_err(|_| QueuesError::Unsent("unwritable".to_owned()))?;
        Ok(self.client.send_message().message_body(body))
    }
}

async fn sent(message: SendMessageFluentBuilder) -> Result<(), QueuesError> {
    message.send().await.map(|_| ()).map_err(|error| QueuesError::Unsent(code(&error)))
}

fn code(error: &SdkError<SendMessageError>) -> String {
    match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown").to_owned(),
        SdkError::TimeoutError(_) => "timeout".to_owned(),
        SdkError::DispatchFailure(_) => "no connection".to_owned(),
        _ => "unreadable response".to_owned(),
    }
}

/// Why nobody is woken.
#[derive(Debug, thiserror::Error)]
pub enum QueuesError {
    /// The environment names no such queue.
    #[error("{0} is not set")]
    Unnamed(&'static str),
    /// The queue did not take a message.
    #[error("a message was not sent: {0}")]
    Unsent(String),
}

/// The longest pause of a message in SQS.
const MAX_PAUSE_SECONDS: u64 = 900;
const ATTEMPT: Duration = Duration::from_secs(2);
const OPERATION: Duration = Duration::from_secs(5);
