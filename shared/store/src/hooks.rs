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

use aws_sdk_dynamodb::{error::SdkError, operation::put_item::PutItemError, types::AttributeValue};
use faregate_domain::id::{AccountId, WebhookId};

use crate::{Store, StoreError, client::Item, expression::Builder};

pub use delivery::{is_delivery, parse_delivery};
pub use due::{Due, DueItem};
pub use endpoint::{EndpointInsertion, NewEndpoint, is_endpoint, parse_endpoint};
pub use redeemed::{RedeemedSession, parse_redeemed_session};
pub use reminder::Reminder;
pub use secret::{KeySecretItem, SealedSecret, parse_key_secrets};

impl Store {
    /// Puts an item where none of its keys is; the SDK may send it again, and finds its own then.
    async fn put_once(&self, item: Item) -> Result<bool, StoreError> {
        let put = self.client().put_item().table_name(self.table()).set_item(Some(item));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(service)) => match service.into_err() {
                PutItemError::ConditionalCheckFailedException(_) => Ok(false),
                other => Err(StoreError::refused("put", &other)),
            },
            Err(other) => Err(StoreError::unanswered("put", &other)),
        }
    }
}

/// A write that leaves an item's attributes as they stand in `item`, and without those of `optional` that do not; whatever a
/// later version has added stays.
fn leaving(item: &Item, optional: &[&str]) -> Builder {
    let mut builder = Builder::default();
    for (name, value) in item.iter().filter(|(name, _)| !matches!(name.as_str(), "pk" | "sk")) {
        builder.name(&format!("#{name}"), name);
        builder.value(&format!(":{name}"), value.clone());
        builder.set(format!("#{name} = :{name}"));
    }
    for name in optional.iter().filter(|name| !item.contains_key(**name)) {
        builder.name(&format!("#{name}"), *name);
        builder.remove(format!("#{name}"));
    }
    builder
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

#[cfg(test)]
mod tests;
