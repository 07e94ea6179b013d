//! Decisions under an `Idempotency-Key`.
//!
//! ```text
//! pk idm_<sha-256>   sk passage   fp fingerprint of the request · xp end (epoch s) · ttl · and either
//!                                 by who is at it · un until (epoch ms) · ch charge · ln lane · sq number · co µUSD ·
//!                                 le lease, or
//!                                 an the answer
//! ```
//! Every write may be sent again: what refuses a copy is what its first arrival left, and that is told apart.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    charge::ChargeId,
    idempotency::Fingerprint,
    lease::Lease,
    money::MicroUsd,
    passage::{Begun, Passage, Pledge, Stage},
    time::Timestamp,
};

use crate::{
    Store, StoreError,
    cell::parse_number,
    client::{Item, Written},
    expression::{Builder, Write},
};

impl Store {
    /// Writes a passage down, whichever stage it is at; states the one that stands there already, where one does.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be written.
    pub async fn insert_passage(
        &self,
        name: &str,
        passage: &Passage,
        now: Timestamp,
    ) -> Result<PassageOutcome, StoreError> {
        // Two questions may be answered in the same words.
        let own = |found: &Passage| (found.fingerprint, &found.stage) == (passage.fingerprint, &passage.stage);
        self.pass(&insertion(name, passage, now), own).await
    }

    /// Writes the answer into a passage that `holder` is still at.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be written.
    pub async fn answer_passage(&self, name: &str, holder: &str, answer: &str) -> Result<PassageOutcome, StoreError> {
        let own = |found: &Passage| matches!(&found.stage, Stage::Answered(text) if text == answer);
        self.pass(&answering(name, holder, answer), own).await
    }

    /// Lets whoever asks next go on with a passage at once, if `holder` is still at it.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; they may have to wait.
    pub async fn release_passage(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let mut builder = held_by(holder);
        builder.number(":never", 0);
        builder.set("un = :never");
        self.update(&builder.build(name.to_owned(), PASSAGE)).await.map(|_| ())
    }

    /// Forgets a passage that `holder` is at and whose attempt came to nothing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be forgotten.
    pub async fn withdraw_passage(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let mut builder = held_by(holder);
        builder.number(":never", 0);
        builder.string(":nobody", NOBODY);
        builder.set("xp = :never");
        builder.set("#by = :nobody");
        self.update(&builder.build(name.to_owned(), PASSAGE)).await.map(|_| ())
    }

    async fn pass(&self, write: &Write, is_own: impl Fn(&Passage) -> bool) -> Result<PassageOutcome, StoreError> {
        Ok(match self.update(write).await? {
            Written::Applied(_) => PassageOutcome::Written,
            Written::Refused(None) => PassageOutcome::Gone,
            Written::Refused(Some(item)) => match parse_passage(&item)? {
                found if is_own(&found) => PassageOutcome::Written,
                found => PassageOutcome::Found(Box::new(found)),
            },
        })
    }
}

/// What a write of a passage met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassageOutcome {
    /// It stands there now.
    Written,
    /// Another stands there.
    Found(Box<Passage>),
    /// None stands there any more.
    Gone,
}

fn insertion(name: &str, passage: &Passage, now: Timestamp) -> Write {
    let mut builder = Builder::default();
    builder.name("#ttl", "ttl");
    builder.value(":fp", AttributeValue::B(passage.fingerprint.0.to_vec().into()));
    builder.number(":xp", passage.end.epoch_s());
    builder.number(":now", now.epoch_s());
    builder.set("fp = :fp");
    builder.set("xp = :xp");
    builder.set("#ttl = :xp");
    match &passage.stage {
        Stage::Begun(begun) => begin(&mut builder, begun),
        Stage::Answered(answer) => finish(&mut builder, answer),
    }
    builder.require("(attribute_not_exists(pk) OR xp <= :now)");
    builder.build(name.to_owned(), PASSAGE)
}

fn answering(name: &str, holder: &str, answer: &str) -> Write {
    let mut builder = held_by(holder);
    finish(&mut builder, answer);
    builder.build(name.to_owned(), PASSAGE)
}

fn held_by(holder: &str) -> Builder {
    let mut builder = Builder::default();
    builder.name("#by", "by");
    builder.string(":holder", holder);
    builder.require("#by = :holder");
    builder
}

fn begin(builder: &mut Builder, begun: &Begun) {
    let pledge = &begun.pledge;
    builder.name("#by", "by");
    builder.string(":by", begun.holder.as_str());
    builder.number(":un", begun.until.epoch_ms());
    builder.string(":ch", pledge.charge.to_string());
    builder.string(":ln", pledge.lane.as_str());
    builder.number(":sq", pledge.seq);
    builder.number(":co", pledge.cost.micro_usd());
    for clause in ["#by = :by", "un = :un", "ch = :ch", "ln = :ln", "sq = :sq", "co = :co"] {
        builder.set(clause);
    }
    match &pledge.lease {
        Some(lease) => {
            let packed = lease.packed().to_string();
            builder.value(":le", AttributeValue::N(packed));
            builder.set("le = :le");
        }
        None => builder.remove("le"),
    }
    builder.remove("an");
}

fn finish(builder: &mut Builder, answer: &str) {
    builder.name("#by", "by");
    builder.string(":an", answer);
    builder.set("an = :an");
    for path in ["#by", "un", "ch", "ln", "sq", "co", "le"] {
        builder.remove(path);
    }
}

fn parse_passage(item: &Item) -> Result<Passage, StoreError> {
    let malformed = |attribute: &str| StoreError::malformed("passage", attribute);
    let number = |attribute: &str| item.get(attribute).and_then(parse_number).ok_or_else(|| malformed(attribute));
    let fingerprint = item.get("fp").and_then(|value| value.as_b().ok()).ok_or_else(|| malformed("fp"))?;
    let fingerprint: &[u8] = fingerprint.as_ref();
    Ok(Passage {
        fingerprint: Fingerprint(fingerprint.try_into().map_err(|_| malformed("fp"))?),
        end: Timestamp::from_epoch_s(number("xp")?),
        stage: match item.get("an") {
            Some(answer) => Stage::Answered(answer.as_s().map_err(|_| malformed("an"))?.clone()),
            None => Stage::Begun(parse_begun(item)?),
        },
    })
}

fn parse_begun(item: &Item) -> Result<Begun, StoreError> {
    let malformed = |attribute: &str| StoreError::malformed("passage", attribute);
    let number = |attribute: &str| item.get(attribute).and_then(parse_number).ok_or_else(|| malformed(attribute));
    let string = |attribute: &str| {
        let value = item.get(attribute).and_then(|value| value.as_s().ok());
        value.ok_or_else(|| malformed(attribute))
    };
    let lease = |value: &AttributeValue| {
        let packed = value.as_n().ok().and_then(|text| text.parse().ok());
        packed.and_then(Lease::unpacked).ok_or_else(|| malformed("le"))
    };
    Ok(Begun {
        holder: string("by")?.clone(),
        until: Timestamp::from_epoch_ms(number("un")?),
        pledge: Pledge {
            charge: ChargeId::parse(string("ch")?).map_err(|_| malformed("ch"))?,
            lane: string("ln")?.clone(),
            seq: number("sq")?,
            cost: MicroUsd::new(number("co")?).map_err(|_| malformed("co"))?,
            lease: item.get("le").map(lease).transpose()?,
        },
    })
}

const PASSAGE: &str = "passage";
/// No holder's name: it is shorter.
const NOBODY: &str = "-";
