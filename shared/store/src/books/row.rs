//! The row of one admitted request.
//!
//! ```text
//! acc prj env      account, project, environment      n at     number in the cell, when it was admitted (epoch ms)
//! ro co            route, code                        nw ag    network, family of agents, where they are known
//! am le            charged or reserved (µUSD), 1 where it is only reserved
//! oc ac er se s    how it was settled: S or F, actual (µUSD), error code, when (epoch ms), number in the cell
//! cs               the client session in whose name the key was used
//! ia ir            the index `requests`: account, and the same as in the sort key      ttl     when it may go (epoch s)
//! ```

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    books::SettledCharge,
    cell::CellId,
    charge::ChargeNonce,
    id::{AccountId, ClientSessionId, ProjectId},
    money::MicroUsd,
    settlement::{ErrorCode, Outcome, Settlement},
    time::Timestamp,
};

use super::{BOOK, book_of};
use crate::{
    Store, StoreError,
    batch::Order,
    cell::{Reader, parse_number},
    client::Item,
    expression::{Builder, Write},
};

/// One admitted request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// The cell that admitted it.
    pub cell: CellId,
    /// Its charge's name within the cell.
    pub charge: ChargeNonce,
    /// Its number among the cell's requests.
    pub seq: u64,
    /// When it was admitted.
    pub at: Timestamp,
    /// The account that pays.
    pub account: AccountId,
    /// The project.
    pub project: ProjectId,
    /// The environment's name.
    pub environment: String,
    /// The route, `GET /demo/free`.
    pub route: String,
    /// The caller's network, where the gateway knew an address.
    pub network: Option<String>,
    /// The family of the caller's user agent, where it named one.
    pub agent: Option<String>,
    /// What it was charged, or what it reserved.
    pub amount: MicroUsd,
    /// Whether that is only reserved until it is settled.
    pub is_leased: bool,
    /// The client session in whose name the key was used.
    pub session: Option<ClientSessionId>,
    /// How it was settled.
    pub settled: Option<RowSettlement>,
    /// From when on it is not shown any more.
    pub expires_at: Timestamp,
}

/// How the call of a row was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSettlement {
    /// How it ended, and what it costs.
    pub settlement: Settlement,
    /// When.
    pub at: Timestamp,
    /// Its number among the cell's settlements.
    pub seq: u64,
}

impl RequestRow {
    /// The code that it stands under.
    #[must_use]
    pub fn code(&self) -> &str {
        match &self.settled {
            Some(RowSettlement { settlement: Settlement { outcome: Outcome::Failed, error_code, .. }, .. }) => {
                error_code.as_ref().map_or("failed", ErrorCode::as_str)
            }
            _ => "ok",
        }
    }

    /// What it cost, as far as is known.
    #[must_use]
    pub fn cost(&self) -> MicroUsd {
        self.settled.as_ref().map_or(self.amount, |settled| settled.settlement.actual)
    }
}

impl Store {
    /// Enters a row; one that stands there already is left as it is.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the row may be there.
    pub async fn insert_row(&self, row: &RequestRow) -> Result<(), StoreError> {
        self.update(&entering(row)).await.map(|_| ())
    }

    /// At most `limit` rows of a cell, the oldest first, beginning after the row `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_rows(
        &self,
        cell: &CellId,
        after: Option<&RequestRow>,
        limit: u16,
    ) -> Result<Vec<RequestRow>, StoreError> {
        let after = after.map(|row| sort_key(row.at, &row.charge));
        let items = self.find_range(book_of(cell), ROW, after, limit, Order::Ascending).await?;
        items.iter().map(parse_row).collect()
    }

    /// Writes into a row how its call was settled; nothing where the row is gone.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may stand there.
    pub async fn amend_row(
        &self,
        cell: &CellId,
        at: Timestamp,
        charge: &SettledCharge,
        seq: u64,
    ) -> Result<(), StoreError> {
        self.update(&amending(cell, at, charge, seq)).await.map(|_| ())
    }
}

pub(crate) fn entering(row: &RequestRow) -> Write {
    let mut builder = Builder::default();
    let mut set = |name: &'static str, value: AttributeValue| {
        let (alias, placeholder) = (format!("#{name}"), format!(":{name}"));
        builder.name(&alias, name);
        builder.value(&placeholder, value);
        builder.set(format!("{alias} = {placeholder}"));
    };
    for (name, text) in [
        ("acc", row.account.suffix()),
        ("prj", row.project.suffix()),
        ("env", &row.environment),
        ("ro", &row.route),
        ("co", row.code()),
        ("ia", &row.account.to_string()),
        ("ir", &index_key(row.at, &row.charge)),
    ] {
        set(name, AttributeValue::S(text.to_owned()));
    }
    for (name, text) in [("nw", &row.network), ("ag", &row.agent)] {
        if let Some(text) = text {
            set(name, AttributeValue::S(text.clone()));
        }
    }
    let number = |value: u64| AttributeValue::N(value.to_string());
    set("n", number(row.seq));
    set("at", number(row.at.epoch_ms()));
    set("am", number(row.amount.micro_usd()));
    set("ttl", number(row.expires_at.epoch_s()));
    if row.is_leased {
        set("le", number(1));
    }
    if let Some(session) = &row.session {
        set("cs", AttributeValue::S(session.suffix().to_owned()));
    }
    if let Some(settled) = &row.settled {
        for (name, value) in settlement_values(settled) {
            set(name, value);
        }
    }
    builder.require("attribute_not_exists(pk)");
    builder.build(book_of(&row.cell), &sort_key(row.at, &row.charge))
}

