//! Projects of an account.

use faregate_domain::id::{AccountId, ProjectId};

use crate::{Store, StoreError};

/// A project as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Whether its requests search a gallery of its own instead of the account's shared one.
    pub is_isolated: bool,
}

impl Store {
    /// A project of an account.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_project(&self, account: &AccountId, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        let Some(item) = self.find(&account.to_string(), &id.to_string()).await? else { return Ok(None) };
        let mode = item.get("gm").and_then(|value| value.as_s().ok()).map(String::as_str);
        let is_isolated = match mode {
            Some("isolated") => true,
            Some("shared") => false,
            _ => return Err(StoreError::malformed("project", "gm")),
        };
        Ok(Some(Project { id: id.clone(), is_isolated }))
    }
}
