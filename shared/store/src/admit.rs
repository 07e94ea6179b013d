//! The one write of an admitted request.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    attempt::{Attempt, Opening, Proof},
    cell::{Cell, CellId, Stale, idle_before},
    funding::Grant,
    money::MicroUsd,
    time::Minute,
};

use crate::{
    Store, StoreError,
    cell::{CELL, minute_attribute, parse_cell, route_attribute},
    client::Written,
    expression::{Builder, Write},
};

impl Store {
    /// Sends an attempt; states what it left or what refused it.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer: the attempt may be sent again, and is then applied at most once.
    pub async fn admit(&self, attempt: &Attempt) -> Result<Outcome, StoreError> {
        self.send(&admission(attempt)).await
    }

    /// Takes the attempt's place in its lane, so that no copy of it still on its way can be applied any more.
    ///
    /// Refused when the attempt, or a later one of its lane, has been applied.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer: a copy may then be applied yet.
    pub async fn fence(&self, attempt: &Attempt) -> Result<Outcome, StoreError> {
        let mut builder = Builder::default();
        builder.name("#i", attempt.lane.as_str());
        builder.number(":seq", attempt.seq);
        builder.set("q.#i = :seq");
        builder.require("attribute_exists(q)");
        builder.require("NOT q.#i >= :seq");
        self.send(&builder.build(attempt.cell.partition(), CELL)).await
    }

    /// Adds a grant to a cell on its own: for one that is too small to pay for the request that found it.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; a grant that is sent again is added once.
    pub async fn credit(&self, id: &CellId, grant: &Grant) -> Result<Outcome, StoreError> {
        let mut builder = Builder::default();
        builder.number(":grant", grant.amount.micro_usd());
        builder.set("bal = bal + :grant");
        receive(&mut builder, grant);
        builder.string(":active", "A");
        builder.require("st = :active");
        self.send(&builder.build(id.partition(), CELL)).await
    }

    async fn send(&self, write: &Write) -> Result<Outcome, StoreError> {
        let (written, has_unanswered) = self.update_knowing(write).await?;
        let read = |item| parse_cell(&item).map(Box::new);
        Ok(match written {
            Written::Applied(item) => Outcome::Applied(read(item)?),
            Written::Refused(item) => Outcome::Refused { cell: item.map(read).transpose()?, has_unanswered },
        })
    }

    /// Reads a cell as it is now.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_cell(&self, id: &CellId) -> Result<Option<Cell>, StoreError> {
        self.find(&id.partition(), CELL).await?.map(|item| parse_cell(&item)).transpose()
    }

    /// Removes, all or none, counters that nothing reads any more: for cells whose writers are all newly started and never write twice.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; nothing depends on the removal.
    pub async fn sweep(&self, id: &CellId, stale: &[Stale], minute: Minute) -> Result<(), StoreError> {
        if stale.is_empty() {
            return Ok(());
        }
        let mut builder = Builder::default();
        remove_stale(&mut builder, stale, minute);
        builder.require("attribute_exists(pk)");
        self.update(&builder.build(id.partition(), CELL)).await.map(|_| ())
    }
}

/// What an attempt met.
#[derive(Debug)]
pub enum Outcome {
    /// It was applied and left this state.
    Applied(Box<Cell>),
    /// It was refused.
    Refused {
        /// The state that refused it; `None` where there is no such cell.
        cell: Option<Box<Cell>>,
        /// Whether a copy of it was sent that nobody answered, and that may arrive yet.
        has_unanswered: bool,
    },
}

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
    record(&mut builder, attempt);
    remove_stale(&mut builder, &attempt.stale, attempt.minute);
    builder.build(attempt.cell.partition(), CELL)
}

