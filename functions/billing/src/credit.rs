//! `POST /v1/accounts/{id}/credits`

use faregate_domain::{
    id::{AccountId, EntryId},
    ledger::{Entry, EntryKind, Reference, credited},
    money::MicroUsd,
    time::Timestamp,
};
use faregate_edge::{
    entropy,
    input::{self, Usd},
    problem::Problem,
};
use faregate_gate::{
    management::{Data, Failure, Refusal, answer},
    replay::Ticket,
};
use faregate_store::{Credited, Deposit, Deposited};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::{
    App,
    allocate::{MAX_ATTEMPTS, pause},
    body::CreditBody,
    declined,
};

impl App {
    /// Credits an account, for operators only; a reference is credited once for ever, however often it is sent.
    pub(crate) async fn credit(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate_operator(request).await?;
        let ticket = Ticket::of(request, &caller.id, &format!("POST {}", input::path(request)))?;
        let account = AccountId::parse(id).map_err(|_| Problem::not_found())?;
        for attempt in 1..=MAX_ATTEMPTS {
            let now = self.services().clock.now();
            if let Some(ticket) = &ticket
                && let Some(first) = self.gate.replay(ticket, now).await?
            {
                return answer(201, first);
            }
            if let Some(answer) = self.deposit(&account, request, ticket.as_ref(), now).await? {
                return Ok(answer);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(Failure::Contended { item: "account's wallet" }.into())
    }

    /// Credits the account unless the reference was credited before; `None` where the wallet changed meanwhile, or an
    /// equal request was faster.
    async fn deposit(
        &self,
        account: &AccountId,
        request: &Request,
        ticket: Option<&Ticket>,
        now: Timestamp,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let store = &self.services().store;
        let before = store.find_account_wallet(account).await?.ok_or_else(Problem::not_found)?;
        let (amount, reference) = input::json::<CreditBody>(request)?.credit()?;
        let wanted = Wanted { account, amount, reference: &reference };
        if let Some(known) = store.find_credited(&reference).await? {
            return self.repeat(&wanted, &known, ticket, now).await;
        }
        let after = credited(before.available, amount).map_err(declined)?;
        let new = Credited {
            account: account.clone(),
            amount,
            entry: EntryId::numbered(before.entries + 1, &mut entropy::fill),
            after,
            at: now,
        };
        let text = text(&new, &reference)?;
        let record = match ticket {
            Some(ticket) => Some(self.gate.record(ticket, &text, now).await?),
            None => None,
        };
        let entry = Entry {
            id: new.entry,
            kind: EntryKind::Credit,
            amount,
            project: None,
            reference: Some(reference.clone()),
            at: now,
        };
        let record = record.as_ref();
        let deposit = Deposit { account, reference: &reference, before, after, entry: &entry, record };
        match store.deposit(&deposit).await? {
            Deposited::Moved => {
                tracing::info!(%account, entry = %entry.id, "account credited");
                if before.owed > MicroUsd::ZERO {
                    self.gate.collect_owed(account, now).await?;
                }
                answer(201, text).map(Some)
            }
            Deposited::Known(known) => self.repeat(&wanted, &known, ticket, now).await,
            Deposited::Recorded | Deposited::Outdated => Ok(None),
        }
    }

    /// The answer to a reference that was credited before: the first one, if it is the same credit.
    async fn repeat(
        &self,
        wanted: &Wanted<'_>,
        known: &Credited,
        ticket: Option<&Ticket>,
        now: Timestamp,
    ) -> Result<Option<Response<Body>>, Refusal> {
        if known.account != *wanted.account || known.amount != wanted.amount {
            let detail = "This reference was credited to another account, or with another amount.";
            return Err(Problem::new(409, "reference_reused", detail).into());
        }
        let text = text(known, wanted.reference)?;
        if let Some(ticket) = ticket {
            let record = self.gate.record(ticket, &text, now).await?;
            if !self.services().store.insert_record(&record, now).await? {
                return Ok(None);
            }
        }
        answer(201, text).map(Some)
    }
}

/// What an operator asks for.
struct Wanted<'w> {
    account: &'w AccountId,
    amount: MicroUsd,
    reference: &'w Reference,
}

#[derive(Serialize)]
struct CreditView<'c> {
    id: String,
    account_id: String,
    amount_usd: Usd,
    reference: &'c str,
    wallet_usd: Usd,
    created_at: String,
}

/// The answer to a credit, the same whenever it is asked for.
fn text(credited: &Credited, reference: &Reference) -> Result<String, Failure> {
    let data = CreditView {
        id: credited.entry.to_string(),
        account_id: credited.account.to_string(),
        amount_usd: Usd(credited.amount),
        reference: reference.as_str(),
        wallet_usd: Usd(credited.after),
        created_at: credited.at.to_string(),
    };
    Ok(serde_json::to_string(&Data { data })?)
}
