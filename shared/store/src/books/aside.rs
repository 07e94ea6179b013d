//! Records of the stream that could not be understood, kept until somebody mends that.
//!
//! ```text
//! pk book_aside   sk <number in the stream>   re the record (JSON) · wy why · at when it was set aside (epoch ms)
//! ```

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::time::Timestamp;

use crate::{
    Store, StoreError,
    batch::Order,
    cell::Reader,
    client::Item,
    expression::{Builder, Write},
};

/// A record of the stream that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its number in the stream.
    pub sequence_number: String,
    /// Why.
    pub why: String,
    /// The record as JSON.
    pub record: String,
    /// When it was set aside.
    pub at: Timestamp,
}

impl Store {
    /// Keeps a record; one that is kept already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be kept.
    pub async fn set_aside(&self, aside: &SetAside) -> Result<(), StoreError> {
        self.update(&keeping(aside)).await.map(|_| ())
    }

    /// At most `limit` records that were set aside, the oldest first, beginning after number `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_set_aside(&self, after: Option<String>, limit: u16) -> Result<Vec<SetAside>, StoreError> {
        let items = self.find_range(ASIDE.to_owned(), "", after, limit, Order::Ascending).await?;
        items.iter().map(parse).collect()
    }

    /// Forgets a record that is in the books by now.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be forgotten.
    pub async fn forget_set_aside(&self, sequence_number: &str) -> Result<(), StoreError> {
        let key = |text: &str| AttributeValue::S(text.to_owned());
        let delete = self.client().delete_item().table_name(self.table()).key("pk", key(ASIDE));
        let sent = delete.key("sk", key(sequence_number)).send().await;
        sent.map(|_| ()).map_err(|error| StoreError::unanswered("delete", &error))
    }
}

pub(crate) fn keeping(aside: &SetAside) -> Write {
    let mut builder = Builder::default();
    builder.name("#at", "at");
    builder.string(":record", aside.record.clone());
    builder.string(":why", aside.why.clone());
    builder.number(":at", aside.at.epoch_ms());
    for clause in ["re = :record", "wy = :why", "#at = :at"] {
        builder.set(clause);
    }
    builder.require("attribute_not_exists(pk)");
    builder.build(ASIDE.to_owned(), &aside.sequence_number)
}

fn parse(item: &Item) -> Result<SetAside, StoreError> {
    let read = Reader { item };
    Ok(SetAside {
        sequence_number: read.string("sk")?.to_owned(),
        why: read.string("wy")?.to_owned(),
        record: read.string("re")?.to_owned(),
        at: Timestamp::from_epoch_ms(read.number("at")?),
    })
}

const ASIDE: &str = "book_aside";
