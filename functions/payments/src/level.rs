//! Refunds: written down as they are told, then taken from the wallet that has the payment's money.

use faregate_domain::{
    id::{AccountId, EntryId},
    ledger::{AccountWallet, Entry, EntryKind},
    money::MicroUsd,
    payment::{
        Assignment, Complaint, Holder, KnownRefund, Level, Payment, PaymentName,
        event::{Refund, Refunded},
    },
    time::Timestamp,
};
use faregate_edge::entropy;
use faregate_gate::{
    again::{MAX_ATTEMPTS, pause},
    management::Failure,
};
use faregate_store::{PaymentChange, WalletChange};

use crate::App;

impl App {
    /// Writes a single refund down and brings the wallet level; returns why an operator is needed, where one is.
    pub(crate) async fn refund(&self, refund: Refund, now: Timestamp) -> Result<Option<Complaint>, Failure> {
        let Refund { payment, name, amount, outcome } = refund;
        let amount = match amount {
            Ok(amount) => amount,
            Err(complaint) => return self.complain(&payment, complaint, now).await,
        };
        let store = &self.services().store;
        for attempt in 1..=MAX_ATTEMPTS {
            let before = self.kept(&payment, now).await?;
            let known = store.find_refund(&payment, &name).await?;
            let Some((refunds, told)) = before.refunds.after(known, KnownRefund { outcome, amount }) else {
                return self.level(&payment, now).await;
            };
            let after = Payment { refunds, version: before.version + 1, ..before.clone() };
            let refund = Some((&name, known, told));
            if store
                .change_payment(&PaymentChange { before: &before, after: &after, refund, wallet: None, now })
                .await?
            {
                return self.level(&payment, now).await;
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(Failure::Contended { item: "payment" })
    }

    /// The same with the sum of refunds that a charge shows.
    pub(crate) async fn refund_charge(&self, news: Refunded, now: Timestamp) -> Result<Option<Complaint>, Failure> {
        let Refunded { payment, amount } = news;
        let amount = match amount {
            Ok(amount) => amount,
            Err(complaint) => return self.complain(&payment, complaint, now).await,
        };
        self.amend(&payment, now, |before| {
            let mut after = before.clone();
            after.refunds.charge = after.refunds.charge.max(amount);
            after
        })
        .await?;
        self.level(&payment, now).await
    }

    async fn complain(
        &self,
        payment: &PaymentName,
        complaint: Complaint,
        now: Timestamp,
    ) -> Result<Option<Complaint>, Failure> {
        let after = self.amend(payment, now, |before| Payment {
            complaint: before.complaint.or(Some(complaint)),
            ..before.clone()
        });
        Ok(after.await?.complaint)
    }

    /// Takes from the wallet that has the payment's money what was refunded and is not taken yet, or gives back what was
    /// taken and came to nothing. It may be asked any number of times: what is taken is written down with the taking.
    pub(crate) async fn level(&self, name: &PaymentName, now: Timestamp) -> Result<Option<Complaint>, Failure> {
        let store = &self.services().store;
        for attempt in 1..=MAX_ATTEMPTS {
            let Some(before) = store.find_payment(name).await? else { return Ok(None) };
            let credited = store.find_credited(name.reference()).await?;
            let (holder, account) = match (&credited, &before.assignment) {
                (Some(credited), _) => (Holder::Credited(credited.amount), Some(&credited.account)),
                (None, Some(Assignment::Account(account))) => (Holder::Assigned, Some(account)),
                (None, _) => (Holder::Unknown, None),
            };
            let level = before.level(holder);
            let bearing = match account {
                Some(account) => self.bearing(account, &before, level, now).await?,
                None => None,
            };
            let (complaint, debited) = match &bearing {
                Some(Bearing::Moved { complaint, .. }) => (*complaint, level.borne),
                Some(Bearing::Full) => (Some(Complaint::WalletFull), before.debited),
                None => (level.complaint, before.debited),
            };
            let mut after = Payment { complaint, debited, ..before.clone() };
            if after == before {
                return Ok(before.complaint);
            }
            after.version += 1;
            let wallet = bearing.as_ref().and_then(|bearing| bearing.change(account?));
            let change = PaymentChange { before: &before, after: &after, refund: None, wallet, now };
            if store.change_payment(&change).await? {
                if let (Some(account), true) = (account, before.debited != debited) {
                    tracing::info!(%account, payment = name.as_str(), debited_microusd = debited.micro_usd(), "refunds taken");
                }
                return Ok(after.complaint);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(Failure::Contended { item: "payment" })
    }

    /// What it does to the account's wallet to bear what it should; `None` where it bears it already.
    async fn bearing(
        &self,
        account: &AccountId,
        payment: &Payment,
        level: Level,
        now: Timestamp,
    ) -> Result<Option<Bearing>, Failure> {
        let Level { borne, complaint } = level;
        if borne == payment.debited {
            return Ok(None);
        }
        let wallet = self.services().store.find_account_wallet(account).await?;
        let before = wallet.ok_or(Failure::Missing { item: "account's wallet" })?;
        let (moved, kind) = if borne > payment.debited {
            (before.taking(borne.minus(payment.debited)), EntryKind::Refund)
        } else {
            (before.giving_back(payment.debited.minus(borne)), EntryKind::RefundReversed)
        };
        let Ok((after, amount)) = moved else { return Ok(Some(Bearing::Full)) };
        let entry = (amount > MicroUsd::ZERO).then(|| Entry {
            id: EntryId::numbered(after.entries, &mut entropy::fill),
            kind,
            amount,
            project: None,
            reference: Some(payment.name.reference().clone()),
            at: now,
        });
        let uncovered = (after.owed > before.owed).then_some(Complaint::NotCovered);
        Ok(Some(Bearing::Moved { before, after, entry, complaint: complaint.or(uncovered) }))
    }

    /// Changes what is kept of a payment, if `change` changes anything.
    pub(crate) async fn amend(
        &self,
        name: &PaymentName,
        now: Timestamp,
        change: impl Fn(&Payment) -> Payment,
    ) -> Result<Payment, Failure> {
        for attempt in 1..=MAX_ATTEMPTS {
            let before = self.kept(name, now).await?;
            let mut after = change(&before);
            if after == before {
                return Ok(before);
            }
            after.version += 1;
            let made = PaymentChange { before: &before, after: &after, refund: None, wallet: None, now };
            if self.services().store.change_payment(&made).await? {
                return Ok(after);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(Failure::Contended { item: "payment" })
    }

    async fn kept(&self, name: &PaymentName, now: Timestamp) -> Result<Payment, Failure> {
        let found = self.services().store.find_payment(name).await?;
        Ok(found.unwrap_or_else(|| Payment::new(name.clone(), now)))
    }
}

/// What bearing a refund does to a wallet.
enum Bearing {
    /// Money is moved, or owed, or both.
    Moved { before: AccountWallet, after: AccountWallet, entry: Option<Entry>, complaint: Option<Complaint> },
    /// There is no room for it.
    Full,
}

impl Bearing {
    fn change<'b>(&'b self, account: &'b AccountId) -> Option<WalletChange<'b>> {
        match self {
            Self::Moved { before, after, entry, .. } => {
                Some(WalletChange { account, before: *before, after: *after, entry: entry.as_ref() })
            }
            Self::Full => None,
        }
    }
}
