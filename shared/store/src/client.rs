//! The connection to DynamoDB: bounded in time, re-sending only what is safe to re-send.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    config::{Builder, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::UpdateItemError,
    types::{
        AttributeValue, ConsumedCapacity, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
    },
};

use crate::{cell::require_known, expression::Write};

/// The one table, and how to reach it.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    /// The same client for writes, which are re-sent here and not inside the SDK.
    once: Client,
    patience: Duration,
    table: String,
    meter: Option<Arc<Meter>>,
}

impl Store {
    /// The table of that name, reached through `client`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        let once = client.config().to_builder().retry_config(RetryConfig::disabled()).build();
        let timeouts = client.config().timeout_config().and_then(TimeoutConfig::operation_timeout);
        let patience = timeouts.unwrap_or(Patience::DEPLOYED.operation);
        Self { client, once: Client::from_conf(once), patience, table, meter: None }
    }

    /// A client's configuration with our bounds; `config` carries region, credentials and endpoint.
    #[must_use]
    pub fn client_from(config: Builder, patience: Patience) -> Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(patience.attempt)
            .operation_attempt_timeout(patience.attempt)
            .operation_timeout(patience.operation)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(MAX_ATTEMPTS)
            .with_initial_backoff(FIRST_BACKOFF)
            .with_max_backoff(LONGEST_BACKOFF);
        Client::from_conf(config.timeout_config(timeouts).retry_config(retries).build())
    }

    /// The same table, with every call and its capacity counted.
    #[must_use]
    pub fn metered(mut self, meter: Arc<Meter>) -> Self {
        self.meter = Some(meter);
        self
    }

    /// The table's name, and the region in which it is looked for.
    #[must_use]
    pub fn place(&self) -> String {
        let region = self.client.config().region().map_or("no region", aws_sdk_dynamodb::config::Region::as_ref);
        format!("{} in {region}", self.table)
    }

    /// How long one try of a call may take.
    #[must_use]
    pub fn attempt_patience(&self) -> Duration {
        let timeouts = self.client.config().timeout_config().and_then(TimeoutConfig::operation_attempt_timeout);
        timeouts.unwrap_or(Patience::DEPLOYED.attempt)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// Sends one conditional update and returns what it left or what refused it.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the write may or may not have been applied.
    pub(crate) async fn update(&self, write: &Write) -> Result<Written, StoreError> {
        self.update_knowing(write).await.map(|(written, _)| written)
    }

    /// As [`Store::update`], and whether a copy of the write was sent that nobody answered: it may arrive later still.
    ///
    /// Every write here may be re-sent, so silence, an internal error and a conflict with a transaction are.
    pub(crate) async fn update_knowing(&self, write: &Write) -> Result<(Written, bool), StoreError> {
        let mut has_unanswered = false;
        let mut tries = 0;
        let attempts = async {
            loop {
                let error = match self.update_once(write).await {
                    Ok(written) => return Ok((written, has_unanswered)),
                    Err(error) => error,
                };
                has_unanswered |= error.may_have_been_applied();
                tries += 1;
                if tries >= MAX_ATTEMPTS || !error.is_worth_a_retry() {
                    return Err(error);
                }
                tokio::time::sleep(backoff(tries)).await;
            }
        };
        let in_time = tokio::time::timeout(self.patience, attempts).await;
        in_time.unwrap_or(Err(StoreError::Unanswered { operation: "update", reason: "timeout" }))
    }

    /// As [`Store::update`], in one try.
    pub(crate) async fn update_once(&self, write: &Write) -> Result<Written, StoreError> {
        let answer = self
            .once
            .update_item()
            .table_name(&self.table)
            .set_key(Some(write.key()))
            .update_expression(&write.update)
            .set_condition_expression(write.condition.clone())
            .set_expression_attribute_names(write.names())
            .set_expression_attribute_values(write.values())
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.counted())
            .send()
            .await;
        match answer {
            Ok(output) => {
                self.count(output.consumed_capacity.as_ref());
                Ok(Written::Applied(output.attributes.unwrap_or_default()))
            }
            Err(SdkError::ServiceError(service)) => match service.into_err() {
                UpdateItemError::ConditionalCheckFailedException(refused) => {
                    self.count(None);
                    refused.item.as_ref().map_or(Ok(()), require_known)?;
                    Ok(Written::Refused(refused.item))
                }
                other => Err(StoreError::refused("update", &other)),
            },
            Err(other) => Err(StoreError::unanswered("update", &other)),
        }
    }

    /// Reads one item as it is now.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub(crate) async fn find(&self, partition: &str, sort: &str) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(partition.to_owned()))
            .key("sk", AttributeValue::S(sort.to_owned()))
            .consistent_read(true)
            .set_return_consumed_capacity(self.counted())
            .send()
            .await
            .map_err(|error| StoreError::unanswered("get", &error))?;
        self.count(answer.consumed_capacity.as_ref());
        Ok(answer.item)
    }

    /// What to ask DynamoDB to tell of a call's cost.
    pub(crate) fn counted(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }

    pub(crate) fn count(&self, capacity: Option<&ConsumedCapacity>) {
        if let Some(meter) = &self.meter {
            meter.calls.fetch_add(1, Ordering::Relaxed);
            let units = capacity.and_then(|capacity| capacity.capacity_units).unwrap_or(1.0);
            meter.unit_tenths.fetch_add(tenths(units), Ordering::Relaxed);
        }
    }
}

