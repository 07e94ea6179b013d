//! What an instance remembers of the cells it wrote: counters to sweep with the next write. Never a permission.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use faregate_domain::cell::{CellId, Stale};

/// Counters to remove, by cell; forgetting them costs bytes, not correctness.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<HashMap<CellId, Vec<Stale>>>>);

impl Memory {
    /// Takes what the next write of a cell may remove.
    pub(crate) fn take(&self, cell: &CellId) -> Vec<Stale> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(cell).unwrap_or_default()
    }

    /// Remembers what a write showed.
    pub(crate) fn put(&self, cell: &CellId, stale: Vec<Stale>) {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stale.is_empty() {
            cells.remove(cell);
            return;
        }
        if cells.len() >= MAX_CELLS {
            cells.clear();
        }
        cells.insert(cell.clone(), stale);
    }
}

const MAX_CELLS: usize = 10_000;
