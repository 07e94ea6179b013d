//! Client sessions: an item each, and a place in the list of their key.
//!
//! ```text
//! pk ses_<id>   sk session           st created, redeemed or ended · acc prj ky env account, project, key, environment
//!                                    rf md reference, notes · sc al mx scopes, allowlist, ceiling (µUSD)
//!                                    at xp made (epoch ms), end (epoch s) · h hash of the secret
//!                                    rd ra when it was redeemed (epoch ms), by which attempt · ed when it was ended (epoch ms)
//!                                    ca ch calls and charges (µUSD) in the books, see `booked` · ttl
//! pk key_<id>   sk ses_<ms>_<id>     nothing but its names: the list of the key · ttl
//! ```

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Put};
use faregate_domain::{
    client_session::{Booked, ClientReference, ClientSession, Metadata, SecretHash},
    id::{AccountId, ClientSessionId, KeyId, ProjectId},
    money::MicroUsd,
    time::Timestamp,
};

use crate::{
    Store, StoreError,
    batch::Order,
    cell::{Reader, allowlist_set, scope_set},
    client::Item,
    idempotency::Record,
    transaction::Transacted,
};

pub(crate) mod booked;
mod end;
mod redeem;

/// A session, and what only its redemption needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredClientSession {
    /// The session.
    pub session: ClientSession,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// The attempt that redeemed it.
    pub redeemer: Option<String>,
}

impl Store {
    /// Inserts a session, with the record of the request that makes it, all or nothing; false where the request has a
    /// record already.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the same session may be inserted again, and is inserted at most once.
    pub async fn insert_client_session(
        &self,
        session: &ClientSession,
        secret: &SecretHash,
        record: Option<&Record>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut items = vec![
            self.put_new(Put::builder().set_item(Some(item_of(session, secret))))?,
            self.put_new(Put::builder().set_item(Some(listing_of(session))))?,
        ];
        if let Some(record) = record {
            items.push(self.put_record(record, now)?);
        }
        let refused = match self.transact(items).await? {
            Transacted::Applied => return Ok(true),
            Transacted::Refused(refused) => refused,
        };
        // An earlier send of this very insertion was applied and only its answer was lost.
        match refused.item(0) {
            Some(item) if parse(item)?.secret == *secret => Ok(true),
            Some(_) => Err(malformed("pk")),
            None => Ok(false),
        }
    }

    /// A session as it is now, also where its time to be shown is over and it was not collected yet.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_client_session(&self, id: &ClientSessionId) -> Result<Option<StoredClientSession>, StoreError> {
        self.find(&id.to_string(), SESSION).await?.map(|item| parse(&item)).transpose()
    }

    /// Sessions of a key, the newest first, beginning after the place `after`; at most `limit`, which is at most 100, each
    /// with its place.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_client_sessions(
        &self,
        key: &KeyId,
        after: Option<&SessionPlace>,
        limit: u16,
    ) -> Result<Vec<(SessionPlace, Option<ClientSession>)>, StoreError> {
        let after = after.map(|place| format!("{}{}", ClientSessionId::PREFIX, place.0));
        let listed = self.find_range(key.to_string(), ClientSessionId::PREFIX, after, limit, Order::Descending).await?;
        let place = |item: &Item| {
            let sort = item.get("sk").and_then(|value| value.as_s().ok());
            let place = sort.and_then(|sort| SessionPlace::parse(sort.strip_prefix(ClientSessionId::PREFIX)?));
            place.ok_or_else(|| malformed("sk"))
        };
        let places = listed.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<String> = places.iter().map(|place| place.session().to_string()).collect();
        let items = self.find_all(ids, SESSION).await?;
        let mut found = HashMap::new();
        for item in &items {
            let session = parse(item)?.session;
            found.insert(session.id.clone(), session);
        }
        Ok(places.into_iter().map(|place| (place.clone(), found.remove(&place.session()))).collect())
    }
}

/// A place in the list of a key's sessions: when one was made, and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPlace(String);

