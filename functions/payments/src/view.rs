//! A payment as an operator sees it.

use faregate_domain::payment::{Assignment, Claim, Complaint, Payment};
use faregate_edge::input::Usd;
use serde::Serialize;

/// One payment in an answer.
#[derive(Serialize)]
pub(crate) struct PaymentView<'p> {
    id: &'p str,
    reason: Option<&'static str>,
    amount_usd: Option<Usd>,
    stated_amount: Option<&'p str>,
    stated_account: Option<&'p str>,
    refunded_usd: Usd,
    debited_usd: Usd,
    account_id: Option<String>,
    created_at: String,
}

impl<'p> From<&'p Payment> for PaymentView<'p> {
    fn from(payment: &'p Payment) -> Self {
        let claim = payment.claim.as_ref();
        Self {
            id: payment.name.as_str(),
            reason: payment.complaint.map(Complaint::as_str),
            amount_usd: claim.and_then(|claim| claim.amount).map(Usd),
            stated_amount: claim.map(|claim| claim.stated.as_str()),
            stated_account: claim.and_then(|Claim { account, .. }| account.as_deref()),
            refunded_usd: Usd(payment.refunds.total()),
            debited_usd: Usd(payment.debited),
            account_id: match &payment.assignment {
                Some(Assignment::Account(account)) => Some(account.to_string()),
                Some(Assignment::Nobody) | None => None,
            },
            created_at: payment.first_seen.to_string(),
        }
    }
}
