//! The cells of one project, which share its money.

use std::collections::BTreeMap;

use faregate_domain::{
    cell::{Cell, CellId, Owner},
    funding::Wallet,
    id::KeyId,
};

use crate::{Gate, GateError};

impl Gate {
    /// The cells that may have money of a project beside those that its wallet names: none where it names all of them, else
    /// every cell of the account that may be the project's.
    pub(crate) async fn unnamed_kin(&self, owner: &Owner, wallet: &Wallet) -> Result<Vec<CellId>, GateError> {
        if wallet.sweeps.is_none() {
            return Ok(Vec::new());
        }
        let mut kin = vec![CellId::Session(owner.account.clone())];
        let mut after: Option<KeyId> = None;
        loop {
            let keys = self.services().store.find_keys(&owner.account, after.as_ref(), KEYS_AT_ONCE).await?;
            let is_last = keys.len() < usize::from(KEYS_AT_ONCE);
            after = keys.last().map(|last| last.id.clone());
            kin.extend(keys.into_iter().filter(|key| key.project == owner.project).map(|key| CellId::Key(key.id)));
            if is_last {
                kin.retain(|id| !wallet.children.contains_key(id));
                return Ok(kin);
            }
        }
    }

    /// Cells as they are now, those of other projects left out.
    pub(crate) async fn cells_of(&self, owner: &Owner, ids: &[CellId]) -> Result<BTreeMap<CellId, Cell>, GateError> {
        let mut cells = self.services().store.find_each_cell(ids).await?;
        cells.retain(|_, cell| cell.owner.project == owner.project);
        Ok(cells)
    }
}

const KEYS_AT_ONCE: u16 = 1_000;
