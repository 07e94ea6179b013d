//! API keys: a description beside the cell that decides, and the account's list of keys that count.
//!
//! ```text
//! pk acc_<id>   sk key_<id>   nm name · px prefix shown · prj project · env environment · at created (epoch ms) · by creator
//!                             xp end (epoch s): a copy of the cell's, for those who tell of it
//! pk acc_<id>   sk account    ks ids of the keys that are not revoked
//! pk key_<id>   sk cell       status, scopes, limits, money: the truth
//! ```

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use faregate_domain::{
    cell::{Cell, CellId, StoredProof},
    id::{AccountId, KeyId, ProjectId},
    time::Timestamp,
};
use futures_util::future::try_join_all;

use crate::{
    Store, StoreError,
    batch::Order,
    cell::{CELL, cell_item, parse_cell, parse_number, secrets::is_current},
    client::Item,
    hooks::SealedSecret,
    idempotency::Record,
    project::follow::{version_attribute, version_check},
    transaction::Transacted,
};

mod amend;
mod revoke;
mod rotate;

pub(crate) use amend::change_limits;
pub use amend::{BudgetChange, KeyAmendment, LimitsChange};
pub use revoke::parse_ended_key;
pub use rotate::{KeyRotation, RotationOutcome};

/// What people know a key by; nothing here decides anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// The key's public id.
    pub id: KeyId,
    /// The account that owns it.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// The beginning of the key, as far as it is shown.
    pub prefix: String,
    /// The project it belongs to.
    pub project: ProjectId,
    /// The environment's name.
    pub environment: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The cell of the session or key that made it.
    pub creator: CellId,
}

/// A key to insert, with everything that must become true together.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'k> {
    /// Its description.
    pub description: &'k KeyDescription,
    /// Its cell.
    pub cell: &'k Cell,
    /// Which change of its project the cell repeats; it must be the last one.
    pub settings_version: u64,
    /// The most keys that the account may have.
    pub max_keys: u32,
    /// What deliveries to its endpoints are signed under.
    pub secret: &'k SealedSecret,
    /// The record of the request that makes it, which must not exist at `now`.
    pub record: Option<&'k Record>,
    /// The instant of the request.
    pub now: Timestamp,
}

/// What an insertion met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyInsertion {
    /// The key is there.
    Inserted,
    /// The request has a record already; nothing was written.
    Recorded,
    /// The account has as many keys as it may have; nothing was written.
    Full,
    /// The project was changed since it was read; nothing was written.
    Outdated,
}

impl Store {
    /// Inserts a key: description, cell, place among the account's keys and record of the request, all or nothing, into a
    /// project that is as it was read.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the same insertion may be sent again, and is applied at most once.
    pub async fn insert_key(&self, new: &NewKey<'_>) -> Result<KeyInsertion, StoreError> {
        let mut description = description_item(new.description);
        description.extend(new.cell.expires_at.map(end_attribute));
        let description = Put::builder().set_item(Some(description));
        let mut cell = cell_item(&CellId::Key(new.description.id.clone()), new.cell);
        cell.extend(version_attribute(new.settings_version));
        let mut items = vec![
            self.put_new(Put::builder().set_item(Some(cell)))?,
            self.take_place(new)?,
            self.put_new(description)?,
            self.part(&version_check(&new.description.project, new.settings_version))?,
            self.put_first_secret(new.secret)?,
        ];
        if let Some(record) = new.record {
            items.push(self.put_record(record, new.now)?);
        }
        let refused = match self.transact(items).await? {
            Transacted::Applied => return Ok(KeyInsertion::Inserted),
            Transacted::Refused(refused) => refused,
        };
        // An earlier send of this very insertion was applied and only its answer was lost.
        if refused.item(0).is_some_and(|item| is_same_key(item, new.cell)) {
            return Ok(KeyInsertion::Inserted);
        }
        match (refused.is_refused(5), refused.is_refused(1), refused.item(1)) {
            (true, _, _) => Ok(KeyInsertion::Recorded),
            (false, true, Some(_)) => Ok(KeyInsertion::Full),
            (false, true, None) => Err(StoreError::malformed("account", "pk")),
            (false, false, _) if refused.is_refused(3) => Ok(KeyInsertion::Outdated),
            (false, false, _) => Err(StoreError::malformed("key", "pk")),
        }
    }

