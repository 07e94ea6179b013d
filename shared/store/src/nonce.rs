//! Sign-in nonces: handed out under a cap, used once.
//!
//! ```text
//! pk non_<nonce>            sk nonce   ad address · mg message · xp end (epoch s) · us attempt that used it · ttl
//! pk ipc_<network>_<hour>   sk nonces  h nonces of the hour · m<minute> nonces of the minute · ttl
//! ```

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    id::SessionId,
    time::Timestamp,
    wallet::{Address, CallerNetwork, NONCE_LIFETIME_SECONDS, Nonce, NonceCap, NonceCounts, SECONDS_PER_HOUR},
};

use crate::{
    Store, StoreError,
    cell::{counters::minute_attribute, parse_number},
    client::{Item, Written},
    expression::{Builder, Write},
};

/// A nonce as it was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedNonce {
    /// Whom it was handed out to.
    pub address: Address,
    /// The text that the wallet was asked to sign.
    pub message: String,
}

impl Store {
    /// Keeps a nonce for its lifetime.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB did not confirm it.
    pub async fn insert_nonce(&self, nonce: &Nonce, issued: &IssuedNonce, now: Timestamp) -> Result<(), StoreError> {
        // Unconditional, so that a re-sent write is harmless: 130 random bits do not meet twice.
        let item = nonce_item(nonce, issued, now.plus_s(NONCE_LIFETIME_SECONDS));
        let sent = self.client().put_item().table_name(self.table()).set_item(Some(item)).send().await;
        sent.map(|_| ()).map_err(|error| StoreError::unanswered("put", &error))
    }

    /// Uses a nonce up in the name of one attempt; `None` when there is no such nonce, its time is over, or another
    /// attempt had it.
    ///
    /// The same attempt may ask again: a write whose answer was lost does not lose the nonce.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the nonce may then be used up.
    pub async fn consume_nonce(
        &self,
        nonce: &Nonce,
        attempt: &SessionId,
        now: Timestamp,
    ) -> Result<Option<IssuedNonce>, StoreError> {
        match self.update(&consumption(nonce, attempt, now)).await? {
            Written::Applied(item) => parse_nonce(&item).map(Some),
            Written::Refused(_) => Ok(None),
        }
    }

    /// Counts one nonce for a network; where a window is full it counts nothing and states the counts.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn count_nonce(
        &self,
        network: CallerNetwork,
        cap: NonceCap,
        now: Timestamp,
    ) -> Result<Option<NonceCounts>, StoreError> {
        match self.update(&counting(network, cap, now)).await? {
            Written::Applied(_) => Ok(None),
            Written::Refused(item) => {
                let item = item.unwrap_or_default();
                let count = |name: &str| item.get(name).and_then(parse_number).unwrap_or_default();
                Ok(Some(NonceCounts { this_minute: count(&minute_attribute(now.minute())), this_hour: count("h") }))
            }
        }
    }
}

fn nonce_item(nonce: &Nonce, issued: &IssuedNonce, end: Timestamp) -> Item {
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let number = |value: u64| AttributeValue::N(value.to_string());
    HashMap::from([
        ("pk".to_owned(), string(&partition(nonce))),
        ("sk".to_owned(), string(NONCE)),
        ("ad".to_owned(), string(&issued.address.lower_hex())),
        ("mg".to_owned(), string(&issued.message)),
        ("xp".to_owned(), number(end.epoch_s())),
        ("ttl".to_owned(), number(end.plus_s(GARBAGE_AFTER_SECONDS).epoch_s())),
    ])
}

fn consumption(nonce: &Nonce, attempt: &SessionId, now: Timestamp) -> Write {
    let mut builder = Builder::default();
    builder.string(":attempt", attempt.suffix());
    builder.number(":now", now.epoch_s());
    builder.set("us = :attempt");
    builder.require("xp > :now");
    builder.require("(attribute_not_exists(us) OR us = :attempt)");
    builder.build(partition(nonce), NONCE)
}

fn counting(network: CallerNetwork, cap: NonceCap, now: Timestamp) -> Write {
    let hour = now.epoch_s() / SECONDS_PER_HOUR;
    let mut builder = Builder::default();
    builder.name("#m", minute_attribute(now.minute()));
    builder.name("#ttl", "ttl");
    builder.number(":zero", 0);
    builder.number(":one", 1);
    builder.number(":per_hour", cap.per_hour);
    builder.number(":per_minute", cap.per_minute);
    builder.number(":ttl", (hour + 2).saturating_mul(SECONDS_PER_HOUR));
    builder.set("h = if_not_exists(h, :zero) + :one");
    builder.set("#m = if_not_exists(#m, :zero) + :one");
    builder.set("#ttl = :ttl");
    builder.require("NOT h >= :per_hour");
    builder.require("NOT #m >= :per_minute");
    builder.build(format!("ipc_{network}_{hour}"), "nonces")
}

fn parse_nonce(item: &Item) -> Result<IssuedNonce, StoreError> {
    let string = |name: &str| {
        let text = item.get(name).and_then(|value| value.as_s().ok());
        text.ok_or_else(|| StoreError::malformed("nonce", name))
    };
    let address = format!("0x{}", string("ad")?).parse().map_err(|_| StoreError::malformed("nonce", "ad"))?;
    Ok(IssuedNonce { address, message: string("mg")?.clone() })
}

fn partition(nonce: &Nonce) -> String {
    format!("non_{nonce}")
}

const NONCE: &str = "nonce";
/// A nonce's end refuses it; the table forgets it some time later.
const GARBAGE_AFTER_SECONDS: u64 = 3_600;

#[cfg(test)]
mod tests;
