//! The end of a cell: everything it holds goes home to its project, whatever was on its way.

use std::time::Duration;

use faregate_domain::{cell::CellId, id::ProjectId, recall::Recall};

use crate::{Gate, GateError};

impl Gate {
    /// Moves all money of a revoked key back to its project and closes it to any further grant; may be repeated, and is
    /// after a late settlement.
    ///
    /// # Errors
    /// [`GateError`] when a part failed: the money is where it was, or home.
    pub async fn recall(&self, id: &CellId, project: &ProjectId) -> Result<(), GateError> {
        let store = &self.services().store;
        for attempt in 1..=MAX_ATTEMPTS {
            let mut wallet = self.read_wallet(project).await?;
            let sweeps = wallet.sweeps;
            let cell = store.find_cell(id).await?.ok_or(GateError::NoCell)?;
            self.settle_return(project, id, &cell, &mut wallet, sweeps).await?;
            if Recall::is_done(&cell.purse) && wallet.pending_return(id, &cell.purse).is_none() {
                return Ok(());
            }
            // After a success both are read once more: a return may have begun meanwhile.
            if !store.recall_money(project, id, &Recall::all(id, &cell.purse, &wallet)).await? {
                // A grant was still on its way, or another request ends the same key.
                tokio::time::sleep(PAUSE * attempt).await;
            }
        }
        Err(GateError::Contended)
    }
}

const MAX_ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(5);
