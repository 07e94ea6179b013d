//! Turns: of all requests of this process that lack money for one cell, one at a time fetches some.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use faregate_domain::cell::CellId;
use faregate_edge::entropy;
use tokio::sync::OwnedMutexGuard;

/// Who may fetch, by cell; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<CellId, Arc<tokio::sync::Mutex<()>>>>>);

/// A turn; over when it is dropped.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Waits for the cell's turn; says whether somebody else had it before.
    pub(crate) async fn take(&self, cell: &CellId) -> (Turn, bool) {
        let turns = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if cells.len() >= MAX_CELLS {
                cells.retain(|_, turns| Arc::strong_count(turns) > 1);
            }
            Arc::clone(cells.entry(cell.clone()).or_default())
        };
        match Arc::clone(&turns).try_lock_owned() {
            Ok(turn) => (turn, false),
            Err(_) => (turns.lock_owned().await, true),
        }
    }

    /// Lets writers that met too often go apart.
    pub(crate) async fn pause(&self, round: u32) {
        if round < PATIENT_ROUNDS {
            return;
        }
        let mut byte = [0];
        entropy::fill(&mut byte);
        let longest = LONGEST_PAUSE.min(PAUSE.saturating_mul(round));
        tokio::time::sleep(longest.saturating_mul(u32::from(byte[0])) / 256).await;
    }
}

const MAX_CELLS: usize = 10_000;
const PATIENT_ROUNDS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(40);
