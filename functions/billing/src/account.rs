//! `GET|PATCH /v1/accounts/{id}`, for operators: an account, and the plan that it is on.

use faregate_domain::{amendment::WindowShift, cell::CellId, id::AccountId, policy::Plan};
use faregate_edge::{
    input::{self, Usd},
    problem::Problem,
};
use faregate_gate::{
    Caller,
    management::{Data, Failure, Refusal, answer},
};
use faregate_store::{Account, LimitsChange, PlanChange};
use lambda_http::{Body, Request, Response};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    allocate::{MAX_ATTEMPTS, pause},
    me::LimitsView,
};

impl App {
    /// An account as an operator sees it.
    pub(crate) async fn account(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        self.authenticate_operator(request).await?;
        let account = AccountId::parse(id).map_err(|_| Problem::not_found())?;
        let account = self.services().store.find_account(&account).await?.ok_or_else(Problem::not_found)?;
        self.show(&account).await
    }

    /// Moves an account to another plan. Its keys stay as they are: what the plan allows is asked when a key is made or
    /// its limits change. Its sessions get the plan's limits at once.
    pub(crate) async fn change_account(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let operator = self.authenticate_operator(request).await?;
        let id = AccountId::parse(id).map_err(|_| Problem::not_found())?;
        for attempt in 1..=MAX_ATTEMPTS {
            let before = self.services().store.find_account(&id).await?.ok_or_else(Problem::not_found)?;
            let wanted = input::json::<AccountBody>(request)?.plan;
            let plan = self.services().config.policy.find_plan(&wanted);
            let plan = plan.ok_or_else(|| Problem::invalid_field("plan", "is no plan of this API"))?;
            if self.move_to(&before, &wanted, plan).await? {
                tracing::info!(operator = %operator.account, account = %id, old = before.plan, new = wanted, "plan changed");
                return self.show(&Account { plan: wanted, ..before }).await;
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(Failure::Contended { item: "account" }.into())
    }

    /// Moves the account as it was read; false where it, or its sessions' cell, changed meanwhile.
    async fn move_to(&self, account: &Account, name: &str, plan: &Plan) -> Result<bool, Refusal> {
        let store = &self.services().store;
        let cell = store.find_cell(&CellId::Session(account.id.clone())).await?;
        let cell = cell.ok_or(Failure::Missing { item: "sessions' cell" })?;
        let (old, new) = (cell.limits, plan.sessions);
        let shift = WindowShift::of(&cell, &new, self.services().clock.now());
        let sessions = (old != new).then_some(LimitsChange { old, new, shift });
        let change = PlanChange { account: &account.id, old: &account.plan, new: name, sessions: sessions.as_ref() };
        Ok(store.change_plan(&change).await?)
    }

    pub(crate) async fn authenticate_operator(&self, request: &Request) -> Result<Caller, Refusal> {
        Ok(self.gate.authenticate_operator(request).await?)
    }

    async fn show(&self, account: &Account) -> Result<Response<Body>, Refusal> {
        let wallet = self.services().store.find_account_wallet(&account.id).await?;
        let wallet = wallet.ok_or(Failure::Missing { item: "account's wallet" })?;
        let plan = self.services().config.policy.find_plan(&account.plan);
        let data = AccountView {
            account_id: account.id.to_string(),
            address: account.address.to_string(),
            plan: PlanView {
                name: &account.plan,
                max_keys: plan.map(|plan| plan.max_keys),
                limits: plan.map(|plan| LimitsView::of(&plan.ceiling)),
            },
            default_project_id: account.default_project.to_string(),
            owed_usd: Usd(wallet.owed),
            created_at: account.created_at.to_string(),
        };
        answer(200, serde_json::to_string(&Data { data })?)
    }
}

/// `PATCH /v1/accounts/{id}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountBody {
    plan: String,
}

#[derive(Serialize)]
struct AccountView<'a> {
    account_id: String,
    address: String,
    plan: PlanView<'a>,
    default_project_id: String,
    owed_usd: Usd,
    created_at: String,
}

/// A plan that has left the policy is a name and nothing else.
#[derive(Serialize)]
struct PlanView<'a> {
    name: &'a str,
    max_keys: Option<u32>,
    limits: Option<LimitsView>,
}
