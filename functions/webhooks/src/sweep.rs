//! What is done every minute and every day: whatever waits and is not being seen to, is.

use std::collections::BTreeSet;

use faregate_domain::{cell::CellId, time::Timestamp};
use faregate_store::{Due, Reminder, Store};

use crate::{App, HandleError, fan_out::Known, news};

impl App {
    /// Wakes deliveries whose time has come and that no message woke, and tells of keys that end soon.
    pub(crate) async fn sweep(&self) -> Result<(), HandleError> {
        let (store, now) = (&self.services.store, self.services.clock.now());
        let until = Timestamp::from_epoch_ms(now.epoch_ms().saturating_sub(PATIENCE_MS));
        for shelf in 0..Store::DUE_SHELVES {
            for _ in 0..MAX_PAGES {
                let found = store.find_due(shelf, until, PAGE).await?;
                let is_last = found.len() < usize::from(PAGE);
                for item in found {
                    match &item.due {
                        Due::Delivery(delivery) => {
                            // Woken before it is put off: whoever dies in between wakes it twice, and that is harmless.
                            self.queues.wake(delivery, now).await?;
                            store.put_off(&item, now.plus_s(PUT_OFF_SECONDS)).await?;
                        }
                        Due::Reminder(reminder) => self.tell_of_end(reminder, now).await?,
                    }
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A key that was ended, or got another end meanwhile, is not told of.
    async fn tell_of_end(&self, reminder: &Reminder, now: Timestamp) -> Result<(), HandleError> {
        let Reminder { account, key, end } = reminder;
        let store = &self.services.store;
        let cell = store.find_cell(&CellId::Key(key.clone())).await?;
        if cell.is_some_and(|cell| !cell.is_over(now) && cell.expires_at == Some(*end))
            && let Some(key) = store.find_key(account, key).await?
        {
            self.tell(&news::expiring(&key, *end, reminder.due_at()), &mut Known::new()).await?;
        }
        Ok(store.forget_reminder(account, key).await?)
    }

    /// Seals the signing secrets of all endpoints' keys under the current version of the seal secret, so that they outlast its
    /// next rotation.
    pub(crate) async fn reseal(&self) -> Result<(), HandleError> {
        let (store, now) = (&self.services.store, self.services.clock.now());
        let (mut after, mut seen) = (None, BTreeSet::new());
        loop {
            let endpoints = store.find_all_endpoints(after.as_ref(), PAGE).await?;
            let Some(last) = endpoints.last() else { return Ok(()) };
            after = Some((last.account.clone(), last.id.clone()));
            for endpoint in &endpoints {
                if !seen.insert(endpoint.key.clone()) {
                    continue;
                }
                let Some(kept) = store.find_key_secrets(&endpoint.account, &endpoint.key).await? else { continue };
                for sealed in kept.sealed.iter().filter_map(|(number, _)| kept.find(*number)) {
                    if let Some(anew) = self.services.reseal_signing_secret(&sealed, now).await? {
                        store.reseal_secret(&sealed, anew).await?;
                    }
                }
            }
        }
    }
}

/// How long a message has its chance before a sweep sends another.
const PATIENCE_MS: u64 = 30_000;
/// How long a sweep leaves alone what it has woken.
const PUT_OFF_SECONDS: u64 = 600;
const PAGE: u16 = 100;
/// What is left is found the next minute.
const MAX_PAGES: u32 = 50;
