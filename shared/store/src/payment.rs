//! What is kept of a payment beside its credit, which of them need an operator, and what refunds do to a wallet.
//!
//! ```text
//! pk pay_<Stripe's name>   sk payment        v version · at first seen (epoch ms) · sc su sf refunds of its charge, gone
//!                                            through, failed · de debited · cd ca cs what is claimed: amount, account, amount
//!                                            as stated · cp complaint · ac account that an operator named, or -
//! pk pay_<Stripe's name>   sk refund_<name>  oc S gone through, F failed · am amount
//! pk unmatched             sk at_<ms>_<hash> pay name · ttl where the payment has no complaint any more
//! ```

use crate::{
    Store, StoreError,
    batch::Order,
    cell::parse_number,
    client::Item,
    expression::{Builder, Write},
    funding::WALLET,
    ledger::money,
    transaction::Transacted,
};
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use faregate_domain::{
    id::AccountId,
    ledger::{AccountWallet, Entry},
    money::MicroUsd,
    payment::{Assignment, Claim, Complaint, KnownRefund, Payment, PaymentName, RefundName, RefundOutcome, Refunds},
    time::Timestamp,
};

/// A change of what is kept of a payment, computed from what must still hold.
#[derive(Clone, Copy, Debug)]
pub struct PaymentChange<'c> {
    /// The payment as it was read, or as new.
    pub before: &'c Payment,
    /// What it becomes; its version is the next one.
    pub after: &'c Payment,
    /// The news of a single refund: its name, what was known of it, what is known from now on.
    pub refund: Option<(&'c RefundName, Option<KnownRefund>, KnownRefund)>,
    /// What it does to a wallet.
    pub wallet: Option<WalletChange<'c>>,
    /// When.
    pub now: Timestamp,
}

/// What refunds do to an account's wallet.
#[derive(Clone, Copy, Debug)]
pub struct WalletChange<'c> {
    /// The account.
    pub account: &'c AccountId,
    /// The wallet as it was read.
    pub before: AccountWallet,
    /// What it becomes.
    pub after: AccountWallet,
    /// The entry of what is moved; none where all of it is owed, or pays what was owed.
    pub entry: Option<&'c Entry>,
}

/// A payment in the list of those that need an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// Its place in the list; places sort as the payments were first seen.
    pub place: String,
    /// Its name.
    pub name: PaymentName,
    /// Whether it needs one still.
    pub is_open: bool,
}

impl Unmatched {
    /// Reads a place in the list.
    #[must_use]
    pub fn place(text: &str) -> Option<String> {
        let is_plain = text.len() <= MAX_PLACE_BYTES && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
        (is_plain && text.starts_with(PLACE_PREFIX)).then(|| text.to_owned())
    }
}

