//! One record of the table's stream, and what of it is news here.

use faregate_domain::{
    cell::{CellId, Owner},
    id::{AccountId, KeyId},
    ledger::{Entry, EntryKind},
    time::Timestamp,
    webhook::{Delivery, DeliveryState, Endpoint},
};
use faregate_store::{
    Event as BookEvent, Item, KeyDescription, KeySecretItem, RedeemedSession, StoreError, is_cell, is_delivery,
    is_endpoint, parse_delivery, parse_ended_key, parse_endpoint, parse_entry, parse_event, parse_key_secrets,
    parse_new_key, parse_redeemed_session,
};
use faregate_stream::{NotARecord, Record};
use serde_json::Value;

/// What a record tells.
#[derive(Debug)]
pub(crate) enum News {
    /// A key's description was made or changed; when its key ends is a part of it.
    Described { key: Box<KeyDescription>, end: Option<Timestamp>, is_new: bool },
    /// A key got another secret.
    Rotated(KeySecretItem),
    /// A key was ended.
    Ended { key: KeyId, owner: Owner },
    /// Money came in.
    Credited(AccountId, Entry),
    /// The ledger noticed something about a key.
    Noticed(KeyId, BookEvent),
    /// A client session was opened.
    Redeemed(Box<RedeemedSession>),
    /// A delivery is to be tried.
    Pending(Box<Delivery>),
    /// An endpoint gets nothing more.
    Disabled(Box<Endpoint>),
    /// Nothing that anybody is told of.
    Nothing,
}

/// A record, read.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) news: News,
    /// About when it was written.
    pub(crate) at: Timestamp,
}

impl Told {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Unreadable`] where it cannot be understood.
    pub(crate) fn parse(value: &Value) -> Result<Self, Unreadable> {
        let Record { keys, before, after, written_at: at, .. } = Record::parse(value)?;
        let Some(after) = after else { return Ok(Self { news: News::Nothing, at }) };
        let news = match Kind::of(value) {
            Kind::Description => {
                let (key, end) = parse_new_key(&after)?;
                News::Described { key: Box::new(key), end, is_new: before.is_none() }
            }
            Kind::Entry => {
                let entry = parse_entry(&after)?;
                let account = text_of(value, "pk").and_then(|id| AccountId::parse(id).ok());
                match (entry.kind, account) {
                    (EntryKind::Credit, Some(account)) if before.is_none() => News::Credited(account, entry),
                    _ => News::Nothing,
                }
            }
            Kind::BookEvent => noticed(value, before.is_none(), &after)?,
            Kind::Secrets => {
                let (now, was) = (parse_key_secrets(&after)?, before.as_ref().map(parse_key_secrets).transpose()?);
                let is_rotation = now.rotated_at.is_some() && was.is_none_or(|was| was.rotated_at != now.rotated_at);
                if is_rotation { News::Rotated(now) } else { News::Nothing }
            }
            Kind::Session => parse_redeemed_session(before.as_ref(), &after)?
                .map_or(News::Nothing, |session| News::Redeemed(Box::new(session))),
            Kind::Other if is_cell(&keys) => parse_ended_key(before.as_ref(), &after)?
                .map_or(News::Nothing, |(key, owner)| News::Ended { key, owner }),
            Kind::Other if is_delivery(&keys) => pending(before.as_ref(), &after)?,
            Kind::Other if is_endpoint(&keys) => disabled(before.as_ref(), &after)?,
            Kind::Other => News::Nothing,
        };
        Ok(Self { news, at })
    }
}

fn noticed(value: &Value, is_new: bool, after: &Item) -> Result<News, StoreError> {
    let cell = text_of(value, "pk").and_then(|book| book.strip_prefix("book_")).and_then(|id| CellId::parse(id).ok());
    Ok(match cell {
        // Sessions are no keys, and are watched by whoever signed in.
        Some(CellId::Key(key)) if is_new => News::Noticed(key, parse_event(after)?.1),
        _ => News::Nothing,
    })
}

/// A delivery that waits for another time than before; whoever only puts it off leaves that as it is.
fn pending(before: Option<&Item>, after: &Item) -> Result<News, StoreError> {
    let (before, after) = (before.map(parse_delivery).transpose()?, parse_delivery(after)?);
    let is_same = before.is_some_and(|before| (before.state, before.round) == (after.state, after.round));
    let is_pending = matches!(after.state, DeliveryState::Pending(_));
    Ok(if is_pending && !is_same { News::Pending(Box::new(after)) } else { News::Nothing })
}

fn disabled(before: Option<&Item>, after: &Item) -> Result<News, StoreError> {
    let (before, after) = (before.map(parse_endpoint).transpose()?, parse_endpoint(after)?);
    let was_in_use = before.is_some_and(|before| before.disabled.is_none());
    Ok(if was_in_use && after.disabled.is_some() { News::Disabled(Box::new(after)) } else { News::Nothing })
}

/// Whether the deployed function would be told of a record: the filter of its event source mapping.
#[must_use]
pub fn is_news(record: &Value) -> bool {
    let is_written = matches!(record["eventName"].as_str(), Some("INSERT" | "MODIFY"));
    let status = record.pointer("/dynamodb/NewImage/st/S").and_then(Value::as_str);
    let begins = |name: &str, prefix: &str| text_of(record, name).is_some_and(|text| text.starts_with(prefix));
    is_written
        && (!matches!(Kind::of(record), Kind::Other | Kind::Session)
            || (Kind::of(record) == Kind::Session && status == Some("redeemed"))
            || (text_of(record, "sk") == Some("cell") && status == Some("R"))
            || (begins("pk", "hook_") && matches!(status, Some("P" | "D"))))
}

/// What an item is, by the beginning of its sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Description,
    Entry,
    BookEvent,
    Secrets,
    Session,
    Other,
}

impl Kind {
    fn of(record: &Value) -> Self {
        let sort = text_of(record, "sk").unwrap_or_default();
        if sort == "session" && text_of(record, "pk").is_some_and(|partition| partition.starts_with("ses_")) {
            return Self::Session;
        }
        let kinds = [
            ("key_", Self::Description),
            ("ent_", Self::Entry),
            ("evt_", Self::BookEvent),
            ("secret_key_", Self::Secrets),
        ];
        kinds.into_iter().find(|(prefix, _)| sort.starts_with(prefix)).map_or(Self::Other, |(_, kind)| kind)
    }
}

fn text_of<'v>(record: &'v Value, name: &str) -> Option<&'v str> {
    record.pointer(&format!("/dynamodb/Keys/{name}/S")).and_then(Value::as_str)
}

/// Why a record cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is no record of a stream.
    #[error(transparent)]
    Shape(#[from] NotARecord),
    /// An item in it has another shape.
    #[error(transparent)]
    Item(#[from] StoreError),
}
