//! What refunds could not take from an account's wallet: whatever comes into it pays that first.

use faregate_domain::{
    id::{AccountId, EntryId},
    ledger::{Entry, EntryKind},
    time::Timestamp,
};
use faregate_edge::entropy;
use faregate_store::{StoreError, WalletChange};

use crate::{
    Gate,
    again::{MAX_ATTEMPTS, pause},
};

impl Gate {
    /// Takes what the account owes from what is in its wallet, with an entry. Where others are always first it stays owed,
    /// until money is moved again.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; what is owed stays owed, or was taken once.
    pub async fn collect_owed(&self, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        let store = &self.services().store;
        for attempt in 1..=MAX_ATTEMPTS {
            let Some(before) = store.find_account_wallet(account).await? else { return Ok(()) };
            let Some((after, amount)) = before.collecting() else { return Ok(()) };
            let entry = Entry {
                id: EntryId::numbered(after.entries, &mut entropy::fill),
                kind: EntryKind::Refund,
                amount,
                project: None,
                reference: None,
                at: now,
            };
            if store.change_wallet(&WalletChange { account, before, after, entry: Some(&entry) }).await? {
                tracing::info!(%account, entry = %entry.id, "what was owed is taken");
                return Ok(());
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Ok(())
    }
}
