//! The cells of one project, which share its money.

use std::collections::BTreeMap;

use faregate_domain::{
    cell::{Cell, CellId, Owner},
    funding::Wallet,
    id::KeyId,
};

use crate::{Gate, GateError};

impl Gate {
    /// The cells that may have money of a project: those that its wallet names, where it names all of them, else every cell
    /// of the account that may be the project's.
    pub(crate) async fn kin(&self, owner: &Owner, wallet: &Wallet) -> Result<Vec<CellId>, GateError> {
        if wallet.sweeps.is_none() {
            return Ok(wallet.children.keys().cloned().collect());
        }
        let mut kin = vec![CellId::Session(owner.account.clone())];
        let mut after: Option<KeyId> = None;
        loop {
            let keys = self.services().store.find_keys(&owner.account, after.as_ref(), KEYS_AT_ONCE).await?;
            let Some(last) = keys.last() else { return Ok(kin) };
            after = Some(last.id.clone());
            kin.extend(keys.into_iter().filter(|key| key.project == owner.project).map(|key| CellId::Key(key.id)));
        }
    }

    /// At most 100 cells as they are now, those of other projects left out.
    pub(crate) async fn cells_of(&self, owner: &Owner, ids: &[CellId]) -> Result<BTreeMap<CellId, Cell>, GateError> {
        let store = &self.services().store;
        let (mut cells, mut keys) = (BTreeMap::new(), Vec::new());
        for id in ids {
            match id {
                CellId::Key(key) => keys.push(key.clone()),
                CellId::Session(_) => cells.extend(store.find_cell(id).await?.map(|cell| (id.clone(), cell))),
            }
        }
        cells.extend(store.find_cells(&keys).await?.into_iter().map(|(id, cell)| (CellId::Key(id), cell)));
        cells.retain(|_, cell| cell.owner.project == owner.project);
        Ok(cells)
    }
}

/// How many cells are read with one call.
pub(crate) const CELLS_AT_ONCE: usize = 100;
const KEYS_AT_ONCE: u16 = 1_000;
