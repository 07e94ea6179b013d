//! Batches that Lambda hands over: records of the table's stream, messages of a queue, and which of them are to come again.

mod record;

use serde::Serialize;
use serde_json::Value;

pub use record::{NotARecord, Record, sequence_number};

/// What Lambda is told of a batch: of a stream, the records from the first of these on come again; of a queue, these do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// What failed.
    pub batch_item_failures: Vec<ItemFailure>,
}

impl FromIterator<String> for BatchAnswer {
    fn from_iter<I: IntoIterator<Item = String>>(failed: I) -> Self {
        let failures = failed.into_iter().map(|item_identifier| ItemFailure { item_identifier });
        Self { batch_item_failures: failures.collect() }
    }
}

/// One record or message that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// Its number in the stream, or its name in the queue.
    pub item_identifier: String,
}

/// The records of a batch, where an event is one.
#[must_use]
pub fn records(event: &Value) -> Option<&[Value]> {
    event.get("Records").and_then(Value::as_array).map(Vec::as_slice)
}
