//! Keys that somebody found where no key should be: whose they are, and their end.

use faregate_domain::{
    attempt::Proof,
    cell::{Cell, CellId, Owner, Status},
    id::{AccountId, KeyId},
    time::Timestamp,
};
use faregate_edge::entropy;

use crate::{Gate, GateError};

impl Gate {
    /// The key whose text this is: of the secret in force, or of the one before while its grace lasts, revoked or not. One
    /// cell is read whatever the text is.
    ///
    /// # Errors
    /// [`GateError`] where a part failed: nothing is known of the text.
    pub async fn find_leaked(&self, text: &str, now: Timestamp) -> Result<Option<(KeyId, Cell)>, GateError> {
        let claim = self.claim_of_key(text, now).await?.ok();
        let id = match claim.as_ref().map(|claim| &claim.cell) {
            Some(CellId::Key(id)) => id.clone(),
            _ => KeyId::mint(&mut entropy::fill),
        };
        let cell = self.services().store.find_cell(&CellId::Key(id.clone())).await?;
        let (Some(claim), Some(cell)) = (claim, cell) else { return Ok(None) };
        let mut is_its = is_secret_of(&claim.proof, &cell, now);
        if !is_its && let Some(newer) = self.reproved(&claim, now).await? {
            is_its = is_secret_of(&newer, &cell, now);
        }
        Ok(is_its.then_some((id, cell)))
    }

    /// Ends a key of an account: from here on every request with it is refused. `None` where the account has no such key;
    /// ending it again changes nothing.
    ///
    /// # Errors
    /// [`GateError`] where the table gave no answer; it may be ended.
    pub async fn end_key(&self, account: &AccountId, id: &KeyId) -> Result<Option<Cell>, GateError> {
        let cell = self.services().store.revoke_key(account, id).await?;
        if cell.is_some() {
            tracing::info!(%account, key = %id, "key revoked");
        }
        Ok(cell)
    }

    /// Gives up an ended key's place and returns its money, each of which may be repeated.
    ///
    /// # Errors
    /// [`GateError`] where a part failed; doing it again goes on from there.
    pub async fn clear_key(&self, id: &KeyId, owner: &Owner) -> Result<(), GateError> {
        self.services().store.release_key(&owner.account, id).await?;
        self.recall(&CellId::Key(id.clone()), &owner.project).await
    }
}

/// Whether a text was shown to be one of the key's; a revoked key's old secret is one for good, so that a report that comes
/// again is told the same.
fn is_secret_of(proof: &Proof, cell: &Cell, now: Timestamp) -> bool {
    let (Proof::Key(hashes), Some(secrets)) = (proof, cell.secrets()) else { return false };
    let is_old = secrets.rotation.is_some_and(|rotation| rotation.old.is_among(hashes));
    secrets.find(hashes, now).is_some() || (is_old && cell.status == Status::Revoked)
}
