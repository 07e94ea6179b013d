//! Accounts: one per wallet address, created whole or not at all.
//!
//! ```text
//! pk adr_<40 hex>   sk account   acc account
//! pk acc_<id>       sk account   ad address · pl plan · prj default project · at created (epoch s)
//! pk acc_<id>       sk wallet    the account's money
//! pk acc_<id>       sk ent_<id>  what was moved
//! pk acc_<id>       sk prj_<id>  the default project
//! pk prj_<id>       sk wallet    the project's money
//! pk ssn_<id>       sk cell      the account's logins
//! ```

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Put, TransactWriteItem},
};
use faregate_domain::{
    cell::{Cell, CellId},
    id::{AccountId, ProjectId},
    ledger::Entry,
    money::MicroUsd,
    project::GalleryMode,
    time::Timestamp,
    wallet::Address,
};

use crate::{
    Project, Store, StoreError,
    cell::{cell_item, parse_number},
    client::Item,
    funding::wallet_item,
    ledger::{account_wallet_item, entry_item},
    project::project_item,
};

/// An account as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The wallet that it belongs to.
    pub address: Address,
    /// The plan's name in the policy.
    pub plan: String,
    /// The project that sessions act for.
    pub default_project: ProjectId,
    /// When its owner first signed in.
    pub created_at: Timestamp,
}

impl Store {
    /// Some of all accounts, in no order, and where to go on; it reads the whole table, piece by piece.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn scan_accounts(
        &self,
        after: Option<HashMap<String, AttributeValue>>,
    ) -> Result<(Vec<AccountId>, Option<HashMap<String, AttributeValue>>), StoreError> {
        let scan = self.client().scan().table_name(self.table()).set_exclusive_start_key(after);
        let scan = scan
            .filter_expression("sk = :account AND begins_with(pk, :prefix)")
            .projection_expression("pk")
            .expression_attribute_values(":account", AttributeValue::S(ACCOUNT.to_owned()))
            .expression_attribute_values(":prefix", AttributeValue::S(AccountId::PREFIX.to_owned()));
        let found = scan.send().await.map_err(|error| StoreError::unanswered("scan", &error))?;
        let account = |item: &Item| {
            let text = item.get("pk").and_then(|value| value.as_s().ok());
            let id = text.and_then(|text| AccountId::parse(text).ok());
            id.ok_or_else(|| StoreError::malformed("account", "pk"))
        };
        let accounts = found.items.unwrap_or_default().iter().map(account).collect::<Result<_, _>>()?;
        Ok((accounts, found.last_evaluated_key))
    }

    /// The account of a wallet.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_account_of(&self, address: Address) -> Result<Option<AccountId>, StoreError> {
        let Some(item) = self.find(&address_partition(address), ACCOUNT).await? else { return Ok(None) };
        let account =
            item.get("acc").and_then(|value| value.as_s().ok()).and_then(|id| AccountId::from_suffix(id).ok());
        account.map(Some).ok_or_else(|| StoreError::malformed("address", "acc"))
    }

    /// An account by its id.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        self.find(&id.to_string(), ACCOUNT).await?.map(|item| parse_account(id, &item)).transpose()
    }

    /// Creates an account with its default project, which holds `credit`, the entries of that, and the cell of its logins,
    /// all at once; false where the wallet has an account already, and nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB did not confirm it; the account may exist.
    pub async fn insert_account(
        &self,
        account: &Account,
        credit: MicroUsd,
        session_cell: &Cell,
    ) -> Result<bool, StoreError> {
        let items = account_items(account, credit, session_cell);
        let sent = self.client().transact_write_items().set_transact_items(Some(self.puts(items)?)).send().await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                // Conflicts count as a lost race too: whoever won it has created the account, or the caller asks again.
                Some(TransactWriteItemsError::TransactionCanceledException(_)) => Ok(false),
                Some(refusal) if refusal.code() == Some("TransactionInProgressException") => Ok(false),
                _ => Err(StoreError::unanswered("transact", &error)),
            },
        }
    }

    fn puts(&self, items: Vec<Item>) -> Result<Vec<TransactWriteItem>, StoreError> {
        let put = |item| {
            let put = Put::builder().table_name(self.table()).set_item(Some(item));
            let put = put.condition_expression("attribute_not_exists(pk)").build();
            let put = put.map_err(|_| StoreError::malformed("account", "pk"))?;
            Ok(TransactWriteItem::builder().put(put).build())
        };
        items.into_iter().map(put).collect()
    }
}

fn account_items(account: &Account, credit: MicroUsd, session_cell: &Cell) -> Vec<Item> {
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let created_at = AttributeValue::N(account.created_at.epoch_s().to_string());
    let item = |partition: &str, sort: &str, rest: &[(&str, AttributeValue)]| {
        let keys = [("pk", string(partition)), ("sk", string(sort))];
        keys.into_iter()
            .chain(rest.iter().cloned())
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<HashMap<_, _>>()
    };
    let id = account.id.to_string();
    let project = Project {
        id: account.default_project.clone(),
        name: DEFAULT_PROJECT.to_owned(),
        gallery_mode: GalleryMode::Isolated,
        created_at: account.created_at,
    };
    let entries = Entry::of_sign_up(&account.id, &project.id, credit, account.created_at);
    let mut items = vec![
        item(&address_partition(account.address), ACCOUNT, &[("acc", string(account.id.suffix()))]),
        item(
            &id,
            ACCOUNT,
            &[
                ("ad", string(&account.address.lower_hex())),
                ("pl", string(&account.plan)),
                ("prj", string(account.default_project.suffix())),
                ("at", created_at),
            ],
        ),
        account_wallet_item(&account.id, entries.len()),
        project_item(&account.id, &project),
        wallet_item(&account.default_project, &account.id, credit),
        cell_item(&CellId::Session(account.id.clone()), session_cell),
    ];
    items.extend(entries.iter().map(|entry| entry_item(&account.id, entry)));
    items
}

fn parse_account(id: &AccountId, item: &Item) -> Result<Account, StoreError> {
    let malformed = |name: &str| StoreError::malformed("account", name);
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).ok_or_else(|| malformed(name));
    Ok(Account {
        id: id.clone(),
        address: format!("0x{}", string("ad")?).parse().map_err(|_| malformed("ad"))?,
        plan: string("pl")?.clone(),
        default_project: ProjectId::from_suffix(string("prj")?).map_err(|_| malformed("prj"))?,
        created_at: Timestamp::from_epoch_s(item.get("at").and_then(parse_number).ok_or_else(|| malformed("at"))?),
    })
}

fn address_partition(address: Address) -> String {
    format!("adr_{}", address.lower_hex())
}

pub(crate) const ACCOUNT: &str = "account";
const DEFAULT_PROJECT: &str = "default";

#[cfg(test)]
pub(crate) mod tests;
