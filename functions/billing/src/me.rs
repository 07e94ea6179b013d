//! `GET /v1/me`

use faregate_domain::{cell::CellId, policy::Limits, scope::Grant};
use faregate_gate::{
    Caller,
    management::{Data, Failure, Refusal, answer},
};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::App;

impl App {
    /// Whom a credential speaks for, whatever it may do.
    pub(crate) async fn me(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.gate.authenticate_self(request).await?;
        let account = self.services().store.find_account(&caller.account).await?;
        let account = account.ok_or(Failure::Missing { item: "account" })?;
        let plan = self.services().config.policy.find_plan(&account.plan);
        let plan = plan.ok_or_else(|| Failure::NoSuchPlan { plan: account.plan.clone() })?;
        let data = MeView {
            account_id: account.id.to_string(),
            address: account.address.to_string(),
            plan: PlanView { name: &account.plan, max_keys: plan.max_keys, limits: LimitsView::of(&plan.ceiling) },
            default_project_id: account.default_project.to_string(),
            created_at: account.created_at.to_string(),
            is_operator: caller.is_operator,
            key: KeyView::of(&caller),
        };
        answer(200, serde_json::to_string(&Data { data })?)
    }
}

#[derive(Serialize)]
struct MeView<'m> {
    account_id: String,
    address: String,
    plan: PlanView<'m>,
    default_project_id: String,
    created_at: String,
    is_operator: bool,
    /// The caller itself, where it is a key.
    key: Option<KeyView<'m>>,
}

#[derive(Serialize)]
struct PlanView<'p> {
    name: &'p str,
    max_keys: u32,
    limits: LimitsView,
}

/// No key of the account may have a limit above these.
#[derive(Serialize)]
pub(crate) struct LimitsView {
    per_minute: u32,
    burst: u32,
    per_day: u64,
    concurrent: u32,
}

impl LimitsView {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            per_minute: limits.per_minute.limit(),
            burst: limits.per_minute.burst(),
            per_day: limits.per_day,
            concurrent: limits.concurrent,
        }
    }
}

#[derive(Serialize)]
struct KeyView<'k> {
    id: String,
    project_id: String,
    environment: &'k str,
    scopes: Vec<&'k str>,
}

impl<'k> KeyView<'k> {
    fn of(caller: &'k Caller) -> Option<Self> {
        let CellId::Key(id) = &caller.id else { return None };
        Some(Self {
            id: id.to_string(),
            project_id: caller.cell.owner.project.to_string(),
            environment: &caller.cell.owner.environment,
            scopes: caller.cell.grants.iter().map(Grant::as_str).collect(),
        })
    }
}
