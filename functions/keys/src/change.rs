//! `PATCH /v1/api-keys/{id}`

use std::time::Duration;

use faregate_domain::{
    amendment::WindowShift,
    cell::{Cell, CellId, Status},
    delegation::{Bound, Wish},
    money::MicroUsd,
    policy::{Limits, LimitsPatch, dialect::KeyAnswer},
    recall::Recall,
    time::Timestamp,
};
use faregate_edge::{input, problem::Problem, wish};
use faregate_gate::{
    Caller,
    management::{Failure, Refusal, answer},
};
use faregate_store::{BudgetChange, KeyAmendment, KeyDescription, LimitsChange};
use lambda_http::{Body, Request, Response};

use crate::{App, body::ChangeBody, field, find::authority, view::KeyView};

impl App {
    pub(crate) async fn change(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let mut found = self.find(&caller, id).await?;
        let change = self.changes(&caller, input::json(request)?).await?;
        for attempt in 1..=MAX_ATTEMPTS {
            let (description, cell) = &found;
            if cell.status == Status::Revoked {
                return Err(key_revoked().into());
            }
            let amendment = self.amendment(&caller, &change, description, cell).await?;
            if self.services().store.amend_key(&caller.account, &description.id, &amendment).await? {
                let (description, cell) = self.find(&caller, id).await?;
                let view = KeyView::of(&description, &cell, self.services().clock.now());
                return answer(200, self.key_text(request, KeyAnswer::Key, view)?);
            }
            // Somebody else changed it, or it was in use: from its new state again.
            tokio::time::sleep(PAUSE * attempt).await;
            found = self.find(&caller, id).await?;
        }
        Err(Failure::Contended { item: "key" }.into())
    }

    /// Checks the form of what is asked for.
    async fn changes(&self, caller: &Caller, body: ChangeBody) -> Result<Change, Refusal> {
        let services = self.services();
        let now = services.clock.now();
        let wish = Wish {
            grants: body.scopes.map(|scopes| wish::grants(&scopes, &services.config.policy)).transpose()?,
            allowlist: body.allowlist.map(|list| wish::allowlist(list.0)).transpose()?.map(Bound::from),
            limits: None,
            expires_at: body.expires_at.map(|end| field::expiry(end.0.as_deref(), now)).transpose()?.map(Bound::from),
            budget: body.budget_usd.map(|budget| budget.0.map(|budget| budget.0).into()),
        };
        let name = body.name.map(input::name).transpose()?;
        let status = body.frozen.map(|is_frozen| if is_frozen { Status::Frozen } else { Status::Active });
        let limits = match body.limits {
            Some(limits) => Some((limits.0.into(), self.plan(caller).await?.ceiling)),
            None => None,
        };
        Ok(Change { name, status, limits, wish })
    }

    /// What the change means for the key as it is now.
    async fn amendment(
        &self,
        caller: &Caller,
        change: &Change,
        description: &KeyDescription,
        cell: &Cell,
    ) -> Result<KeyAmendment, Refusal> {
        let services = self.services();
        let limits = match &change.limits {
            Some((patch, ceiling)) => Some(field::limits(cell.limits.held_under(ceiling), *patch, ceiling)?),
            None => None,
        };
        let wish = Wish { limits, ..change.wish.clone() };
        authority(caller).permit(&wish, &services.config.policy)?;
        let budget = match wish.budget.map(|budget| budget.find().copied()) {
            Some(new) if new != cell.purse.budget => Some(self.budget_change(description, cell, new).await?),
            _ => None,
        };
        let now = services.clock.now();
        Ok(KeyAmendment {
            name: change.name.clone(),
            status: change.status,
            grants: wish.grants,
            allowlist: wish.allowlist,
            limits: limits.map(|new| limits_change(cell, new, now)),
            expires_at: wish.expires_at,
            budget,
        })
    }

    /// A smaller budget sends back what exceeds it; a larger one, or none, moves nothing.
    async fn budget_change(
        &self,
        description: &KeyDescription,
        cell: &Cell,
        new: Option<MicroUsd>,
    ) -> Result<BudgetChange, Refusal> {
        let old = cell.purse.budget;
        let lowered = new.filter(|new| old.is_none_or(|old| *new < old));
        let recall = match lowered {
            Some(budget) => {
                let child = CellId::Key(description.id.clone());
                let wallet = self.services().store.find_wallet(&description.project).await?;
                let wallet = wallet.ok_or(Failure::Missing { item: "project's wallet" })?;
                Some((description.project.clone(), Recall::under(budget, &child, &cell.purse, &wallet)))
            }
            None => None,
        };
        Ok(BudgetChange { old, new, recall })
    }
}

/// What a caller asks to change, checked as far as that goes without the key.
struct Change {
    name: Option<String>,
    status: Option<Status>,
    /// Which limits, and the plan's ceiling.
    limits: Option<(LimitsPatch, Limits)>,
    wish: Wish,
}

/// The 409 of a key that has ended for good.
pub(crate) fn key_revoked() -> Problem {
    Problem::new(409, "key_revoked", "The key is revoked; nothing about it can be changed any more.")
}

fn limits_change(cell: &Cell, new: Limits, now: Timestamp) -> LimitsChange {
    LimitsChange { old: cell.limits, new, shift: WindowShift::of(cell, &new, now) }
}

const MAX_ATTEMPTS: u32 = 24;
const PAUSE: Duration = Duration::from_millis(2);
