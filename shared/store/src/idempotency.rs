//! Answers that a repeated request gets again, sealed.
//!
//! ```text
//! pk idm_<sha-256>   sk answer   fp fingerprint of the request · an sealed answer · xp end (epoch s) · ttl
//! ```

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use faregate_domain::{idempotency::Fingerprint, time::Timestamp};

use crate::{Store, StoreError, cell::parse_number, client::Item, transaction::Transacted};

/// What is remembered of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The record's name, which stands for caller, operation and idempotency key.
    pub name: String,
    /// The request's body.
    pub fingerprint: Fingerprint,
    /// The answer, readable only under the seal secret.
    pub sealed_answer: Vec<u8>,
    /// From when on it is forgotten.
    pub end: Timestamp,
}

impl Store {
    /// The record of that name, also where its end has passed and it was not collected yet.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_record(&self, name: &str) -> Result<Option<Record>, StoreError> {
        let item = self.find(name, ANSWER).await?;
        item.map(|item| parse_record(name, &item)).transpose()
    }

    /// Remembers an answer by itself; false where one is remembered under that name.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be remembered.
    pub async fn insert_record(&self, record: &Record, now: Timestamp) -> Result<bool, StoreError> {
        let items = vec![self.put_record(record, now)?];
        Ok(matches!(self.transact(items).await?, Transacted::Applied))
    }

    /// The part of a transaction that remembers an answer, unless one is remembered.
    pub(crate) fn put_record(&self, record: &Record, now: Timestamp) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .set_item(Some(record_item(record)))
            .condition_expression("attribute_not_exists(pk) OR xp <= :now")
            .expression_attribute_values(":now", AttributeValue::N(now.epoch_s().to_string()));
        self.put(put)
    }
}

fn record_item(record: &Record) -> Item {
    let end = AttributeValue::N(record.end.epoch_s().to_string());
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(record.name.clone())),
        ("sk".to_owned(), AttributeValue::S(ANSWER.to_owned())),
        ("fp".to_owned(), AttributeValue::B(record.fingerprint.0.to_vec().into())),
        ("an".to_owned(), AttributeValue::B(record.sealed_answer.clone().into())),
        ("xp".to_owned(), end.clone()),
        ("ttl".to_owned(), end),
    ])
}

fn parse_record(name: &str, item: &Item) -> Result<Record, StoreError> {
    let malformed = |attribute: &str| StoreError::malformed("record", attribute);
    let bytes = |attribute: &str| {
        let value = item.get(attribute).and_then(|value| value.as_b().ok());
        value.map(AsRef::as_ref).ok_or_else(|| malformed(attribute))
    };
    let fingerprint: &[u8] = bytes("fp")?;
    Ok(Record {
        name: name.to_owned(),
        fingerprint: Fingerprint(fingerprint.try_into().map_err(|_| malformed("fp"))?),
        sealed_answer: bytes("an")?.to_vec(),
        end: Timestamp::from_epoch_s(item.get("xp").and_then(parse_number).ok_or_else(|| malformed("xp"))?),
    })
}

const ANSWER: &str = "answer";
