//! A charge that is to be settled: where its row is, or, where the settlement was seen first, how it was settled.
//!
//! ```text
//! at am ro cs        when it was admitted (epoch ms), what it reserved (µUSD), its route, its client session
//! oc ac er se s      how it was settled, as in a row: written first only where the admission is missing from the books
//! ttl                long after the last charge of that time was settled (epoch s)
//! ```

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    books::SettledCharge,
    cell::CellId,
    charge::ChargeNonce,
    id::ClientSessionId,
    money::MicroUsd,
    time::{Day, Timestamp},
};

use super::{
    book_of,
    row::{RowSettlement, parse_settlement, settlement_values},
};
use crate::{
    Store, StoreError,
    cell::Reader,
    client::{Item, Written},
    expression::{Builder, Write},
};

/// A charge that waits for its settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its name within the cell.
    pub charge: ChargeNonce,
    /// When it was admitted.
    pub at: Timestamp,
    /// What it reserved.
    pub reserved: MicroUsd,
    /// Its route.
    pub route: String,
    /// The client session in whose name the key was used.
    pub session: Option<ClientSessionId>,
}

impl Store {
    /// Takes note of a charge that is to be settled; states how it was settled, where that was seen before.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may stand there.
    pub async fn await_settlement(
        &self,
        cell: &CellId,
        awaited: &Awaited,
    ) -> Result<Option<RowSettlement>, StoreError> {
        match self.update(&awaiting(cell, awaited)).await? {
            Written::Applied(_) | Written::Refused(None) => Ok(None),
            Written::Refused(Some(item)) => parse_settlement(&item),
        }
    }

    /// Takes note of how a charge was settled; states what was admitted, unless that is missing from the books.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may stand there.
    pub async fn note_settlement(
        &self,
        cell: &CellId,
        charge: &SettledCharge,
        seq: u64,
    ) -> Result<Option<Awaited>, StoreError> {
        match self.update(&noting(cell, charge, seq)).await? {
            Written::Applied(_) | Written::Refused(None) => Ok(None),
            Written::Refused(Some(item)) => parse(&charge.charge, &item).map(Some),
        }
    }
}

pub(crate) fn awaiting(cell: &CellId, awaited: &Awaited) -> Write {
    let mut builder = Builder::default();
    builder.name("#at", "at");
    builder.number(":at", awaited.at.epoch_ms());
    builder.number(":amount", awaited.reserved.micro_usd());
    builder.string(":route", awaited.route.clone());
    builder.name("#ttl", "ttl");
    builder.number(":ttl", kept_until(awaited.at).epoch_s());
    for clause in ["#at = :at", "am = :amount", "ro = :route", "#ttl = :ttl"] {
        builder.set(clause);
    }
    if let Some(session) = &awaited.session {
        builder.string(":session", session.suffix());
        builder.set("cs = :session");
    }
    builder.require("attribute_not_exists(oc)");
    builder.build(book_of(cell), &sort_key(&awaited.charge))
}

pub(crate) fn noting(cell: &CellId, charge: &SettledCharge, seq: u64) -> Write {
    let mut builder = Builder::default();
    let settled = RowSettlement { settlement: charge.settlement.clone(), at: charge.at, seq };
    let ttl = ("ttl", AttributeValue::N(kept_until(charge.at).epoch_s().to_string()));
    for (name, value) in settlement_values(&settled).into_iter().chain([ttl]) {
        let (alias, placeholder) = (format!("#{name}"), format!(":{name}"));
        builder.name(&alias, name);
        builder.value(&placeholder, value);
        builder.set(format!("{alias} = {placeholder}"));
    }
    builder.name("#at", "at");
    builder.require("attribute_not_exists(#at)");
    builder.build(book_of(cell), &sort_key(&charge.charge))
}

fn parse(charge: &ChargeNonce, item: &Item) -> Result<Awaited, StoreError> {
    let read = Reader { item };
    Ok(Awaited {
        charge: charge.clone(),
        at: Timestamp::from_epoch_ms(read.number("at")?),
        reserved: read.money("am")?,
        route: read.string("ro")?.to_owned(),
        session: item
            .get("cs")
            .and_then(|value| value.as_s().ok())
            .and_then(|text| ClientSessionId::from_suffix(text).ok()),
    })
}

fn sort_key(charge: &ChargeNonce) -> String {
    format!("{CHARGE}{}", charge.as_str())
}

fn kept_until(at: Timestamp) -> Timestamp {
    at.plus_s(KEPT_SECONDS)
}

const CHARGE: &str = "chg_";
/// A charge that is settled later than that is settled in its cell, and not in the books.
const KEPT_SECONDS: u64 = 400 * Day::SECONDS;
