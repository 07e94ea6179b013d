//! What deliveries to a key's endpoints are signed under: kept sealed, because the key that it follows from is kept nowhere.

use faregate_domain::{
    id::{AccountId, KeyId},
    key::ApiKey,
    time::Timestamp,
    webhook::SigningSecret,
};
use faregate_edge::{
    seal::{self, SealError},
    secrets::{SecretName, SecretsError},
};
use faregate_store::SealedSecret;
use secrecy::ExposeSecret as _;

use crate::Services;

impl Services {
    /// Seals the signing secret that follows from a key's text, which the key has after its `number`-th rotation.
    ///
    /// # Errors
    /// [`SigningError`] when the seal secret cannot be read.
    pub async fn seal_signing_secret(
        &self,
        account: &AccountId,
        key: &ApiKey,
        number: u64,
        now: Timestamp,
    ) -> Result<SealedSecret, SigningError> {
        let (secret, id) = (SigningSecret::of(key), key.id());
        let sealed = self.seal_as(account, &id, number, secret.expose_secret(), now).await?;
        Ok(SealedSecret { account: account.clone(), key: id, number, sealed })
    }

    /// Opens a signing secret; `None` where it opens under no version of the seal secret that is known.
    ///
    /// # Errors
    /// [`SigningError`] when the seal secret cannot be read.
    pub async fn open_signing_secret(
        &self,
        sealed: &SealedSecret,
        now: Timestamp,
    ) -> Result<Option<SigningSecret>, SigningError> {
        let record = SealedSecret::record_name(&sealed.account, &sealed.key, sealed.number);
        let versions = self.secrets.find(SecretName::Seal, now).await?;
        let opened = match seal::open(&versions, &record, &sealed.sealed) {
            // The secret may just have been rotated; asking again is bounded in the secrets' own cache.
            Err(_) => {
                let versions = self.secrets.find_fresh(SecretName::Seal, now).await?;
                seal::open(&versions, &record, &sealed.sealed)
            }
            opened => opened,
        };
        Ok(opened.ok().and_then(|text| SigningSecret::parse(text.expose_secret())))
    }

    /// The same secret sealed under the current version, where it stands under the one before; what stands under no known
    /// version stays as it is.
    ///
    /// # Errors
    /// [`SigningError`] when the seal secret cannot be read.
    pub async fn reseal_signing_secret(
        &self,
        sealed: &SealedSecret,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, SigningError> {
        let record = SealedSecret::record_name(&sealed.account, &sealed.key, sealed.number);
        let versions = self.secrets.find(SecretName::Seal, now).await?;
        if seal::is_current(&versions, &record, &sealed.sealed) {
            return Ok(None);
        }
        let Ok(text) = seal::open(&versions, &record, &sealed.sealed) else { return Ok(None) };
        self.seal_as(&sealed.account, &sealed.key, sealed.number, text.expose_secret(), now).await.map(Some)
    }

    async fn seal_as(
        &self,
        account: &AccountId,
        key: &KeyId,
        number: u64,
        text: &str,
        now: Timestamp,
    ) -> Result<Vec<u8>, SigningError> {
        let versions = self.secrets.find(SecretName::Seal, now).await?;
        Ok(seal::seal(&versions, &SealedSecret::record_name(account, key, number), text)?)
    }
}

/// Why a signing secret cannot be sealed or opened; never says anything of it.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The seal secret cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The cipher refused the text.
    #[error(transparent)]
    Seal(#[from] SealError),
}
