//! `POST /v1/client-sessions`

use faregate_domain::{
    cell::{Cell, CellId},
    client_session::{Booked, ClientReference, ClientSecret, ClientSession, Metadata},
    delegation::Overreach,
    id::{ClientSessionId, KeyId},
    origin::Allowlist,
    rotation::Secret,
    scope::Grant,
    time::{Day, Timestamp},
};
use faregate_edge::{
    client_token::ClientToken, entropy, input, input::Usd, problem::Problem, secrets::SecretName, wish,
};
use faregate_gate::{
    Caller,
    management::{Data, Failure, Refusal, answer},
    replay::Ticket,
};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::{App, body::CreateBody, view::SessionView};

impl App {
    /// Makes a session that charges the key which asks; the answer shows its secret, and a repeated request gets that
    /// answer again.
    pub(crate) async fn create(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let now = self.services().clock.now();
        let caller = self.authenticate(request).await?;
        let CellId::Key(key) = &caller.id else { return Err(key_required().into()) };
        let ticket = Ticket::of(request, &caller.id, OPERATION)?;
        for _ in 0..MAX_ATTEMPTS {
            if let Some(ticket) = &ticket
                && let Some(first) = self.gate.replay(ticket, now).await?
            {
                return answer(201, first);
            }
            require_current_secret(&caller)?;
            let session = self.draft(key, &caller.cell, input::json(request)?, now)?;
            if let Some(answer) = self.insert(&session, ticket.as_ref(), now).await? {
                return Ok(answer);
            }
        }
        Err(Failure::Contended { item: "record of the request" }.into())
    }

    /// Checks what is asked for against form and the key's own rights.
    fn draft(&self, key: &KeyId, cell: &Cell, body: CreateBody, now: Timestamp) -> Result<ClientSession, Refusal> {
        let policy = &self.services().config.policy;
        let reference = ClientReference::parse(&body.client_reference_id).ok_or_else(|| {
            Problem::invalid_field("client_reference_id", "must have 1 to 200 characters and no control characters")
        })?;
        let metadata = Metadata::new(body.metadata.unwrap_or_default().0)
            .map_err(|error| Problem::invalid_field("metadata", &error.to_string()))?;
        let ttl_seconds = body.ttl_seconds.unwrap_or(ClientSession::DEFAULT_TTL_SECONDS);
        if !ClientSession::TTL_SECONDS.contains(&ttl_seconds) {
            return Err(Problem::invalid_field("ttl_seconds", "must be a whole number from 60 to 86400").into());
        }
        let grants = match &body.scopes {
            Some(scopes) => wish::grants(scopes, policy)?,
            None => cell.grants.clone(),
        };
        let lacks = |grant: &&Grant| !cell.grants.iter().any(|held| held.covers(grant));
        if let Some(grant) = grants.iter().find(lacks) {
            return Err(Overreach::Grant(grant.clone()).into());
        }
        let allowlist = match body.allowlist {
            Some(list) => wish::allowlist(list.0)?,
            None => cell.allowlist.clone(),
        };
        let is_within = |own: &Allowlist| allowlist.as_ref().is_some_and(|list| own.covers(list));
        if !cell.allowlist.as_ref().is_none_or(is_within) {
            return Err(Overreach::Allowlist.into());
        }
        let environment = policy.find_environment(&cell.owner.environment);
        let environment = environment.ok_or(Failure::Missing { item: "key's environment" })?;
        Ok(ClientSession {
            id: ClientSessionId::mint(&mut entropy::fill),
            account: cell.owner.account.clone(),
            project: cell.owner.project.clone(),
            key: key.clone(),
            environment: environment.name.clone(),
            reference,
            metadata,
            grants,
            allowlist,
            ceiling: body.max_cost_usd.and_then(|ceiling| ceiling.0).map(|Usd(ceiling)| ceiling),
            created_at: now,
            end: Timestamp::from_epoch_s(now.plus_s(ttl_seconds).epoch_s()),
            redeemed_at: None,
            ended_at: None,
            booked: Booked::default(),
            kept_until: now.plus_s(u64::from(environment.retention_days) * Day::SECONDS),
        })
    }

    /// Mints the secret and inserts the session; `None` when an equal request was faster.
    async fn insert(
        &self,
        session: &ClientSession,
        ticket: Option<&Ticket>,
        now: Timestamp,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let config = &self.services().config;
        let link = self.services().secrets.find(SecretName::Link, now).await?;
        // Whoever redeems it must not be the first to learn that its token fits no header.
        if ClientToken::sign(&session.pass(now), &link.current, &config.public_origin).is_err() {
            let rule = "has more text, with the scopes, than a token has room for; name fewer or shorter ones";
            return Err(Problem::invalid_field("allowlist", rule).into());
        }
        let secret = ClientSecret::mint(&session.id, &link.current, &mut entropy::fill);
        let page =
            config.policy.session_page().map_or_else(|| format!("{}{OWN_PAGE}", config.public_origin), str::to_owned);
        let created = CreatedView {
            session: SessionView::of(session, None, now),
            client_secret: SecretView {
                secret: secret.reveal(),
                // What stands behind the number sign stays in the browser: no server on the way logs it.
                url: format!("{page}#client_secret={}", secret.reveal()),
                expires_at: session.end.to_string(),
            },
        };
        let text = serde_json::to_string(&Data { data: created })?;
        let record = match ticket {
            Some(ticket) => Some(self.gate.record(ticket, &text, now).await?),
            None => None,
        };
        let store = &self.services().store;
        if !store.insert_client_session(session, &secret.hash(), record.as_ref(), now).await? {
            return Ok(None);
        }
        tracing::info!(account = %session.account, key = %session.key, session = %session.id, "client session created");
        answer(201, text).map(Some)
    }
}

/// The one answer that shows a client secret.
#[derive(Serialize)]
struct CreatedView<'s> {
    session: SessionView<'s>,
    client_secret: SecretView<'s>,
}

#[derive(Serialize)]
struct SecretView<'s> {
    secret: &'s str,
    url: String,
    expires_at: String,
}

/// A session charges a key, so it is a key that makes one.
fn key_required() -> Problem {
    Problem::new(403, "key_required", "A client session charges the key that makes it; make it with a key.")
}

/// A secret that was rotated out works until its grace ends, and makes nothing that outlasts it.
fn require_current_secret(caller: &Caller) -> Result<(), Refusal> {
    if caller.secret != Secret::Old {
        return Ok(());
    }
    let detail = "The key was rotated; only its secret in force may make client sessions.";
    Err(Problem::new(409, "key_rotated", detail).into())
}

const OPERATION: &str = "POST /v1/client-sessions";
const MAX_ATTEMPTS: u32 = 8;
/// Where sessions begin when the policy names no page.
const OWN_PAGE: &str = "/client-session";
