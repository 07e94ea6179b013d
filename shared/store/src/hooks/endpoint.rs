//! Endpoints.
//!
//! ```text
//! whk_<id>    ur url · ty kinds of events, or * · de description · key prj env the key that owns it · at made (epoch ms)
//!             st A in use, D disabled · rs da why and since when (epoch ms) · fs failing since (epoch ms) · ve changes
//!             ia ir place among all endpoints
//! ```

use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use faregate_domain::{
    id::{AccountId, KeyId, ProjectId, WebhookId},
    time::Timestamp,
    webhook::{Disabled, Endpoint, Reason, Wish},
};

use super::{due::ENDPOINTS, item_at, leaving, number, partition_of, text};
use crate::{
    Store, StoreError,
    batch::Order,
    cell::parse_number,
    client::{Item, Written},
    idempotency::Record,
    transaction::Transacted,
};

/// An endpoint to insert.
#[derive(Clone, Copy, Debug)]
pub struct NewEndpoint<'e> {
    /// The endpoint.
    pub endpoint: &'e Endpoint,
    /// The record of the request that makes it, which must not exist at `now`.
    pub record: Option<&'e Record>,
    /// The instant of the request.
    pub now: Timestamp,
}

/// What an insertion met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointInsertion {
    /// The endpoint is there.
    Inserted,
    /// The request has a record already; nothing was written.
    Recorded,
    /// The account has as many as it may have; nothing was written.
    Full,
}

impl Store {
    /// Inserts an endpoint, its place among the account's and the record of the request, all or nothing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the same insertion may be sent again, and is applied at most once.
    pub async fn insert_endpoint(&self, new: &NewEndpoint<'_>) -> Result<EndpointInsertion, StoreError> {
        let put = Put::builder().set_item(Some(endpoint_item(new.endpoint)));
        let mut items = vec![self.put_new(put)?, self.take_endpoint_place(new.endpoint)?];
        if let Some(record) = new.record {
            items.push(self.put_record(record, new.now)?);
        }
        let Transacted::Refused(refused) = self.transact(items).await? else {
            return Ok(EndpointInsertion::Inserted);
        };
        Ok(match (refused.is_refused(0), refused.is_refused(2)) {
            // An earlier send of this very insertion was applied and only its answer was lost: ids are drawn at random.
            (true, _) => EndpointInsertion::Inserted,
            (false, true) => EndpointInsertion::Recorded,
            (false, false) => EndpointInsertion::Full,
        })
    }

    /// An endpoint of an account.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_endpoint(&self, account: &AccountId, id: &WebhookId) -> Result<Option<Endpoint>, StoreError> {
        let item = self.find(&partition_of(account), &id.to_string()).await?;
        item.map(|item| parse_endpoint(&item)).transpose()
    }

    /// All endpoints of an account, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_endpoints(&self, account: &AccountId) -> Result<Vec<Endpoint>, StoreError> {
        let limit = u16::try_from(Endpoint::MAX_PER_ACCOUNT).unwrap_or(u16::MAX);
        let items = self.find_range(partition_of(account), WebhookId::PREFIX, None, limit, Order::Ascending).await?;
        items.iter().map(parse_endpoint).collect()
    }

    /// Puts an endpoint in the place of the one that was read; false where somebody else has changed or deleted it since.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be changed.
    pub async fn change_endpoint(&self, before: &Endpoint, after: &Endpoint) -> Result<bool, StoreError> {
        let after = Endpoint { version: before.version + 1, ..after.clone() };
        let mut builder = leaving(&endpoint_item(&after), &["de", "fs", "rs", "da"]);
        builder.number(":before", before.version);
        builder.require("#ve = :before");
        let write = builder.build(partition_of(&after.account), &after.id.to_string());
        match self.update(&write).await? {
            Written::Applied(_) => Ok(true),
            // A re-sent copy of this very write finds what it has written.
            Written::Refused(found) => {
                Ok(found.as_ref().map(parse_endpoint).transpose()?.is_some_and(|found| found == after))
            }
        }
    }

    /// Deletes an endpoint and gives its place up; doing so again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be deleted.
    pub async fn delete_endpoint(&self, account: &AccountId, id: &WebhookId) -> Result<(), StoreError> {
        let malformed = |_| StoreError::malformed("endpoint", "pk");
        let key = item_at(partition_of(account), id.to_string());
        let delete = Delete::builder().table_name(self.table()).set_key(Some(key)).build().map_err(malformed)?;
        let place = Update::builder()
            .table_name(self.table())
            .set_key(Some(item_at(partition_of(account), PLACES.to_owned())))
            .update_expression("DELETE ws :id")
            .expression_attribute_values(":id", AttributeValue::Ss(vec![id.suffix().to_owned()]));
        let place = place.build().map_err(malformed)?;
        let items = vec![
            TransactWriteItem::builder().delete(delete).build(),
            TransactWriteItem::builder().update(place).build(),
        ];
        match self.transact(items).await? {
            Transacted::Applied => Ok(()),
            // Neither has a condition.
            Transacted::Refused(_) => Err(StoreError::malformed("endpoint", "sk")),
        }
    }

    /// Takes a place among the account's endpoints; a set holds an id once however often it is added.
    fn take_endpoint_place(&self, endpoint: &Endpoint) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(self.table())
            .set_key(Some(item_at(partition_of(&endpoint.account), PLACES.to_owned())))
            .update_expression("ADD ws :id")
            .condition_expression("attribute_not_exists(ws) OR size(ws) < :max")
            .expression_attribute_values(":id", AttributeValue::Ss(vec![endpoint.id.suffix().to_owned()]))
            .expression_attribute_values(":max", number(Endpoint::MAX_PER_ACCOUNT))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let update = update.build().map_err(|_| StoreError::malformed("endpoint", "pk"))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