pub(crate) fn amending(cell: &CellId, at: Timestamp, charge: &SettledCharge, seq: u64) -> Write {
    let mut builder = Builder::default();
    let settled = RowSettlement { settlement: charge.settlement.clone(), at: charge.at, seq };
    let code = AttributeValue::S(charge.code().to_owned());
    for (name, value) in settlement_values(&settled).into_iter().chain([("co", code)]) {
        let (alias, placeholder) = (format!("#{name}"), format!(":{name}"));
        builder.name(&alias, name);
        builder.value(&placeholder, value);
        builder.set(format!("{alias} = {placeholder}"));
    }
    builder.require("attribute_exists(pk)");
    builder.build(book_of(cell), &sort_key(at, &charge.charge))
}

pub(crate) fn settlement_values(settled: &RowSettlement) -> Vec<(&'static str, AttributeValue)> {
    let number = |value: u64| AttributeValue::N(value.to_string());
    let Settlement { outcome, actual, error_code } = &settled.settlement;
    let letter = match outcome {
        Outcome::Succeeded => "S",
        Outcome::Failed => "F",
    };
    let mut values = vec![
        ("oc", AttributeValue::S(letter.to_owned())),
        ("ac", number(actual.micro_usd())),
        ("se", number(settled.at.epoch_ms())),
        ("s", number(settled.seq)),
    ];
    values.extend(error_code.as_ref().map(|code| ("er", AttributeValue::S(code.as_str().to_owned()))));
    values
}

/// Reads a row.
pub(crate) fn parse_row(item: &Item) -> Result<RequestRow, StoreError> {
    let read = Reader { item };
    let malformed = |attribute: &str| StoreError::malformed("row", attribute);
    let cell = read.string("pk")?.strip_prefix(BOOK).and_then(|rest| CellId::parse(rest).ok());
    let charge = read.string("sk")?.rsplit('_').next().and_then(|nonce| ChargeNonce::parse(nonce).ok());
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    Ok(RequestRow {
        cell: cell.ok_or_else(|| malformed("pk"))?,
        charge: charge.ok_or_else(|| malformed("sk"))?,
        seq: read.number("n")?,
        at: Timestamp::from_epoch_ms(read.number("at")?),
        account: AccountId::from_suffix(read.string("acc")?).map_err(|_| malformed("acc"))?,
        project: ProjectId::from_suffix(read.string("prj")?).map_err(|_| malformed("prj"))?,
        environment: read.string("env")?.to_owned(),
        route: read.string("ro")?.to_owned(),
        network: text("nw"),
        agent: text("ag"),
        amount: read.money("am")?,
        is_leased: item.contains_key("le"),
        session: text("cs").and_then(|suffix| ClientSessionId::from_suffix(&suffix).ok()),
        settled: parse_settlement(item)?,
        expires_at: Timestamp::from_epoch_s(read.number("ttl")?),
    })
}

/// Reads how a call was settled; `None` where it was not.
pub(crate) fn parse_settlement(item: &Item) -> Result<Option<RowSettlement>, StoreError> {
    let malformed = |attribute: &str| StoreError::malformed("row", attribute);
    let Some(outcome) = item.get("oc") else { return Ok(None) };
    let outcome = match outcome.as_s().map(String::as_str) {
        Ok("S") => Outcome::Succeeded,
        Ok("F") => Outcome::Failed,
        _ => return Err(malformed("oc")),
    };
    let number = |name: &str| item.get(name).and_then(parse_number::<u64>).ok_or_else(|| malformed(name));
    let error_code = item.get("er").and_then(|code| code.as_s().ok()).and_then(|code| ErrorCode::parse(code));
    let actual = MicroUsd::new(number("ac")?).map_err(|_| malformed("ac"))?;
    let settlement = Settlement { outcome, actual, error_code };
    Ok(Some(RowSettlement { settlement, at: Timestamp::from_epoch_ms(number("se")?), seq: number("s")? }))
}

/// What rows of a cell, or of an account, are sorted by.
pub(crate) fn index_key(at: Timestamp, charge: &ChargeNonce) -> String {
    format!("{:013}_{}", at.epoch_ms(), charge.as_str())
}

pub(crate) fn sort_key(at: Timestamp, charge: &ChargeNonce) -> String {
    format!("{ROW}{}", index_key(at, charge))
}

/// What the sort key of every row begins with.
pub(crate) const ROW: &str = "row_";
