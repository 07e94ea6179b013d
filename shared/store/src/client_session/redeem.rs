//! Redeeming a session: its secret is used up and, where it has a ceiling, its tab is opened, together or not at all.

use faregate_domain::{
    cell::{CellId, Status},
    client_session::{Tab, Tabs},
    money::MicroUsd,
    time::Timestamp,
};

use super::{REDEEMED, SESSION, StoredClientSession, hash_value};
use crate::{
    Store, StoreError,
    cell::{CELL, status_letter, tabs},
    expression::{Builder, Write},
    transaction::Transacted,
};

impl Store {
    /// Redeems a session in the name of one attempt, given the tabs of its key's cell; false where its secret was used, the
    /// session or its key is over, or the cell has changed since, and nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the same attempt may be sent again, and finds what it did.
    pub async fn redeem_client_session(
        &self,
        stored: &StoredClientSession,
        attempt: &str,
        tabs: &Tabs,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let items = vec![self.part(&using_up(stored, attempt, now))?, self.part(&in_the_cell(stored, tabs, now))?];
        if matches!(self.transact(items).await?, Transacted::Applied) {
            return Ok(true);
        }
        // An earlier send of this very attempt was applied and only its answer was lost.
        let found = self.find_client_session(&stored.session.id).await?;
        Ok(found.is_some_and(|found| found.redeemer.as_deref() == Some(attempt)))
    }
}

fn using_up(stored: &StoredClientSession, attempt: &str, now: Timestamp) -> Write {
    let mut builder = Builder::default();
    builder.value(":h", hash_value(&stored.secret));
    builder.string(":attempt", attempt);
    builder.string(":redeemed", REDEEMED);
    builder.number(":now", now.epoch_s());
    builder.number(":at", now.epoch_ms());
    builder.set("st = :redeemed");
    builder.set("rd = :at");
    builder.set("ra = :attempt");
    builder.require("h = :h");
    builder.require("xp > :now");
    builder.require("attribute_not_exists(ed)");
    builder.require("attribute_not_exists(rd)");
    builder.build(stored.session.id.to_string(), SESSION)
}

/// The key must be in force; a session with a ceiling gets its tab, where there is room.
fn in_the_cell(stored: &StoredClientSession, tabs: &Tabs, now: Timestamp) -> Write {
    let session = &stored.session;
    let mut builder = Builder::default();
    builder.string(":ended", status_letter(Status::Revoked));
    builder.number(":now", now.epoch_s());
    builder.require("st <> :ended");
    builder.require("NOT xp <= :now");
    if session.ceiling.is_some() {
        let tab = Tab { spent: MicroUsd::ZERO, end: session.end };
        tabs::open(&mut builder, &session.id, &tab, tabs);
        tabs::make_room(&mut builder, tabs, Tabs::MAX_OPEN, now);
    }
    builder.build(CellId::Key(session.key.clone()).partition(), CELL)
}
