//! What an instance remembers of cells and wallets: enough to guess the next write's form and to refuse a flood by
//! itself. Never a permission.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use faregate_domain::{
    attempt::{Attempt, Next, Proof},
    cell::{Cell, CellId, Status},
    denial::Denial,
    funding::Wallet,
    id::ProjectId,
    money::MicroUsd,
    time::Timestamp,
};

/// The last seen states; forgetting them costs a write more, not correctness.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    cells: HashMap<CellId, Seen>,
    wallets: HashMap<ProjectId, Wallet>,
}

/// What a refused cell looked like.
#[derive(Debug)]
struct Seen {
    /// Its state; `None` where there was no such cell.
    cell: Option<Cell>,
    /// Refusals in a row.
    refusals: u32,
    /// When the request began that was shown this state.
    shown_at: Timestamp,
    /// When the table was last asked, or somebody went to ask it.
    asked_at: Timestamp,
    /// Who was refused last, and why.
    last: Option<Refused>,
}

#[derive(Debug)]
struct Refused {
    proof: Proof,
    cost: MicroUsd,
    denial: Denial,
}

/// A refusal out of memory.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// The refusal.
    pub(crate) denial: Denial,
    /// The state that it follows from.
    pub(crate) cell: Option<Cell>,
}

impl Memory {
    /// The last seen state of a cell, from which the next write's form is guessed.
    pub(crate) fn find(&self, cell: &CellId) -> Option<Cell> {
        self.lock().cells.get(cell).and_then(|seen| seen.cell.clone())
    }

    /// The last seen state of a project's wallet.
    pub(crate) fn find_wallet(&self, project: &ProjectId) -> Option<Wallet> {
        self.lock().wallets.get(project).cloned()
    }

    /// Remembers a wallet.
    pub(crate) fn saw_wallet(&self, project: &ProjectId, wallet: &Wallet) {
        insert(&mut self.lock().wallets, project.clone(), wallet.clone());
    }

    /// Remembers the state that an admission left.
    pub(crate) fn admitted(&self, id: &CellId, cell: Option<&Cell>) {
        let never = Timestamp::from_epoch_ms(0);
        let seen = Seen { cell: cell.cloned(), refusals: 0, shown_at: never, asked_at: never, last: None };
        insert(&mut self.lock().cells, id.clone(), seen);
    }

    /// Remembers a refusal of the table's.
    pub(crate) fn refused(&self, attempt: &Attempt, denial: &Denial, cell: Option<&Cell>, now: Timestamp) {
        let mut inner = self.lock();
        let in_a_row = inner.cells.get(&attempt.cell).filter(|seen| !seen.is_over(now, BELIEVED_MS));
        let refusals = in_a_row.map_or(0, |seen| seen.refusals).saturating_add(1);
        let last = Refused { proof: attempt.proof.clone(), cost: attempt.cost, denial: denial.clone() };
        let seen = Seen { cell: cell.cloned(), refusals, shown_at: now, asked_at: now, last: Some(last) };
        insert(&mut inner.cells, attempt.cell.clone(), seen);
    }

    /// Refuses an attempt that the table would refuse, if the table has just refused this cell several times in a row.
    ///
    /// Each second one request goes through to the table all the same, so that a top-up, a change or the end of a
    /// running call is seen.
    pub(crate) fn refuse(&self, attempt: &Attempt) -> Option<Remembered> {
        let mut inner = self.lock();
        let seen = inner.cells.get_mut(&attempt.cell).filter(|seen| seen.refusals >= PATIENCE)?;
        let denial = seen.denial(attempt)?;
        let believed_ms = match denial {
            Denial::RateLimitedConcurrent(_) => CONCURRENT_MS,
            _ => BELIEVED_MS,
        };
        if seen.is_outdated(attempt.now, believed_ms) {
            return None;
        }
        if seen.is_over(attempt.now, believed_ms) {
            seen.asked_at = attempt.now;
            return None;
        }
        Some(Remembered { denial, cell: seen.cell.clone() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// What the table would say, if the cell still looks as it did: of credentials that are not known and of limits that
    /// are used up. What an owner may be about to change, a scope, an origin, a frozen or an expired key, is asked each
    /// time.
    fn denial(&self, attempt: &Attempt) -> Option<Denial> {
        let last = self.last.as_ref()?;
        let is_frozen = self.cell.as_ref().is_some_and(|cell| cell.status == Status::Frozen);
        match attempt.judge(self.cell.as_ref()) {
            // A login may have been added since; one that was refused has ended for good.
            Err(Denial::InvalidToken) => (attempt.proof == last.proof).then_some(Denial::InvalidToken),
            Err(denial @ Denial::InsufficientCredits { .. }) => Some(denial).filter(|_| !is_frozen),
            Err(Denial::InvalidApiKey) => {
                let is_final = match &self.cell {
                    Some(cell) if cell.status == Status::Revoked => true,
                    // Its owner may put the end off.
                    Some(cell) if cell.is_over(attempt.now) => false,
                    // A secret that the state does not know may be one that a rotation has brought since.
                    Some(_) => attempt.proof == last.proof,
                    None => true,
                };
                is_final.then_some(Denial::InvalidApiKey)
            }
            Ok(Next::Fund { exhausted: Some(denial), .. }) => Some(denial),
            Err(denial) => Some(denial).filter(|denial| denial.exhausted().is_some()),
            Ok(Next::Fund { exhausted: None, .. }) => last.unfunded(attempt),
            Ok(Next::Applied | Next::Again(_)) => None,
        }
    }

    /// Whether the state is too old to refuse anybody by, even while somebody is on the way to see a newer one.
    fn is_outdated(&self, now: Timestamp, believed_ms: u64) -> bool {
        now.epoch_ms() >= self.shown_at.epoch_ms().saturating_add(2 * believed_ms)
    }

    fn is_over(&self, now: Timestamp, believed_ms: u64) -> bool {
        now.epoch_ms() >= self.asked_at.epoch_ms().saturating_add(believed_ms)
    }
}

impl Refused {
    /// The refusal of one that the project could not fund, as far as it holds for this attempt.
    fn unfunded(&self, attempt: &Attempt) -> Option<Denial> {
        let holds = match &self.denial {
            Denial::InsufficientCredits { .. } => attempt.cost >= self.cost,
            Denial::RateLimitedProject(exhausted) => attempt.now < exhausted.resets_at,
            _ => false,
        };
        holds.then(|| self.denial.clone())
    }
}

fn insert<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() >= MAX_ENTRIES && !map.contains_key(&key) {
        map.clear();
    }
    map.insert(key, value);
}

/// Refusals in a row, each within a second of the one before, that make a flood.
const PATIENCE: u32 = 5;
/// How long the table's word is taken for the next one's; a little less than the second within which changes are seen.
const BELIEVED_MS: u64 = 900;
/// A running call may end at any moment.
const CONCURRENT_MS: u64 = 100;
const MAX_ENTRIES: usize = 2_000;