impl SessionPlace {
    /// Reads the printed form; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('_')?;
        let is_time = at.len() == MS_DIGITS && at.bytes().all(|byte| byte.is_ascii_digit());
        (is_time && ClientSessionId::from_suffix(id).is_ok()).then(|| Self(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(session: &ClientSession) -> Self {
        Self(format!("{:013}_{}", session.created_at.epoch_ms(), session.id.suffix()))
    }

    fn session(&self) -> ClientSessionId {
        let id = self.0.split_once('_').and_then(|(_, id)| ClientSessionId::from_suffix(id).ok());
        // A place is made of an id, or was read with one.
        id.unwrap_or_else(|| unreachable!("a place without an id"))
    }
}

fn item_of(session: &ClientSession, secret: &SecretHash) -> Item {
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let number = |value: u64| AttributeValue::N(value.to_string());
    let notes = session.metadata.notes().iter().map(|(name, text)| (name.clone(), string(text)));
    let mut item: Item = HashMap::from([
        ("pk".to_owned(), string(&session.id.to_string())),
        ("sk".to_owned(), string(SESSION)),
        ("st".to_owned(), string(CREATED)),
        ("acc".to_owned(), string(session.account.suffix())),
        ("prj".to_owned(), string(session.project.suffix())),
        ("ky".to_owned(), string(session.key.suffix())),
        ("env".to_owned(), string(&session.environment)),
        ("rf".to_owned(), string(session.reference.as_str())),
        ("md".to_owned(), AttributeValue::M(notes.collect())),
        ("sc".to_owned(), scope_set(&session.grants)),
        ("at".to_owned(), number(session.created_at.epoch_ms())),
        ("xp".to_owned(), number(session.end.epoch_s())),
        ("h".to_owned(), hash_value(secret)),
        ("ttl".to_owned(), number(session.kept_until.epoch_s())),
    ]);
    item.extend(session.allowlist.as_ref().map(|list| ("al".to_owned(), allowlist_set(list))));
    item.extend(session.ceiling.map(|ceiling| ("mx".to_owned(), number(ceiling.micro_usd()))));
    item
}

fn listing_of(session: &ClientSession) -> Item {
    let string = |text: String| AttributeValue::S(text);
    HashMap::from([
        ("pk".to_owned(), string(session.key.to_string())),
        ("sk".to_owned(), string(format!("{}{}", ClientSessionId::PREFIX, SessionPlace::of(session).0))),
        ("ttl".to_owned(), AttributeValue::N(session.kept_until.epoch_s().to_string())),
    ])
}

fn parse(item: &Item) -> Result<StoredClientSession, StoreError> {
    let read = Reader { item };
    let id = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).ok_or_else(|| malformed(name));
    let time_ms = |name: &str| Ok::<_, StoreError>(read.find_number(name)?.map(Timestamp::from_epoch_ms));
    let notes = item.get("md").and_then(|value| value.as_m().ok()).ok_or_else(|| malformed("md"))?;
    let note = |(name, text): (&String, &AttributeValue)| Some((name.clone(), text.as_s().ok()?.clone()));
    let notes = notes.iter().map(note).collect::<Option<_>>().ok_or_else(|| malformed("md"))?;
    let hash = item.get("h").and_then(|value| value.as_b().ok()).ok_or_else(|| malformed("h"))?;
    let ceiling = item.contains_key("mx").then(|| read.money("mx")).transpose()?;
    let charged = read.find_number("ch")?.map_or(Ok(MicroUsd::ZERO), MicroUsd::new);
    Ok(StoredClientSession {
        session: ClientSession {
            id: ClientSessionId::parse(id("pk")?).map_err(|_| malformed("pk"))?,
            account: AccountId::from_suffix(id("acc")?).map_err(|_| malformed("acc"))?,
            project: ProjectId::from_suffix(id("prj")?).map_err(|_| malformed("prj"))?,
            key: KeyId::from_suffix(id("ky")?).map_err(|_| malformed("ky"))?,
            environment: id("env")?.clone(),
            reference: ClientReference::parse(id("rf")?).ok_or_else(|| malformed("rf"))?,
            metadata: Metadata::new(notes).map_err(|_| malformed("md"))?,
            grants: read.grants()?,
            allowlist: read.allowlist()?,
            ceiling,
            created_at: time_ms("at")?.ok_or_else(|| malformed("at"))?,
            end: Timestamp::from_epoch_s(read.number("xp")?),
            redeemed_at: time_ms("rd")?,
            ended_at: time_ms("ed")?,
            booked: Booked {
                calls: read.find_number("ca")?.unwrap_or(0),
                charged: charged.map_err(|_| malformed("ch"))?,
            },
            kept_until: Timestamp::from_epoch_s(read.number("ttl")?),
        },
        secret: SecretHash::from_bytes(hash.as_ref().try_into().map_err(|_| malformed("h"))?),
        redeemer: item.get("ra").and_then(|value| value.as_s().ok()).cloned(),
    })
}

pub(crate) fn hash_value(secret: &SecretHash) -> AttributeValue {
    AttributeValue::B(secret.as_bytes().to_vec().into())
}

fn malformed(attribute: &str) -> StoreError {
    StoreError::malformed("client session", attribute)
}

pub(crate) const SESSION: &str = "session";
const CREATED: &str = "created";
const REDEEMED: &str = "redeemed";
const ENDED: &str = "ended";
const MS_DIGITS: usize = 13;
