//! An account's wallet and the entries of what was moved: each movement and its entry are one transaction.
//!
//! ```text
//! pk acc_<id>        sk wallet      av what is allocated to no project · ne entries so far · ow what refunds are to take yet
//! pk acc_<id>        sk ent_<id>    kd kind · am amount · prj project · rf reference · at (epoch ms)
//! pk ref_<sha-256>   sk reference   acc account · am amount · ent entry · av the wallet afterwards · at (epoch ms)
//! ```

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use faregate_domain::{
    id::{AccountId, EntryId, ProjectId},
    ledger::{AccountWallet, Balances, Entry, EntryKind, Movement, Reference},
    money::MicroUsd,
    time::Timestamp,
};

use crate::{
    Store, StoreError,
    batch::Order,
    cell::parse_number,
    client::Item,
    expression::{Builder, Write},
    funding::WALLET,
    idempotency::Record,
    transaction::Transacted,
};

/// A movement between an account and one of its projects, computed from balances that must still hold.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'t> {
    /// The account.
    pub account: &'t AccountId,
    /// The project.
    pub project: &'t ProjectId,
    /// What is moved.
    pub movement: Movement,
    /// Entries that the account had.
    pub entries: u64,
    /// The balances that it was computed from. The project's own may have changed since: it must only be enough.
    pub before: Balances,
    /// The balances that it leaves.
    pub after: Balances,
    /// Its entry.
    pub entry: &'t Entry,
    /// The record of the request that asks for it, which must not exist at the entry's time.
    pub record: Option<&'t Record>,
}

/// A credit to an account's wallet.
#[derive(Clone, Copy, Debug)]
pub struct Deposit<'d> {
    /// The account.
    pub account: &'d AccountId,
    /// What it refers to, which was never credited before.
    pub reference: &'d Reference,
    /// What the wallet was like.
    pub before: AccountWallet,
    /// What it holds afterwards.
    pub after: MicroUsd,
    /// Its entry, which names the amount.
    pub entry: &'d Entry,
    /// The record of the request that asks for it, which must not exist at the entry's time.
    pub record: Option<&'d Record>,
}

/// What a transfer met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transferred {
    /// The money is moved.
    Moved,
    /// The request has a record already; nothing was moved.
    Recorded,
    /// The balances have changed since they were read; nothing was moved.
    Outdated,
}

/// What a deposit met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deposited {
    /// The money is there.
    Moved,
    /// The request has a record already; nothing was moved.
    Recorded,
    /// The reference was credited before; nothing was moved.
    Known(Credited),
    /// The wallet has changed since it was read; nothing was moved.
    Outdated,
}

/// What a reference was credited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credited {
    /// To whom.
    pub account: AccountId,
    /// How much.
    pub amount: MicroUsd,
    /// Its entry.
    pub entry: EntryId,
    /// What the wallet held afterwards.
    pub after: MicroUsd,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// An account's wallet; `None` where there is no such account.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_account_wallet(&self, account: &AccountId) -> Result<Option<AccountWallet>, StoreError> {
        let kind = "account's wallet";
        let read = |item: Item| {
            let entries = item.get("ne").and_then(parse_number).ok_or_else(|| StoreError::malformed(kind, "ne"))?;
            let owed = item.get("ow").map_or(Ok(MicroUsd::ZERO), |_| money(&item, kind, "ow"))?;
            Ok(AccountWallet { available: money(&item, kind, "av")?, entries, owed })
        };
        self.find(&account.to_string(), WALLET).await?.map(read).transpose()
    }

    /// Moves money between an account and one of its projects, all or nothing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer: the money may have been moved. Sending the same transfer, with the
    /// same entry, again moves it once.
    pub async fn transfer(&self, transfer: &Transfer<'_>) -> Result<Transferred, StoreError> {
        let Transfer { account, entries, before, after, entry, .. } = *transfer;
        let mut items = vec![
            self.put_entry(account, entry)?,
            self.part(&account_write(account, entries, before.account, after.account))?,
            self.part(&project_write(transfer))?,
        ];
        if let Some(record) = transfer.record {
            items.push(self.put_record(record, entry.at)?);
        }
        let Transacted::Refused(refused) = self.transact(items).await? else { return Ok(Transferred::Moved) };
        // An earlier send of this very transfer was applied and only its answer was lost.
        Ok(match (refused.is_refused(0), refused.is_refused(3)) {
            (true, _) => Transferred::Moved,
            (false, true) => Transferred::Recorded,
            (false, false) => Transferred::Outdated,
        })
    }

    /// Credits an account's wallet, all or nothing.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer: the money may be there. Sending the same deposit, with the same
    /// entry, again credits it once.
    pub async fn deposit(&self, deposit: &Deposit<'_>) -> Result<Deposited, StoreError> {
        let Deposit { account, before, after, entry, .. } = *deposit;
        let reference = Put::builder().set_item(Some(reference_item(deposit)));
        let mut items = vec![
            self.put_entry(account, entry)?,
            self.part(&account_write(account, before.entries, before.available, after))?,
            self.put_new(reference)?,
        ];
        if let Some(record) = deposit.record {
            items.push(self.put_record(record, entry.at)?);
        }
        let Transacted::Refused(refused) = self.transact(items).await? else { return Ok(Deposited::Moved) };
        if refused.is_refused(0) {
            return Ok(Deposited::Moved);
        }
        if refused.is_refused(3) {
            return Ok(Deposited::Recorded);
        }
        refused.item(2).map_or(Ok(Deposited::Outdated), |item| parse_credited(item).map(Deposited::Known))
    }

    /// What a reference was credited for.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_credited(&self, reference: &Reference) -> Result<Option<Credited>, StoreError> {
        let item = self.find(&reference.record_name(), REFERENCE).await?;
        item.map(|item| parse_credited(&item)).transpose()
    }

    /// At most `limit` entries of an account, the newest first, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_entries(
        &self,
        account: &AccountId,
        after: Option<&EntryId>,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError> {
        let (partition, after) = (account.to_string(), after.map(EntryId::to_string));
        let items = self.find_range(partition, EntryId::PREFIX, after, limit, Order::Descending).await?;
        items.iter().map(parse_entry).collect()
    }

    pub(crate) fn put_entry(&self, account: &AccountId, entry: &Entry) -> Result<TransactWriteItem, StoreError> {
        self.put_new(Put::builder().set_item(Some(entry_item(account, entry))))
    }
}