impl Store {
    /// What is kept of a payment.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_payment(&self, name: &PaymentName) -> Result<Option<Payment>, StoreError> {
        self.find(&partition(name), PAYMENT).await?.map(|item| parse_payment(&item)).transpose()
    }

    /// What is known of one refund of a payment.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_refund(
        &self,
        payment: &PaymentName,
        refund: &RefundName,
    ) -> Result<Option<KnownRefund>, StoreError> {
        let item = self.find(&partition(payment), &refund_sort(refund)).await?;
        item.map(|item| parse_refund(&item)).transpose()
    }

    /// Changes what is kept of a payment and, with it, a wallet; all or nothing. False where something has changed since it
    /// was read, and nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the change may be made. Whoever reads again finds out.
    pub async fn change_payment(&self, change: &PaymentChange<'_>) -> Result<bool, StoreError> {
        let PaymentChange { before, after, refund, wallet, now } = *change;
        let mut items = vec![self.put(put_at(payment_item(after), "v", before.version))?];
        if let Some((name, known, told)) = refund {
            let put = Put::builder().set_item(Some(refund_item(&after.name, name, told)));
            items.push(match known {
                None => self.put_new(put)?,
                Some(known) => self.put(
                    put.condition_expression("oc = :before")
                        .expression_attribute_values(":before", string(outcome_letter(known.outcome))),
                )?,
            });
        }
        if before.complaint.is_some() != after.complaint.is_some() {
            items.push(self.put(Put::builder().set_item(Some(unmatched_item(after, now))))?);
        }
        if let Some(wallet) = &wallet {
            items.extend(self.wallet_parts(wallet)?);
        }
        Ok(matches!(self.transact(items).await?, Transacted::Applied))
    }

    /// Changes a wallet alone; false where it has changed since it was read, and nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the change may be made. Whoever reads again finds out.
    pub async fn change_wallet(&self, change: &WalletChange<'_>) -> Result<bool, StoreError> {
        let items = self.wallet_parts(change)?;
        Ok(matches!(self.transact(items).await?, Transacted::Applied))
    }

    /// At most `limit` payments that need an operator or did so not long ago, the newest first, beginning after the place
    /// `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_unmatched(&self, after: Option<&str>, limit: u16) -> Result<Vec<Unmatched>, StoreError> {
        let after = after.map(str::to_owned);
        let items = self.find_range(UNMATCHED.to_owned(), PLACE_PREFIX, after, limit, Order::Descending).await?;
        let read = |item: &Item| {
            let find = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
            let name = find("pay").and_then(|name| PaymentName::parse(name));
            let name = name.ok_or_else(|| StoreError::malformed("unmatched payment", "pay"))?;
            let place = find("sk").ok_or_else(|| StoreError::malformed("unmatched payment", "sk"))?.clone();
            Ok(Unmatched { place, name, is_open: !item.contains_key("ttl") })
        };
        items.iter().map(read).collect()
    }

    /// What is kept of at most 100 payments, in no order.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_payments(&self, names: impl Iterator<Item = &PaymentName>) -> Result<Vec<Payment>, StoreError> {
        let items = self.find_all(names.map(partition), PAYMENT).await?;
        items.iter().map(parse_payment).collect()
    }

    fn wallet_parts(&self, change: &WalletChange<'_>) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut items = vec![self.part(&wallet_write(change))?];
        if let Some(entry) = change.entry {
            items.push(self.put_entry(change.account, entry)?);
        }
        Ok(items)
    }
}

/// Nobody else may have moved the account's money, or what it owes, since it was read.
fn wallet_write(change: &WalletChange<'_>) -> Write {
    let WalletChange { account, before, after, .. } = *change;
    let mut builder = Builder::default();
    builder.number(":before", before.available.micro_usd());
    builder.number(":after", after.available.micro_usd());
    builder.number(":entries", before.entries);
    builder.number(":next", after.entries);
    builder.set("av = :after");
    builder.set("ne = :next");
    builder.require("av = :before");
    builder.require("ne = :entries");
    if before.owed == MicroUsd::ZERO {
        builder.require("attribute_not_exists(ow)");
    } else {
        builder.number(":owed", before.owed.micro_usd());
        builder.require("ow = :owed");
    }
    match (before.owed, after.owed) {
        (MicroUsd::ZERO, MicroUsd::ZERO) => {}
        (_, MicroUsd::ZERO) => builder.remove("ow"),
        (_, owes) => {
            builder.number(":owes", owes.micro_usd());
            builder.set("ow = :owes");
        }
    }
    builder.build(account.to_string(), WALLET)
}

/// Puts an item in place of the one of that version, or of none where the version is 0.
fn put_at(item: Item, attribute: &str, version: u64) -> aws_sdk_dynamodb::types::builders::PutBuilder {
    let put = Put::builder().set_item(Some(item));
    if version == 0 {
        return put.condition_expression("attribute_not_exists(pk)");
    }
    let put = put.condition_expression(format!("{attribute} = :version"));
    put.expression_attribute_values(":version", number(version))
}

fn payment_item(payment: &Payment) -> Item {
    let Payment { refunds, claim, .. } = payment;
    let mut item = key(partition(&payment.name), PAYMENT.to_owned());
    let mut add = |name: &str, value| item.insert(name.to_owned(), value);
    add("v", number(payment.version));
    add("at", number(payment.first_seen.epoch_ms()));
    add("pay", string(payment.name.as_str()));
    for (name, amount) in
        [("sc", refunds.charge), ("su", refunds.succeeded), ("sf", refunds.failed), ("de", payment.debited)]
    {
        add(name, number(amount.micro_usd()));
    }
    if let Some(Claim { amount, stated, account }) = claim {
        add("cs", string(stated));
        amount.map(|amount| add("cd", number(amount.micro_usd())));
        account.as_ref().map(|account| add("ca", string(account)));
    }
    if let Some(complaint) = payment.complaint {
        add("cp", string(complaint.as_str()));
    }
    match &payment.assignment {
        Some(Assignment::Account(account)) => add("ac", string(account.suffix())),
        Some(Assignment::Nobody) => add("ac", string(NOBODY)),
        None => None,
    };
    item
}

