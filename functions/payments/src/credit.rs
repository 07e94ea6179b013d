//! A paid checkout: credited to its account once, or kept.

use faregate_domain::{
    id::{AccountId, EntryId},
    ledger::{Entry, EntryKind, credited},
    money::MicroUsd,
    payment::{Complaint, Payment, PaymentName, event::Paid},
    time::Timestamp,
};
use faregate_edge::entropy;
use faregate_gate::{
    again::{MAX_ATTEMPTS, pause},
    management::Failure,
};
use faregate_store::{Credited, Deposit, Deposited};

use crate::App;

impl App {
    /// Credits what was paid, or keeps it; returns why an operator is needed, where one is.
    pub(crate) async fn pay(&self, paid: Paid, now: Timestamp) -> Result<Option<Complaint>, Failure> {
        let Paid { payment, amount, account, claim } = paid;
        let complaint = match (amount, account) {
            (Err(complaint), _) | (_, Err(complaint)) => Some(complaint),
            (Ok(amount), Ok(account)) => self.credit(&payment, &account, amount, now).await?,
        };
        self.amend(&payment, now, |before| match (complaint, &before.claim, &before.assignment) {
            // An operator has said whose it is.
            (Some(_), _, Some(_)) | (None, None, _) => before.clone(),
            (Some(_), _, None) => Payment { claim: Some(claim.clone()), complaint, ..before.clone() },
            // It was kept, and could be credited in the end.
            (None, Some(_), _) => Payment { claim: None, complaint: None, ..before.clone() },
        })
        .await?;
        self.level(&payment, now).await
    }

    /// Credits an account with a payment, once for ever; returns why it cannot be, where it cannot.
    pub(crate) async fn credit(
        &self,
        payment: &PaymentName,
        account: &AccountId,
        amount: MicroUsd,
        now: Timestamp,
    ) -> Result<Option<Complaint>, Failure> {
        let (store, reference) = (&self.services().store, payment.reference());
        let known = |known: &Credited| {
            let is_same = known.account == *account && known.amount == amount;
            (!is_same).then_some(Complaint::Conflicting)
        };
        for attempt in 1..=MAX_ATTEMPTS {
            if let Some(credited) = store.find_credited(reference).await? {
                return Ok(known(&credited));
            }
            let Some(before) = store.find_account_wallet(account).await? else {
                return Ok(Some(Complaint::UnknownAccount));
            };
            let Ok(after) = credited(before.available, amount) else { return Ok(Some(Complaint::WalletFull)) };
            let entry = Entry {
                id: EntryId::numbered(before.entries + 1, &mut entropy::fill),
                kind: EntryKind::Credit,
                amount,
                project: None,
                reference: Some(reference.clone()),
                at: now,
            };
            let deposit = Deposit { account, reference, before, after, entry: &entry, record: None };
            match store.deposit(&deposit).await? {
                Deposited::Moved => {
                    tracing::info!(%account, entry = %entry.id, payment = payment.as_str(), "account credited");
                    if before.owed > MicroUsd::ZERO {
                        self.gate.collect_owed(account, now).await?;
                    }
                    return Ok(None);
                }
                Deposited::Known(credited) => return Ok(known(&credited)),
                Deposited::Recorded | Deposited::Outdated => tokio::time::sleep(pause(attempt)).await,
            }
        }
        Err(Failure::Contended { item: "account's wallet" })
    }
}