/// Leaves one entry more; nobody else may have written one since the wallet was read.
fn account_write(account: &AccountId, entries: u64, before: MicroUsd, after: MicroUsd) -> Write {
    let mut builder = Builder::default();
    builder.number(":before", before.micro_usd());
    builder.number(":after", after.micro_usd());
    builder.number(":entries", entries);
    builder.number(":next", entries + 1);
    builder.set("av = :after");
    builder.set("ne = :next");
    builder.require("av = :before");
    builder.require("ne = :entries");
    builder.build(account.to_string(), WALLET)
}

fn project_write(transfer: &Transfer<'_>) -> Write {
    let mut builder = Builder::default();
    builder.number(":a", transfer.movement.amount().micro_usd());
    builder.number(":before", transfer.before.allocated.micro_usd());
    builder.number(":after", transfer.after.allocated.micro_usd());
    builder.set("al = :after");
    builder.require("al = :before");
    match transfer.movement {
        Movement::Allocate(_) => builder.set("av = av + :a"),
        Movement::Return(_) => {
            builder.set("av = av - :a");
            builder.require("av >= :a");
        }
    }
    builder.build(transfer.project.to_string(), WALLET)
}

/// The item of a new account's wallet, which is empty.
pub(crate) fn account_wallet_item(account: &AccountId, entries: usize) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(account.to_string())),
        ("sk".to_owned(), AttributeValue::S(WALLET.to_owned())),
        ("av".to_owned(), AttributeValue::N("0".to_owned())),
        ("ne".to_owned(), AttributeValue::N(entries.to_string())),
    ])
}

/// The item of an entry.
pub(crate) fn entry_item(account: &AccountId, entry: &Entry) -> Item {
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let mut item = HashMap::from([
        ("pk".to_owned(), string(&account.to_string())),
        ("sk".to_owned(), string(&entry.id.to_string())),
        ("kd".to_owned(), string(entry.kind.as_str())),
        ("am".to_owned(), AttributeValue::N(entry.amount.micro_usd().to_string())),
        ("at".to_owned(), AttributeValue::N(entry.at.epoch_ms().to_string())),
    ]);
    if let Some(project) = &entry.project {
        item.insert("prj".to_owned(), string(project.suffix()));
    }
    if let Some(reference) = &entry.reference {
        item.insert("rf".to_owned(), string(reference.as_str()));
    }
    item
}

fn reference_item(deposit: &Deposit<'_>) -> Item {
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let number = |value: u64| AttributeValue::N(value.to_string());
    HashMap::from([
        ("pk".to_owned(), string(&deposit.reference.record_name())),
        ("sk".to_owned(), string(REFERENCE)),
        ("acc".to_owned(), string(deposit.account.suffix())),
        ("am".to_owned(), number(deposit.entry.amount.micro_usd())),
        ("ent".to_owned(), string(deposit.entry.id.suffix())),
        ("av".to_owned(), number(deposit.after.micro_usd())),
        ("at".to_owned(), number(deposit.entry.at.epoch_ms())),
    ])
}

/// Reads an entry's item.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_entry(item: &Item) -> Result<Entry, StoreError> {
    let malformed = |name: &str| StoreError::malformed("entry", name);
    let find = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    let project = |suffix| ProjectId::from_suffix(suffix).map_err(|_| malformed("prj"));
    let reference = |text| Reference::parse(text).ok_or_else(|| malformed("rf"));
    Ok(Entry {
        id: find("sk").and_then(|id| EntryId::parse(id).ok()).ok_or_else(|| malformed("sk"))?,
        kind: find("kd").and_then(EntryKind::parse).ok_or_else(|| malformed("kd"))?,
        amount: money(item, "entry", "am")?,
        project: find("prj").map(project).transpose()?,
        reference: find("rf").map(reference).transpose()?,
        at: Timestamp::from_epoch_ms(item.get("at").and_then(parse_number).ok_or_else(|| malformed("at"))?),
    })
}

fn parse_credited(item: &Item) -> Result<Credited, StoreError> {
    let malformed = |name: &str| StoreError::malformed("reference", name);
    let find = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    Ok(Credited {
        account: find("acc").and_then(|id| AccountId::from_suffix(id).ok()).ok_or_else(|| malformed("acc"))?,
        amount: money(item, "reference", "am")?,
        entry: find("ent").and_then(|id| EntryId::from_suffix(id).ok()).ok_or_else(|| malformed("ent"))?,
        after: money(item, "reference", "av")?,
        at: Timestamp::from_epoch_ms(item.get("at").and_then(parse_number).ok_or_else(|| malformed("at"))?),
    })
}

pub(crate) fn money(item: &Item, kind: &'static str, name: &str) -> Result<MicroUsd, StoreError> {
    let amount = item.get(name).and_then(parse_number).and_then(|amount| MicroUsd::new(amount).ok());
    amount.ok_or_else(|| StoreError::malformed(kind, name))
}

const REFERENCE: &str = "reference";

#[cfg(test)]
mod tests;