fn parse_payment(item: &Item) -> Result<Payment, StoreError> {
    let malformed = |name: &str| StoreError::malformed("payment", name);
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    let whole = |name: &str| item.get(name).and_then(parse_number::<u64>).ok_or_else(|| malformed(name));
    let amount = |name: &str| money(item, "payment", name);
    let claim = match text("cs") {
        None => None,
        Some(stated) => Some(Claim {
            amount: item.get("cd").map(|_| amount("cd")).transpose()?,
            stated: stated.to_owned(),
            account: text("ca").map(str::to_owned),
        }),
    };
    let assignment = match text("ac") {
        None => None,
        Some(NOBODY) => Some(Assignment::Nobody),
        Some(id) => Some(Assignment::Account(AccountId::from_suffix(id).map_err(|_| malformed("ac"))?)),
    };
    Ok(Payment {
        name: text("pay").and_then(PaymentName::parse).ok_or_else(|| malformed("pay"))?,
        first_seen: Timestamp::from_epoch_ms(whole("at")?),
        version: whole("v")?,
        claim,
        refunds: Refunds { succeeded: amount("su")?, failed: amount("sf")?, charge: amount("sc")? },
        debited: amount("de")?,
        complaint: text("cp").map(|word| Complaint::parse(word).ok_or_else(|| malformed("cp"))).transpose()?,
        assignment,
    })
}

fn refund_item(payment: &PaymentName, name: &RefundName, refund: KnownRefund) -> Item {
    let mut item = key(partition(payment), refund_sort(name));
    item.insert("oc".to_owned(), string(outcome_letter(refund.outcome)));
    item.insert("am".to_owned(), number(refund.amount.micro_usd()));
    item
}

fn parse_refund(item: &Item) -> Result<KnownRefund, StoreError> {
    let outcome = match item.get("oc").and_then(|value| value.as_s().ok()).map(String::as_str) {
        Some(SUCCEEDED) => RefundOutcome::Succeeded,
        Some(FAILED) => RefundOutcome::Failed,
        _ => return Err(StoreError::malformed("refund", "oc")),
    };
    Ok(KnownRefund { outcome, amount: money(item, "refund", "am")? })
}

/// Nothing here deletes: a payment that is settled leaves the list by its time to live, and is not shown until then.
fn unmatched_item(payment: &Payment, now: Timestamp) -> Item {
    // Two of one millisecond differ in their hash, and a place is no longer than a cursor may be.
    let hash = payment.name.reference().record_name();
    let hash = hash.rsplit('_').next().and_then(|digits| digits.get(..16)).unwrap_or_default();
    let place = format!("{PLACE_PREFIX}{:013}_{hash}", payment.first_seen.epoch_ms());
    let mut item = key(UNMATCHED.to_owned(), place);
    item.insert("pay".to_owned(), string(payment.name.as_str()));
    if payment.complaint.is_none() {
        item.insert("ttl".to_owned(), number(now.plus_s(SETTLED_FOR_S).epoch_s()));
    }
    item
}

fn key(partition: String, sort: String) -> Item {
    let parts = [("pk", partition), ("sk", sort)];
    parts.into_iter().map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).collect()
}

fn partition(name: &PaymentName) -> String {
    format!("pay_{}", name.as_str())
}

/// Stripe's own prefix might change; ours keeps refunds apart from the payment.
fn refund_sort(name: &RefundName) -> String {
    format!("refund_{}", name.as_str())
}

fn outcome_letter(outcome: RefundOutcome) -> &'static str {
    match outcome {
        RefundOutcome::Succeeded => SUCCEEDED,
        RefundOutcome::Failed => FAILED,
    }
}

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

const PAYMENT: &str = "payment";
const UNMATCHED: &str = "unmatched";
/// Seconds after which the list forgets what is settled.
const SETTLED_FOR_S: u64 = 86_400;
const MAX_PLACE_BYTES: usize = 40;
const PLACE_PREFIX: &str = "at_";
const NOBODY: &str = "-";
const SUCCEEDED: &str = "S";
const FAILED: &str = "F";

#[cfg(test)]
mod tests;
