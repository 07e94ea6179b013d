//! What a session's token says: everything about the session that the gate checks, so that it reads nothing but the key.

use crate::{
    cell::Cell,
    denial::Denial,
    id::{ClientSessionId, KeyId},
    money::MicroUsd,
    origin::{Allowlist, Origin},
    scope::{Grant, GrantSet, Scope},
    time::Timestamp,
};

use super::Tab;

/// A session as its token states it; only we can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPass {
    /// The session.
    pub session: ClientSessionId,
    /// The key that is counted and charged.
    pub key: KeyId,
    /// The key's environment.
    pub environment: String,
    /// What the session may do, as far as the key may.
    pub grants: GrantSet,
    /// From which origins, as far as the key may.
    pub allowlist: Option<Allowlist>,
    /// The most that its calls may cost in all.
    pub ceiling: Option<MicroUsd>,
    /// When the token was made; whole seconds.
    pub issued_at: Timestamp,
    /// From when on it is refused; whole seconds.
    pub end: Timestamp,
}

impl ClientPass {
    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.end <= now
    }

    /// Whether the key's cell still serves the session. One with a ceiling has a tab as long as it lives; of one without,
    /// a tab says that it was ended.
    #[must_use]
    pub fn is_live(&self, cell: &Cell, now: Timestamp) -> bool {
        let tab = cell.tabs.open.get(&self.session);
        let is_known = match self.ceiling {
            Some(_) => tab.is_some_and(|tab| tab.end == self.end),
            None => tab.is_none(),
        };
        is_known && !self.is_over(now)
    }

    /// Whether the session may be used from there.
    ///
    /// # Errors
    /// [`Denial::OriginNotAllowed`].
    pub fn permit_origin(&self, origin: Option<&Origin>) -> Result<(), Denial> {
        let is_elsewhere = self.allowlist.as_ref().is_some_and(|list| !list.admits(origin));
        if is_elsewhere { Err(Denial::OriginNotAllowed) } else { Ok(()) }
    }

    /// Whether the session may do that.
    ///
    /// # Errors
    /// [`Denial::InsufficientScope`].
    pub fn permit_scope(&self, scope: &Scope) -> Result<(), Denial> {
        if self.grants.permits(scope) { Ok(()) } else { Err(Denial::InsufficientScope { required: scope.to_string() }) }
    }

    /// Its tab at `spent`, where it has a ceiling.
    #[must_use]
    pub fn tab(&self, spent: MicroUsd) -> Tab {
        Tab { spent, end: self.end }
    }

    /// What the session may do under a key that may do `held`: whatever both grant.
    #[must_use]
    pub fn scopes_under(&self, held: &GrantSet) -> Vec<Grant> {
        self.grants.common(held)
    }
}
