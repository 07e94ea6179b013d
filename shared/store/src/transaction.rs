//! Several writes that happen together or not at all; never on the way of an admitted request.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};

use crate::{Store, StoreError, cell::require_known, client::Item, expression::Write};

/// What a transaction met.
#[derive(Debug)]
pub(crate) enum Transacted {
    /// All of it was applied.
    Applied,
    /// None of it was, because of a condition.
    Refused(Refusal),
}

/// Which conditions failed, by the place of their item in the transaction.
#[derive(Debug)]
pub(crate) struct Refusal(Vec<CancellationReason>);

impl Refusal {
    /// Whether the condition at that place failed.
    pub(crate) fn is_refused(&self, place: usize) -> bool {
        self.0.get(place).is_some_and(|reason| reason.code() == Some(CONDITION_FAILED))
    }

    /// The item on which the condition at that place failed, where there is one and it was asked for.
    pub(crate) fn item(&self, place: usize) -> Option<&Item> {
        self.0.get(place).filter(|_| self.is_refused(place))?.item.as_ref()
    }
}

impl Store {
    /// Sends a transaction, again where it lost to another writer of the same items.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the transaction may or may not have been applied.
    pub(crate) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Transacted, StoreError> {
        for round in 1..=MAX_CONFLICTS {
            let sent = self.client().transact_write_items().set_transact_items(Some(items.clone())).send().await;
            let Err(error) = sent else { return Ok(Transacted::Applied) };
            match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    let reasons = cancelled.cancellation_reasons();
                    let has = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
                    if has(CONDITION_FAILED) {
                        reasons.iter().filter_map(CancellationReason::item).try_for_each(require_known)?;
                        return Ok(Transacted::Refused(Refusal(reasons.to_vec())));
                    }
                    if !PASSING.iter().any(|code| has(code)) {
                        let code = reasons.iter().filter_map(CancellationReason::code).find(|code| *code != "None");
                        return Err(StoreError::Refused {
                            operation: "transact",
                            code: code.unwrap_or("TransactionCanceled").to_owned(),
                        });
                    }
                }
                Some(refusal) if refusal.code() == Some("TransactionInProgressException") => {}
                _ => return Err(StoreError::unanswered("transact", &error)),
            }
            tokio::time::sleep(PAUSE * round).await;
        }
        Err(StoreError::Unanswered { operation: "transact", reason: "other writers were always first" })
    }

    /// Puts an item that must not exist.
    pub(crate) fn put_new(
        &self,
        put: aws_sdk_dynamodb::types::builders::PutBuilder,
    ) -> Result<TransactWriteItem, StoreError> {
        let put = put
            .table_name(self.table())
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.put(put)
    }

    pub(crate) fn put(
        &self,
        put: aws_sdk_dynamodb::types::builders::PutBuilder,
    ) -> Result<TransactWriteItem, StoreError> {
        let put: Put = put.table_name(self.table()).build().map_err(|_| StoreError::malformed("put", "pk"))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// A write as a part of a transaction; one that changes nothing only checks its condition.
    pub(crate) fn part(&self, write: &Write) -> Result<TransactWriteItem, StoreError> {
        let malformed = |_| StoreError::malformed("update", "pk");
        let item = TransactWriteItem::builder();
        if write.update.is_empty() {
            let check = ConditionCheck::builder()
                .table_name(self.table())
                .set_key(Some(write.key()))
                .set_condition_expression(write.condition.clone())
                .set_expression_attribute_names(write.names())
                .set_expression_attribute_values(write.values());
            return Ok(item.condition_check(check.build().map_err(malformed)?).build());
        }
        let update = Update::builder()
            .table_name(self.table())
            .set_key(Some(write.key()))
            .update_expression(&write.update)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_condition_expression(write.condition.clone())
            .set_expression_attribute_names(write.names())
            .set_expression_attribute_values(write.values());
        Ok(item.update(update.build().map_err(malformed)?).build())
    }
}

const CONDITION_FAILED: &str = "ConditionalCheckFailed";
/// Reasons that are over in a moment.
const PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
const MAX_CONFLICTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(15);

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use faregate_domain::{
        cell::CellId, charge::ChargeNonce, client_session::Tabs, lease::Lease, money::MicroUsd, time::Timestamp,
    };

    use super::*;
    use crate::account::tests::table_with_account;

    #[tokio::test]
    async fn a_cell_of_another_layout_is_a_failure_and_no_refusal() {
        let (store, account) = table_with_account().await;
        let cell = CellId::Session(account.id);
        let lease = Lease { amount: MicroUsd::new(1).unwrap(), end: Timestamp::from_epoch_s(1) };
        let leases = [(ChargeNonce::parse(&"1".repeat(22)).unwrap(), lease)];
        assert!(!store.retire_leases(&cell, &leases, &Tabs::default()).await.unwrap());
        let moved = store.client().update_item().table_name(store.table());
        let moved = moved.key("pk", AttributeValue::S(cell.partition())).key("sk", AttributeValue::S("cell".into()));
        let moved =
            moved.update_expression("SET v = :v").expression_attribute_values(":v", AttributeValue::N("3".into()));
        moved.send().await.unwrap();
        let error = store.retire_leases(&cell, &leases, &Tabs::default()).await.unwrap_err();
        assert!(matches!(error, StoreError::Malformed { item: "cell", .. }), "{error}");
    }
}
