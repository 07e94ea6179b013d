//! What the owner of a key should hear of. Events come before what they are told from is remembered, and have names that
//! follow from it, so that telling it again adds none.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use faregate_domain::{
    books::{Chunk, Fact, Oddity, Period, Sequence, is_spike, refusals_reached, thresholds_crossed},
    cell::{CellId, Owner},
    refused::{Reasons, RefusedDay, Whose},
    time::Day,
};
use faregate_store::{Event, PeriodNumbers};
use serde_json::{Value, json};

use crate::{App, enter::EnterError, plan::Plan, record::Told};

/// What this process has written into the books, or seen there, so that it need not look each time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<HashSet<(String, String)>>>);

impl Seen {
    /// Whether it was seen that `owner` has `what`.
    pub(crate) fn contains(&self, owner: &str, what: &str) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.contains(&(owner.to_owned(), what.to_owned()))
    }

    /// Takes note of what `owner` has.
    pub(crate) fn add(&self, owner: &str, what: impl IntoIterator<Item = String>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_SEEN {
            seen.clear();
        }
        seen.extend(what.into_iter().map(|what| (owner.to_owned(), what)));
    }
}

impl App {
    /// Looks at the facts that are new for callers that are, and for budgets that are nearly spent.
    pub(crate) async fn look_for_oddities(&self, cell: &CellId, told: &[Told], plan: &Plan) -> Result<(), EnterError> {
        for one in told {
            let Some(before) = &one.change.before else { continue };
            let after = &one.change.after;
            let Some(budget) = after.budget else { continue };
            for percent in thresholds_crossed(budget, before.spent, after.spent) {
                let details = json!({
                    "percent": percent,
                    "budget_micro_usd": budget.micro_usd(),
                    "spent_micro_usd": after.spent.micro_usd(),
                });
                let kind = Oddity::Budget { percent }.kind();
                self.tell(cell, one, kind, &format!("{percent}-{}", after.requests), &details).await?;
            }
        }
        self.look_for_newcomers(cell, told, plan).await
    }

