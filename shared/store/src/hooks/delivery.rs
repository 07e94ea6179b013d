//! Deliveries.
//!
//! ```text
//! msg_<id>    acc account · ev kind · bo body · at made (epoch ms) · ttl
//!             st P pending, S delivered, F given up, C cancelled · nx when it is tried (epoch ms) · en why it is cancelled
//!             rd how often begun anew · tr how often tried since · al attempts, `<epoch ms> <status or word>`
//!             ia ir place among what waits for its time, only while pending
//! ```

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    id::{AccountId, MessageId, WebhookId},
    time::Timestamp,
    webhook::{Attempt, Delivery, DeliveryState, Ending, EventKind, Outcome},
};

use super::{due, item_at, leaving, number, partition_at, text};
use crate::{
    Store, StoreError,
    batch::Order,
    cell::{Reader, parse_number},
    client::{Item, Written},
};

impl Store {
    /// Inserts a delivery; one of that name is left as it is, and false.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be there.
    pub async fn insert_delivery(&self, delivery: &Delivery) -> Result<bool, StoreError> {
        self.put_once(delivery_item(delivery)).await
    }

    /// A delivery of an endpoint.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_delivery(&self, endpoint: &WebhookId, id: &MessageId) -> Result<Option<Delivery>, StoreError> {
        let item = self.find(&partition_at(endpoint), &id.to_string()).await?;
        item.map(|item| parse_delivery(&item)).transpose()
    }

    /// Puts a delivery in the place of the one that was read; false where it has moved on since.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be written.
    pub async fn change_delivery(&self, before: &Delivery, after: &Delivery) -> Result<bool, StoreError> {
        let mut builder = leaving(&delivery_item(after), &["nx", "en", "ia", "ir"]);
        builder.string(":state", letter(before.state));
        builder.number(":round", before.round);
        builder.number(":tried", before.tried);
        builder.require("#st = :state");
        builder.require("#rd = :round");
        builder.require("#tr = :tried");
        let write = builder.build(partition_at(&after.endpoint), &after.id.to_string());
        match self.update(&write).await? {
            Written::Applied(_) => Ok(true),
            // A re-sent copy of this very write finds what it has written.
            Written::Refused(found) => {
                Ok(found.as_ref().map(parse_delivery).transpose()?.is_some_and(|found| found == *after))
            }
        }
    }

    /// At most `limit` deliveries of an endpoint, those of the newest events first, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_deliveries(
        &self,
        endpoint: &WebhookId,
        after: Option<&MessageId>,
        limit: u16,
    ) -> Result<Vec<Delivery>, StoreError> {
        let after = after.map(MessageId::to_string);
        let items = self.find_range(partition_at(endpoint), MessageId::PREFIX, after, limit, Order::Descending).await?;
        items.iter().map(parse_delivery).collect()
    }
}

fn delivery_item(delivery: &Delivery) -> Item {
    let mut item = item_at(partition_at(&delivery.endpoint), delivery.id.to_string());
    let mut add = |name: &str, value| item.insert(name.to_owned(), value);
    add("acc", text(delivery.account.suffix()));
    add("ev", text(delivery.kind.as_str()));
    add("bo", text(&delivery.body));
    add("at", number(delivery.created_at.epoch_ms()));
    add("ttl", number(delivery.expires_at().epoch_s()));
    add("st", text(letter(delivery.state)));
    add("rd", number(delivery.round));
    add("tr", number(delivery.tried));
    add("al", AttributeValue::L(delivery.attempts.iter().map(attempt_text).map(text).collect()));
    match delivery.state {
        DeliveryState::Pending(next) => {
            add("nx", number(next.epoch_ms()));
            let (shelf, place) = due::place_of(delivery.endpoint.suffix(), next, &delivery.id.to_string());
            add("ia", text(shelf));
            add("ir", text(place));
        }
        DeliveryState::Cancelled(ending) => drop(add("en", text(ending.as_str()))),
        DeliveryState::Delivered | DeliveryState::Failed => {}
    }
    item
}

/// Whether a record of the stream is about a delivery.
#[must_use]
pub fn is_delivery(keys: &Item) -> bool {
    let partition = keys.get("pk").and_then(|value| value.as_s().ok());
    partition.and_then(|text| text.strip_prefix(super::PREFIX)).is_some_and(|id| id.starts_with(WebhookId::PREFIX))
}

/// Reads a delivery's item.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_delivery(item: &Item) -> Result<Delivery, StoreError> {
    let (read, malformed) = (Reader { item }, |name: &str| StoreError::malformed("delivery", name));
    let time = |name: &str| {
        let time = item.get(name).and_then(parse_number).map(Timestamp::from_epoch_ms);
        time.ok_or_else(|| malformed(name))
    };
    let state = match read.string("st")? {
        PENDING => DeliveryState::Pending(time("nx")?),
        DELIVERED => DeliveryState::Delivered,
        FAILED => DeliveryState::Failed,
        CANCELLED => DeliveryState::Cancelled(Ending::parse(read.string("en")?).ok_or_else(|| malformed("en"))?),
        _ => return Err(malformed("st")),
    };
    let endpoint = read.string("pk")?.strip_prefix(super::PREFIX).and_then(|id| WebhookId::parse(id).ok());
    let attempts = item.get("al").and_then(|value| value.as_l().ok()).ok_or_else(|| malformed("al"))?;
    let attempt =
        |value: &AttributeValue| value.as_s().ok().and_then(|text| parse_attempt(text)).ok_or_else(|| malformed("al"));
    Ok(Delivery {
        endpoint: endpoint.ok_or_else(|| malformed("pk"))?,
        account: AccountId::from_suffix(read.string("acc")?).map_err(|_| malformed("acc"))?,
        id: MessageId::parse(read.string("sk")?).map_err(|_| malformed("sk"))?,
        kind: EventKind::parse(read.string("ev")?).ok_or_else(|| malformed("ev"))?,
        body: read.string("bo")?.to_owned(),
        created_at: time("at")?,
        state,
        round: read.number("rd")?,
        tried: read.number("tr")?,
        attempts: attempts.iter().map(attempt).collect::<Result<_, _>>()?,
    })
}

fn attempt_text(attempt: &Attempt) -> String {
    match &attempt.outcome {
        Outcome::Answered(status) => format!("{} {status}", attempt.at.epoch_ms()),
        Outcome::Unanswered(word) => format!("{} {word}", attempt.at.epoch_ms()),
    }
}

fn parse_attempt(text: &str) -> Option<Attempt> {
    let (at, outcome) = text.split_once(' ')?;
    let outcome = match outcome.parse() {
        Ok(status) => Outcome::Answered(status),
        Err(_) => Outcome::Unanswered(outcome.to_owned()),
    };
    Some(Attempt { at: Timestamp::from_epoch_ms(at.parse().ok()?), outcome })
}

fn letter(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending(_) => PENDING,
        DeliveryState::Delivered => DELIVERED,
        DeliveryState::Failed => FAILED,
        DeliveryState::Cancelled(_) => CANCELLED,
    }
}

const PENDING: &str = "P";
const DELIVERED: &str = "S";
const FAILED: &str = "F";
const CANCELLED: &str = "C";
