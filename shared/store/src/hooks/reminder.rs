//! When a key's end is to be told: nothing is written when time passes, so this waits in the index until then.
//!
//! ```text
//! expiring_<key>    xp the key's end (epoch s) · acc account · ia ir
//! ```

use faregate_domain::{
    cell::WARNING_SECONDS,
    id::{AccountId, KeyId},
    time::Timestamp,
};

use super::{due, leaving, number, partition_of, text};
use crate::{Store, StoreError, cell::Reader, client::Item, expression::Builder};

/// That a key's end is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// Whose key.
    pub account: AccountId,
    /// The key.
    pub key: KeyId,
    /// When it ends.
    pub end: Timestamp,
}

impl Reminder {
    /// When it is due: a week before the end.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        self.end.minus_s(WARNING_SECONDS)
    }

    pub(super) fn parse(item: &Item) -> Result<Self, StoreError> {
        let (read, malformed) = (Reader { item }, |name: &str| StoreError::malformed("reminder", name));
        let key = read.string("sk")?.strip_prefix(SORT).and_then(|id| KeyId::parse(id).ok());
        Ok(Self {
            account: AccountId::from_suffix(read.string("acc")?).map_err(|_| malformed("acc"))?,
            key: key.ok_or_else(|| malformed("sk"))?,
            end: Timestamp::from_epoch_s(read.number("xp")?),
        })
    }
}

impl Store {
    /// Sets the time at which a key's end is told, in place of any other.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be set.
    pub async fn set_reminder(&self, reminder: &Reminder) -> Result<(), StoreError> {
        let Reminder { account, key, end } = reminder;
        let sort = format!("{SORT}{key}");
        let (shelf, place) = due::place_of(key.suffix(), reminder.due_at(), "expiring");
        let mut item = Item::new();
        for (name, value) in [
            ("acc", text(account.suffix())),
            ("xp", number(end.epoch_s())),
            ("ia", text(shelf)),
            ("ir", text(place)),
            ("ttl", number(end.epoch_s())),
        ] {
            item.insert(name.to_owned(), value);
        }
        let write = leaving(&item, &[]).build(partition_of(account), &sort);
        self.update(&write).await.map(|_| ())
    }

    /// Finds no more when a key's end is to be told: it was told, or there is none any more. Time collects the rest.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be forgotten.
    pub async fn forget_reminder(&self, account: &AccountId, key: &KeyId) -> Result<(), StoreError> {
        let mut builder = Builder::default();
        builder.require("attribute_exists(pk)");
        builder.remove("ia");
        builder.remove("ir");
        let write = builder.build(partition_of(account), &format!("{SORT}{key}"));
        self.update(&write).await.map(|_| ())
    }
}

const SORT: &str = "expiring_";
