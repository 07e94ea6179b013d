//! From what happened to a delivery for each endpoint that wants to hear of it. Any of it may be done again.

use std::collections::HashMap;

use faregate_domain::{
    id::{AccountId, KeyId},
    time::Timestamp,
    webhook::{Delivery, Endpoint, Event, Reason},
};
use faregate_store::{KeyDescription, Reminder};
use faregate_stream::sequence_number;
use serde_json::Value;

use crate::{
    App, HandleError,
    news::{self, Named},
    record::{News, Told},
};

/// The endpoints of accounts, as one batch has seen them.
pub(crate) type Known = HashMap<AccountId, Vec<Endpoint>>;

impl App {
    /// Takes the stream's records in their order; the number of the first one that must come again.
    pub(crate) async fn take_records(&self, records: &[Value]) -> Option<String> {
        let mut known = Known::new();
        for record in records {
            let told = match Told::parse(record) {
                Ok(told) => told,
                Err(error) => {
                    // It would hold up everything behind it for hours; what it tells of stands in the table.
                    let number = sequence_number(record).unwrap_or("none");
                    tracing::error!(sequence_number = number, %error, "nobody is told of a record");
                    continue;
                }
            };
            if let Err(error) = self.take(told, &mut known).await {
                tracing::error!(%error, "a record is not passed on; it comes again");
                return Some(sequence_number(record).unwrap_or_default().to_owned());
            }
        }
        None
    }

    async fn take(&self, told: Told, known: &mut Known) -> Result<(), HandleError> {
        let at = told.at;
        let event = match told.news {
            News::Nothing => None,
            News::Pending(delivery) => {
                self.queues.wake(&delivery, self.services.clock.now()).await?;
                None
            }
            News::Described { key, end, is_new } => {
                self.remind(&key, end, at.min(self.services.clock.now())).await?;
                is_new.then(|| news::created(&key))
            }
            News::Rotated(secrets) => {
                let rotated_at = secrets.rotated_at.unwrap_or(at);
                let key = self.find_key((secrets.account.clone(), secrets.key.clone())).await?;
                key.map(|key| news::rotated(&key, &secrets, rotated_at))
            }
            News::Ended { key, owner } => {
                self.end_endpoints_of((&owner.account, &key), known).await?;
                self.find_key((owner.account, key)).await?.map(|key| news::revoked(&key, at))
            }
            News::Credited(account, entry) => Some(news::credited(&account, &entry)),
            News::Noticed(key, noticed) => {
                let key = self.find_key((noticed.account.clone(), key)).await?;
                key.and_then(|key| news::noticed(&key, &noticed))
            }
            News::Redeemed(session) => Some(news::redeemed(&session)),
            News::Disabled(endpoint) => {
                // Whoever disables an endpoint of theirs need not hear of it.
                let told = endpoint.disabled.filter(|disabled| disabled.reason != Reason::ByOwner);
                told.map(|disabled| news::disabled(&endpoint, disabled))
            }
        };
        match event {
            Some(event) => self.tell(&event, known).await,
            None => Ok(()),
        }
    }

    /// A delivery of the event for each endpoint that wants it; the stream tells of those in turn.
    pub(crate) async fn tell(&self, event: &Event, known: &mut Known) -> Result<(), HandleError> {
        let now = self.services.clock.now();
        for endpoint in self.endpoints(&event.account, known).await? {
            if endpoint.hears(event) {
                self.services.store.insert_delivery(&Delivery::new(event, endpoint, now)).await?;
            }
        }
        Ok(())
    }

    async fn endpoints<'k>(&self, account: &AccountId, known: &'k mut Known) -> Result<&'k [Endpoint], HandleError> {
        if !known.contains_key(account) {
            known.insert(account.clone(), self.services.store.find_endpoints(account).await?);
        }
        Ok(known.get(account).map(Vec::as_slice).unwrap_or_default())
    }

    /// The endpoints of a key that was ended end with it.
    async fn end_endpoints_of(
        &self,
        (account, key): (&AccountId, &KeyId),
        known: &mut Known,
    ) -> Result<(), HandleError> {
        let now = self.services.clock.now();
        let own: Vec<_> = self.endpoints(account, known).await?.iter().filter(|one| one.key == *key).cloned().collect();
        for endpoint in own {
            self.disable(endpoint, Reason::KeyRevoked, now).await?;
        }
        known.remove(account);
        Ok(())
    }

    async fn find_key(&self, (account, key): Named) -> Result<Option<KeyDescription>, HandleError> {
        Ok(self.services.store.find_key(&account, &key).await?)
    }

    /// Remembers to tell of a key's end, or forgets it. Who sets an end within the week knows of it.
    async fn remind(&self, key: &KeyDescription, end: Option<Timestamp>, at: Timestamp) -> Result<(), HandleError> {
        let reminder = end.map(|end| Reminder { account: key.account.clone(), key: key.id.clone(), end });
        match reminder.filter(|reminder| reminder.due_at() > at) {
            Some(reminder) => self.services.store.set_reminder(&reminder).await?,
            None => self.services.store.forget_reminder(&key.account, &key.id).await?,
        }
        Ok(())
    }
}
