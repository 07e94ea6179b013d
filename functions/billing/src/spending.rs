//! `GET /v1/billing`

use faregate_domain::{
    cell::{Cell, CellId},
    id::ProjectId,
    money::MicroUsd,
    spending::Spending,
};
use faregate_edge::{input::Usd, page};
use faregate_gate::management::{Data, Failure, Refusal, answer};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::{
    App, BILLING_READ,
    whose::{ACCOUNT, Whose},
};

impl App {
    /// Where an account's money is, or, for a key, that of its project.
    pub(crate) async fn spending(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request, BILLING_READ).await?;
        page::only(request, &[ACCOUNT])?;
        let whose = self.whose(request, &caller).await?;
        let wallet = match whose.project {
            Some(_) => None,
            None => {
                let wallet = self.services().store.find_account_wallet(&whose.account).await?;
                Some(wallet.ok_or(Failure::Missing { item: "account's wallet" })?.available)
            }
        };
        let (allocated, available) = self.allocated(&whose).await?;
        let spending = self.spent(&whose).await?;
        let data = BillingView {
            project_id: whose.project.as_ref().map(ToString::to_string),
            wallet_usd: wallet.map(Usd),
            allocated_usd: Usd(allocated),
            available_usd: Usd(available),
            reserved_usd: Usd(spending.reserved),
            spent_today_usd: Usd(spending.today()),
            spent_month_usd: Usd(spending.this_month()),
            spent_usd: Usd(spending.in_all),
        };
        answer(200, serde_json::to_string(&Data { data })?)
    }

    /// What is allocated to the project, or to all of them, and what of that is granted to no key.
    async fn allocated(&self, whose: &Whose) -> Result<(MicroUsd, MicroUsd), Failure> {
        let (mut allocated, mut available) = (MicroUsd::ZERO, MicroUsd::ZERO);
        if let Some(project) = &whose.project {
            let wallet = self.services().store.find_wallet(project).await?;
            let wallet = wallet.ok_or(Failure::Missing { item: "project's wallet" })?;
            return Ok((wallet.allocated, wallet.available));
        }
        let mut after = None;
        loop {
            let (states, next) = self.page(&whose.account, after.as_ref(), PAGE).await?;
            for state in states {
                allocated = allocated.plus(state.wallet.allocated);
                available = available.plus(state.wallet.available);
            }
            if next.is_none() {
                return Ok((allocated, available));
            }
            after = next;
        }
    }

    /// What the cells of the project, or of the whole account, have spent; those of revoked keys as well.
    async fn spent(&self, whose: &Whose) -> Result<Spending, Failure> {
        let (store, now) = (&self.services().store, self.services().clock.now());
        let is_wanted = |of: &ProjectId| whose.project.as_ref().is_none_or(|project| project == of);
        let mut spending = Spending::default();
        let mut add = |cell: &Cell| spending.add(cell, now);
        let sessions = store.find_cell(&CellId::Session(whose.account.clone())).await?;
        sessions.iter().filter(|cell| is_wanted(&cell.owner.project)).for_each(&mut add);
        let mut after = None;
        loop {
            let keys = store.find_keys(&whose.account, after.as_ref(), PAGE).await?;
            let wanted = keys.iter().filter(|key| is_wanted(&key.project)).map(|key| key.id.clone());
            store.find_cells(&wanted.collect::<Vec<_>>()).await?.values().for_each(&mut add);
            if keys.len() < usize::from(PAGE) {
                return Ok(spending);
            }
            after = keys.into_iter().last().map(|last| last.id);
        }
    }
}

#[derive(Serialize)]
struct BillingView {
    project_id: Option<String>,
    /// Of the account, allocated to no project; a key is not told.
    wallet_usd: Option<Usd>,
    allocated_usd: Usd,
    available_usd: Usd,
    reserved_usd: Usd,
    spent_today_usd: Usd,
    spent_month_usd: Usd,
    spent_usd: Usd,
}

const PAGE: u16 = 100;
