//! How a cell follows its project: it repeats what the project's last change made of gallery and rate, and gives back
//! the tokens that it holds under the rate before.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{cell::CellId, funding::TokenSlice, id::ProjectId, project::Settings};

use crate::{
    Store, StoreError,
    cell::{CELL, counters::tokens_attribute, parse_number},
    client::{Item, Written},
    expression::{Builder, Write},
    funding::WALLET,
    project::amend::require_version,
    transaction::Transacted,
};

/// What a cell that was to follow its project met.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    /// It repeats these settings, or later ones.
    InForce,
    /// It, or its project's wallet, has changed since it was read; nothing was written.
    Outdated,
    /// There is no such cell.
    Missing,
}

impl Store {
    /// Has a cell repeat its project's settings, unless it repeats these or later ones already, and takes the tokens of
    /// the project's rate out of it: `returned` goes back to the wallet in the same moment, must be all that the cell
    /// holds for that window, and must belong to the wallet's present count; tokens of the other windows, `forgotten`, are
    /// given up.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; sending the same again changes nothing more.
    pub async fn follow_project(
        &self,
        id: &CellId,
        settings: &Settings,
        returned: Option<(&ProjectId, TokenSlice)>,
        forgotten: &[u64],
    ) -> Result<Followed, StoreError> {
        let cell = following(id, settings, returned.map(|(_, tokens)| tokens), forgotten);
        let Some((project, tokens)) = returned else {
            return Ok(match self.update(&cell).await? {
                Written::Applied(_) => Followed::InForce,
                Written::Refused(item) => refusal(item.as_ref(), settings),
            });
        };
        let items = vec![self.part(&cell)?, self.part(&receiving(project, settings, tokens))?];
        Ok(match self.transact(items).await? {
            Transacted::Applied => Followed::InForce,
            Transacted::Refused(refused) if refused.is_refused(0) => refusal(refused.item(0), settings),
            Transacted::Refused(_) => Followed::Outdated,
        })
    }
}

fn refusal(cell: Option<&Item>, settings: &Settings) -> Followed {
    match cell {
        None => Followed::Missing,
        Some(item) if version(item).is_some_and(|version| version >= settings.version) => Followed::InForce,
        Some(_) => Followed::Outdated,
    }
}

fn following(id: &CellId, settings: &Settings, returned: Option<TokenSlice>, forgotten: &[u64]) -> Write {
    let mut builder = Builder::default();
    builder.require("attribute_exists(pk)");
    builder.number(":version", settings.version);
    builder.require("NOT pv >= :version");
    builder.set("pv = :version");
    builder.string(":gallery", settings.gallery.as_str());
    builder.set("gal = :gallery");
    match settings.window {
        Some(length) => {
            builder.number(":window", length.seconds());
            builder.set("pw = :window");
        }
        None => builder.remove("pw"),
    }
    if let Some(tokens) = returned {
        builder.name("#p", tokens_attribute(tokens.index));
        builder.number(":held", tokens.count);
        builder.remove("#p");
        builder.require("#p = :held");
        if settings.counting_since > 0 {
            builder.number(":since", settings.counting_since);
            builder.require("pv >= :since");
        }
    }
    for (number, index) in forgotten.iter().enumerate() {
        let placeholder = format!("#x{number}");
        builder.name(&placeholder, tokens_attribute(*index));
        builder.remove(placeholder);
    }
    builder.build(id.partition(), CELL)
}

/// Tokens that come back while the settings are still those which the cell is to follow, to a window that is still open.
fn receiving(project: &ProjectId, settings: &Settings, tokens: TokenSlice) -> Write {
    let mut builder = Builder::default();
    require_version(&mut builder, settings.version);
    builder.name("#m", format!("m{}", tokens.index));
    builder.number(":returned", tokens.count);
    builder.set("#m = #m + :returned");
    builder.require("attribute_exists(#m)");
    builder.build(project.to_string(), WALLET)
}

/// The attribute of the settings' version that a new cell repeats; none before a project's first change.
pub(crate) fn version_attribute(version: u64) -> Option<(String, AttributeValue)> {
    (version > 0).then(|| (VERSION.to_owned(), AttributeValue::N(version.to_string())))
}

fn version(item: &Item) -> Option<u64> {
    item.get(VERSION).and_then(parse_number)
}

/// The check that a project's settings are still of that version.
pub(crate) fn version_check(project: &ProjectId, version: u64) -> Write {
    let mut builder = Builder::default();
    require_version(&mut builder, version);
    builder.build(project.to_string(), WALLET)
}

const VERSION: &str = "pv";