fn endpoint_item(endpoint: &Endpoint) -> Item {
    let mut item = item_at(partition_of(&endpoint.account), endpoint.id.to_string());
    let mut add = |name: &str, value| item.insert(name.to_owned(), value);
    add("ur", text(&endpoint.url));
    add("ty", AttributeValue::Ss(endpoint.wish.texts().into_iter().map(str::to_owned).collect()));
    add("key", text(endpoint.key.suffix()));
    add("prj", text(endpoint.project.suffix()));
    add("env", text(&endpoint.environment));
    add("at", number(endpoint.created_at.epoch_ms()));
    add("ve", number(endpoint.version));
    add("ia", text(ENDPOINTS));
    add("ir", text(format!("{}{}", endpoint.account.suffix(), endpoint.id.suffix())));
    if let Some(description) = &endpoint.description {
        add("de", text(description));
    }
    if let Some(since) = endpoint.failing_since {
        add("fs", number(since.epoch_ms()));
    }
    match endpoint.disabled {
        None => drop(add("st", text(IN_USE))),
        Some(Disabled { reason, at }) => {
            add("st", text(DISABLED));
            add("rs", text(reason.as_str()));
            add("da", number(at.epoch_ms()));
        }
    }
    item
}

/// Whether a record of the stream is about an endpoint.
#[must_use]
pub fn is_endpoint(keys: &Item) -> bool {
    let begins = |name: &str, prefix: &str| {
        keys.get(name).and_then(|value| value.as_s().ok()).is_some_and(|text| text.starts_with(prefix))
    };
    begins("pk", super::PREFIX) && begins("sk", WebhookId::PREFIX)
}

/// Reads an endpoint's item.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_endpoint(item: &Item) -> Result<Endpoint, StoreError> {
    let malformed = |name: &str| StoreError::malformed("endpoint", name);
    let find = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    let string = |name: &str| find(name).ok_or_else(|| malformed(name));
    let time = |name: &str| {
        let read = |value| parse_number(value).map(Timestamp::from_epoch_ms).ok_or_else(|| malformed(name));
        item.get(name).map(read).transpose()
    };
    let kinds = item.get("ty").and_then(|value| value.as_ss().ok()).ok_or_else(|| malformed("ty"))?;
    let disabled = match string("st")? {
        DISABLED => Some(Disabled {
            reason: Reason::parse(string("rs")?).ok_or_else(|| malformed("rs"))?,
            at: time("da")?.ok_or_else(|| malformed("da"))?,
        }),
        _ => None,
    };
    let account = string("pk")?.strip_prefix(super::PREFIX).and_then(|id| AccountId::parse(id).ok());
    Ok(Endpoint {
        id: WebhookId::parse(string("sk")?).map_err(|_| malformed("sk"))?,
        account: account.ok_or_else(|| malformed("pk"))?,
        key: KeyId::from_suffix(string("key")?).map_err(|_| malformed("key"))?,
        project: ProjectId::from_suffix(string("prj")?).map_err(|_| malformed("prj"))?,
        environment: string("env")?.to_owned(),
        url: string("ur")?.to_owned(),
        wish: Wish::parse(kinds.iter().map(String::as_str)).map_err(|_| malformed("ty"))?,
        description: find("de").map(str::to_owned),
        created_at: time("at")?.ok_or_else(|| malformed("at"))?,
        disabled,
        failing_since: time("fs")?,
        version: item.get("ve").and_then(parse_number).ok_or_else(|| malformed("ve"))?,
    })
}

const PLACES: &str = "places";
const IN_USE: &str = "A";
const DISABLED: &str = "D";
