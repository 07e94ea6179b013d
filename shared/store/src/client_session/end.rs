//! Ending a session: the item says so and, where its token is out, the key's cell refuses it from the very next request on.

use faregate_domain::{
    cell::CellId,
    client_session::{ClientSession, Tab, Tabs},
    money::MicroUsd,
    time::Timestamp,
};

use super::{ENDED, SESSION};
use crate::{
    Store, StoreError,
    cell::{CELL, tabs},
    client::Written,
    expression::{Builder, Write},
    transaction::Transacted,
};

impl Store {
    /// Ends a session whose secret nobody has used; false where somebody has, or it was ended.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be ended.
    pub async fn end_unused_session(&self, session: &ClientSession, now: Timestamp) -> Result<bool, StoreError> {
        let mut builder = ending(now);
        builder.require("attribute_not_exists(rd)");
        let write = builder.build(session.id.to_string(), SESSION);
        Ok(matches!(self.update(&write).await?, Written::Applied(_)))
    }

    /// Ends a session whose token is out, given the tabs of its key's cell; false where it was ended already or the cell has
    /// changed since, and nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be ended.
    pub async fn end_client_session(
        &self,
        session: &ClientSession,
        tabs: &Tabs,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut builder = ending(now);
        builder.require("attribute_exists(rd)");
        let items = vec![
            self.part(&builder.build(session.id.to_string(), SESSION))?,
            self.part(&in_the_cell(session, tabs, now))?,
        ];
        Ok(matches!(self.transact(items).await?, Transacted::Applied))
    }
}

fn ending(now: Timestamp) -> Builder {
    let mut builder = Builder::default();
    builder.number(":at", now.epoch_ms());
    builder.string(":ended", ENDED);
    builder.set("st = :ended");
    builder.set("ed = :at");
    builder.require("attribute_not_exists(ed)");
    builder
}

/// A session with a ceiling loses its tab, and one without gets one that says that it was ended.
fn in_the_cell(session: &ClientSession, tabs: &Tabs, now: Timestamp) -> Write {
    let mut builder = Builder::default();
    match session.ceiling {
        Some(_) => {
            builder.name("#c", session.id.suffix());
            builder.remove("c.#c");
            builder.require("attribute_exists(c.#c)");
        }
        None => {
            let tab = Tab { spent: MicroUsd::ZERO, end: session.end };
            tabs::open(&mut builder, &session.id, &tab, tabs);
            tabs::make_room(&mut builder, tabs, Tabs::MAX, now);
        }
    }
    builder.build(CellId::Key(session.key.clone()).partition(), CELL)
}
