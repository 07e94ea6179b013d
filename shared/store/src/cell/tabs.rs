//! What client sessions of a key have run up, as attributes; a key that never had a session which must be known has none.
//!
//! ```text
//! c    session → end and amount, see `Tab::packed`
//! u    charge → session, for calls that are not settled and stand on a tab
//! ls   <charge>_<session>: the last request that was made under a session
//! ```

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    attempt::Attempt,
    charge::ChargeNonce,
    client_session::{CallTab, ClientPass, Tab, Tabs},
    id::ClientSessionId,
    money::MicroUsd,
    time::Timestamp,
};

use super::{malformed, parse_number};
use crate::{StoreError, client::Item, expression::Builder};

/// The attributes of tabs; none where the cell has no place for them.
pub(super) fn attributes(tabs: &Tabs) -> Vec<(String, AttributeValue)> {
    if !tabs.is_kept {
        return Vec::new();
    }
    let open = tabs.open.iter().map(|(session, tab)| (session.suffix().to_owned(), packed(tab)));
    let calls = tabs.calls.iter().map(|(charge, session)| (charge.as_str().to_owned(), suffix(session)));
    vec![("c".to_owned(), AttributeValue::M(open.collect())), ("u".to_owned(), AttributeValue::M(calls.collect()))]
}

/// Reads a cell's tabs.
pub(super) fn parse(item: &Item) -> Result<Tabs, StoreError> {
    let Some(open) = map(item, "c")? else { return Ok(Tabs::default()) };
    let mut tabs = Tabs { is_kept: true, ..Tabs::default() };
    for (session, value) in open {
        let session = ClientSessionId::from_suffix(session).map_err(|_| malformed("c"))?;
        let tab = parse_number(value).and_then(Tab::unpacked).ok_or_else(|| malformed("c"))?;
        tabs.open.insert(session, tab);
    }
    for (charge, session) in map(item, "u")?.into_iter().flatten() {
        let charge = ChargeNonce::parse(charge).map_err(|_| malformed("u"))?;
        let session = session.as_s().ok().and_then(|text| ClientSessionId::from_suffix(text).ok());
        tabs.calls.insert(charge, session.ok_or_else(|| malformed("u"))?);
    }
    Ok(tabs)
}

/// Requires that the session of an attempt is one that the key still serves, and puts the price on its tab where it has
/// one.
pub(crate) fn require_and_charge(builder: &mut Builder, attempt: &Attempt, pass: &ClientPass) {
    let charge = attempt.row.charge.as_str();
    builder.name("#c", pass.session.suffix());
    builder.string(":ls", format!("{charge}_{}", pass.session.suffix()));
    builder.set("ls = :ls");
    let Some(ceiling) = pass.ceiling else {
        builder.require("attribute_not_exists(c.#c)");
        return;
    };
    // Of two tabs with one end the larger amount is the larger number; a price above the ceiling leaves none.
    let room = pass.tab(ceiling).packed().saturating_sub(attempt.cost.micro_usd().into());
    builder.value(":ceiling", AttributeValue::N(room.to_string()));
    builder.require("c.#c <= :ceiling");
    if attempt.cost > MicroUsd::ZERO {
        builder.number(":tab", attempt.cost.micro_usd());
        builder.set("c.#c = c.#c + :tab");
    }
    if attempt.lease.is_some() {
        builder.string(":session", pass.session.suffix());
        builder.set("u.#r = :session");
    }
}

/// Takes a call off the list of those that stand on a tab, and what it did not cost off the tab, where that is still open.
pub(crate) fn settle(builder: &mut Builder, tab: &CallTab, refund: MicroUsd) {
    builder.remove("u.#r");
    give_back(builder, tab, refund);
}

/// Takes an amount off a tab, where that is still open.
pub(crate) fn give_back(builder: &mut Builder, tab: &CallTab, refund: MicroUsd) {
    if tab.is_open && refund > MicroUsd::ZERO {
        builder.name("#c", tab.session.suffix());
        builder.number(":refund", refund.micro_usd());
        builder.set("c.#c = c.#c - :refund");
        builder.require("attribute_exists(c.#c)");
    }
}

/// Opens a tab, in the place that the cell has for them or in one that it gets with this write.
pub(crate) fn open(builder: &mut Builder, session: &ClientSessionId, tab: &Tab, tabs: &Tabs) {
    if tabs.is_kept {
        builder.name("#c", session.suffix());
        builder.value(":tab", packed(tab));
        builder.set("c.#c = :tab");
        builder.require("attribute_not_exists(c.#c)");
        return;
    }
    let only = HashMap::from([(session.suffix().to_owned(), packed(tab))]);
    builder.value(":tabs", AttributeValue::M(only));
    builder.value(":calls", AttributeValue::M(HashMap::new()));
    builder.set("c = :tabs");
    builder.set("u = :calls");
    builder.require("attribute_not_exists(c)");
}

/// Removes tabs of sessions that are over, each of which must still be there, and requires that there is room for one more
/// among `most`.
pub(crate) fn make_room(builder: &mut Builder, tabs: &Tabs, most: usize, now: Timestamp) {
    if !tabs.is_kept {
        return;
    }
    let over = tabs.over(now);
    builder.number(":most", u32::try_from(most + over.len()).unwrap_or(u32::MAX));
    builder.require("size(c) < :most");
    for (number, session) in over.iter().enumerate() {
        let name = format!("#o{number}");
        builder.name(&name, session.suffix());
        builder.remove(format!("c.{name}"));
        builder.require(format!("attribute_exists(c.{name})"));
    }
}

/// The charge and the session of the last request that was made under one.
pub(crate) fn last(item: &Item) -> Result<Option<(ChargeNonce, ClientSessionId)>, StoreError> {
    let Some(value) = item.get("ls") else { return Ok(None) };
    let read = value.as_s().ok().and_then(|text| text.split_once('_'));
    let read = read.and_then(|(charge, session)| {
        Some((ChargeNonce::parse(charge).ok()?, ClientSessionId::from_suffix(session).ok()?))
    });
    read.map(Some).ok_or_else(|| malformed("ls"))
}

/// The attribute's value of a session.
pub(crate) fn suffix(session: &ClientSessionId) -> AttributeValue {
    AttributeValue::S(session.suffix().to_owned())
}

fn packed(tab: &Tab) -> AttributeValue {
    AttributeValue::N(tab.packed().to_string())
}

fn map<'i>(item: &'i Item, name: &str) -> Result<Option<&'i HashMap<String, AttributeValue>>, StoreError> {
    item.get(name).map(|value| value.as_m().map_err(|_| malformed(name))).transpose()
}
