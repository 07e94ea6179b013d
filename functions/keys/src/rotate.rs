//! `POST /v1/api-keys/{id}/rotate`: another secret for the same key.

use faregate_domain::{
    cell::{Cell, CellId, Status, StoredProof},
    delegation::Wish,
    key::ApiKey,
    policy::dialect::KeyAnswer,
    rotation::{Grace, KeySecrets, Secret},
    time::Timestamp,
};
use faregate_edge::{entropy, input, problem::Problem, secrets::SecretName};
use faregate_gate::{
    Caller,
    management::{Failure, Refusal, answer},
    replay::Ticket,
};
use faregate_store::{KeyDescription, KeyRotation, RotationOutcome};
use lambda_http::{Body, Request, Response};

use crate::{App, body::RotateBody, change, field, find::authority, view::KeyView};

impl App {
    /// Puts a new secret in force; the answer shows it, and a repeated request gets that answer again.
    pub(crate) async fn rotate(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let now = self.services().clock.now();
        let caller = self.authenticate(request).await?;
        let ticket = Ticket::of(request, &caller.id, &format!("POST /v1/api-keys/{id}/rotate"))?;
        for _ in 0..MAX_ATTEMPTS {
            if let Some(ticket) = &ticket
                && let Some(first) = self.gate.replay(ticket, now).await?
            {
                return answer(201, first);
            }
            require_current_secret(&caller)?;
            let grace = field::grace(&body(request)?, now)?;
            let (description, cell) = self.find(&caller, id).await?;
            self.permit_secret(&caller, &description, &cell)?;
            let plan = Plan { description, cell, grace, now };
            if let Some(answer) = self.put_in_force(request, &plan, ticket.as_ref()).await? {
                return Ok(answer);
            }
        }
        Err(Failure::Contended { item: "record of the request" }.into())
    }

    /// Whoever rotates a key holds a secret of it afterwards, so a key rotates itself, or one that it could have made.
    fn permit_secret(&self, caller: &Caller, description: &KeyDescription, cell: &Cell) -> Result<(), Refusal> {
        if cell.status == Status::Revoked {
            return Err(change::key_revoked().into());
        }
        if caller.id == CellId::Key(description.id.clone()) {
            // Somebody may have rotated the key since its secret was looked at.
            let current = |cell: &Cell| cell.secrets().map(|secrets| secrets.current);
            return if current(&caller.cell) == current(cell) { Ok(()) } else { Err(key_rotated().into()) };
        }
        if caller.key().is_some() {
            authority(caller).permit(&Wish::all_of(cell), &self.services().config.policy)?;
        }
        Ok(())
    }

    /// Mints the secret and writes it down; `None` when an equal request was faster.
    async fn put_in_force(
        &self,
        request: &Request,
        plan: &Plan,
        ticket: Option<&Ticket>,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let (services, Plan { description, cell, grace, now }) = (self.services(), plan);
        let (grace, now) = (*grace, *now);
        let environment = services.config.policy.find_environment(&description.environment);
        let environment = environment.ok_or(Failure::Missing { item: "key's environment" })?;
        let tag = services.secrets.find(SecretName::Tag, now).await?;
        let pepper = services.secrets.find(SecretName::Pepper, now).await?;
        let key = ApiKey::mint_for(&description.id, &environment.prefix, &tag.current, &mut entropy::fill);
        let before: &KeySecrets = cell.secrets().ok_or(Failure::Missing { item: "key's secret" })?;
        let new = key.hash(&pepper.current);
        let after = Cell { proof: StoredProof::Key(before.rotated(new, grace, now)), ..cell.clone() };
        let view = KeyView::of(description, &after, now).with_key(key.reveal());
        let text = self.key_text(request, KeyAnswer::Rotated, view)?;
        let record = match ticket {
            Some(ticket) => Some(self.gate.record(ticket, &text, now).await?),
            None => None,
        };
        let (account, id) = (&description.account, &description.id);
        let secret = &services.seal_signing_secret(account, &key, before.rotations() + 1, now).await?;
        let rotation = KeyRotation { account, id, before, new, grace, secret, record: record.as_ref(), now };
        match services.store.rotate_key(&rotation).await? {
            RotationOutcome::Rotated => {
                tracing::info!(%account, key = %id, "key rotated");
                answer(201, text).map(Some)
            }
            RotationOutcome::Recorded => Ok(None),
            RotationOutcome::Outdated => {
                let now = services.store.find_cell(&CellId::Key(id.clone())).await?;
                let is_revoked = now.is_some_and(|cell| cell.status == Status::Revoked);
                Err(if is_revoked { change::key_revoked() } else { key_rotated() }.into())
            }
        }
    }
}

/// A rotation that may be made.
struct Plan {
    description: KeyDescription,
    cell: Cell,
    grace: Grace,
    now: Timestamp,
}

/// The body; without one, every default holds.
fn body(request: &Request) -> Result<RotateBody, Problem> {
    if input::bounded_body(request)?.is_empty() { Ok(RotateBody::default()) } else { input::json(request) }
}

/// A secret that was rotated out works until its grace ends, and makes nothing that outlasts it: whoever found it could
/// otherwise take the key over from its owner.
///
/// # Errors
/// 409 `key_rotated`.
pub(crate) fn require_current_secret(caller: &Caller) -> Result<(), Refusal> {
    if caller.secret != Secret::Old {
        return Ok(());
    }
    let detail = "The key was rotated; only its secret in force may make keys and secrets.";
    Err(Problem::new(409, "key_rotated", detail).into())
}

fn key_rotated() -> Problem {
    let detail = "Another request rotated the key at the same time; this one changed nothing.";
    Problem::new(409, "key_rotated", detail)
}

const MAX_ATTEMPTS: u32 = 8;
