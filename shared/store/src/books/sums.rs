//! The numbers of an account's cells, read back period by period.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{books::Period, id::AccountId};

use super::period::{PeriodNumbers, parse_period, partition, prefix};
use crate::{Store, StoreError};

impl Store {
    /// The numbers of every cell of an account in the periods from `first` to `last`, both of one length and both
    /// included, by one Query of at most 1 MB; and where the next one goes on, unless nothing is left.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_periods(
        &self,
        account: &AccountId,
        (first, last): (Period, Period),
        after: Option<String>,
    ) -> Result<(Vec<PeriodNumbers>, Option<String>), StoreError> {
        let string = AttributeValue::S;
        let pk = partition(account);
        let start =
            after.map(|sort| [("pk", pk.clone()), ("sk", sort)].map(|(name, it)| (name.to_owned(), string(it))));
        let answer = self
            .client()
            .query()
            .table_name(self.table())
            .key_condition_expression("pk = :partition AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":partition", string(pk))
            .expression_attribute_values(":first", string(format!("{}{first}_", prefix(first))))
            // Above every cell of the last period.
            .expression_attribute_values(":last", string(format!("{}{last}_~", prefix(last))))
            .set_exclusive_start_key(start.map(Into::into))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::unanswered("query", &error))?;
        let periods = answer.items.unwrap_or_default().iter().map(parse_period).collect::<Result<_, _>>()?;
        let sort = |key: crate::client::Item| key.get("sk").and_then(|sort| sort.as_s().ok()).cloned();
        Ok((periods, answer.last_evaluated_key.and_then(sort)))
    }
}
