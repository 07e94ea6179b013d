//! The signing secret of the key that an endpoint belongs to: from the key itself where it asks, else as it was kept.

use faregate_domain::{
    cell::{Cell, CellId},
    id::{AccountId, KeyId},
    key::ApiKey,
    time::Timestamp,
    webhook::SigningSecret,
};
use faregate_edge::problem::Problem;
use faregate_gate::{Caller, management::Refusal};
use lambda_http::Request;
use secrecy::SecretString;

use crate::App;

impl App {
    /// Where a key asks: keeps the signing secret that follows from it, unless it is kept already, and returns it. Keys that
    /// were made by earlier versions get theirs kept so, and those whose kept one does not open any more.
    pub(crate) async fn keep_own_secret(
        &self,
        request: &Request,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Option<SecretString>, Refusal> {
        let CellId::Key(id) = &caller.id else { return Ok(None) };
        let Some(key) = self.gate.presented_key(request, now).await? else { return Ok(None) };
        if key.id() != *id {
            return Ok(None);
        }
        if !self.is_known(&caller.account, id, &caller.cell, now).await? {
            self.keep(&caller.account, &key, &caller.cell, now).await?;
        }
        Ok(Some(SigningSecret::of(&key)))
    }

    async fn keep(&self, account: &AccountId, key: &ApiKey, cell: &Cell, now: Timestamp) -> Result<(), Refusal> {
        let services = self.services();
        let secret = services.seal_signing_secret(account, key, rotations(cell), now).await?;
        services.store.keep_secret(&secret).await?;
        Ok(())
    }

    /// Whether the signing secret of the key's text in force is kept, and opens.
    pub(crate) async fn is_known(
        &self,
        account: &AccountId,
        key: &KeyId,
        cell: &Cell,
        now: Timestamp,
    ) -> Result<bool, Refusal> {
        let services = self.services();
        let kept = services.store.find_key_secrets(account, key).await?;
        let Some(sealed) = kept.and_then(|kept| kept.find(rotations(cell))) else { return Ok(false) };
        Ok(services.open_signing_secret(&sealed, now).await?.is_some())
    }
}

fn rotations(cell: &Cell) -> u64 {
    cell.secrets().map_or(0, faregate_domain::rotation::KeySecrets::rotations)
}

/// 409: nobody but the key itself can make it good.
pub(crate) fn unknown() -> Problem {
    let detail =
        "What deliveries are signed under is not known for this key; make or enable the endpoint with the key itself.";
    Problem::new(409, "webhook_secret_unknown", detail)
}
