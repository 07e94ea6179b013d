//! An account's logins: a map in the cell that all of them share.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::{CellId, StoredProof},
    id::{AccountId, SessionId},
    time::Timestamp,
    wallet::{MAX_LIVE_SESSIONS, Sessions},
};

use crate::{
    Store, StoreError,
    cell::{CELL, parse_cell},
    client::{Item, Written},
    expression::{Builder, Write},
};

impl Store {
    /// An account's logins, ended ones included; `None` where the account has no session cell.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_sessions(&self, account: &AccountId) -> Result<Option<Sessions>, StoreError> {
        let item = self.find(&CellId::Session(account.clone()).partition(), CELL).await?;
        item.map(|item| parse_sessions(&item)).transpose()
    }

    /// Adds a login and removes the ones it displaces; false where one of those is gone already or there is no room, and nothing
    /// was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the same login may be inserted again.
    pub async fn insert_session(
        &self,
        account: &AccountId,
        session: &SessionId,
        end: Timestamp,
        displaced: &[SessionId],
    ) -> Result<bool, StoreError> {
        match self.update(&insertion(account, session, end, displaced)).await? {
            Written::Applied(_) => Ok(true),
            // A re-sent write meets its own work: the displaced logins are gone and the new one stands.
            Written::Refused(Some(item)) => Ok(parse_sessions(&item)?.is_live(session, end.minus_s(1))),
            Written::Refused(None) => Ok(false),
        }
    }

    /// Ends a login; ending one that has ended changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB did not confirm it.
    pub async fn revoke_session(&self, account: &AccountId, session: &SessionId) -> Result<(), StoreError> {
        let mut builder = Builder::default();
        builder.name("#s", session.suffix());
        builder.remove("se.#s");
        builder.require("attribute_exists(se.#s)");
        self.update(&builder.build(CellId::Session(account.clone()).partition(), CELL)).await.map(|_| ())
    }

    /// Ends every login but this one, which ends at `end`; false where it was ended itself, and nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB did not confirm it; the same may be asked again.
    pub async fn keep_only_session(
        &self,
        account: &AccountId,
        session: &SessionId,
        end: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(matches!(self.update(&only(account, session, end)).await?, Written::Applied(_)))
    }
}

fn only(account: &AccountId, session: &SessionId, end: Timestamp) -> Write {
    let mut builder = Builder::default();
    builder.name("#s", session.suffix());
    let entry = (session.suffix().to_owned(), AttributeValue::N(end.epoch_s().to_string()));
    builder.value(":only", AttributeValue::M(HashMap::from([entry])));
    builder.set("se = :only");
    builder.require("attribute_exists(se.#s)");
    builder.build(CellId::Session(account.clone()).partition(), CELL)
}

fn insertion(account: &AccountId, session: &SessionId, end: Timestamp, displaced: &[SessionId]) -> Write {
    let mut builder = Builder::default();
    builder.name("#s", session.suffix());
    builder.number(":end", end.epoch_s());
    // Room for one more once the displaced ones, each of which must still be there, are gone.
    let room = u32::try_from(MAX_LIVE_SESSIONS + displaced.len()).unwrap_or(u32::MAX);
    builder.number(":room", room);
    builder.set("se.#s = :end");
    builder.require("size(se) < :room");
    for (number, displaced) in displaced.iter().enumerate() {
        builder.name(&format!("#d{number}"), displaced.suffix());
        builder.remove(format!("se.#d{number}"));
        builder.require(format!("attribute_exists(se.#d{number})"));
    }
    builder.build(CellId::Session(account.clone()).partition(), CELL)
}

fn parse_sessions(item: &Item) -> Result<Sessions, StoreError> {
    match parse_cell(item)?.proof {
        StoredProof::Sessions(sessions) => Ok(sessions.into_iter().collect()),
        StoredProof::Key(_) => Err(StoreError::malformed("session cell", "se")),
    }
}

#[cfg(test)]
mod tests;
