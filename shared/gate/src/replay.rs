//! A repeated `POST` gets the first answer again, secrets included, until it is forgotten.

use faregate_domain::{
    cell::CellId,
    idempotency::{Fingerprint, IdempotencyKey, Precedent},
    time::Timestamp,
};
use faregate_edge::{input, problem::Problem, seal, secrets::SecretName};
use faregate_store::Record;
use lambda_http::{Request, http::HeaderMap};
use secrecy::ExposeSecret;

use crate::{Gate, management::Refusal};

/// What makes two requests the same.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub(crate) name: String,
    pub(crate) fingerprint: Fingerprint,
}

impl Ticket {
    /// The ticket of a request, if its caller wants one; `operation` is its method and path.
    ///
    /// # Errors
    /// 400 for an `Idempotency-Key` that is none, 413 for too large a body.
    pub fn of(request: &Request, caller: &CellId, operation: &str) -> Result<Option<Self>, Problem> {
        let Some(key) = idempotency_key(request.headers())? else { return Ok(None) };
        let fingerprint = Fingerprint::of(input::bounded_body(request)?);
        Ok(Some(Self { name: key.record_name(caller, operation), fingerprint }))
    }
}

impl Gate {
    /// The text of the answer that an earlier request with this ticket got.
    ///
    /// # Errors
    /// 422 when that request had another body; a failure when a part failed.
    pub async fn replay(&self, ticket: &Ticket, now: Timestamp) -> Result<Option<String>, Refusal> {
        let Some(record) = self.services().store.find_record(&ticket.name).await? else { return Ok(None) };
        match Precedent::of(record.fingerprint, record.end, ticket.fingerprint, now) {
            Precedent::Forgotten => Ok(None),
            Precedent::Other => Err(reused().into()),
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
                Ok(Some(opened.expose_secret().to_owned()))
            }
        }
    }

    /// The record that remembers `text` as the answer to the ticket's request.
    ///
    /// # Errors
    /// A failure when the secret could not be read.
    pub async fn record(&self, ticket: &Ticket, text: &str, now: Timestamp) -> Result<Record, Refusal> {
        let seal = self.services().secrets.find(SecretName::Seal, now).await?;
        Ok(Record {
            name: ticket.name.clone(),
            fingerprint: ticket.fingerprint,
            sealed_answer: seal::seal(&seal, &ticket.name, text)?,
            end: now.plus_s(IdempotencyKey::LIFETIME_S),
        })
    }
}

/// 422: the key stands for another request.
#[must_use]
pub fn reused() -> Problem {
    Problem::new(422, "idempotency_key_reused", "This Idempotency-Key was used with another body.")
}

/// 409: somebody is at the request that the key stands for.
#[must_use]
pub fn in_flight(retry_at: Timestamp, now: Timestamp) -> Problem {
    let detail = "A request with this Idempotency-Key is being answered.";
    Problem::new(409, "request_in_flight", detail)
        .with_header("retry-after", now.seconds_until(retry_at).max(1).to_string())
}

/// The `Idempotency-Key` header, if there is one.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::invalid_field("Idempotency-Key", "is given twice"));
    }
    let key = IdempotencyKey::parse(value.as_bytes());
    key.map(Some).map_err(|error| Problem::invalid_field("Idempotency-Key", &error.to_string()))
}
