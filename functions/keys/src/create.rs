//! `POST /v1/api-keys`

use faregate_domain::{
    cell::{Cell, Owner, Purse, Status, StoredProof},
    client_session::Tabs,
    counters::Counters,
    delegation::{Overreach, Wish},
    denial::Denial,
    id::ProjectId,
    key::{ApiKey, KeyHash},
    lease::Leases,
    money::MicroUsd,
    origin::Allowlist,
    policy::{Environment, Limits, Plan, dialect::KeyAnswer},
    project::Settings,
    scope::GrantSet,
    time::Timestamp,
};
use faregate_edge::{entropy, input, problem::Problem, secrets::SecretName, wish};
use faregate_gate::{
    Caller,
    management::{Failure, Refusal, answer},
    project::ProjectState,
    refusal,
    replay::Ticket,
};
use faregate_store::{KeyDescription, KeyInsertion, NewKey};
use lambda_http::{Body, Request, Response};

use crate::{App, body::CreateBody, field, find::authority, rotate::require_current_secret, view::KeyView};

impl App {
    pub(crate) async fn create(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let now = self.services().clock.now();
        let caller = self.authenticate(request).await?;
        let ticket = Ticket::of(request, &caller.id, OPERATION)?;
        for _ in 0..MAX_ATTEMPTS {
            if let Some(ticket) = &ticket
                && let Some(first) = self.gate.replay(ticket, now).await?
            {
                return answer(201, first);
            }
            require_current_secret(&caller)?;
            let draft = self.draft(&caller, input::json(request)?, now).await?;
            if let Some(answer) = self.insert(request, &caller, &draft, ticket.as_ref(), now).await? {
                return Ok(answer);
            }
        }
        Err(Failure::Contended { item: "record of the request, or the project," }.into())
    }

