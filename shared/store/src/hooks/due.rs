//! What waits for its time, found through the table's index by when that is.
//!
//! Whoever is found is put off for a while, so that one that is on its way is not found again each time.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    id::{AccountId, WebhookId},
    time::Timestamp,
    webhook::{Delivery, Endpoint},
};

use super::{Reminder, endpoint::parse_endpoint, is_delivery, parse_delivery, text};
use crate::{
    Store, StoreError,
    client::{Item, Written},
    expression::Builder,
    schema::REQUESTS_INDEX,
};

/// Something whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueItem {
    /// What it is.
    pub due: Due,
    partition: String,
    sort: String,
    place: String,
}

/// What may wait for its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// A delivery.
    Delivery(Box<Delivery>),
    /// A key whose end is to be told.
    Reminder(Reminder),
}

impl Store {
    /// Into how many shelves what waits is divided.
    pub const DUE_SHELVES: u8 = SHELVES;

    /// At most `limit` items of a shelf whose time came before `until`, the oldest first. The index may lag behind the table
    /// by a moment.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_due(&self, shelf: u8, until: Timestamp, limit: u16) -> Result<Vec<DueItem>, StoreError> {
        let answer = self
            .client()
            .query()
            .table_name(self.table())
            .index_name(REQUESTS_INDEX)
            .key_condition_expression("ia = :shelf AND ir < :until")
            .expression_attribute_values(":shelf", text(shelf_name(shelf)))
            .expression_attribute_values(":until", text(time_text(until)))
            .limit(i32::from(limit))
            .send()
            .await
            .map_err(|error| StoreError::unanswered("query", &error))?;
        answer.items.unwrap_or_default().iter().map(parse).collect()
    }

    /// Puts something that was found off until `until`; false where it has moved on meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be put off.
    pub async fn put_off(&self, found: &DueItem, until: Timestamp) -> Result<bool, StoreError> {
        let (_, rest) = found.place.split_once('_').ok_or_else(|| StoreError::malformed("due", "ir"))?;
        let mut builder = Builder::default();
        builder.string(":found", found.place.clone());
        builder.string(":later", format!("{}_{rest}", time_text(until)));
        builder.set("ir = :later");
        builder.require("ir = :found");
        let write = builder.build(found.partition.clone(), &found.sort);
        Ok(matches!(self.update(&write).await?, Written::Applied(_)))
    }

    /// At most `limit` endpoints of all accounts, in an order of their own, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_all_endpoints(
        &self,
        after: Option<&(AccountId, WebhookId)>,
        limit: u16,
    ) -> Result<Vec<Endpoint>, StoreError> {
        let after = after.map(|(account, id)| format!("{}{}", account.suffix(), id.suffix()));
        let answer = self
            .client()
            .query()
            .table_name(self.table())
            .index_name(REQUESTS_INDEX)
            .key_condition_expression("ia = :all AND ir > :after")
            .expression_attribute_values(":all", text(ENDPOINTS))
            .expression_attribute_values(":after", text(after.unwrap_or_else(|| " ".to_owned())))
            .limit(i32::from(limit))
            .send()
            .await
            .map_err(|error| StoreError::unanswered("query", &error))?;
        answer.items.unwrap_or_default().iter().map(parse_endpoint).collect()
    }
}

/// The shelf of something, and its place there.
pub(super) fn place_of(whose: &str, at: Timestamp, what: &str) -> (String, String) {
    let shelf = whose.bytes().fold(0_u8, u8::wrapping_add) % SHELVES;
    (shelf_name(shelf), format!("{}_{whose}_{what}", time_text(at)))
}

fn shelf_name(shelf: u8) -> String {
    format!("hook_due_{shelf}")
}

fn time_text(at: Timestamp) -> String {
    format!("{:015}", at.epoch_ms())
}

fn parse(item: &Item) -> Result<DueItem, StoreError> {
    let string = |name: &str| match item.get(name) {
        Some(AttributeValue::S(text)) => Ok(text.clone()),
        _ => Err(StoreError::malformed("due", name)),
    };
    let due = if is_delivery(item) {
        Due::Delivery(Box::new(parse_delivery(item)?))
    } else {
        Due::Reminder(Reminder::parse(item)?)
    };
    Ok(DueItem { due, partition: string("pk")?, sort: string("sk")?, place: string("ir")? })
}

/// All endpoints, in the index.
pub(super) const ENDPOINTS: &str = "hook_endpoints";
/// One partition of an index takes 1,000 writes a second, and a delivery is two.
const SHELVES: u8 = 4;
