//! Moving an account to another plan: the account, and the limits of its sessions, together or not at all.

use faregate_domain::{cell::CellId, id::AccountId};

use crate::{
    Store, StoreError,
    account::ACCOUNT,
    cell::CELL,
    expression::Builder,
    keys::{LimitsChange, change_limits},
    transaction::Transacted,
};

/// A move to another plan.
#[derive(Clone, Copy, Debug)]
pub struct PlanChange<'p> {
    /// Whose.
    pub account: &'p AccountId,
    /// The plan that it must still be on.
    pub old: &'p str,
    /// The plan that it is to be on.
    pub new: &'p str,
    /// What that means for the account's sessions; `None` where their limits stay.
    pub sessions: Option<&'p LimitsChange>,
}

impl Store {
    /// Moves an account to another plan; false when there is no such account, or it is no longer in the state that the
    /// change was computed from, and nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the account may have been moved.
    pub async fn change_plan(&self, change: &PlanChange<'_>) -> Result<bool, StoreError> {
        let mut account = Builder::default();
        account.string(":old", change.old);
        account.string(":new", change.new);
        account.require("pl = :old");
        account.set("pl = :new");
        let mut items = vec![self.part(&account.build(change.account.to_string(), ACCOUNT))?];
        if let Some(limits) = change.sessions {
            let mut sessions = Builder::default();
            change_limits(&mut sessions, limits);
            let cell = CellId::Session(change.account.clone());
            items.push(self.part(&sessions.build(cell.partition(), CELL))?);
        }
        Ok(matches!(self.transact(items).await?, Transacted::Applied))
    }
}
