//! `POST /v1/webhooks`

use faregate_domain::{
    cell::{Cell, CellId},
    id::{KeyId, WebhookId},
    time::Timestamp,
    webhook::{Endpoint, Wish},
};
use faregate_edge::{entropy, input, problem::Problem};
use faregate_gate::{
    Caller,
    management::{Data, Failure, Refusal, answer},
    replay::Ticket,
};
use faregate_store::{EndpointInsertion, NewEndpoint};
use lambda_http::{Body, Request, Response};
use secrecy::ExposeSecret as _;

use crate::{
    App,
    body::{self, CreateBody},
    require_current_secret, secret,
    view::EndpointView,
};

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
            let (endpoint, cell) = self.draft(&caller, input::json(request)?, now).await?;
            let own = self.keep_own_secret(request, &caller, now).await?;
            if own.is_none() && !self.is_known(&caller.account, &endpoint.key, &cell, now).await? {
                return Err(secret::unknown().into());
            }
            let view = EndpointView::of(&endpoint, Some(&cell), now);
            let view = match &own {
                Some(secret) => view.with_secret(secret.expose_secret()),
                None => view,
            };
            let text = serde_json::to_string(&Data { data: view })?;
            if let Some(answer) = self.insert(&endpoint, text, ticket.as_ref(), now).await? {
                return Ok(answer);
            }
        }
        Err(Failure::Contended { item: "record of the request" }.into())
    }

    /// Checks what is asked for; the endpoint, and the cell of the key that owns it.
    async fn draft(&self, caller: &Caller, body: CreateBody, now: Timestamp) -> Result<(Endpoint, Cell), Refusal> {
        let url = body::url(&body.url, self.services().config.reach)?;
        let wish = body.events.as_deref().map(body::wish).transpose()?.unwrap_or(Wish::All);
        let description = body.description.map(body::description).transpose()?.flatten();
        let (key, cell) = self.owner(caller, body.key_id.as_deref(), now).await?;
        let endpoint = Endpoint {
            id: WebhookId::mint(&mut entropy::fill),
            account: caller.account.clone(),
            key,
            project: cell.owner.project.clone(),
            environment: cell.owner.environment.clone(),
            url,
            wish,
            description,
            created_at: now,
            disabled: None,
            failing_since: None,
            version: 1,
        };
        Ok((endpoint, cell))
    }

    /// The key that owns the endpoint: the caller itself, or the one that whoever signed in names.
    async fn owner(&self, caller: &Caller, named: Option<&str>, now: Timestamp) -> Result<(KeyId, Cell), Refusal> {
        let field = |rule: &str| Problem::invalid_field("key_id", rule);
        if let CellId::Key(own) = &caller.id {
            if named.is_some_and(|named| named != own.to_string()) {
                return Err(field("must be the key's own; leave it out").into());
            }
            return Ok((own.clone(), caller.cell.clone()));
        }
        let named = named.ok_or_else(|| field("is required: deliveries are signed under a key"))?;
        let unknown = || field("is no key of this account");
        let id = KeyId::parse(named).map_err(|_| unknown())?;
        let store = &self.services().store;
        store.find_key(&caller.account, &id).await?.ok_or_else(unknown)?;
        let cell = store.find_cell(&CellId::Key(id.clone())).await?;
        let cell = cell.ok_or(Failure::Missing { item: "key's cell" })?;
        if cell.is_over(now) {
            return Err(key_revoked().into());
        }
        Ok((id, cell))
    }

    /// Inserts the endpoint; `None` when an equal request was faster.
    async fn insert(
        &self,
        endpoint: &Endpoint,
        text: String,
        ticket: Option<&Ticket>,
        now: Timestamp,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let record = match ticket {
            Some(ticket) => Some(self.gate.record(ticket, &text, now).await?),
            None => None,
        };
        match self.services().store.insert_endpoint(&NewEndpoint { endpoint, record: record.as_ref(), now }).await? {
            EndpointInsertion::Inserted => {
                tracing::info!(account = %endpoint.account, webhook = %endpoint.id, "webhook created");
                answer(201, text).map(Some)
            }
            EndpointInsertion::Recorded => Ok(None),
            EndpointInsertion::Full => {
                let detail = "The account has as many endpoints as it may have; delete one first.";
                let problem = Problem::new(409, "too_many_webhooks", detail);
                Err(problem.with_member("max_webhooks", Endpoint::MAX_PER_ACCOUNT).into())
            }
        }
    }
}

/// 409: an endpoint of a key that has ended would get nothing.
pub(crate) fn key_revoked() -> Problem {
    Problem::new(409, "key_revoked", "The key has ended, and its endpoints with it.")
}

const OPERATION: &str = "POST /v1/webhooks";
const MAX_ATTEMPTS: u32 = 8;
