//! Reads of several items at once.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use crate::{Store, StoreError, client::Item};

impl Store {
    /// The items of that sort key in at most 100 partitions, as they are now and in no order; what does not exist is
    /// left out.
    pub(crate) async fn find_all(
        &self,
        partitions: impl IntoIterator<Item = String>,
        sort: &str,
    ) -> Result<Vec<Item>, StoreError> {
        self.find_each(partitions.into_iter().map(|partition| (partition, sort.to_owned()))).await
    }

    /// The items of at most 100 keys, as they are now and in no order; what does not exist is left out.
    pub(crate) async fn find_each(
        &self,
        keys: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut missing: Vec<Item> = keys.into_iter().map(|(partition, sort)| key(partition, sort)).collect();
        for round in 0..MAX_ROUNDS {
            if missing.is_empty() {
                return Ok(items);
            }
            // The first round waits for nothing.
            tokio::time::sleep(ROUND_PAUSE * round).await;
            let wanted = KeysAndAttributes::builder().set_keys(Some(missing)).consistent_read(true).build();
            let wanted = wanted.map_err(|_| StoreError::malformed("batch", "keys"))?;
            let asked = self.client().batch_get_item().request_items(self.table(), wanted);
            let answer = asked.set_return_consumed_capacity(self.counted()).send().await;
            let answer = answer.map_err(|error| StoreError::unanswered("batch get", &error))?;
            self.count(answer.consumed_capacity().first());
            items.extend(answer.responses.unwrap_or_default().into_values().flatten());
            let unprocessed = answer.unprocessed_keys.unwrap_or_default();
            missing = unprocessed.into_values().flat_map(|left| left.keys).collect();
        }
        Err(StoreError::Unanswered { operation: "batch get", reason: "keys stayed unprocessed" })
    }

    /// At most `limit` items, and at most 1 MB, of a partition: those whose sort key begins with `prefix`, in that order
    /// of their sort keys, beginning after the sort key `after`.
    pub(crate) async fn find_range(
        &self,
        partition: String,
        prefix: &str,
        after: Option<String>,
        limit: u16,
        order: Order,
    ) -> Result<Vec<Item>, StoreError> {
        let start = after.map(|sort| key(partition.clone(), sort));
        let answer = self
            .client()
            .query()
            .table_name(self.table())
            .key_condition_expression("pk = :partition AND begins_with(sk, :prefix)")
            .expression_attribute_values(":partition", AttributeValue::S(partition))
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
            .set_exclusive_start_key(start)
            .scan_index_forward(order == Order::Ascending)
            .consistent_read(true)
            .limit(i32::from(limit))
            .set_return_consumed_capacity(self.counted())
            .send()
            .await
            .map_err(|error| StoreError::unanswered("query", &error))?;
        self.count(answer.consumed_capacity());
        Ok(answer.items.unwrap_or_default())
    }
}

/// The order of sort keys in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

fn key(partition: String, sort: String) -> Item {
    let parts = [("pk", partition), ("sk", sort)];
    parts.into_iter().map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).collect()
}

const MAX_ROUNDS: u32 = 6;
const ROUND_PAUSE: Duration = Duration::from_millis(25);
