//! A project as it is now: what its owner calls it, and the wallet that says what it has and how fast it may go.

use faregate_domain::{
    funding::Wallet,
    id::{AccountId, ProjectId},
    project::Settings,
};
use faregate_store::Project;

use crate::{Gate, GateError};

/// A project and its wallet.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectState {
    /// The project.
    pub project: Project,
    /// Its wallet.
    pub wallet: Wallet,
}

impl ProjectState {
    /// What the project's cells are to repeat of it.
    #[must_use]
    pub fn settings(&self, account: &AccountId) -> Settings {
        Settings {
            gallery: self.project.gallery_mode.gallery(account, &self.project.id),
            window: self.wallet.rate.map(|rate| rate.window),
            version: self.wallet.version,
            counting_since: self.wallet.counting_since,
        }
    }
}

impl Gate {
    /// A project of an account.
    ///
    /// # Errors
    /// [`GateError`] when a part failed.
    pub async fn find_project(&self, account: &AccountId, id: &ProjectId) -> Result<Option<ProjectState>, GateError> {
        let store = &self.services().store;
        // The wallet first: what the project's item says is then at least as new as the wallet's version, and whoever
        // requires that version requires that both belong together.
        let wallet = store.find_wallet(id).await?;
        let Some(project) = store.find_project(account, id).await? else { return Ok(None) };
        Ok(Some(ProjectState { project, wallet: wallet.ok_or(GateError::NoWallet)? }))
    }
}
