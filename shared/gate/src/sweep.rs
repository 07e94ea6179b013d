//! Keeps a project's wallet small: entries of cells that nothing is on its way to or from are removed from it, up to two dozen
//! at a time, by whoever has just made it grow.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use faregate_domain::{
    cell::{Cell, CellId, Owner},
    funding::Wallet,
    id::ProjectId,
    sweep::{Removal, Sweep},
};
use faregate_store::Outcome;

use crate::{Gate, GateError};

impl Gate {
    /// Removes entries from a project's wallet, if it was crowded when it was last seen; whether that was so. Whatever fails
    /// or takes too long is left to the next.
    pub(crate) async fn tidy_wallet(&self, owner: &Owner) -> bool {
        if self.memory.find_wallet(&owner.project).is_none_or(|wallet| !wallet.is_crowded()) {
            return false;
        }
        match tokio::time::timeout(PATIENCE, self.sweep_wallet(owner)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the project's wallet stays as large as it is for now"),
            Err(_) => tracing::warn!("sweeping the project's wallet takes too long"),
        }
        true
    }

    /// Removes what may be removed, unless somebody else in this process does so already.
    async fn sweep_wallet(&self, owner: &Owner) -> Result<(), GateError> {
        let project = &owner.project;
        let Some(mut wallet) = self.memory.find_wallet(project) else { return Ok(()) };
        let Some(_broom) = self.brooms.take(project) else { return Ok(()) };
        if wallet.sweeps.is_none() {
            wallet = self.learn(project, self.services().store.begin_sweeps(project).await?)?;
        }
        let Some(sweeps) = wallet.sweeps else { return Ok(()) };
        // Read after the wallet: whatever it tells of is in the cells, or on its way to them.
        let mut cells = self.cells_of(owner, &wallet.candidates()).await?;
        let mut settled = BTreeMap::new();
        for (id, cell) in &cells {
            if let Some(child) = wallet.find(id)
                && self.is_settled(id, child.removal(&cell.purse)).await?
            {
                settled.insert(id.clone(), *child);
            }
        }
        if 2 * settled.len() < cells.len() {
            self.bring_home(owner, &mut cells, &mut wallet).await?;
        }
        let sweep = Sweep { sweeps, settled };
        if sweep.is_worthwhile() {
            self.learn(project, self.services().store.sweep_wallet(project, &sweep).await?)?;
        }
        Ok(())
    }

    async fn is_settled(&self, id: &CellId, removal: Removal) -> Result<bool, GateError> {
        Ok(match removal {
            Removal::Now => true,
            Removal::Not => false,
            Removal::AfterAcknowledging(seq) => {
                matches!(self.services().store.acknowledge_return(id, seq).await?, Outcome::Applied(_))
            }
        })
    }

    /// Where most is on its way, whoever sent it may have died: it is brought home, to be removed the next time.
    async fn bring_home(
        &self,
        owner: &Owner,
        cells: &mut BTreeMap<CellId, Cell>,
        wallet: &mut Wallet,
    ) -> Result<(), GateError> {
        let sweeps = wallet.sweeps;
        for (id, cell) in cells {
            self.settle_ways(&owner.project, id, cell, wallet, sweeps).await?;
        }
        Ok(())
    }
}

/// The projects whose wallets are being swept by this process; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brooms(Arc<Mutex<HashSet<ProjectId>>>);

impl Brooms {
    /// The right to sweep a wallet until it is dropped, unless somebody has it.
    fn take(&self, project: &ProjectId) -> Option<Broom> {
        let is_free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(project.clone());
        is_free.then(|| Broom { brooms: self.clone(), project: project.clone() })
    }
}

/// The right to sweep one wallet.
struct Broom {
    brooms: Brooms,
    project: ProjectId,
}

impl Drop for Broom {
    fn drop(&mut self) {
        self.brooms.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.project);
    }
}

/// How long an admitted call is kept waiting for it.
const PATIENCE: Duration = Duration::from_millis(300);
