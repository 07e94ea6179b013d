//! Projects of an account: what their owner calls them, and how their wallet begins.
//!
//! ```text
//! pk acc_<id>   sk prj_<id>   nm name · gm gallery mode · at created (epoch s)
//! pk acc_<id>   sk account    np projects beside the default one
//! pk prj_<id>   sk wallet     money, rate, and how often what the cells repeat of the project was changed
//! ```

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, Put};
use faregate_domain::{
    funding::Wallet,
    id::{AccountId, ProjectId},
    limit::Rate,
    money::MicroUsd,
    project::GalleryMode,
    time::Timestamp,
};

use crate::{
    Store, StoreError,
    batch::Order,
    cell::parse_number,
    client::Item,
    expression::{Builder, Write},
    funding::{WALLET, parse_wallet, rate_attributes, wallet_item},
    idempotency::Record,
    transaction::Transacted,
};

mod amend;
pub(crate) mod follow;

pub use amend::{ProjectAmendment, RateChange, SettingsChange};
pub use follow::Followed;

/// A project as its owner knows it; what it has and how fast it may go stand in its wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// What its owner calls it.
    pub name: String,
    /// Which gallery its requests search.
    pub gallery_mode: GalleryMode,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A project to insert, with everything that must become true together.
#[derive(Clone, Copy, Debug)]
pub struct NewProject<'p> {
    /// The account.
    pub account: &'p AccountId,
    /// The project.
    pub project: &'p Project,
    /// How fast all of its keys together may go.
    pub rate: Option<Rate>,
    /// The most projects that the account may have, the default one among them.
    pub max_projects: u32,
    /// The record of the request that makes it, which must not exist at its creation.
    pub record: Option<&'p Record>,
}

/// What an insertion met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectInsertion {
    /// The project is there.
    Inserted,
    /// The request has a record already; nothing was written.
    Recorded,
    /// The account has as many projects as it may have; nothing was written.
    Full,
}

impl Store {
    /// Inserts a project: its item, its wallet, its place among the account's projects and the record of the request,
    /// all or nothing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the same insertion may be sent again, and is applied at most once.
    pub async fn insert_project(&self, new: &NewProject<'_>) -> Result<ProjectInsertion, StoreError> {
        let mut wallet = wallet_item(&new.project.id, new.account, MicroUsd::ZERO);
        wallet.extend(new.rate.iter().flat_map(rate_attributes));
        let mut items = vec![
            self.put_new(Put::builder().set_item(Some(project_item(new.account, new.project))))?,
            self.put_new(Put::builder().set_item(Some(wallet)))?,
            self.part(&place(new))?,
        ];
        if let Some(record) = new.record {
            items.push(self.put_record(record, new.project.created_at)?);
        }
        let Transacted::Refused(refused) = self.transact(items).await? else { return Ok(ProjectInsertion::Inserted) };
        // An earlier send of this very insertion was applied and only its answer was lost: nobody else has its id.
        if refused.is_refused(0) {
            return Ok(ProjectInsertion::Inserted);
        }
        Ok(if refused.is_refused(3) { ProjectInsertion::Recorded } else { ProjectInsertion::Full })
    }

    /// A project of an account.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_project(&self, account: &AccountId, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        self.find(&account.to_string(), &id.to_string()).await?.map(|item| parse_project(&item)).transpose()
    }

    /// At most `limit` projects of an account in the order of their ids, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_projects(
        &self,
        account: &AccountId,
        after: Option<&ProjectId>,
        limit: u16,
    ) -> Result<Vec<Project>, StoreError> {
        let (partition, after) = (account.to_string(), after.map(ProjectId::to_string));
        let items = self.find_range(partition, ProjectId::PREFIX, after, limit, Order::Ascending).await?;
        items.iter().map(parse_project).collect()
    }

    /// The wallets of at most 100 projects, as they are now.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer or not all of it.
    pub async fn find_wallets(&self, ids: &[ProjectId]) -> Result<BTreeMap<ProjectId, Wallet>, StoreError> {
        let items = self.find_all(ids.iter().map(ProjectId::to_string), WALLET).await?;
        let read = |item: &Item| {
            let id = item.get("pk").and_then(|value| value.as_s().ok()).and_then(|text| ProjectId::parse(text).ok());
            Ok((id.ok_or_else(|| StoreError::malformed("wallet", "pk"))?, parse_wallet(item)?))
        };
        items.iter().map(read).collect()
    }
}

/// Takes a place among the account's projects; the default one has none.
fn place(new: &NewProject<'_>) -> Write {
    let mut builder = Builder::default();
    builder.number(":zero", 0);
    builder.number(":one", 1);
    builder.number(":max", i128::from(new.max_projects) - 1);
    builder.set("np = if_not_exists(np, :zero) + :one");
    builder.require("attribute_exists(pk)");
    builder.require("NOT np >= :max");
    builder.build(new.account.to_string(), ACCOUNT)
}

/// The item of a project.
pub(crate) fn project_item(account: &AccountId, project: &Project) -> Item {
    let string = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([
        ("pk".to_owned(), string(&account.to_string())),
        ("sk".to_owned(), string(&project.id.to_string())),
        ("nm".to_owned(), string(&project.name)),
        ("gm".to_owned(), string(project.gallery_mode.as_str())),
        ("at".to_owned(), AttributeValue::N(project.created_at.epoch_s().to_string())),
    ])
}

fn parse_project(item: &Item) -> Result<Project, StoreError> {
    let malformed = |name: &str| StoreError::malformed("project", name);
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).ok_or_else(|| malformed(name));
    Ok(Project {
        id: ProjectId::parse(string("sk")?).map_err(|_| malformed("sk"))?,
        name: string("nm")?.clone(),
        gallery_mode: GalleryMode::parse(string("gm")?).ok_or_else(|| malformed("gm"))?,
        created_at: Timestamp::from_epoch_s(item.get("at").and_then(parse_number).ok_or_else(|| malformed("at"))?),
    })
}

const ACCOUNT: &str = "account";

#[cfg(test)]
mod tests;
