//! The end of a cell: everything it holds goes home to its project, whatever was on its way.

use std::time::Duration;

use faregate_domain::{
    cell::{Cell, CellId},
    recall::Recall,
};

use crate::{Gate, GateError};

impl Gate {
    /// Moves all money of a revoked key back to its project and closes it to any further grant; may be repeated, and is
    /// after a late settlement.
    ///
    /// # Errors
    /// [`GateError`] when a part failed: the money is where it was, or home.
    pub async fn recall(&self, id: &CellId, mut cell: Cell) -> Result<(), GateError> {
        let store = &self.services().store;
        let project = cell.owner.project.clone();
        for attempt in 1..=MAX_ATTEMPTS {
            let mut wallet = self.read_wallet(&project).await?;
            self.settle_return(&project, id, &cell, &mut wallet).await?;
            if Recall::is_done(&cell.purse) {
                return Ok(());
            }
            if !store.recall_money(&project, id, &Recall::all(id, &cell.purse, &wallet)).await? {
                // A grant was still on its way, or another request ends the same key.
                tokio::time::sleep(PAUSE * attempt).await;
            }
            // Also after a success: a return may have begun meanwhile.
            cell = store.find_cell(id).await?.ok_or(GateError::NoCell)?;
        }
        Err(GateError::Contended)
    }
}

const MAX_ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(5);
