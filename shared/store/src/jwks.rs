//! The public keys that access tokens are checked with, where every function can read them.
//!
//! ```text
//! pk jwks   sk jwks   <kid> { x, y: coordinates · until: end (epoch s) }
//! ```

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::time::Timestamp;

use crate::{
    Store, StoreError,
    cell::parse_number,
    expression::{Builder, Write},
};

/// One public key as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// The key's name in tokens.
    pub kid: String,
    /// First coordinate, base64url.
    pub x: String,
    /// Second coordinate, base64url.
    pub y: String,
    /// From when on the key is not to be used.
    pub until: Timestamp,
}

impl Store {
    /// Every key that was published and not withdrawn, whether its time is over or not; what another version may publish
    /// beside them is for that version.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_published_keys(&self) -> Result<Vec<PublishedKey>, StoreError> {
        let item = self.find(JWKS, JWKS).await?.unwrap_or_default();
        Ok(item.iter().filter_map(|(kid, value)| parse_key(kid, value)).collect())
    }

    /// Adds or renews `keys` and withdraws the keys with the other names, in one write.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB did not confirm it.
    pub async fn publish_keys(&self, keys: &[PublishedKey], withdrawn: &[String]) -> Result<(), StoreError> {
        self.update(&publication(keys, withdrawn)).await.map(|_| ())
    }
}

fn publication(keys: &[PublishedKey], withdrawn: &[String]) -> Write {
    let mut builder = Builder::default();
    for (number, key) in keys.iter().enumerate() {
        builder.name(&format!("#k{number}"), &key.kid);
        builder.value(&format!(":k{number}"), key_value(key));
        builder.set(format!("#k{number} = :k{number}"));
    }
    for (number, kid) in withdrawn.iter().enumerate() {
        builder.name(&format!("#w{number}"), kid);
        builder.remove(format!("#w{number}"));
    }
    builder.build(JWKS.to_owned(), JWKS)
}

fn key_value(key: &PublishedKey) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        ("x".to_owned(), AttributeValue::S(key.x.clone())),
        ("y".to_owned(), AttributeValue::S(key.y.clone())),
        ("until".to_owned(), AttributeValue::N(key.until.epoch_s().to_string())),
    ]))
}

fn parse_key(kid: &str, value: &AttributeValue) -> Option<PublishedKey> {
    let map = value.as_m().ok()?;
    let string = |name: &str| map.get(name)?.as_s().ok().cloned();
    let until = Timestamp::from_epoch_s(map.get("until").and_then(parse_number)?);
    Some(PublishedKey { kid: kid.to_owned(), x: string("x")?, y: string("y")?, until })
}

const JWKS: &str = "jwks";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fresh;

    fn key(kid: &str, until: u64) -> PublishedKey {
        PublishedKey {
            kid: kid.to_owned(),
            x: "x".repeat(43),
            y: "y".repeat(43),
            until: Timestamp::from_epoch_s(until),
        }
    }

    async fn published(store: &Store) -> Vec<PublishedKey> {
        let mut keys = store.find_published_keys().await.unwrap();
        keys.sort_by(|one, other| one.kid.cmp(&other.kid));
        keys
    }

    #[tokio::test]
    async fn keys_are_published_renewed_and_withdrawn() {
        let store = fresh::table().await;
        assert_eq!(published(&store).await, []);
        store.publish_keys(&[key("a-1", 10), key("b_2", 10)], &[]).await.unwrap();
        assert_eq!(published(&store).await, [key("a-1", 10), key("b_2", 10)]);
        store.publish_keys(&[key("b_2", 20), key("c", 20)], &["a-1".to_owned()]).await.unwrap();
        assert_eq!(published(&store).await, [key("b_2", 20), key("c", 20)]);
    }
}
