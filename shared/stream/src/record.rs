//! One record of the table's stream.

use faregate_domain::time::Timestamp;
use faregate_store::Item;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Number, Value};

/// An item as it was and as it is. One that was deleted is no more; one that was inserted was not yet.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Record {
    /// Its partition and sort key.
    #[serde(deserialize_with = "item")]
    pub keys: Item,
    /// What it was.
    #[serde(rename = "OldImage", default, deserialize_with = "some_item")]
    pub before: Option<Item>,
    /// What it is.
    #[serde(rename = "NewImage", default, deserialize_with = "some_item")]
    pub after: Option<Item>,
    /// The record's number in the stream.
    pub sequence_number: String,
    /// When about it was written: the second that the stream gives.
    #[serde(rename = "ApproximateCreationDateTime", deserialize_with = "second")]
    pub written_at: Timestamp,
}

impl Record {
    /// Reads one of a batch's records.
    ///
    /// # Errors
    /// [`NotARecord`] where it is none of a stream.
    pub fn parse(value: &Value) -> Result<Self, NotARecord> {
        Ok(Framed::deserialize(value)?.dynamodb)
    }
}

/// Why something is no record of a stream.
#[derive(Debug, thiserror::Error)]
#[error("no record of a stream: {0}")]
pub struct NotARecord(#[from] serde_json::Error);

/// The number of a record, where it has one; also of one that cannot be read.
#[must_use]
pub fn sequence_number(record: &Value) -> Option<&str> {
    record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str)
}

#[derive(Deserialize)]
struct Framed {
    dynamodb: Record,
}

fn item<'de, D: Deserializer<'de>>(from: D) -> Result<Item, D::Error> {
    serde_dynamo::Item::deserialize(from).map(Item::from)
}

fn some_item<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Item>, D::Error> {
    Ok(Option::<serde_dynamo::Item>::deserialize(from)?.map(Item::from))
}

/// DynamoDB writes seconds, some tools write fractions of them.
fn second<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let number = Number::deserialize(from)?.to_string();
    let whole = number.split('.').next().and_then(|text| text.parse().ok());
    whole.map(Timestamp::from_epoch_s).ok_or_else(|| D::Error::custom("the time of the write is none"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_read_with_both_images() {
        let record = Record::parse(&json!({
            "eventName": "MODIFY",
            "dynamodb": {
                "Keys": { "pk": { "S": "a" }, "sk": { "S": "cell" } },
                "OldImage": { "n": { "N": "1" } },
                "NewImage": { "n": { "N": "2" } },
                "SequenceNumber": "17",
                "ApproximateCreationDateTime": 1_700_000_000.9,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }));
        let record = record.unwrap();
        assert_eq!(record.keys.len(), 2);
        assert_eq!(record.before.unwrap()["n"].as_n().unwrap(), "1");
        assert_eq!(record.after.unwrap()["n"].as_n().unwrap(), "2");
        assert_eq!(record.sequence_number, "17");
        assert_eq!(record.written_at, Timestamp::from_epoch_s(1_700_000_000));
    }

    #[test]
    fn an_inserted_item_was_not_and_a_deleted_one_is_not() {
        let record = |images: Value| {
            let mut written = json!({ "Keys": {}, "SequenceNumber": "1", "ApproximateCreationDateTime": 1 });
            written.as_object_mut().unwrap().extend(images.as_object().unwrap().clone());
            Record::parse(&json!({ "dynamodb": written })).unwrap()
        };
        let inserted = record(json!({ "NewImage": {} }));
        assert!(inserted.before.is_none() && inserted.after.is_some());
        let deleted = record(json!({ "OldImage": {} }));
        assert!(deleted.before.is_some() && deleted.after.is_none());
    }

    #[test]
    fn what_is_no_record_is_told_from_one() {
        let written = json!({ "Keys": {}, "SequenceNumber": "1", "ApproximateCreationDateTime": 1 });
        for name in ["Keys", "SequenceNumber", "ApproximateCreationDateTime"] {
            let mut without = written.clone();
            without.as_object_mut().unwrap().remove(name);
            assert!(Record::parse(&json!({ "dynamodb": without })).is_err(), "{name}");
        }
        for foreign in [json!({}), json!([]), json!("record"), json!({ "dynamodb": { "Keys": { "pk": { "X": 1 } } } })]
        {
            assert!(Record::parse(&foreign).is_err(), "{foreign}");
        }
        let early = json!({ "Keys": {}, "SequenceNumber": "1", "ApproximateCreationDateTime": -1 });
        assert!(Record::parse(&json!({ "dynamodb": early })).is_err());
    }
}
