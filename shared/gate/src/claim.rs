//! From a credential's text to a claim on a cell, proven as far as that goes without reading it.

use std::sync::Arc;

use faregate_domain::{
    attempt::Proof,
    cell::{Cell, CellId},
    credential::Credential,
    denial::Denial,
    id::KeyId,
    key::{ApiKey, InvalidKey, KeyHash},
    secret::{MacSecret, Versions},
    time::Timestamp,
};
use faregate_edge::{
    client_token::{ClientToken, ClientTokenError},
    secrets::SecretName,
};

use crate::{Gate, GateError, session::SessionError};

/// A caller's claim on a cell, proven as far as that goes without reading it.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) cell: CellId,
    pub(crate) proof: Proof,
    pub(crate) environment: String,
    /// Whether an operator's wallet signed in; a key never acts as one.
    pub(crate) is_operator: bool,
    key: Option<Arc<ApiKey>>,
}

impl Claim {
    /// The claim of whoever holds the key's secret in force; `None` for a cell that is none of a key.
    pub(crate) fn of_holder(id: &KeyId, cell: &Cell) -> Option<Self> {
        Some(Self {
            cell: CellId::Key(id.clone()),
            proof: Proof::Key(vec![cell.secrets()?.current]),
            environment: cell.owner.environment.clone(),
            is_operator: false,
            key: None,
        })
    }

    /// The key that was presented, where it is one.
    pub(crate) fn into_key(self) -> Option<Arc<ApiKey>> {
        self.key
    }
}

impl Gate {
    /// Turns a credential's text into a claim on a cell.
    pub(crate) async fn claim(
        &self,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<Result<Claim, Denial>, GateError> {
        match credential {
            Credential::Key(_) => self.claim_of_key(credential.expose(), now).await,
            Credential::Token(_) => self.claim_of_session(credential.expose(), now).await,
            Credential::Client(_) => self.claim_of_client(credential.expose(), now).await,
        }
    }

    async fn claim_of_session(&self, token: &str, now: Timestamp) -> Result<Result<Claim, Denial>, GateError> {
        let policy = &self.services().config.policy;
        match self.sessions().verify(token, now).await {
            Ok(session) => Ok(Ok(Claim {
                cell: CellId::Session(session.account),
                proof: Proof::Session(session.session),
                environment: policy.default_environment().name.clone(),
                is_operator: policy.is_operator(&session.address),
                key: None,
            })),
            Err(SessionError::InvalidToken(_) | SessionError::Ended) => Ok(Err(Denial::InvalidToken)),
            Err(SessionError::Store(error)) => Err(error.into()),
        }
    }

    /// The claim of a client session on the cell of its key: its token says all of it, and nothing is read.
    async fn claim_of_client(&self, token: &str, now: Timestamp) -> Result<Result<Claim, Denial>, GateError> {
        let origin = &self.services().config.public_origin;
        let link = self.services().secrets.find(SecretName::Link, now).await?;
        let verified = match ClientToken::verify(token, &link, origin, now) {
            // The secret may just have been rotated; asking again is bounded in the secrets' own cache.
            Err(ClientTokenError::Tag) => {
                let link = self.services().secrets.find_fresh(SecretName::Link, now).await?;
                ClientToken::verify(token, &link, origin, now)
            }
            other => other,
        };
        let Ok(pass) = verified else { return Ok(Err(Denial::InvalidToken)) };
        Ok(Ok(Claim {
            cell: CellId::Key(pass.key.clone()),
            environment: pass.environment.clone(),
            proof: Proof::Client(Box::new(pass)),
            is_operator: false,
            key: None,
        }))
    }

    pub(crate) async fn claim_of_key(&self, text: &str, now: Timestamp) -> Result<Result<Claim, Denial>, GateError> {
        let policy = &self.services().config.policy;
        let prefixes = || policy.environments().iter().map(|environment| environment.prefix.as_str());
        let tag = self.services().secrets.find(SecretName::Tag, now).await?;
        let parsed = match ApiKey::parse(text, prefixes(), &tag) {
            // The tag secret may just have been rotated; asking again is bounded in the secrets' own cache.
            Err(InvalidKey::Tag) => {
                let tag = self.services().secrets.find_fresh(SecretName::Tag, now).await?;
                ApiKey::parse(text, prefixes(), &tag)
            }
            other => other,
        };
        let Ok(key) = parsed else {
            return Ok(Err(Denial::InvalidApiKey));
        };
        let Some(environment) = policy.find_environment_by_prefix(key.environment_prefix()) else {
            return Ok(Err(Denial::InvalidApiKey));
        };
        let pepper = self.services().secrets.find(SecretName::Pepper, now).await?;
        Ok(Ok(Claim {
            cell: CellId::Key(key.id()),
            proof: Proof::Key(hashes(&key, &pepper)),
            environment: environment.name.clone(),
            is_operator: false,
            key: Some(Arc::new(key)),
        }))
    }

    /// The proof under a pepper read anew, if it differs: a rotation may just have happened.
    pub(crate) async fn reproved(&self, claim: &Claim, now: Timestamp) -> Result<Option<Proof>, GateError> {
        let Some(key) = &claim.key else { return Ok(None) };
        let pepper = self.services().secrets.find_fresh(SecretName::Pepper, now).await?;
        let proof = Proof::Key(hashes(key, &pepper));
        Ok((proof != claim.proof).then_some(proof))
    }
}

fn hashes(key: &ApiKey, pepper: &Versions<MacSecret>) -> Vec<KeyHash> {
    pepper.iter().map(|pepper| key.hash(pepper)).collect()
}
