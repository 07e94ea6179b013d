//! What the owner of a key should hear of, and what is known of its callers.
//!
//! ```text
//! evt_<ms>_<kind>[_<what>]    kd kind · at (epoch ms) · de details (JSON) · acc account · ttl
//! known                       nw networks · ag families of agents, both sets of strings
//! ```

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::CellId,
    id::AccountId,
    time::{Day, Timestamp},
};

use super::book_of;
use crate::{
    Store, StoreError,
    batch::Order,
    cell::Reader,
    client::{Item, Written},
    expression::{Builder, Write},
};

/// Something that the owner of a key should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is called.
    pub kind: String,
    /// What tells it from others of its kind at the same time; letters, digits and signs, or nothing.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Details as a JSON object.
    pub details: String,
}

/// Who used a cell so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownCallers {
    /// Their networks.
    pub networks: BTreeSet<String>,
    /// The families of their user agents.
    pub agents: BTreeSet<String>,
}

impl Store {
    /// Enters an event; one that stands there already is left as it is.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be there.
    pub async fn insert_event(&self, cell: &CellId, event: &Event) -> Result<(), StoreError> {
        self.update(&entering(cell, event)).await.map(|_| ())
    }

    /// At most `limit` events of a cell, the newest first, beginning after the sort key `after`; each with its sort key.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_events(
        &self,
        cell: &CellId,
        after: Option<String>,
        limit: u16,
    ) -> Result<Vec<(String, Event)>, StoreError> {
        let items = self.find_range(book_of(cell), EVENT, after, limit, Order::Descending).await?;
        items.iter().map(parse_event).collect()
    }

    /// Who is known to have used a cell.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_callers(&self, cell: &CellId) -> Result<KnownCallers, StoreError> {
        let item = self.find(&book_of(cell), KNOWN).await?;
        let set = |name: &str| {
            let texts = item.as_ref().and_then(|item| item.get(name)).and_then(|value| value.as_ss().ok());
            texts.into_iter().flatten().cloned().collect()
        };
        Ok(KnownCallers { networks: set("nw"), agents: set("ag") })
    }

    /// Remembers who used a cell, unless somebody else did since `before` was read; states whether it did.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; they may be remembered.
    pub async fn save_callers(
        &self,
        cell: &CellId,
        before: &KnownCallers,
        after: &KnownCallers,
    ) -> Result<bool, StoreError> {
        Ok(matches!(self.update(&remembering(cell, before, after)).await?, Written::Applied(_)))
    }
}

pub(crate) fn remembering(cell: &CellId, before: &KnownCallers, after: &KnownCallers) -> Write {
    let mut builder = Builder::default();
    for (name, before, after) in [("nw", &before.networks, &after.networks), ("ag", &before.agents, &after.agents)] {
        let set = |texts: &BTreeSet<String>| AttributeValue::Ss(texts.iter().cloned().collect());
        if before.is_empty() {
            builder.require(format!("attribute_not_exists({name})"));
        } else {
            builder.value(&format!(":{name}_before"), set(before));
            builder.require(format!("{name} = :{name}_before"));
        }
        if !after.is_empty() {
            builder.value(&format!(":{name}"), set(after));
            builder.set(format!("{name} = :{name}"));
        }
    }
    builder.build(book_of(cell), KNOWN)
}

pub(crate) fn entering(cell: &CellId, event: &Event) -> Write {
    let mut builder = Builder::default();
    builder.name("#at", "at");
    builder.name("#ttl", "ttl");
    builder.number(":at", event.at.epoch_ms());
    builder.number(":ttl", event.expires_at().epoch_s());
    builder.string(":kind", event.kind.clone());
    builder.string(":details", event.details.clone());
    builder.string(":account", event.account.suffix());
    for clause in ["#at = :at", "#ttl = :ttl", "kd = :kind", "de = :details", "acc = :account"] {
        builder.set(clause);
    }
    builder.require("attribute_not_exists(pk)");
    let what = if event.what.is_empty() { String::new() } else { format!("_{}", event.what) };
    builder.build(book_of(cell), &format!("{EVENT}{:013}_{}{what}", event.at.epoch_ms(), event.kind))
}

impl Event {
    /// From when on it is not shown any more.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.at.plus_s(EVENTS_ARE_KEPT_SECONDS)
    }
}

/// Reads an event's item, and its sort key.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_event(item: &Item) -> Result<(String, Event), StoreError> {
    let read = Reader { item };
    let malformed = |attribute: &str| StoreError::malformed("event", attribute);
    let (sort, kind) = (read.string("sk")?, read.string("kd")?);
    let what = sort.split_once(kind).map(|(_, rest)| rest.trim_start_matches('_').to_owned()).unwrap_or_default();
    let event = Event {
        kind: kind.to_owned(),
        what,
        at: Timestamp::from_epoch_ms(read.number("at")?),
        account: AccountId::from_suffix(read.string("acc")?).map_err(|_| malformed("acc"))?,
        details: read.string("de")?.to_owned(),
    };
    Ok((sort.to_owned(), event))
}

const EVENT: &str = "evt_";
const KNOWN: &str = "known";
const EVENTS_ARE_KEPT_SECONDS: u64 = 400 * Day::SECONDS;
