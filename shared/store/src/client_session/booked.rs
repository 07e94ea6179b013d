//! What the books add to a session's item: each fact once, because the item says up to which number it has counted.
//!
//! ```text
//! ca ch      calls, and what they were charged or reserve (µUSD)
//! cn cs      the highest request and the highest settlement of its key that are counted
//! ```

use faregate_domain::id::ClientSessionId;

use super::SESSION;
use crate::{
    Store, StoreError,
    cell::parse_number,
    client::Written,
    expression::{Builder, Write},
};

/// One fact about a session's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionFact {
    /// In which of its key's sequences.
    pub sequence: SessionSequence,
    /// Its number there.
    pub seq: u64,
    /// What it adds to the charges, in millionths of a dollar; below zero where a call cost less than it reserved.
    pub micro_usd: i64,
}

/// A sequence of a key's cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionSequence {
    /// Its requests: each is a call more.
    Requests,
    /// Its settlements.
    Settlements,
}

impl Store {
    /// Adds facts of one session, their numbers rising within each sequence; those that were added before add nothing, and
    /// none does where the session is gone.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; they may be added.
    pub async fn book_session(&self, session: &ClientSessionId, facts: &[SessionFact]) -> Result<(), StoreError> {
        let mut counted = (0, 0);
        for _ in 0..MAX_ROUNDS {
            let fresh: Vec<_> = facts
                .iter()
                .filter(|fact| match fact.sequence {
                    SessionSequence::Requests => fact.seq > counted.0,
                    SessionSequence::Settlements => fact.seq > counted.1,
                })
                .copied()
                .collect();
            if fresh.is_empty() {
                return Ok(());
            }
            match self.update(&adding(session, &fresh, counted)).await? {
                Written::Applied(_) | Written::Refused(None) => return Ok(()),
                Written::Refused(Some(item)) => {
                    let number = |name: &str| item.get(name).and_then(parse_number).unwrap_or(0);
                    counted = (number("cn"), number("cs"));
                }
            }
        }
        Err(StoreError::Unanswered { operation: "update", reason: "other writers were always first" })
    }
}

fn adding(session: &ClientSessionId, facts: &[SessionFact], counted: (u64, u64)) -> Write {
    let highest = |sequence| facts.iter().filter(|fact| fact.sequence == sequence).map(|fact| fact.seq).max();
    let calls = facts.iter().filter(|fact| fact.sequence == SessionSequence::Requests).count();
    let charged: i128 = facts.iter().map(|fact| i128::from(fact.micro_usd)).sum();
    let mut builder = Builder::default();
    builder.number(":zero", 0);
    builder.number(":charged", charged);
    builder.set("ch = if_not_exists(ch, :zero) + :charged");
    builder.number(":calls", u32::try_from(calls).unwrap_or(u32::MAX));
    builder.set("ca = if_not_exists(ca, :zero) + :calls");
    builder.require("attribute_exists(pk)");
    for (name, before, sequence) in
        [("cn", counted.0, SessionSequence::Requests), ("cs", counted.1, SessionSequence::Settlements)]
    {
        match before {
            0 => builder.require(format!("attribute_not_exists({name})")),
            before => {
                builder.number(&format!(":{name}_before"), before);
                builder.require(format!("{name} = :{name}_before"));
            }
        }
        if let Some(seq) = highest(sequence) {
            builder.number(&format!(":{name}"), seq);
            builder.set(format!("{name} = :{name}"));
        }
    }
    builder.build(session.to_string(), SESSION)
}

/// Each round more means that somebody else wrote the same books.
const MAX_ROUNDS: u32 = 16;
