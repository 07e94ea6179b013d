//! Charges: what a call turned out to cost, written down once, and the lease it is settled from.
//!
//! ```text
//! pk chg_<…>   sk settlement   oc outcome · ac actual (µUSD) · er error code · at (epoch ms)
//! ```

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    books::SettledCharge,
    charge::ChargeId,
    client_session::CallTab,
    lease::Lease,
    money::MicroUsd,
    settlement::{ErrorCode, Outcome as End, Settlement},
    time::Timestamp,
};

use crate::{
    Outcome, Store, StoreError,
    admit::book,
    cell::{CELL, parse_number, tabs},
    client::{Item, Written},
    expression::{Builder, Write},
};

/// Where a cell keeps a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeasePlace {
    /// Among those that count: what it reserves is not charged yet.
    Held,
    /// Among those whose time is over: charged as reserved.
    Lapsed,
}

/// What a call has reserved.
#[derive(Clone, Copy, Debug)]
pub struct Reservation<'r> {
    /// The amount, and until when.
    pub lease: &'r Lease,
    /// Where that is kept.
    pub place: LeasePlace,
    /// On which client session's tab it stands.
    pub tab: Option<&'r CallTab>,
}

impl Store {
    /// Writes down how a charge is settled, unless that is written down already; states what stands there now.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the settlement may stand there.
    pub async fn insert_settlement(
        &self,
        charge: &ChargeId,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<Settlement, StoreError> {
        match self.update(&recording(charge, settlement, now)).await? {
            Written::Applied(item) | Written::Refused(Some(item)) => parse_settlement(&item),
            Written::Refused(None) => Err(malformed("pk")),
        }
    }

    /// How a charge was settled.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_settlement(&self, charge: &ChargeId) -> Result<Option<Settlement>, StoreError> {
        self.find(&charge.to_string(), SETTLEMENT).await?.map(|item| parse_settlement(&item)).transpose()
    }

    /// Ends a lease as it was settled: what it reserved and the call did not cost goes back to the cell, and comes off the
    /// session's tab that the call is on. Refused where the lease is not in that place any more, or the tab not open any more.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; a lease is ended once, however often that is sent.
    pub async fn end_lease(
        &self,
        charge: &ChargeId,
        reserved: &Reservation<'_>,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        self.send(&ending(charge, reserved, settlement, now)).await
    }
}

fn recording(charge: &ChargeId, settlement: &Settlement, now: Timestamp) -> Write {
    let mut builder = Builder::default();
    builder.string(":outcome", settlement.outcome.as_str());
    builder.number(":actual", settlement.actual.micro_usd());
    builder.number(":at", now.epoch_ms());
    builder.name("#at", "at");
    for clause in ["oc = :outcome", "ac = :actual", "#at = :at"] {
        builder.set(clause);
    }
    if let Some(code) = &settlement.error_code {
        builder.string(":code", code.as_str());
        builder.set("er = :code");
    }
    builder.require("attribute_not_exists(pk)");
    builder.build(charge.to_string(), SETTLEMENT)
}

fn ending(charge: &ChargeId, reserved: &Reservation<'_>, settlement: &Settlement, now: Timestamp) -> Write {
    let Reservation { lease, place, tab } = *reserved;
    let map = match place {
        LeasePlace::Held => "l",
        LeasePlace::Lapsed => "x",
    };
    let mut builder = Builder::default();
    builder.name("#r", charge.nonce.as_str());
    builder.value(":lease", AttributeValue::N(lease.packed().to_string()));
    builder.require(format!("{map}.#r = :lease"));
    builder.remove(format!("{map}.#r"));
    let actual = settlement.actual;
    let refund = lease.amount.minus(actual);
    if refund > MicroUsd::ZERO {
        builder.number(":refund", refund.micro_usd());
        builder.set("bal = bal + :refund");
    }
    if let Some(tab) = tab {
        tabs::settle(&mut builder, tab, refund);
    }
    // A lapsed lease was charged when it lapsed.
    let booked = match place {
        LeasePlace::Held => i128::from(actual.micro_usd()),
        LeasePlace::Lapsed => -i128::from(refund.micro_usd()),
    };
    if booked != 0 {
        book(&mut builder, now, booked);
    }
    note_settled(&mut builder, charge, lease, settlement, now);
    builder.build(charge.cell.partition(), CELL)
}

/// Numbers the settlement and says what it is, in the very write that moves its money: the books follow the cell.
pub(crate) fn note_settled(
    builder: &mut Builder,
    charge: &ChargeId,
    lease: &Lease,
    settlement: &Settlement,
    now: Timestamp,
) {
    let (charge, settlement) = (charge.nonce.clone(), settlement.clone());
    let settled = SettledCharge { charge, at: now, reserved: lease.amount, settlement };
    builder.number(":zero", 0);
    builder.number(":one", 1);
    builder.string(":settled", settled.to_string());
    builder.set("sn = if_not_exists(sn, :zero) + :one");
    builder.set("sr = :settled");
}

fn parse_settlement(item: &Item) -> Result<Settlement, StoreError> {
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    let actual = item.get("ac").and_then(parse_number).ok_or_else(|| malformed("ac"))?;
    Ok(Settlement {
        outcome: string("oc").and_then(End::parse).ok_or_else(|| malformed("oc"))?,
        actual: MicroUsd::new(actual).map_err(|_| malformed("ac"))?,
        error_code: string("er").and_then(ErrorCode::parse),
    })
}

fn malformed(attribute: &str) -> StoreError {
    StoreError::malformed("settlement", attribute)
}

const SETTLEMENT: &str = "settlement";
