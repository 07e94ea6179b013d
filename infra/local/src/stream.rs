//! The embedded table's stream, record by record, as a Lambda event source mapping reads it.

use dynoxide::{
    Database, DynoxideError,
    actions::{
        get_records::GetRecordsRequest, get_shard_iterator::GetShardIteratorRequest, list_streams::ListStreamsRequest,
    },
    streams::shard_id,
};
use serde_json::Value;

/// A reader of a table's stream; it begins after the last record that it was told of, or at the beginning.
#[derive(Clone)]
pub struct Stream {
    database: Database,
    table: String,
    after: Option<String>,
}

impl Stream {
    /// A reader that begins after the record with the number `after`.
    #[must_use]
    pub fn new(database: Database, table: &str, after: Option<String>) -> Self {
        Self { database, table: table.to_owned(), after }
    }

    /// A reader of the same stream that begins after the record with the number `after`.
    #[must_use]
    pub fn restarted(&self, after: Option<String>) -> Self {
        Self { after, ..self.clone() }
    }

    /// The number of the last record that was passed.
    #[must_use]
    pub fn position(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// At most `limit` records that follow; the same ones again until they are passed.
    ///
    /// # Errors
    /// [`StreamError`] when the table has no stream, or the database fails.
    pub fn peek(&self, limit: usize) -> Result<Vec<Value>, StreamError> {
        let request = ListStreamsRequest { table_name: Some(self.table.clone()), ..ListStreamsRequest::default() };
        let streams = self.database.list_streams(request)?.streams;
        let stream = streams.into_iter().next().ok_or(StreamError::None)?;
        let kind = if self.after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let iterator = self.database.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: stream.stream_arn.clone(),
            shard_id: shard_id(&self.table),
            shard_iterator_type: kind.to_owned(),
            sequence_number: self.after.clone(),
        })?;
        let shard_iterator = iterator.shard_iterator.ok_or(StreamError::None)?;
        let records = self.database.get_records(GetRecordsRequest { shard_iterator, limit: Some(limit) })?.records;
        let source = Value::String(stream.stream_arn);
        let with_source = |record| {
            let mut record = serde_json::to_value(record)?;
            if let Some(members) = record.as_object_mut() {
                members.insert("eventSourceARN".to_owned(), source.clone());
            }
            Ok(record)
        };
        records.into_iter().map(with_source).collect()
    }

    /// Passes all records up to this one.
    pub fn pass(&mut self, record: &Value) {
        if let Some(number) = sequence_number(record) {
            self.after = Some(number.to_owned());
        }
    }
}

/// A record's number in the stream.
pub(crate) fn sequence_number(record: &Value) -> Option<&str> {
    record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str)
}

/// Whether the deployed ledger would be told of a record: the filter of its event source mapping.
#[must_use]
pub fn is_for_the_ledger(record: &Value) -> bool {
    let key =
        |name: &str| record.pointer(&format!("/dynamodb/Keys/{name}/S")).and_then(Value::as_str).unwrap_or_default();
    key("sk") == "cell" || key("pk").starts_with("refused_acc_")
}

/// Why a stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The table has none.
    #[error("the table has no stream")]
    None,
    /// The database failed.
    #[error("the embedded dynamodb failed: {0}")]
    Database(#[from] DynoxideError),
    /// A record is no JSON.
    #[error("a record cannot be written as json: {0}")]
    Json(#[from] serde_json::Error),
}