    /// Checks what is asked for against form, plan and the caller's own rights.
    async fn draft(&self, caller: &Caller, body: CreateBody, now: Timestamp) -> Result<Draft<'_>, Refusal> {
        let policy = &self.services().config.policy;
        let authority = authority(caller);
        let name = input::name(body.name)?;
        let environment = self.environment(caller, body.environment.as_deref())?;
        let expires_at = match &body.expires_at {
            Some(end) => field::expiry(end.0.as_deref(), now)?,
            None => caller.key().and_then(|cell| cell.expires_at),
        };
        let allowlist = match body.allowlist {
            Some(list) => wish::allowlist(list.0)?,
            None => caller.key().and_then(|cell| cell.allowlist.clone()),
        };
        let budget = match body.budget_usd {
            Some(budget) => budget.0.map(|budget| budget.0),
            None => caller.key().and_then(|cell| cell.purse.budget),
        };
        let grants = match &body.scopes {
            Some(scopes) => wish::grants(scopes, policy)?,
            None => policy.default_grants().clone(),
        };
        let plan = self.plan(caller).await?;
        if plan.max_keys == 0 {
            return Err(refusal::problem(&Denial::PlanRequired, now).into());
        }
        let base = environment.limits.held_under(&plan.ceiling);
        let base = caller.key().map_or(base, |cell| base.held_under(&cell.limits));
        let patch = body.limits.map(|limits| limits.0.into()).unwrap_or_default();
        let limits = field::limits(base, patch, &plan.ceiling)?;
        let project = self.project(caller, body.project_id.as_deref(), environment).await?;
        let settings = project.settings(&caller.account);
        let owner = Owner {
            account: caller.account.clone(),
            project: project.project.id,
            environment: environment.name.clone(),
            gallery: settings.gallery.clone(),
        };
        let wish = Wish {
            grants: Some(grants.clone()),
            allowlist: Some(allowlist.clone().into()),
            limits: Some(limits),
            expires_at: Some(expires_at.into()),
            budget: Some(budget.into()),
        };
        authority.permit(&wish, policy)?;
        let max_keys = plan.max_keys;
        Ok(Draft { name, environment, max_keys, settings, owner, grants, allowlist, limits, expires_at, budget })
    }

    /// Mints the key and inserts it; `None` when an equal request, or a change of the project, was faster.
    async fn insert(
        &self,
        request: &Request,
        caller: &Caller,
        draft: &Draft<'_>,
        ticket: Option<&Ticket>,
        now: Timestamp,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let secrets = &self.services().secrets;
        let tag = secrets.find(SecretName::Tag, now).await?;
        let pepper = secrets.find(SecretName::Pepper, now).await?;
        let key = ApiKey::mint(&draft.environment.prefix, &tag.current, &mut entropy::fill);
        let cell = draft.cell(key.hash(&pepper.current));
        let description = KeyDescription {
            id: key.id(),
            account: caller.account.clone(),
            name: draft.name.clone(),
            prefix: key.display_prefix().to_owned(),
            project: cell.owner.project.clone(),
            environment: cell.owner.environment.clone(),
            created_at: now,
            creator: caller.id.clone(),
        };
        let view = KeyView::of(&description, &cell, now).with_key(key.reveal());
        let text = self.key_text(request, KeyAnswer::Created, view)?;
        let record = match ticket {
            Some(ticket) => Some(self.gate.record(ticket, &text, now).await?),
            None => None,
        };
        let secret = self.services().seal_signing_secret(&caller.account, &key, 0, now).await?;
        let new = NewKey {
            secret: &secret,
            description: &description,
            cell: &cell,
            settings_version: draft.settings.version,
            max_keys: draft.max_keys,
            record: record.as_ref(),
            now,
        };
        match self.services().store.insert_key(&new).await? {
            KeyInsertion::Inserted => {
                tracing::info!(account = %caller.account, key = %description.id, "key created");
                answer(201, text).map(Some)
            }
            KeyInsertion::Recorded | KeyInsertion::Outdated => Ok(None),
            KeyInsertion::Full => {
                let detail = "The account has as many keys as its plan allows; revoke one first.";
                Err(Problem::new(403, "plan_required", detail).with_member("max_keys", draft.max_keys).into())
            }
        }
    }

    /// The caller's plan.
    pub(crate) async fn plan(&self, caller: &Caller) -> Result<&Plan, Refusal> {
        let account = self.services().store.find_account(&caller.account).await?;
        let account = account.ok_or(Failure::Missing { item: "account" })?;
        let plan = self.services().config.policy.find_plan(&account.plan);
        plan.ok_or_else(|| Failure::NoSuchPlan { plan: account.plan }.into())
    }

    fn environment(&self, caller: &Caller, name: Option<&str>) -> Result<&Environment, Refusal> {
        let policy = &self.services().config.policy;
        let own = caller.key().map(|cell| cell.owner.environment.as_str());
        let Some(name) = name.or(own) else { return Ok(policy.default_environment()) };
        let environment = policy
            .find_environment(name)
            .ok_or_else(|| Problem::invalid_field("environment", "is no environment of this API"))?;
        if own.is_some_and(|own| own != name) {
            return Err(Overreach::Environment.into());
        }
        Ok(environment)
    }

    /// The project that the new key acts for: the caller's own unless another of the account is named.
    async fn project(
        &self,
        caller: &Caller,
        named: Option<&str>,
        environment: &Environment,
    ) -> Result<ProjectState, Refusal> {
        let own = &caller.cell.owner.project;
        let named = named.map(|text| ProjectId::parse(text).map_err(|_| Problem::not_found())).transpose()?;
        let id = named.as_ref().unwrap_or(own);
        if id != own && !authority(caller).reaches(id, &environment.name) {
            return Err(Problem::not_found().into());
        }
        Ok(self.gate.find_project(&caller.account, id).await?.ok_or_else(Problem::not_found)?)
    }
}

/// A key that may be made, all but its text.
struct Draft<'p> {
    name: String,
    environment: &'p Environment,
    max_keys: u32,
    settings: Settings,
    owner: Owner,
    grants: GrantSet,
    allowlist: Option<Allowlist>,
    limits: Limits,
    expires_at: Option<Timestamp>,
    budget: Option<MicroUsd>,
}

impl Draft<'_> {
    /// The cell of the key with that hash; its money comes from the project once it is needed.
    fn cell(&self, hash: KeyHash) -> Cell {
        Cell {
            owner: self.owner.clone(),
            status: Status::Active,
            proof: StoredProof::Key(hash.into()),
            expires_at: self.expires_at,
            grants: self.grants.clone(),
            allowlist: self.allowlist.clone(),
            limits: self.limits,
            purse: Purse::empty(self.budget),
            leases: Leases::default(),
            tabs: Tabs::default(),
            project_window: self.settings.window,
            counters: Counters::default(),
        }
    }
}

const OPERATION: &str = "POST /v1/api-keys";
const MAX_ATTEMPTS: u32 = 8;
