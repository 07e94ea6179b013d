//! `POST /v1/projects/{id}/allocations`

use faregate_domain::{
    id::EntryId,
    ledger::{Balances, Entry},
    time::Timestamp,
};
use faregate_edge::{
    entropy,
    input::{self, Usd, UsdMovement},
};
pub(crate) use faregate_gate::again::{MAX_ATTEMPTS, pause};
use faregate_gate::{
    Caller,
    management::{Data, Failure, Refusal, answer},
    replay::Ticket,
};
use faregate_store::{Transfer, Transferred};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::{App, PROJECTS_WRITE, body::AllocationBody, declined, require_session};

impl App {
    /// Moves money between the account and a project; a key may not, whatever it holds.
    pub(crate) async fn allocate(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request, PROJECTS_WRITE).await?;
        require_session(&caller)?;
        let ticket = Ticket::of(request, &caller.id, &format!("POST {}", input::path(request)))?;
        for attempt in 1..=MAX_ATTEMPTS {
            let now = self.services().clock.now();
            if let Some(ticket) = &ticket
                && let Some(first) = self.gate.replay(ticket, now).await?
            {
                return answer(201, first);
            }
            if let Some(answer) = self.transfer(&caller, id, request, ticket.as_ref(), now).await? {
                return Ok(answer);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(Failure::Contended { item: "account's wallet" }.into())
    }

    /// Moves the money; `None` where the balances changed meanwhile, or an equal request was faster.
    async fn transfer(
        &self,
        caller: &Caller,
        id: &str,
        request: &Request,
        ticket: Option<&Ticket>,
        now: Timestamp,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let state = self.find(caller, id).await?;
        let movement = input::json::<AllocationBody>(request)?.amount_usd.0;
        let wallet = self.services().store.find_account_wallet(&caller.account).await?;
        let wallet = wallet.ok_or(Failure::Missing { item: "account's wallet" })?;
        if wallet.collecting().is_some() {
            // What refunds are to take yet is nobody's to give away.
            self.gate.collect_owed(&caller.account, now).await?;
            return Ok(None);
        }
        let before = Balances {
            account: wallet.available,
            allocated: state.wallet.allocated,
            available: state.wallet.available,
        };
        let after = before.after(movement).map_err(declined)?;
        let project = state.project.id;
        let entry = Entry {
            id: EntryId::numbered(wallet.entries + 1, &mut entropy::fill),
            kind: movement.kind(),
            amount: movement.amount(),
            project: Some(project.clone()),
            reference: None,
            at: now,
        };
        let data = AllocationView {
            id: entry.id.to_string(),
            project_id: project.to_string(),
            amount_usd: UsdMovement(movement),
            budget_usd: Usd(after.allocated),
            wallet_usd: Usd(after.account),
            created_at: now.to_string(),
        };
        let text = serde_json::to_string(&Data { data })?;
        let record = match ticket {
            Some(ticket) => Some(self.gate.record(ticket, &text, now).await?),
            None => None,
        };
        let transfer = Transfer {
            account: &caller.account,
            project: &project,
            movement,
            entries: wallet.entries,
            before,
            after,
            entry: &entry,
            record: record.as_ref(),
        };
        match self.services().store.transfer(&transfer).await? {
            Transferred::Moved => {
                tracing::info!(account = %caller.account, %project, entry = %entry.id, "money moved");
                answer(201, text).map(Some)
            }
            Transferred::Recorded | Transferred::Outdated => Ok(None),
        }
    }
}

#[derive(Serialize)]
struct AllocationView {
    id: String,
    project_id: String,
    amount_usd: UsdMovement,
    budget_usd: Usd,
    wallet_usd: Usd,
    created_at: String,
}
