//! A project's wallet: what is available, and the grants debited from it for each cell.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::CellId,
    funding::{Grant, Wallet},
    id::{AccountId, ProjectId},
    money::MicroUsd,
    recall::CLOSED,
};

use crate::{
    Store, StoreError,
    cell::parse_number,
    client::{Item, Written},
    expression::Builder,
};

impl Store {
    /// Reads a project's wallet as `child` sees it.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_wallet(&self, project: &ProjectId, child: &CellId) -> Result<Option<Wallet>, StoreError> {
        let item = self.find(&project.to_string(), WALLET).await?;
        item.map(|item| parse_wallet(&item, &child.partition())).transpose()
    }

    /// Debits a grant for `child`; false when the wallet has less than the amount or has debited that grant already.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; sending the same grant again never debits it twice.
    pub async fn debit_wallet(&self, project: &ProjectId, child: &CellId, grant: &Grant) -> Result<bool, StoreError> {
        let mut builder = Builder::default();
        builder.name("#c", child.partition());
        builder.number(":a", grant.amount.micro_usd());
        builder.number(":n", grant.seq);
        builder.set("av = av - :a");
        builder.set("gs.#c = :n");
        builder.set("ga.#c = :a");
        builder.require("av >= :a");
        builder.require("NOT gs.#c >= :n");
        match self.update(&builder.build(project.to_string(), WALLET)).await? {
            Written::Applied(_) => Ok(true),
            Written::Refused(_) => Ok(false),
        }
    }
}

/// The item of a new project's wallet.
pub(crate) fn wallet_item(project: &ProjectId, account: &AccountId, available: MicroUsd) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(project.to_string())),
        ("sk".to_owned(), AttributeValue::S(WALLET.to_owned())),
        ("acc".to_owned(), AttributeValue::S(account.suffix().to_owned())),
        ("av".to_owned(), AttributeValue::N(available.micro_usd().to_string())),
        ("gs".to_owned(), AttributeValue::M(HashMap::new())),
        ("ga".to_owned(), AttributeValue::M(HashMap::new())),
    ])
}

fn parse_wallet(item: &Item, child: &str) -> Result<Wallet, StoreError> {
    let malformed = |attribute: &str| StoreError::malformed("wallet", attribute);
    let map = |name: &str| item.get(name).and_then(|value| value.as_m().ok()).ok_or_else(|| malformed(name));
    let money = |value: Option<&AttributeValue>, name: &str| {
        let amount = value.and_then(parse_number).ok_or_else(|| malformed(name))?;
        MicroUsd::new(amount).map_err(|_| malformed(name))
    };
    let (sequences, amounts) = (map("gs")?, map("ga")?);
    let last = match sequences.get(child) {
        Some(seq) => {
            let seq = parse_number(seq).ok_or_else(|| malformed("gs"))?;
            Some(Grant { seq, amount: money(amounts.get(child), "ga")? })
        }
        None => None,
    };
    let is_live = |seq: &&AttributeValue| parse_number::<u64>(seq).is_some_and(|seq| seq < CLOSED);
    let live = sequences.values().filter(is_live).count();
    Ok(Wallet { available: money(item.get("av"), "av")?, children: u64::try_from(live).unwrap_or(u64::MAX), last })
}

/// The sort key of every wallet.
pub(crate) const WALLET: &str = "wallet";
