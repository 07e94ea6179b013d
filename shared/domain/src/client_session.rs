//! Client sessions: what a backend lets one frontend do in its key's name, for a while.
//!
//! ```text
//! created ──▶ redeemed ──▶ expired      a secret is exchanged once for a token that opens the gate until the end
//!    │            │
//!    └────────────┴──────▶ ended        by the backend, or with its key
//! ```

use crate::{
    cell::Cell,
    id::{AccountId, ClientSessionId, KeyId, ProjectId},
    money::MicroUsd,
    origin::{Allowlist, Origin},
    scope::GrantSet,
    time::Timestamp,
};

mod pass;
mod reference;
mod secret;
mod tab;

pub use pass::ClientPass;
pub use reference::{ClientReference, InvalidMetadata, Metadata};
pub use secret::{ClientSecret, InvalidClientSecret, SecretHash};
pub use tab::{CallTab, Tab, Tabs};

/// One client session, as its item states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSession {
    /// Its id.
    pub id: ClientSessionId,
    /// The account that pays.
    pub account: AccountId,
    /// The project of the key.
    pub project: ProjectId,
    /// The key that it acts for.
    pub key: KeyId,
    /// The environment's name.
    pub environment: String,
    /// What the backend calls it.
    pub reference: ClientReference,
    /// What the backend noted with it.
    pub metadata: Metadata,
    /// What it may do, as far as its key may.
    pub grants: GrantSet,
    /// From which origins, as far as its key may; `None` is wherever the key may.
    pub allowlist: Option<Allowlist>,
    /// The most that its calls may cost in all; `None` leaves it to the key.
    pub ceiling: Option<MicroUsd>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on neither its secret nor its token works; whole seconds.
    pub end: Timestamp,
    /// When its secret was exchanged.
    pub redeemed_at: Option<Timestamp>,
    /// When the backend ended it.
    pub ended_at: Option<Timestamp>,
    /// What the books say of its calls.
    pub booked: Booked,
    /// From when on it is not shown any more.
    pub kept_until: Timestamp,
}

/// What the books say of a session's calls, a moment late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// Admitted calls.
    pub calls: u64,
    /// What they were charged, or reserve.
    pub charged: MicroUsd,
}

impl ClientSession {
    /// Seconds from making a session to its end, at least and at most.
    pub const TTL_SECONDS: std::ops::RangeInclusive<u64> = 60..=86_400;
    /// The same where the backend names none.
    pub const DEFAULT_TTL_SECONDS: u64 = 900;

    /// Where it stands, given the cell of its key.
    #[must_use]
    pub fn status(&self, cell: Option<&Cell>, now: Timestamp) -> SessionStatus {
        let is_cut_short = self.ended_at.is_some() || cell.is_none_or(|cell| cell.is_over(now));
        match self.redeemed_at {
            _ if self.ended_at.is_none() && self.end <= now => SessionStatus::Expired,
            _ if is_cut_short => SessionStatus::Ended,
            Some(_) => SessionStatus::Redeemed,
            None => SessionStatus::Created,
        }
    }

    /// Whether whoever holds its secret may exchange it, from that origin.
    ///
    /// # Errors
    /// [`Unredeemable`]: all that has to do with the secret in one and the same way.
    pub fn check_redeemable(
        &self,
        cell: Option<&Cell>,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<(), Unredeemable> {
        if self.status(cell, now) != SessionStatus::Created {
            return Err(Unredeemable::Secret);
        }
        let lists = self.allowlist.iter().chain(cell.and_then(|cell| cell.allowlist.as_ref()));
        if lists.into_iter().any(|list| !list.admits(origin)) {
            return Err(Unredeemable::Origin);
        }
        let tabs = cell.map(|cell| &cell.tabs).filter(|_| self.ceiling.is_some());
        match tabs.and_then(|tabs| tabs.full_until(Tabs::MAX_OPEN, now)) {
            Some(retry_at) => Err(Unredeemable::Full { retry_at }),
            None => Ok(()),
        }
    }

    /// What its token says.
    #[must_use]
    pub fn pass(&self, now: Timestamp) -> ClientPass {
        ClientPass {
            session: self.id.clone(),
            key: self.key.clone(),
            environment: self.environment.clone(),
            grants: self.grants.clone(),
            allowlist: self.allowlist.clone(),
            ceiling: self.ceiling,
            issued_at: now,
            end: self.end,
        }
    }
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    /// Its secret waits to be exchanged.
    Created,
    /// Its token opens the gate.
    Redeemed,
    /// It was ended, by its backend or with its key.
    Ended,
    /// Its time is over.
    Expired,
}

impl SessionStatus {
    /// The word in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Redeemed => "redeemed",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

/// Why a secret is not exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unredeemable {
    /// It is none, or was used, or its session is over: nobody is told which.
    Secret,
    /// It is used from where the session may not be.
    Origin,
    /// As many sessions with a ceiling are live under the key as its item has room for.
    Full {
        /// When the first of them is over.
        retry_at: Timestamp,
    },
}

#[cfg(test)]
mod tests;
