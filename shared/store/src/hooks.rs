//! Webhooks: endpoints, the signing secrets of their keys, and deliveries. Nobody but the functions of webhooks writes these
//! partitions, and the one that makes keys.
//!
//! ```text
//! pk hook_<account>    sk whk_…              an endpoint, see `endpoint`
//! pk hook_<account>    sk places             ws ids of the account's endpoints
//! pk hook_<account>    sk secret_<key>       sealed signing secrets of a key, see `secret`
//! pk hook_<account>    sk expiring_<key>     when a key's end is to be told, see `reminder`
//! pk hook_<endpoint>   sk msg_…              a delivery, see `delivery`
//! ```
//! What waits for its time stands in the table's index too, under `ia hook_due_<0…3> · ir <epoch ms>_…`, and every endpoint
//! under `ia hook_endpoints`: the index's own rows begin with an account's id.

mod delivery;
mod due;
mod endpoint;
mod redeemed;
mod reminder;
mod secret;

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use faregate_domain::id::{AccountId, WebhookId};

use crate::{
    Store, StoreError,
    client::{Item, Written},
};

pub use delivery::{is_delivery, parse_delivery};
pub use due::{Due, DueItem};
pub use endpoint::{EndpointInsertion, NewEndpoint, is_endpoint, parse_endpoint};
pub use redeemed::{RedeemedSession, parse_redeemed_session};
pub use reminder::Reminder;
pub use secret::{KeySecretItem, SealedSecret, parse_key_secrets};

impl Store {
    /// Puts an item where `condition` holds. The SDK may send it again: whoever is refused must look whether what stands
    /// there is its own.
    async fn put_where(
        &self,
        item: Item,
        condition: &str,
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Result<Written, StoreError> {
        let mut put = self
            .client()
            .put_item()
            .table_name(self.table())
            .set_item(Some(item))
            .condition_expression(condition)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for (name, value) in values {
            put = put.expression_attribute_values(name, value);
        }
        match put.send().await {
            Ok(_) => Ok(Written::Applied(Item::new())),
            Err(SdkError::ServiceError(service)) => match service.into_err() {
                PutItemError::ConditionalCheckFailedException(refused) => Ok(Written::Refused(refused.item)),
                other => Err(StoreError::refused("put", &other)),
            },
            Err(other) => Err(StoreError::unanswered("put", &other)),
        }
    }
}

fn partition_of(account: &AccountId) -> String {
    format!("{PREFIX}{account}")
}

fn partition_at(endpoint: &WebhookId) -> String {
    format!("{PREFIX}{endpoint}")
}

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

fn item_at(partition: String, sort: String) -> Item {
    HashMap::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text(sort))])
}

const PREFIX: &str = "hook_";
