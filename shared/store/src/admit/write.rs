//! The write of an attempt, as text: what it checks, what it takes, what it leaves.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    attempt::{Attempt, Proof},
    counters::{Stale, idle_before},
    funding::Grant,
    limit::Opening,
    money::MicroUsd,
    time::Timestamp,
    window::{Window, WindowLength},
};

use crate::{
    bucket::Bucket,
    cell::{
        CELL,
        counters::{
            highest_attribute, minute_attribute, route_attribute, spent_day_attribute, spent_month_attribute,
            stale_attribute, tokens_attribute,
        },
        secrets, tabs,
    },
    expression::{Builder, Write},
};

/// The write of an attempt.
#[must_use]
pub fn admission(attempt: &Attempt) -> Write {
    let mut builder = Builder::default();
    builder.number(":one", 1);
    builder.number(":now", attempt.now.epoch_s());
    require_caller(&mut builder, attempt);
    require_permission(&mut builder, attempt);
    count_windows(&mut builder, attempt);
    pay(&mut builder, attempt);
    hold(&mut builder, attempt);
    take_project_token(&mut builder, attempt);
    record(&mut builder, attempt);
    remove_stale(&mut builder, &attempt.stale, attempt.now);
    builder.build(attempt.cell.partition(), CELL)
}

fn require_caller(builder: &mut Builder, attempt: &Attempt) {
    match &attempt.proof {
        Proof::Key(hashes) => secrets::require(builder, hashes, attempt.secret, attempt.now),
        Proof::Session(id) => {
            builder.name("#j", id.suffix());
            builder.require("se.#j > :now");
        }
        Proof::Client(pass) => tabs::require_and_charge(builder, attempt, pass),
    }
    builder.string(":active", "A");
    builder.require("st = :active");
    builder.require("NOT xp <= :now");
}

fn require_permission(builder: &mut Builder, attempt: &Attempt) {
    let mut any_of = |attribute: &str, prefix: &str, wanted: Vec<String>| {
        let mut clauses = Vec::with_capacity(wanted.len());
        for (number, text) in wanted.into_iter().enumerate() {
            let placeholder = format!(":{prefix}{number}");
            clauses.push(format!("contains({attribute}, {placeholder})"));
            builder.string(&placeholder, text);
        }
        clauses
    };
    let scopes = any_of("sc", "s", attempt.scope.covering_grants());
    let mut origins = vec!["attribute_not_exists(al)".to_owned()];
    if let Some(origin) = &attempt.origin {
        origins.extend(any_of("al", "o", origin.admitting_entries()));
    }
    builder.require(format!("({})", scopes.join(" OR ")));
    builder.require(format!("({})", origins.join(" OR ")));
}

fn count_windows(builder: &mut Builder, attempt: &Attempt) {
    let minute = Window::at(attempt.now, WindowLength::Minute);
    advance(builder, minute);
    builder.name("#t", minute_attribute(attempt.minute()));
    builder.name("#tp", minute_attribute(attempt.minute().previous()));
    KEY_BUCKET.take_one(builder, attempt.opening);

    if let Some(route) = &attempt.route {
        let window = route.window(attempt.now);
        if window.length != minute.length {
            advance(builder, window);
        }
        builder.name("#e", route_attribute(&route.class, window));
        builder.name("#ep", route_attribute(&route.class, window.previous()));
        ROUTE_BUCKET.take_one(builder, route.opening);
        let quota = route.rate.quota;
        match route.opening {
            Opening::Full => {
                builder.number(":ec", quota.capacity());
                builder.number(":eb", quota.burst());
            }
            Opening::Carried { .. } => builder.number(":eb", quota.burst()),
            Opening::Drained { .. } => {}
        }
    }

    builder.name("#d", format!("d{}", attempt.minute().day().0));
    builder.number(":zero", 0);
    builder.set("#d = if_not_exists(#d, :zero) + :one");
    builder.require("NOT #d >= dl");
}

fn pay(builder: &mut Builder, attempt: &Attempt) {
    let granted = attempt.grant.map_or(MicroUsd::ZERO, |grant| grant.amount);
    if let Some(grant) = &attempt.grant {
        builder.number(":grant", grant.amount.micro_usd());
        receive(builder, grant);
    }
    let shortage = attempt.cost.minus(granted);
    if shortage > MicroUsd::ZERO {
        builder.number(":pay", shortage.micro_usd());
        builder.set("bal = bal - :pay");
        builder.require("bal >= :pay");
    } else if granted > attempt.cost {
        builder.number(":gain", granted.minus(attempt.cost).micro_usd());
        builder.set("bal = bal + :gain");
    }
    if attempt.captured() > MicroUsd::ZERO {
        book(builder, attempt.now, attempt.captured().micro_usd().into());
    }
}

