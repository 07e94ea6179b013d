//! The end of a key: first it is refused, then its place is given up, then its money goes home.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::{Cell, CellId, Owner, Status},
    id::{AccountId, KeyId, ProjectId},
    recall::Recall,
};

use crate::{
    Store, StoreError,
    cell::{CELL, Reader, parse_cell, status_letter},
    client::{Item, Written},
    expression::Builder,
    keys::{
        ACCOUNT,
        amend::{recall_from_cell, wallet_write},
    },
    transaction::Transacted,
};

impl Store {
    /// Revokes a key of an account, from the very next request on; `None` when the account has no such key. Revoking
    /// it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the key may be revoked.
    pub async fn revoke_key(&self, account: &AccountId, id: &KeyId) -> Result<Option<Cell>, StoreError> {
        let mut builder = Builder::default();
        builder.string(":account", account.suffix());
        builder.string(":ended", status_letter(Status::Revoked));
        builder.set("st = :ended");
        builder.require("acc = :account");
        match self.update(&builder.build(CellId::Key(id.clone()).partition(), CELL)).await? {
            Written::Applied(item) => parse_cell(&item).map(Some),
            Written::Refused(_) => Ok(None),
        }
    }

    /// Gives up a revoked key's place among the account's keys; doing so again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB did not confirm it.
    pub async fn release_key(&self, account: &AccountId, id: &KeyId) -> Result<(), StoreError> {
        self.client()
            .update_item()
            .table_name(self.table())
            .key("pk", AttributeValue::S(account.to_string()))
            .key("sk", AttributeValue::S(ACCOUNT.to_owned()))
            .update_expression("DELETE ks :id")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":id", AttributeValue::Ss(vec![id.suffix().to_owned()]))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| StoreError::unanswered("update", &error))
    }

    /// Moves a revoked key's money back to its project; false when cell or wallet have moved on since they were read,
    /// and nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the money may have moved.
    pub async fn recall_money(&self, project: &ProjectId, child: &CellId, recall: &Recall) -> Result<bool, StoreError> {
        let mut builder = Builder::default();
        builder.string(":ended", status_letter(Status::Revoked));
        builder.require("st = :ended");
        recall_from_cell(&mut builder, recall);
        let cell = self.part(&builder.build(child.partition(), CELL))?;
        let wallet = self.part(&wallet_write(project, child, recall))?;
        Ok(matches!(self.transact(vec![cell, wallet]).await?, Transacted::Applied))
    }
}

/// The key that a write of a cell has ended, and whose it was; `None` for a write that ended none.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_ended_key(before: Option<&Item>, after: &Item) -> Result<Option<(KeyId, Owner)>, StoreError> {
    let is_ended =
        |item: &Item| Reader { item }.string("st").is_ok_and(|letter| letter == status_letter(Status::Revoked));
    if !is_ended(after) || before.is_some_and(is_ended) {
        return Ok(None);
    }
    let read = Reader { item: after };
    Ok(match KeyId::parse(read.string("pk")?) {
        Ok(id) => Some((id, read.owner()?)),
        Err(_) => None,
    })
}