fn require_caller(builder: &mut Builder, attempt: &Attempt) {
    match &attempt.proof {
        Proof::Key(hashes) => {
            let mut placeholders = Vec::new();
            for (number, hash) in hashes.iter().enumerate() {
                let placeholder = format!(":h{number}");
                builder.value(&placeholder, AttributeValue::B(hash.as_bytes().to_vec().into()));
                placeholders.push(placeholder);
            }
            builder.require(format!("h IN ({})", placeholders.join(", ")));
            // A key that was recognised by the previous pepper moves on to the current one.
            if hashes.len() > 1 {
                builder.set("h = :h0");
            }
        }
        Proof::Session(id) => {
            builder.name("#j", id.suffix());
            builder.require("se.#j > :now");
        }
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
    let minute = attempt.minute;
    builder.number(":k", minute.0);
    builder.require("NOT w > :k");
    builder.set("w = :k");

    builder.name("#t", minute_attribute(minute));
    builder.name("#tp", minute_attribute(minute.previous()));
    let key =
        Bucket { now: "#t", previous: "#tp", capacity: "tc", burst: "tb", sustained: Some("tl"), less_one: ":tr" };
    key.take(builder, attempt.opening);

    if let Some(route) = &attempt.route {
        builder.name("#e", route_attribute(&route.class, minute));
        builder.name("#ep", route_attribute(&route.class, minute.previous()));
        let bucket =
            Bucket { now: "#e", previous: "#ep", capacity: ":ec", burst: ":eb", sustained: None, less_one: ":er" };
        bucket.take(builder, route.opening);
        match route.opening {
            Opening::Full => {
                builder.number(":ec", route.quota.capacity());
                builder.number(":eb", route.quota.burst());
            }
            Opening::Carried { .. } => builder.number(":eb", route.quota.burst()),
            Opening::Drained { .. } => {}
        }
    }

    builder.name("#d", format!("d{}", minute.day().0));
    builder.number(":zero", 0);
    builder.set("#d = if_not_exists(#d, :zero) + :one");
    builder.require("NOT #d >= dl");
}

/// The paths of one bucket: its tokens now and in the minute before, and the paths or values of its policy.
struct Bucket {
    now: &'static str,
    previous: &'static str,
    capacity: &'static str,
    burst: &'static str,
    /// Where the item keeps the sustained limit; `None` when the policy file does.
    sustained: Option<&'static str>,
    less_one: &'static str,
}

impl Bucket {
    fn take(&self, builder: &mut Builder, opening: Opening) {
        let Self { now, previous, capacity, burst, less_one, .. } = self;
        match opening {
            Opening::Full => {
                builder.set(format!("{now} = if_not_exists({now}, {capacity}) - :one"));
                let opens_full = format!("attribute_not_exists({now}) AND NOT {previous} < {burst}");
                builder.require(format!("({now} >= :one OR ({opens_full}))"));
            }
            Opening::Carried { limit } => {
                builder.number(less_one, limit - 1);
                builder.set(format!("{now} = {previous} + {less_one}"));
                builder.require(format!("attribute_not_exists({now})"));
                builder.require(format!("{previous} < {burst}"));
                builder.require(format!("{previous} >= :zero"));
                self.require_limit(builder, limit);
            }
            Opening::Drained { limit } => {
                builder.number(less_one, limit - 1);
                builder.set(format!("{now} = {less_one}"));
                builder.require(format!("attribute_not_exists({now})"));
                builder.require(format!("{previous} < :zero"));
                self.require_limit(builder, limit);
            }
        }
    }

    /// The constant that opens the bucket must be the item's own limit, which may just have been changed.
    fn require_limit(&self, builder: &mut Builder, limit: u32) {
        if let Some(sustained) = self.sustained {
            builder.number(":tl", limit);
            builder.require(format!("{sustained} = :tl"));
        }
    }
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
}

/// Takes note of a grant, which is received in its turn or not at all.
fn receive(builder: &mut Builder, grant: &Grant) {
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

/// A slot that has come into use since it was seen must stay: it is what a copy of its last write is refused by.
fn remove_stale(builder: &mut Builder, stale: &[Stale], minute: Minute) {
    if stale.iter().any(|stale| matches!(stale, Stale::Slot(_))) {
        builder.number(":idle", idle_before(minute));
    }
    for (number, stale) in stale.iter().enumerate() {
        let placeholder = format!("#x{number}");
        let (attribute, path) = match stale {
            Stale::Minute(minute) => (minute_attribute(*minute), placeholder.clone()),
            Stale::Route(class, minute) => (route_attribute(class, *minute), placeholder.clone()),
            Stale::Day(day) => (format!("d{}", day.0), placeholder.clone()),
            Stale::Slot(lane) => {
                builder.require(format!("NOT q.{placeholder} >= :idle"));
                (lane.clone(), format!("q.{placeholder}"))
            }
        };
        builder.name(&placeholder, attribute);
        builder.remove(path);
    }
}

#[cfg(test)]
mod tests;