    /// One key's description.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_key(&self, account: &AccountId, id: &KeyId) -> Result<Option<KeyDescription>, StoreError> {
        let item = self.find(&account.to_string(), &id.to_string()).await?;
        item.map(|item| parse_description(account, &item)).transpose()
    }

    /// Descriptions of an account's keys in the order of their ids, beginning after `after`; at most `limit`, at most
    /// 1 MB.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_keys(
        &self,
        account: &AccountId,
        after: Option<&KeyId>,
        limit: u16,
    ) -> Result<Vec<KeyDescription>, StoreError> {
        let (account_id, after) = (account.to_string(), after.map(KeyId::to_string));
        let items = self.find_range(account_id, KeyId::PREFIX, after, limit, Order::Ascending).await?;
        items.iter().map(|item| parse_description(account, item)).collect()
    }

    /// The cells of at most 100 keys, as they are now.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer or not all of it.
    pub async fn find_cells(&self, ids: &[KeyId]) -> Result<BTreeMap<KeyId, Cell>, StoreError> {
        let items = self.find_all(ids.iter().map(KeyId::to_string), CELL).await?;
        let read = |item: &Item| {
            let id = item.get("pk").and_then(|value| value.as_s().ok()).and_then(|text| KeyId::parse(text).ok());
            Ok((id.ok_or_else(|| StoreError::malformed("cell", "pk"))?, parse_cell(item)?))
        };
        items.iter().map(read).collect()
    }

    /// Any number of cells, as they are now; what does not exist is left out.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer or not all of it.
    pub async fn find_each_cell(&self, ids: &[CellId]) -> Result<BTreeMap<CellId, Cell>, StoreError> {
        let mut cells = BTreeMap::new();
        for some in ids.chunks(CELLS_IN_BATCH * BATCHES_AT_ONCE) {
            let batch = |ids: &[CellId]| self.find_all(ids.iter().map(CellId::partition).collect::<Vec<_>>(), CELL);
            for item in try_join_all(some.chunks(CELLS_IN_BATCH).map(batch)).await?.iter().flatten() {
                let id = item.get("pk").and_then(|value| value.as_s().ok()).and_then(|text| CellId::parse(text).ok());
                cells.insert(id.ok_or_else(|| StoreError::malformed("cell", "pk"))?, parse_cell(item)?);
            }
        }
        Ok(cells)
    }

    /// Takes a place among the account's keys; a set holds an id once however often it is added.
    fn take_place(&self, new: &NewKey<'_>) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(self.table())
            .key("pk", AttributeValue::S(new.description.account.to_string()))
            .key("sk", AttributeValue::S(ACCOUNT.to_owned()))
            .update_expression("ADD ks :id")
            .condition_expression("attribute_exists(pk) AND (attribute_not_exists(ks) OR size(ks) < :max)")
            .expression_attribute_values(":id", AttributeValue::Ss(vec![new.description.id.suffix().to_owned()]))
            .expression_attribute_values(":max", AttributeValue::N(new.max_keys.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let update = update.build().map_err(|_| StoreError::malformed("account", "pk"))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

fn description_item(key: &KeyDescription) -> Item {
    let string = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([
        ("pk".to_owned(), string(&key.account.to_string())),
        ("sk".to_owned(), string(&key.id.to_string())),
        ("nm".to_owned(), string(&key.name)),
        ("px".to_owned(), string(&key.prefix)),
        ("prj".to_owned(), string(key.project.suffix())),
        ("env".to_owned(), string(&key.environment)),
        ("at".to_owned(), AttributeValue::N(key.created_at.epoch_ms().to_string())),
        ("by".to_owned(), string(&key.creator.partition())),
    ])
}

fn end_attribute(end: Timestamp) -> (String, AttributeValue) {
    ("xp".to_owned(), AttributeValue::N(end.epoch_s().to_string()))
}

/// Reads a description as the table's stream shows it, and when its key ends.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_new_key(item: &Item) -> Result<(KeyDescription, Option<Timestamp>), StoreError> {
    let malformed = |name: &str| StoreError::malformed("key", name);
    let account = item.get("pk").and_then(|value| value.as_s().ok()).and_then(|id| AccountId::parse(id).ok());
    let description = parse_description(&account.ok_or_else(|| malformed("pk"))?, item)?;
    let end = |value| parse_number(value).map(Timestamp::from_epoch_s).ok_or_else(|| malformed("xp"));
    Ok((description, item.get("xp").map(end).transpose()?))
}

fn parse_description(account: &AccountId, item: &Item) -> Result<KeyDescription, StoreError> {
    let malformed = |name: &str| StoreError::malformed("key", name);
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).ok_or_else(|| malformed(name));
    Ok(KeyDescription {
        id: KeyId::parse(string("sk")?).map_err(|_| malformed("sk"))?,
        account: account.clone(),
        name: string("nm")?.clone(),
        prefix: string("px")?.clone(),
        project: ProjectId::from_suffix(string("prj")?).map_err(|_| malformed("prj"))?,
        environment: string("env")?.clone(),
        created_at: Timestamp::from_epoch_ms(item.get("at").and_then(parse_number).ok_or_else(|| malformed("at"))?),
        creator: CellId::parse(string("by")?).map_err(|_| malformed("by"))?,
    })
}

fn is_same_key(item: &Item, cell: &Cell) -> bool {
    let StoredProof::Key(secrets) = &cell.proof else { return false };
    is_current(item, &secrets.current)
}

const ACCOUNT: &str = "account";
/// DynamoDB's bound.
const CELLS_IN_BATCH: usize = 100;
const BATCHES_AT_ONCE: usize = 8;

#[cfg(test)]
mod tests;