/// Adds what was charged, or what was given back, to the day's and the month's sum.
pub(crate) fn book(builder: &mut Builder, now: Timestamp, micro_usd: i128) {
    builder.name("#y", spent_day_attribute(now.minute().day()));
    builder.name("#z", spent_month_attribute(now.month()));
    builder.number(":zero", 0);
    builder.number(":booked", micro_usd);
    builder.set("#y = if_not_exists(#y, :zero) + :booked");
    builder.set("#z = if_not_exists(#z, :zero) + :booked");
}

/// Takes a place and keeps the money with it; leases whose time is over go where they take none.
fn hold(builder: &mut Builder, attempt: &Attempt) {
    for (number, (nonce, lease)) in attempt.over.iter().enumerate() {
        let (name, value) = (format!("#v{number}"), format!(":v{number}"));
        builder.name(&name, nonce.as_str());
        builder.value(&value, AttributeValue::N(lease.packed().to_string()));
        builder.set(format!("x.{name} = {value}"));
        builder.remove(format!("l.{name}"));
        builder.require(format!("l.{name} = {value}"));
    }
    let Some(lease) = &attempt.lease else { return };
    builder.name("#r", attempt.row.charge.as_str());
    builder.value(":lease", AttributeValue::N(lease.packed().to_string()));
    builder.set("l.#r = :lease");
    match attempt.cap {
        None => builder.require("size(l) < lc"),
        Some(cap) => {
            builder.number(":cap", cap);
            builder.number(":room", u64::from(cap) + u64::try_from(attempt.over.len()).unwrap_or(0));
            builder.require("lc = :cap");
            builder.require("size(l) < :room");
        }
    }
}

/// Takes a token of the project's rate, where the cell's project has one, from those that the cell was granted.
fn take_project_token(builder: &mut Builder, attempt: &Attempt) {
    let Some(length) = attempt.project_window else {
        builder.require("attribute_not_exists(pw)");
        return;
    };
    builder.number(":pw", length.seconds());
    builder.require("pw = :pw");
    builder.name("#p", tokens_attribute(Window::at(attempt.now, length).index));
    match attempt.granted_tokens() {
        Some(tokens) if tokens.count > 0 => {
            builder.number(":tokens", tokens.count - 1);
            builder.set("#p = if_not_exists(#p, :zero) + :tokens");
        }
        _ => {
            builder.set("#p = #p - :one");
            builder.require("#p >= :one");
        }
    }
}

/// Takes note of a grant, which is received in its turn or not at all.
pub(super) fn receive(builder: &mut Builder, grant: &Grant) {
    builder.number(":gs", grant.seq);
    builder.number(":gs_before", grant.seq - 1);
    builder.set("gt = gt + :grant");
    builder.set("gs = :gs");
    builder.require("gs = :gs_before");
}

fn record(builder: &mut Builder, attempt: &Attempt) {
    builder.name("#i", attempt.lane.as_str());
    builder.number(":seq", attempt.seq);
    builder.set("q.#i = :seq");
    builder.require("NOT q.#i >= :seq");
    builder.string(":row", attempt.row.to_string());
    builder.set("lr = :row");
    builder.set("n = n + :one");
}

/// Nothing is written into a window that another writer has left behind.
pub(crate) fn advance(builder: &mut Builder, window: Window) {
    let attribute = highest_attribute(window.length);
    let placeholder = format!(
        ":{}",
        match window.length {
            WindowLength::Minute => "k",
            WindowLength::TenSeconds => "kt",
            WindowLength::Second => "ks",
        }
    );
    builder.number(&placeholder, window.index);
    builder.require(format!("NOT {attribute} > {placeholder}"));
    builder.set(format!("{attribute} = {placeholder}"));
}

/// A slot that has come into use since it was seen must stay: it is what a copy of its last write is refused by.
pub(super) fn remove_stale(builder: &mut Builder, stale: &[Stale], now: Timestamp) {
    if stale.iter().any(|stale| matches!(stale, Stale::Slot(_))) {
        builder.number(":idle", idle_before(now.minute()));
    }
    for (number, stale) in stale.iter().enumerate() {
        let placeholder = format!("#x{number}");
        builder.name(&placeholder, stale_attribute(stale));
        match stale {
            Stale::Slot(_) => {
                builder.require(format!("NOT q.{placeholder} >= :idle"));
                builder.remove(format!("q.{placeholder}"));
            }
            Stale::Tab(_) => builder.remove(format!("c.{placeholder}")),
            _ => builder.remove(placeholder),
        }
    }
}

const KEY_BUCKET: Bucket =
    Bucket { now: "#t", previous: "#tp", capacity: "tc", burst: "tb", sustained: Some("tl"), opens_with: ":tr" };
const ROUTE_BUCKET: Bucket =
    Bucket { now: "#e", previous: "#ep", capacity: ":ec", burst: ":eb", sustained: None, opens_with: ":er" };