/// How long a call may take before it is a failure.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// One try, connecting included.
    pub attempt: Duration,
    /// All tries together.
    pub operation: Duration,
}

impl Patience {
    /// For functions beside their table: a try takes a few milliseconds there.
    pub const DEPLOYED: Self = Self { attempt: Duration::from_millis(400), operation: Duration::from_millis(1_500) };
    /// For an emulator that shares one machine with everything else.
    pub const LOCAL: Self = Self { attempt: Duration::from_secs(5), operation: Duration::from_secs(10) };
}

/// Counts calls and capacity, for benchmarks.
#[derive(Debug, Default)]
pub struct Meter {
    calls: AtomicU64,
    unit_tenths: AtomicU64,
}

impl Meter {
    /// Calls answered so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Capacity consumed so far in tenths of a unit; a refused write counts as one unit.
    #[must_use]
    pub fn unit_tenths(&self) -> u64 {
        self.unit_tenths.load(Ordering::Relaxed)
    }
}

/// What a conditional write met.
#[derive(Debug)]
pub(crate) enum Written {
    /// It was applied and left this item.
    Applied(Item),
    /// Its condition failed on this item, or on none.
    Refused(Option<Item>),
}

/// One item, attribute by attribute.
pub(crate) type Item = std::collections::HashMap<String, AttributeValue>;

/// The store failed: never a denial, never an admission.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB refused the call itself.
    #[error("dynamodb {operation} failed: {code}")]
    Refused {
        /// Which call.
        operation: &'static str,
        /// DynamoDB's error code.
        code: String,
    },
    /// No answer in time; a write may or may not have been applied.
    #[error("dynamodb {operation} was not answered: {reason}")]
    Unanswered {
        /// Which call.
        operation: &'static str,
        /// What kind of silence.
        reason: &'static str,
    },
    /// An item lacks an attribute or holds one of another shape.
    #[error("item {item} is malformed at {attribute}")]
    Malformed {
        /// Which kind of item.
        item: &'static str,
        /// Which attribute.
        attribute: String,
    },
}

impl<E: ProvideErrorMetadata, R> From<SdkError<E, R>> for StoreError {
    fn from(error: SdkError<E, R>) -> Self {
        Self::unanswered("call", &error)
    }
}

impl StoreError {
    pub(crate) fn refused(operation: &'static str, error: &impl ProvideErrorMetadata) -> Self {
        Self::Refused { operation, code: error.code().unwrap_or("unknown").to_owned() }
    }

    pub(crate) fn unanswered<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Self {
        match error {
            SdkError::ServiceError(service) => Self::refused(operation, service.err()),
            SdkError::TimeoutError(_) => Self::Unanswered { operation, reason: "timeout" },
            SdkError::DispatchFailure(_) => Self::Unanswered { operation, reason: "no connection" },
            SdkError::ResponseError(_) => Self::Unanswered { operation, reason: "unreadable response" },
            _ => Self::Unanswered { operation, reason: UNBUILT },
        }
    }

    /// Whether DynamoDB may have applied the write all the same.
    fn may_have_been_applied(&self) -> bool {
        match self {
            Self::Refused { code, .. } => !NOT_APPLIED.contains(&code.as_str()),
            Self::Unanswered { reason, .. } => *reason != UNBUILT,
            Self::Malformed { .. } => false,
        }
    }

    fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Refused { code, .. } => RETRIED.contains(&code.as_str()),
            Self::Unanswered { reason, .. } => *reason != UNBUILT,
            Self::Malformed { .. } => false,
        }
    }

    pub(crate) fn malformed(item: &'static str, attribute: &str) -> Self {
        Self::Malformed { item, attribute: attribute.to_owned() }
    }
}

/// Capacity in tenths of a unit, by its decimal text: it comes in halves.
fn tenths(units: f64) -> u64 {
    format!("{units:.1}").replace('.', "").parse().unwrap_or(u64::MAX)
}

/// A pause before try number `tries`, spread at random so that writers who met once do not meet again.
fn backoff(tries: u32) -> Duration {
    let longest = FIRST_BACKOFF.saturating_mul(1 << tries.min(8)).min(LONGEST_BACKOFF);
    longest / 2 + (longest / 2).saturating_mul(fastrand::u32(..SPREAD)) / SPREAD
}

const MAX_ATTEMPTS: u32 = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(25);
const LONGEST_BACKOFF: Duration = Duration::from_millis(200);
/// Into how many steps the random half of a pause is divided.
const SPREAD: u32 = 1_024;
/// Refusals that came before the write was tried.
const NOT_APPLIED: [&str; 5] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "ValidationException",
];
const UNBUILT: &str = "request could not be built";
const RETRIED: [&str; 8] = [
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "unknown",
];

#[cfg(test)]
mod tests;
