//! `POST /v1/payments/{id}/assign`

use faregate_domain::{
    id::AccountId,
    ledger::MAX_CREDIT,
    money::MicroUsd,
    payment::{Assignment, Claim, Complaint, Payment, PaymentName},
    time::Timestamp,
};
use faregate_edge::{
    input::{self, Nullable, Usd, present},
    problem::Problem,
};
use faregate_gate::{
    management::{Data, Failure, Refusal, answer},
    replay::Ticket,
};
use faregate_store::Credited;
use lambda_http::{Body, Request, Response};
use serde::Deserialize;

use crate::{App, view::PaymentView};

impl App {
    /// Says whose payment it is, for operators only. The same may be said again; another account is refused.
    pub(crate) async fn assign(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.gate.authenticate_operator(request).await?;
        let ticket = Ticket::of(request, &caller.id, &format!("POST {}", input::path(request)))?;
        let now = self.services().clock.now();
        if let Some(ticket) = &ticket
            && let Some(first) = self.gate.replay(ticket, now).await?
        {
            return answer(200, first);
        }
        let name = PaymentName::parse(id).ok_or_else(Problem::not_found)?;
        let payment = self.services().store.find_payment(&name).await?.ok_or_else(Problem::not_found)?;
        let body: AssignBody = input::json(request)?;
        let payment = match body.account_id.0 {
            Some(account) => self.assign_to(&payment, &account, body.amount_usd, now).await?,
            None => self.assign_to_nobody(&payment, body.amount_usd, now).await?,
        };
        tracing::info!(operator = %caller.account, payment = name.as_str(), "payment assigned");
        let text = serde_json::to_string(&Data { data: PaymentView::from(&payment) })?;
        if let Some(ticket) = &ticket {
            // Where an equal request was faster, it did the same.
            self.services().store.insert_record(&self.gate.record(ticket, &text, now).await?, now).await?;
        }
        answer(200, text)
    }

    async fn assign_to_nobody(
        &self,
        payment: &Payment,
        amount: Option<Usd>,
        now: Timestamp,
    ) -> Result<Payment, Refusal> {
        if amount.is_some() {
            return Err(Problem::invalid_field("amount_usd", "is nobody's").into());
        }
        if self.services().store.find_credited(payment.name.reference()).await?.is_some() {
            return Err(taken());
        }
        self.say(&payment.name, &Assignment::Nobody, now).await?;
        self.close(&payment.name, now).await
    }

    async fn assign_to(
        &self,
        payment: &Payment,
        account: &str,
        amount: Option<Usd>,
        now: Timestamp,
    ) -> Result<Payment, Refusal> {
        let store = &self.services().store;
        let unknown = || Problem::invalid_field("account_id", "is no account of this API");
        let account = AccountId::parse(account).map_err(|_| unknown())?;
        store.find_account_wallet(&account).await?.ok_or_else(unknown)?;
        let credited = store.find_credited(payment.name.reference()).await?;
        if credited.as_ref().is_some_and(|credited| credited.account != account) {
            return Err(taken());
        }
        let amount = amount_of(payment.claim.as_ref(), credited.as_ref(), amount.map(|amount| amount.0))?;
        self.say(&payment.name, &Assignment::Account(account.clone()), now).await?;
        if let (None, Some(amount)) = (credited, amount) {
            match self.credit(&payment.name, &account, amount, now).await? {
                None => {}
                Some(Complaint::WalletFull) => {
                    return Err(
                        Problem::new(409, "balance_exceeded", "A wallet holds at most one billion dollars.").into()
                    );
                }
                Some(_) => return Err(taken()),
            }
        }
        self.close(&payment.name, now).await
    }

    /// Writes down whose it is, unless something else was said before.
    async fn say(&self, name: &PaymentName, wanted: &Assignment, now: Timestamp) -> Result<(), Refusal> {
        let said = self.amend(name, now, |before| {
            let assignment = before.assignment.clone().or_else(|| Some(wanted.clone()));
            Payment { assignment, ..before.clone() }
        });
        if said.await?.assignment.as_ref() == Some(wanted) { Ok(()) } else { Err(taken()) }
    }

    /// Nothing is to be said of it any more, but what its refunds bring up now.
    async fn close(&self, name: &PaymentName, now: Timestamp) -> Result<Payment, Refusal> {
        self.amend(name, now, |before| Payment { complaint: None, ..before.clone() }).await?;
        self.level(name, now).await?;
        let closed = self.services().store.find_payment(name).await?;
        Ok(closed.ok_or(Failure::Missing { item: "payment" })?)
    }
}

/// How much the account is to be credited with; `None` where it was credited already, or nothing was paid.
fn amount_of(
    claim: Option<&Claim>,
    credited: Option<&Credited>,
    said: Option<MicroUsd>,
) -> Result<Option<MicroUsd>, Problem> {
    let field = |rule: &str| Problem::invalid_field("amount_usd", rule);
    match (claim.filter(|_| credited.is_none()), said) {
        (None, None) => Ok(None),
        (Some(Claim { amount: Some(amount), .. }), None) => Ok(Some(*amount)),
        (Some(Claim { amount: None, .. }), Some(amount)) if (MicroUsd::ZERO < amount) && amount <= MAX_CREDIT => {
            Ok(Some(amount))
        }
        (Some(Claim { amount: None, .. }), Some(_)) => Err(field("must be above zero and at most 1000000")),
        (Some(Claim { amount: None, .. }), None) => Err(field("is required: the payment is not in whole US cents")),
        (_, Some(_)) => Err(field("is known already; leave it out")),
    }
}

/// The payment is somebody else's.
fn taken() -> Refusal {
    Problem::new(409, "reference_reused", "This payment was credited or assigned otherwise.").into()
}

/// `POST /v1/payments/{id}/assign`; `null` says that it belongs to no account here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AssignBody {
    account_id: Nullable<String>,
    #[serde(default, deserialize_with = "present")]
    amount_usd: Option<Usd>,
}
