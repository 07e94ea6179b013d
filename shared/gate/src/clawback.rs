//! Before a project is called empty: whatever its other cells hold and do not use is taken back, and what somebody left
//! on its way is brought home.

use faregate_domain::{
    cell::{Cell, CellId, Owner},
    clawback::reclaimable,
    drought::{Drought, Holdings},
    funding::{Return, Wallet},
    id::ProjectId,
    money::MicroUsd,
    time::Timestamp,
};
use faregate_store::{Outcome, WalletOutcome};

use crate::{Gate, GateError};

/// What a look at all cells of a project brought.
pub(crate) enum Found {
    /// Money came back to the wallet, or it changed meanwhile.
    Moved(Wallet),
    /// The cell itself has money by now.
    InCell,
    /// Nobody has anything, and nothing is on its way; the wallet as it was then.
    Nothing(Wallet, Drought),
}

impl Gate {
    /// Looks for `shortage` in all other cells of the project.
    ///
    /// Every step is one write that anybody may repeat: a return leaves the cell first and reaches the wallet second.
    /// Nothing is said to be there only after two looks, at the wallet and at every cell, the second of which has found
    /// each of them as the first did, and nothing on its way.
    pub(crate) async fn claw_back(
        &self,
        own: &CellId,
        cell: &Cell,
        wallet: &Wallet,
        shortage: MicroUsd,
        now: Timestamp,
    ) -> Result<Found, GateError> {
        let project = &cell.owner.project;
        let mut wallet = wallet.clone();
        let before = wallet.clone();
        let named = before.children.keys().filter(|id| *id != own);
        let mut kin: Vec<CellId> = std::iter::once(own).chain(named).cloned().collect();
        let (mut seen, mut is_whole) = (Vec::new(), false);
        while !kin.is_empty() {
            for ids in kin.chunks(CELLS_AT_ONCE) {
                let sweeps = wallet.sweeps;
                let mut cells = self.cells_of(&cell.owner, ids).await?;
                for id in ids {
                    let Some(mut sibling) = cells.remove(id) else { continue };
                    self.settle_ways(project, id, &mut sibling, &mut wallet, sweeps).await?;
                    if id != own {
                        let amount = reclaimable(&sibling, shortage.minus(wallet.available), now);
                        self.reclaim(&cell.owner, id, &mut sibling, &mut wallet, amount).await?;
                    } else if sibling.purse.balance > cell.purse.balance {
                        return Ok(Found::InCell);
                    }
                    seen.push((id.clone(), sibling));
                    if wallet.available >= shortage {
                        return Ok(Found::Moved(wallet));
                    }
                }
            }
            kin = if std::mem::replace(&mut is_whole, true) {
                Vec::new()
            } else {
                self.unnamed_kin(&cell.owner, &before).await?.into_iter().filter(|id| id != own).collect()
            };
        }
        let at = self.services().clock.now();
        let after = self.read_wallet(project).await?;
        if !wallet.is_unmoved_since(&before) || !after.is_unmoved_since(&before) {
            return Ok(Found::Moved(after));
        }
        let ids: Vec<CellId> = seen.iter().map(|(id, _)| id.clone()).collect();
        let again = self.cells_of(&cell.owner, &ids).await?;
        for (id, seen) in &seen {
            if again.get(id).is_none_or(|again| again.purse != seen.purse) {
                return Ok(if id == own { Found::InCell } else { Found::Moved(after) });
            }
        }
        let holdings = Holdings::of(seen.iter().map(|(_, cell)| cell));
        Ok(Found::Nothing(after, Drought { at, price: shortage.plus(cell.purse.balance), holdings }))
    }

    /// Writes down that all cells were looked at, so that others need not do so at once; where they are few, each looks for
    /// itself.
    pub(crate) async fn note_drought(&self, project: &ProjectId, wallet: &Wallet, drought: &Drought) {
        let Some(sweeps) = wallet.sweeps else { return };
        match self.services().store.note_drought(project, sweeps, drought).await {
            Ok(WalletOutcome::Applied(wallet) | WalletOutcome::Refused(Some(wallet))) => {
                self.memory.saw_wallet(project, &wallet);
            }
            Ok(WalletOutcome::Refused(None)) => {}
            Err(error) => tracing::warn!(%error, "the next call looks at all cells again"),
        }
    }

    /// Brings to its end what somebody began between a cell and its wallet and did not finish. `sweeps` is the wallet's
    /// count that was known before the cell was read.
    pub(crate) async fn settle_ways(
        &self,
        project: &ProjectId,
        id: &CellId,
        cell: &mut Cell,
        wallet: &mut Wallet,
        sweeps: Option<u64>,
    ) -> Result<(), GateError> {
        self.settle_return(project, id, cell, wallet, sweeps).await?;
        if let Some(grant) = wallet.pending(id, &cell.purse) {
            match self.services().store.credit(id, &grant).await? {
                Outcome::Applied(credited) => *cell = *credited,
                Outcome::Refused { cell: Some(now), .. } => *cell = *now,
                Outcome::Refused { cell: None, .. } => {}
            }
        }
        Ok(())
    }

    /// Receives a return that left the cell, if the wallet has not received it; `sweeps` as with [`Gate::settle_ways`].
    pub(crate) async fn settle_return(
        &self,
        project: &ProjectId,
        id: &CellId,
        cell: &Cell,
        wallet: &mut Wallet,
        sweeps: Option<u64>,
    ) -> Result<(), GateError> {
        if let Some(sent) = wallet.pending_return(id, &cell.purse) {
            let outcome = self.services().store.receive_return(project, id, &sent, sweeps).await?;
            *wallet = self.learn(project, outcome)?;
        }
        Ok(())
    }

    async fn reclaim(
        &self,
        owner: &Owner,
        id: &CellId,
        cell: &mut Cell,
        wallet: &mut Wallet,
        amount: MicroUsd,
    ) -> Result<(), GateError> {
        let (store, project) = (&self.services().store, &owner.project);
        // A return begins only where the last one is known to have arrived.
        if amount == MicroUsd::ZERO || wallet.received(id, &cell.purse) != cell.purse.returns.seq {
            return Ok(());
        }
        let mut sent = Return { amount, seq: cell.purse.returns.seq + 1 };
        let mut sweeps = wallet.sweeps;
        let Outcome::Applied(left) = store.begin_return(id, &sent).await? else { return Ok(()) };
        *cell = *left;
        for _ in 0..MAX_RECEIPTS {
            let outcome = store.receive_return(project, id, &sent, sweeps).await?;
            *wallet = self.learn(project, outcome)?;
            if wallet.pending_return(id, &cell.purse).is_none() {
                break;
            }
            // Entries were removed meanwhile, perhaps this return's: only the cell says whether it has arrived.
            sweeps = wallet.sweeps;
            *cell = store.find_cell(id).await?.ok_or(GateError::NoCell)?;
            let Some(pending) = wallet.pending_return(id, &cell.purse) else { break };
            sent = pending;
        }
        // Each return adds an entry.
        if self.tidy_wallet(owner).await
            && let Some(swept) = self.memory.find_wallet(project)
        {
            *wallet = swept;
        }
        Ok(())
    }
}

/// How many cells are read at once.
const CELLS_AT_ONCE: usize = 200;
const MAX_RECEIPTS: u32 = 4;
