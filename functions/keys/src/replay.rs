//! A repeated `POST` gets the first answer again, the secret included, until it is forgotten.

use faregate_domain::{
    cell::CellId,
    idempotency::{Fingerprint, IdempotencyKey, Precedent},
    time::Timestamp,
};
use faregate_edge::{input, problem::Problem, seal, secrets::SecretName};
use faregate_store::Record;
use lambda_http::{Body, Request, Response};
use secrecy::ExposeSecret;

use crate::{App, Refusal, answer, field};

/// What makes two requests the same.
pub(crate) struct Ticket {
    name: String,
    fingerprint: Fingerprint,
}

impl Ticket {
    /// The ticket of a request, if its caller wants one.
    pub(crate) fn of(request: &Request, caller: &CellId) -> Result<Option<Self>, Problem> {
        let Some(key) = field::idempotency_key(request.headers())? else { return Ok(None) };
        let fingerprint = Fingerprint::of(input::bounded_body(request)?);
        Ok(Some(Self { name: key.record_name(caller, OPERATION), fingerprint }))
    }
}

impl App {
    /// The answer that an earlier request with this ticket got.
    pub(crate) async fn replay(&self, ticket: &Ticket, now: Timestamp) -> Result<Option<Response<Body>>, Refusal> {
        let Some(record) = self.services().store.find_record(&ticket.name).await? else { return Ok(None) };
        match Precedent::of(record.fingerprint, record.end, ticket.fingerprint, now) {
            Precedent::Forgotten => Ok(None),
            Precedent::Other => {
                let detail = "This Idempotency-Key was used with another body.";
                Err(Problem::new(422, "idempotency_key_reused", detail).into())
            }
            Precedent::Same => {
                let secrets = &self.services().secrets;
                let seal = secrets.find(SecretName::Seal, now).await?;
                let opened = match seal::open(&seal, &record.name, &record.sealed_answer) {
                    // The secret may just have been rotated; asking again is bounded in the secrets' own cache.
                    Err(_) => {
                        let seal = secrets.find_fresh(SecretName::Seal, now).await?;
                        seal::open(&seal, &record.name, &record.sealed_answer)?
                    }
                    Ok(opened) => opened,
                };
                answer(201, opened.expose_secret().to_owned()).map(Some)
            }
        }
    }

    /// The record that remembers `text` as the answer to the ticket's request.
    pub(crate) async fn record(&self, ticket: &Ticket, text: &str, now: Timestamp) -> Result<Record, Refusal> {
        let seal = self.services().secrets.find(SecretName::Seal, now).await?;
        Ok(Record {
            name: ticket.name.clone(),
            fingerprint: ticket.fingerprint,
            sealed_answer: seal::seal(&seal, &ticket.name, text)?,
            end: now.plus_s(IdempotencyKey::LIFETIME_S),
        })
    }
}

const OPERATION: &str = "POST /v1/api-keys";
