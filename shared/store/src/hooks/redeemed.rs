//! A client session's item, as far as it is told that the session was opened: `ses_…` · `session`, where `rd` says when.

use faregate_domain::{
    id::{AccountId, KeyId, ProjectId},
    time::Timestamp,
};

use crate::{StoreError, cell::Reader, client::Item};

/// A client session that was opened with its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedeemedSession {
    /// Its id.
    pub id: String,
    /// The account.
    pub account: AccountId,
    /// The project of its key.
    pub project: ProjectId,
    /// The key that it charges.
    pub key: KeyId,
    /// What the backend that made it calls it.
    pub reference: Option<String>,
    /// When it was opened.
    pub at: Timestamp,
}

/// The session that a write has opened; `None` for a write that opened none.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_redeemed_session(before: Option<&Item>, after: &Item) -> Result<Option<RedeemedSession>, StoreError> {
    let opened_at = |item: &Item| Reader { item }.find_number::<u64>("rd");
    let (was, now) = (before.map(opened_at).transpose()?.flatten(), opened_at(after)?);
    let (None, Some(at)) = (was, now) else { return Ok(None) };
    let (read, malformed) = (Reader { item: after }, |name: &str| StoreError::malformed("client session", name));
    Ok(Some(RedeemedSession {
        id: read.string("pk")?.to_owned(),
        account: AccountId::from_suffix(read.string("acc")?).map_err(|_| malformed("acc"))?,
        project: ProjectId::from_suffix(read.string("prj")?).map_err(|_| malformed("prj"))?,
        key: KeyId::from_suffix(read.string("ky")?).map_err(|_| malformed("ky"))?,
        reference: read.string("rf").ok().map(str::to_owned),
        at: Timestamp::from_epoch_ms(at),
    }))
}
