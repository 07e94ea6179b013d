//! Changes of a project: one update where that is enough, one transaction where its cells are to follow.

use faregate_domain::{
    id::{AccountId, ProjectId},
    limit::Rate,
    project::{Carry, GalleryMode, RateShift},
};

use crate::{
    Store, StoreError,
    admit::advance,
    client::Written,
    expression::{Builder, Write},
    funding::{WALLET, rate_attributes},
    transaction::Transacted,
};

/// What to change about a project; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectAmendment {
    /// Its name.
    pub name: Option<String>,
    /// What its cells repeat of it.
    pub settings: Option<SettingsChange>,
}

/// A change that the cells of a project are to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsChange {
    /// Which change was the last one; it must still be.
    pub version: u64,
    /// Which gallery its requests search.
    pub gallery_mode: Option<GalleryMode>,
    /// How fast its keys together may go.
    pub rate: Option<RateChange>,
}

/// A new rate, and what that means for the window that is running under the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateChange {
    /// What the rate becomes.
    pub new: Option<Rate>,
    /// The running window's part, where there was a rate.
    pub shift: Option<RateShift>,
}

impl Store {
    /// Applies a change; false when the project is no longer in the state that the change was computed from, and nothing
    /// was written. A change of settings is in force for whatever is granted or inserted from then on; the cells that are
    /// there already follow one by one.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the change may have been applied.
    pub async fn amend_project(
        &self,
        account: &AccountId,
        id: &ProjectId,
        amendment: &ProjectAmendment,
    ) -> Result<bool, StoreError> {
        let project = project_write(account, id, amendment);
        let wallet = amendment.settings.as_ref().map(|change| wallet_write(id, change));
        Ok(match (project, wallet) {
            (None, None) => true,
            (Some(write), None) | (None, Some(write)) => matches!(self.update(&write).await?, Written::Applied(_)),
            (Some(project), Some(wallet)) => {
                let items = vec![self.part(&project)?, self.part(&wallet)?];
                matches!(self.transact(items).await?, Transacted::Applied)
            }
        })
    }
}

fn project_write(account: &AccountId, id: &ProjectId, amendment: &ProjectAmendment) -> Option<Write> {
    let gallery_mode = amendment.settings.as_ref().and_then(|change| change.gallery_mode);
    if amendment.name.is_none() && gallery_mode.is_none() {
        return None;
    }
    let mut builder = Builder::default();
    builder.require("attribute_exists(pk)");
    if let Some(name) = &amendment.name {
        builder.string(":name", name.as_str());
        builder.set("nm = :name");
    }
    if let Some(mode) = gallery_mode {
        builder.string(":mode", mode.as_str());
        builder.set("gm = :mode");
    }
    Some(builder.build(account.to_string(), &id.to_string()))
}

fn wallet_write(id: &ProjectId, change: &SettingsChange) -> Write {
    let mut builder = Builder::default();
    builder.number(":version", change.version + 1);
    builder.set("sv = :version");
    require_version(&mut builder, change.version);
    if let Some(rate) = &change.rate {
        match &rate.new {
            Some(new) => {
                for (name, value) in rate_attributes(new) {
                    builder.value(&format!(":{name}"), value);
                    builder.set(format!("{name} = :{name}"));
                }
            }
            None => ["tl", "tb", "tc", "tw"].into_iter().for_each(|name| builder.remove(name)),
        }
        if let Some(shift) = &rate.shift {
            shift_tokens(&mut builder, shift);
        }
        if !rate.shift.as_ref().is_some_and(|shift| shift.tokens.goes_on()) {
            builder.set("sc = :version");
        }
    }
    builder.build(id.to_string(), WALLET)
}

/// Requires that a project's settings have not been changed since that version.
pub(crate) fn require_version(builder: &mut Builder, version: u64) {
    builder.require("attribute_exists(pk)");
    if version == 0 {
        builder.require("attribute_not_exists(sv)");
    } else {
        builder.number(":seen", version);
        builder.require("sv = :seen");
    }
}

fn shift_tokens(builder: &mut Builder, shift: &RateShift) {
    advance(builder, shift.window);
    let attribute = |index: u64| format!("m{index}");
    match &shift.tokens {
        Carry::Shifted(tokens) => {
            builder.name("#m", attribute(shift.window.index));
            // Relative, so that it is right whatever is granted meanwhile.
            builder.number(":tokens", *tokens);
            builder.set("#m = #m + :tokens");
            builder.require("attribute_exists(#m)");
        }
        Carry::Unopened => {
            builder.name("#m", attribute(shift.window.index));
            builder.require("attribute_not_exists(#m)");
        }
        Carry::Forgotten(windows) => {
            for (number, index) in windows.iter().enumerate() {
                let placeholder = format!("#x{number}");
                builder.name(&placeholder, attribute(*index));
                builder.remove(placeholder);
            }
        }
    }
}
