//! The signing secrets of a key, sealed: they follow from the key's text, which is kept nowhere.
//!
//! ```text
//! secret_<key>    s<n> sealed secret of the key's text after its n-th rotation · n the newest of them
//!                 ro when that rotation was made (epoch ms), where a rotation wrote it
//! ```
//! The key's cell says which number is in force and whether the one before it still is, so this item decides nothing. A
//! rotation writes it in the transaction that puts the new secret in force.

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use faregate_domain::{
    id::{AccountId, KeyId},
    time::Timestamp,
};

use super::{item_at, number, partition_of};
use crate::{
    Store, StoreError,
    cell::{Reader, parse_number},
    client::{Item, Written},
    expression::{Builder, Write},
};

/// A key's signing secret, readable only under the seal secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// Whose key.
    pub account: AccountId,
    /// The key.
    pub key: KeyId,
    /// After how many rotations the key had that secret.
    pub number: u64,
    /// The sealed text.
    pub sealed: Vec<u8>,
}

impl SealedSecret {
    /// The name that such a secret is sealed for: it opens for no other key and no other rotation.
    #[must_use]
    pub fn record_name(account: &AccountId, key: &KeyId, number: u64) -> String {
        format!("webhook secret {account} {key} {number}")
    }
}

/// What is kept of a key's signing secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySecretItem {
    /// Whose key.
    pub account: AccountId,
    /// The key.
    pub key: KeyId,
    /// The newest number.
    pub newest: u64,
    /// When the key was rotated to it, where that is what wrote it.
    pub rotated_at: Option<Timestamp>,
    /// The sealed texts by their numbers.
    pub sealed: Vec<(u64, Vec<u8>)>,
}

impl KeySecretItem {
    /// The sealed secret of that number.
    #[must_use]
    pub fn find(&self, number: u64) -> Option<SealedSecret> {
        let (_, sealed) = self.sealed.iter().find(|(own, _)| *own == number)?;
        Some(SealedSecret { account: self.account.clone(), key: self.key.clone(), number, sealed: sealed.clone() })
    }
}

impl Store {
    /// What is kept of a key's signing secrets.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_key_secrets(
        &self,
        account: &AccountId,
        key: &KeyId,
    ) -> Result<Option<KeySecretItem>, StoreError> {
        let item = self.find(&partition_of(account), &sort(key)).await?;
        item.map(|item| parse_key_secrets(&item)).transpose()
    }

    /// Keeps a key's signing secret, in place of one of the same number; false where a later one is kept.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be kept.
    pub async fn keep_secret(&self, secret: &SealedSecret) -> Result<bool, StoreError> {
        let mut builder = writing(secret);
        builder.require("(attribute_not_exists(n) OR n <= :n)");
        Ok(matches!(self.update(&finish(builder, secret)).await?, Written::Applied(_)))
    }

    /// Puts a secret that is sealed anew in the place of `before`; false where another is kept there by now.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be kept.
    pub async fn reseal_secret(&self, before: &SealedSecret, sealed: Vec<u8>) -> Result<bool, StoreError> {
        let mut builder = Builder::default();
        builder.name("#s", attribute(before.number));
        builder.value(":before", AttributeValue::B(before.sealed.clone().into()));
        builder.value(":after", AttributeValue::B(sealed.into()));
        builder.set("#s = :after");
        builder.require("#s = :before");
        Ok(matches!(self.update(&finish(builder, before)).await?, Written::Applied(_)))
    }

    /// The part of a transaction that keeps the first secret of a new key.
    pub(crate) fn put_first_secret(&self, secret: &SealedSecret) -> Result<TransactWriteItem, StoreError> {
        let mut item = item_at(partition_of(&secret.account), sort(&secret.key));
        item.insert(attribute(secret.number), AttributeValue::B(secret.sealed.clone().into()));
        item.insert("n".to_owned(), number(secret.number));
        self.put_new(Put::builder().set_item(Some(item)))
    }

    /// The part of a transaction that keeps the secret of a rotation and forgets all but the one before.
    pub(crate) fn rotate_secret(&self, secret: &SealedSecret, now: Timestamp) -> Result<TransactWriteItem, StoreError> {
        let mut builder = writing(secret);
        builder.number(":ro", now.epoch_ms());
        builder.set("ro = :ro");
        if let Some(forgotten) = secret.number.checked_sub(2) {
            builder.name("#forgotten", attribute(forgotten));
            builder.remove("#forgotten");
        }
        self.part(&finish(builder, secret))
    }
}

fn writing(secret: &SealedSecret) -> Builder {
    let mut builder = Builder::default();
    builder.name("#s", attribute(secret.number));
    builder.value(":sealed", AttributeValue::B(secret.sealed.clone().into()));
    builder.number(":n", secret.number);
    builder.set("#s = :sealed");
    builder.set("n = :n");
    builder
}

fn finish(builder: Builder, secret: &SealedSecret) -> Write {
    builder.build(partition_of(&secret.account), &sort(&secret.key))
}

/// Reads the item of a key's signing secrets.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_key_secrets(item: &Item) -> Result<KeySecretItem, StoreError> {
    let (read, malformed) = (Reader { item }, |name: &str| StoreError::malformed("key's secrets", name));
    let account = read.string("pk")?.strip_prefix(super::PREFIX).and_then(|id| AccountId::parse(id).ok());
    let key = read.string("sk")?.strip_prefix(SORT).and_then(|id| KeyId::parse(id).ok());
    let sealed = item.iter().filter_map(|(name, value)| {
        let number = name.strip_prefix('s')?.parse().ok()?;
        Some((number, value.as_b().ok()?.as_ref().to_vec()))
    });
    Ok(KeySecretItem {
        account: account.ok_or_else(|| malformed("pk"))?,
        key: key.ok_or_else(|| malformed("sk"))?,
        newest: read.number("n")?,
        rotated_at: item.get("ro").and_then(parse_number).map(Timestamp::from_epoch_ms),
        sealed: sealed.collect(),
    })
}

fn attribute(number: u64) -> String {
    format!("s{number}")
}

fn sort(key: &KeyId) -> String {
    format!("{SORT}{key}")
}

const SORT: &str = "secret_";
