//! What the callers know: each admitted call by its charge, and what it cost.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use crate::Answer;

/// The callers' own account.
#[derive(Default)]
pub(crate) struct Tally(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// What each charge costs, in millionths of a dollar.
    charges: HashMap<String, u64>,
    statuses: BTreeMap<u16, u64>,
    requests: u64,
    settled: u64,
    /// Changes by owners, and other requests that a cell counts.
    managed: u64,
    faults: Vec<String>,
}

/// What the account comes to.
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) admitted: u64,
    pub(crate) settled: u64,
    pub(crate) micro_usd: u64,
}

impl Tally {
    /// Takes note of a call; its charge where it was admitted.
    pub(crate) fn called(&self, what: &str, price: u64, answer: Option<&Answer>) -> Option<String> {
        let mut kept = self.kept();
        kept.requests += 1;
        let Some(answer) = answer else {
            kept.faults.push(format!("{what}: no answer"));
            return None;
        };
        *kept.statuses.entry(answer.status).or_default() += 1;
        match answer.status {
            200 => {
                let charge = answer.body["data"]["context"]["chargeId"].as_str().map(ToOwned::to_owned);
                match &charge {
                    Some(charge) if kept.charges.insert(charge.clone(), price).is_none() => {}
                    _ => kept.faults.push(format!("{what}: the charge {charge:?} is missing or not new")),
                }
                charge
            }
            401 | 402 | 403 | 429 => None,
            _ => {
                kept.faults.push(format!("{what}: {}", answer.text));
                None
            }
        }
    }

    /// Takes note of a settlement, which must have been taken.
    pub(crate) fn settled(&self, charge: &str, actual: u64, answer: Option<&Answer>) {
        self.managed("a settlement", &[200], answer);
        let mut kept = self.kept();
        kept.settled += 1;
        kept.charges.insert(charge.to_owned(), actual);
    }

    /// Takes note of any other request, which must be answered with one of these.
    pub(crate) fn managed(&self, what: &str, wanted: &[u16], answer: Option<&Answer>) {
        let mut kept = self.kept();
        kept.requests += 1;
        let Some(answer) = answer else {
            kept.faults.push(format!("{what}: no answer"));
            return;
        };
        // Whoever is told of limits was counted.
        kept.managed += u64::from(answer.headers.contains_key("x-ratelimit-limit") && answer.status != 429);
        if !wanted.contains(&answer.status) {
            kept.faults.push(format!("{what}: {} {}", answer.status, answer.text));
        }
    }

    /// What each charge costs.
    pub(crate) fn charges(&self) -> HashMap<String, u64> {
        self.kept().charges.clone()
    }

    /// How many requests beside calls were counted in a cell.
    pub(crate) fn managed_count(&self) -> u64 {
        self.kept().managed
    }

    /// Answers that should not have been given.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.kept().faults.clone()
    }

    /// What it comes to.
    pub(crate) fn counts(&self) -> Counts {
        let kept = self.kept();
        Counts {
            requests: kept.requests,
            statuses: kept.statuses.clone(),
            admitted: kept.managed + u64::try_from(kept.charges.len()).unwrap_or(u64::MAX),
            settled: kept.settled,
            micro_usd: kept.charges.values().sum(),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
