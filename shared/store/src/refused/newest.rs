//! Sheets of refused calls, the newest day first.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    id::AccountId,
    refused::RefusedDay,
    time::{Day, Timestamp},
};

use super::{date, key, parse_day, partition};
use crate::{Store, StoreError, client::Item};

impl Store {
    /// The sheets of an account, or of callers that nobody knows, from `first` to `last` with both: the newest day first, by
    /// one Query of at most 1 MB; none that has expired by `now`. And where the next Query goes on, unless nothing is left.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_newest_refused(
        &self,
        account: Option<&AccountId>,
        (first, last): (Day, Day),
        after: Option<String>,
        now: Timestamp,
    ) -> Result<(Vec<RefusedDay>, Option<String>), StoreError> {
        let (string, partition) = (AttributeValue::S, partition(account));
        let answer = self
            .client()
            .query()
            .table_name(self.table())
            .key_condition_expression("pk = :partition AND sk BETWEEN :first AND :last")
            .filter_expression("#ttl > :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", AttributeValue::N(now.epoch_s().to_string()))
            .expression_attribute_values(":partition", string(partition.clone()))
            .expression_attribute_values(":first", string(format!("day_{}_", date(first))))
            // Above every cell's sheet of the day.
            .expression_attribute_values(":last", string(format!("day_{}_~", date(last))))
            .set_exclusive_start_key(after.map(|sort| key(partition, sort)))
            .scan_index_forward(false)
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::unanswered("query", &error))?;
        let sheets = answer.items.unwrap_or_default().iter().map(parse_day).collect::<Result<_, _>>()?;
        let sort = |key: Item| key.get("sk").and_then(|sort| sort.as_s().ok()).cloned();
        Ok((sheets, answer.last_evaluated_key.and_then(sort)))
    }
}
