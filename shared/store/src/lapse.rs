//! Leases that were never settled, moved out of their cell before they make it large: each into an item of its own, from
//! which a settlement that comes very late is still made.
//!
//! ```text
//! pk chg_<…>   sk lease   le end and amount, see `Lease::packed`; absent once it is settled · us the client session
//!                         that the call was made under, where that has a tab
//! ```

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::CellId,
    charge::{ChargeId, ChargeNonce},
    client_session::{CallTab, Tabs},
    id::ClientSessionId,
    lease::Lease,
    money::MicroUsd,
    settlement::Settlement,
    time::Timestamp,
};

use crate::{
    Store, StoreError,
    admit::book,
    cell::{CELL, parse_number, tabs},
    charge::note_settled,
    expression::{Builder, Write},
    transaction::Transacted,
};

impl Store {
    /// Moves lapsed leases out of a cell, all or none, each with the session that its call was made under; false where one
    /// of them is not there any more.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; nothing depends on the move.
    pub async fn retire_leases(
        &self,
        cell: &CellId,
        leases: &[(ChargeNonce, Lease)],
        tabs: &Tabs,
    ) -> Result<bool, StoreError> {
        let mut items = vec![self.part(&forgetting(cell, leases, tabs))?];
        for (nonce, lease) in leases {
            let charge = ChargeId { cell: cell.clone(), nonce: nonce.clone() };
            let mut builder = Builder::default();
            builder.value(":lease", packed(lease));
            builder.set("le = :lease");
            if let Some(session) = tabs.calls.get(nonce) {
                builder.value(":session", tabs::suffix(session));
                builder.set("us = :session");
            }
            builder.require("attribute_not_exists(pk)");
            items.push(self.part(&builder.build(charge.to_string(), LEASE))?);
        }
        Ok(matches!(self.transact(items).await?, Transacted::Applied))
    }

    /// A lease that was moved out of its cell and is not settled, and the session that its call was made under.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_retired_lease(
        &self,
        charge: &ChargeId,
    ) -> Result<Option<(Lease, Option<ClientSessionId>)>, StoreError> {
        let Some(item) = self.find(&charge.to_string(), LEASE).await? else { return Ok(None) };
        let Some(value) = item.get("le") else { return Ok(None) };
        let lease = parse_number(value).and_then(Lease::unpacked);
        let session = item.get("us").and_then(|value| value.as_s().ok());
        let session = session.and_then(|text| ClientSessionId::from_suffix(text).ok());
        lease.map(|lease| Some((lease, session))).ok_or_else(|| StoreError::malformed("lease", "le"))
    }

    /// Settles a lease that was moved out of its cell: what it was charged too much goes back to the cell, and comes off the
    /// session's tab; false where it is settled already, or the tab is not open any more.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; a lease is settled once, however often that is sent.
    pub async fn end_retired_lease(
        &self,
        charge: &ChargeId,
        lease: &Lease,
        tab: Option<&CallTab>,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut lease_write = Builder::default();
        lease_write.value(":lease", packed(lease));
        lease_write.require("le = :lease");
        lease_write.remove("le");
        let mut items = vec![self.part(&lease_write.build(charge.to_string(), LEASE))?];
        let mut builder = Builder::default();
        builder.require("attribute_exists(pk)");
        let refund = lease.amount.minus(settlement.actual);
        if refund > MicroUsd::ZERO {
            builder.number(":refund", refund.micro_usd());
            builder.set("bal = bal + :refund");
            book(&mut builder, now, -i128::from(refund.micro_usd()));
        }
        if let Some(tab) = tab {
            tabs::give_back(&mut builder, tab, refund);
        }
        note_settled(&mut builder, charge, lease, settlement, now);
        items.push(self.part(&builder.build(charge.cell.partition(), CELL))?);
        Ok(matches!(self.transact(items).await?, Transacted::Applied))
    }
}

fn forgetting(cell: &CellId, leases: &[(ChargeNonce, Lease)], tabs: &Tabs) -> Write {
    let mut builder = Builder::default();
    for (number, (nonce, lease)) in leases.iter().enumerate() {
        let (name, value) = (format!("#v{number}"), format!(":v{number}"));
        builder.name(&name, nonce.as_str());
        builder.value(&value, packed(lease));
        builder.remove(format!("x.{name}"));
        if tabs.calls.contains_key(nonce) {
            builder.remove(format!("u.{name}"));
        }
        builder.require(format!("x.{name} = {value}"));
    }
    builder.build(cell.partition(), CELL)
}

fn packed(lease: &Lease) -> AttributeValue {
    AttributeValue::N(lease.packed().to_string())
}

const LEASE: &str = "lease";