    async fn look_for_newcomers(&self, cell: &CellId, told: &[Told], plan: &Plan) -> Result<(), EnterError> {
        let mut unknown = Vec::new();
        for (place, fact, _) in &plan.fresh {
            let (Some(one), Fact::Admitted { row, .. }) = (told.get(*place), fact) else { continue };
            let network = row.known_network().map(|network| Oddity::NewNetwork { network: network.to_owned() });
            let agent = row.known_agent().map(|agent| Oddity::NewAgent { agent: agent.to_owned() });
            for oddity in network.into_iter().chain(agent) {
                if !self.seen.contains(&cell.partition(), text_of(&oddity))
                    && !unknown.iter().any(|(_, known)| *known == oddity)
                {
                    unknown.push((one, oddity));
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let store = &self.store;
        for _ in 0..MAX_ROUNDS {
            let before = store.find_callers(cell).await?;
            let mut after = before.clone();
            for (one, oddity) in &unknown {
                let known = match oddity {
                    Oddity::NewNetwork { .. } => &mut after.networks,
                    _ => &mut after.agents,
                };
                let text = text_of(oddity);
                // The first one that ever came is nothing odd.
                let is_first = known.is_empty();
                if known.len() >= MAX_KNOWN || !known.insert(text.to_owned()) {
                    continue;
                }
                if !is_first {
                    let details = json!({ "value": text });
                    self.tell(cell, one, oddity.kind(), &name_of(text), &details).await?;
                }
            }
            if after == before || store.save_callers(cell, &before, &after).await? {
                self.seen.add(&cell.partition(), unknown.iter().map(|(_, oddity)| text_of(oddity).to_owned()));
                return Ok(());
            }
        }
        Err(EnterError::Contended)
    }

    /// Looks whether an hour has become far busier than those of the week before, each time its calls have doubled.
    pub(crate) async fn look_for_spike(
        &self,
        cell: &CellId,
        owner: &Owner,
        numbers: &PeriodNumbers,
        chunk: &Chunk,
    ) -> Result<(), EnterError> {
        let calls = u64::try_from(numbers.total().calls).unwrap_or(0);
        let added = chunk.bounds(Sequence::Requests).map_or(0, |(first, last)| last - first + 1);
        let step = |calls: u64| (calls / SPIKE_STEP).checked_ilog2();
        if step(calls) == step(calls.saturating_sub(added)) {
            return Ok(());
        }
        let from = numbers.period.start().minus_s(7 * Day::SECONDS);
        let week = self.store.find_hours(&owner.account, cell, from, numbers.period.start()).await?;
        let usual = week.iter().map(|hour| u64::try_from(hour.total().calls).unwrap_or(0)).max().unwrap_or(0);
        if !is_spike(calls, usual) {
            return Ok(());
        }
        let details = json!({ "calls": calls, "usual": usual });
        let at = match numbers.period {
            Period::Hour(_) => numbers.period.start(),
            Period::Day(_) => return Ok(()),
        };
        let event = Event {
            kind: Oddity::Spike { calls, usual }.kind().to_owned(),
            what: String::new(),
            at,
            account: owner.account.clone(),
            details: details.to_string(),
        };
        Ok(self.store.insert_event(cell, &event).await?)
    }

    /// Looks at refused calls for somebody who knows a key's id and tries secrets, and for many of any other kind.
    pub(crate) async fn look_for_guesses(
        &self,
        before: Option<&RefusedDay>,
        after: &RefusedDay,
    ) -> Result<(), EnterError> {
        let day = Period::Day(after.sheet.day);
        let known = match &after.sheet.whose {
            Whose::Cell(known) => known,
            Whose::Account(account) => return self.note_active(account, day.start()).await,
            Whose::Nobody => return Ok(()),
        };
        self.note_active(&known.account, day.start()).await?;
        for (hour, reasons) in &after.hours {
            let at = day.start().plus_s(u64::from(*hour) * HOUR_SECONDS);
            let others_were = before.and_then(|before| before.hours.get(hour)).map_or(0, refused_otherwise);
            let others = refused_otherwise(reasons);
            for number in refusals_reached(others_were, others) {
                let event = Event {
                    kind: Oddity::Refusals { calls: others }.kind().to_owned(),
                    what: number.to_string(),
                    at,
                    account: known.account.clone(),
                    details: json!({ "calls": others }).to_string(),
                };
                self.store.insert_event(&known.cell, &event).await?;
            }
            let calls = unauthorized(reasons);
            let were = before.and_then(|before| before.hours.get(hour)).map_or(0, unauthorized);
            if were >= GUESSES || calls < GUESSES {
                continue;
            }
            let event = Event {
                kind: Oddity::Unauthorized { calls }.kind().to_owned(),
                what: String::new(),
                at,
                account: known.account.clone(),
                details: json!({ "calls": calls }).to_string(),
            };
            self.store.insert_event(&known.cell, &event).await?;
        }
        Ok(())
    }

    /// Enters an event about a write.
    pub(crate) async fn tell(
        &self,
        cell: &CellId,
        told: &Told,
        kind: &str,
        what: &str,
        details: &Value,
    ) -> Result<(), EnterError> {
        let event = Event {
            kind: kind.to_owned(),
            what: what.to_owned(),
            at: told.change.at,
            account: told.change.after.owner.account.clone(),
            details: details.to_string(),
        };
        Ok(self.store.insert_event(cell, &event).await?)
    }
}

fn unauthorized(reasons: &Reasons) -> u64 {
    reasons.iter().filter(|(reason, _)| reason.code == "invalid_api_key").map(|(_, calls)| *calls).sum()
}

fn refused_otherwise(reasons: &Reasons) -> u64 {
    reasons.values().sum::<u64>().saturating_sub(unauthorized(reasons))
}

fn text_of(oddity: &Oddity) -> &str {
    match oddity {
        Oddity::NewNetwork { network } => network,
        Oddity::NewAgent { agent } => agent,
        _ => "",
    }
}

/// A network or an agent as a part of a sort key.
fn name_of(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' }).collect()
}

/// Requests in an hour with a key's id and a wrong secret, from which on its owner is told.
const GUESSES: u64 = 20;
const HOUR_SECONDS: u64 = 3_600;
/// A key that is used from more networks than that is used from everywhere.
const MAX_KNOWN: usize = 64;
/// What a process remembers, before it begins anew.
const MAX_SEEN: usize = 20_000;
/// Calls in an hour at whose doubling it is looked at.
const SPIKE_STEP: u64 = 100;
const MAX_ROUNDS: u32 = 16;
