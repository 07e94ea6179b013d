//! One attempt at a delivery, from a message to what is written down of it.

use faregate_domain::{
    cell::{Cell, CellId, Status},
    outbound::Target,
    time::Timestamp,
    webhook::{Attempt, Delivery, DeliveryState, Ending, Endpoint, Outcome, Reason, SigningSecret, schedule},
};
use faregate_edge::entropy;
use faregate_store::KeySecretItem;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use crate::{App, HandleError, queues::Wake};

impl App {
    /// Makes an attempt for each message of a queue; the names of those that must come again.
    pub(crate) async fn take_messages(&self, messages: &[Value]) -> Vec<String> {
        let mut failed = Vec::new();
        for message in messages {
            let name = message["messageId"].as_str().unwrap_or_default();
            let wake = message["body"].as_str().and_then(|body| serde_json::from_str::<Wake>(body).ok());
            let Some(wake) = wake else {
                tracing::error!(message = name, "a message is none of ours");
                continue;
            };
            // In a queue that keeps an order, what follows a failure must wait for it.
            if !failed.is_empty() {
                failed.push(name.to_owned());
            } else if let Err(error) = self.deliver(&wake).await {
                tracing::error!(message = name, %error, "a delivery is not tried; its message comes again");
                failed.push(name.to_owned());
            }
        }
        failed
    }

    async fn deliver(&self, wake: &Wake) -> Result<(), HandleError> {
        let (store, now) = (&self.services.store, self.services.clock.now());
        let Some((endpoint, id)) = wake.delivery() else { return Ok(()) };
        let Some(delivery) = store.find_delivery(&endpoint, &id).await? else { return Ok(()) };
        let DeliveryState::Pending(at) = delivery.state else { return Ok(()) };
        // Somebody was faster, or a sweep finds it when its time has come.
        if (delivery.round, delivery.tried) != (wake.round, wake.tried) || at > now.plus_s(EARLY_SECONDS) {
            return Ok(());
        }
        let Some(endpoint) = store.find_endpoint(&delivery.account, &endpoint).await? else {
            return self.cancel(&delivery, Ending::Deleted).await;
        };
        match self.find_signers(&endpoint, now).await? {
            // Whoever hangs would hold a place that others wait for; one event finds that out, the next ones need not.
            Ok(_) if wake.is_in_line() && endpoint.failing_since.is_some() => Ok(self.queues.set_aside(wake).await?),
            Ok(signers) => self.attempt(&endpoint, &delivery, &signers).await,
            Err(reason) => {
                if reason == Reason::SecretUnknown {
                    tracing::error!(webhook = %endpoint.id, key = %endpoint.key, "a signing secret is unknown");
                }
                self.disable(endpoint, reason, now).await?;
                self.cancel(&delivery, Ending::Disabled(reason)).await
            }
        }
    }

    /// The secrets that a delivery to the endpoint is signed under, the one in force first; or why nothing is delivered.
    async fn find_signers(
        &self,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Result<Vec<SigningSecret>, Reason>, HandleError> {
        if let Some(disabled) = endpoint.disabled {
            return Ok(Err(disabled.reason));
        }
        let store = &self.services.store;
        let cell = store.find_cell(&CellId::Key(endpoint.key.clone())).await?;
        let cell = cell.ok_or(HandleError::Missing("key's cell"))?;
        if cell.is_over(now) {
            let is_revoked = cell.status == Status::Revoked;
            return Ok(Err(if is_revoked { Reason::KeyRevoked } else { Reason::KeyExpired }));
        }
        let Some(kept) = store.find_key_secrets(&endpoint.account, &endpoint.key).await? else {
            return Ok(Err(Reason::SecretUnknown));
        };
        let mut signers = Vec::new();
        for number in numbers_in_force(&cell, now) {
            signers.extend(self.open(&kept, number, now).await?);
        }
        Ok(if signers.is_empty() { Err(Reason::SecretUnknown) } else { Ok(signers) })
    }

    async fn open(
        &self,
        kept: &KeySecretItem,
        number: u64,
        now: Timestamp,
    ) -> Result<Option<SigningSecret>, HandleError> {
        let Some(sealed) = kept.find(number) else { return Ok(None) };
        Ok(self.services.open_signing_secret(&sealed, now).await?)
    }

    /// Sends it and writes down what came of it.
    async fn attempt(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        signers: &[SigningSecret],
    ) -> Result<(), HandleError> {
        let at = self.services.clock.now();
        let (outcome, retry_after) = match Target::parse(&endpoint.url, self.reach()) {
            // What may be called was another matter when the endpoint was made.
            Err(_) => (Outcome::Unanswered(FORBIDDEN.to_owned()), None),
            Ok(target) => {
                let sent = self.outbound.post(&target, headers(delivery, signers, at), delivery.body.clone().into());
                match sent.await {
                    Ok(answer) => {
                        let asked = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                        let asked = asked.and_then(|text| schedule::retry_after(text, at));
                        (Outcome::Answered(answer.status.as_u16()), asked)
                    }
                    Err(error) => (Outcome::Unanswered(error.code().to_owned()), None),
                }
            }
        };
        let (is_success, is_gone) = (outcome.is_success(), outcome.is_gone());
        tracing::info!(webhook = %endpoint.id, message = %delivery.id, ?outcome, "delivery tried");
        // The endpoint first: whoever dies here finds it changed, and changes it no further.
        self.note(endpoint, is_success, is_gone).await?;
        let mut spread = [0];
        entropy::fill(&mut spread);
        let [spread] = spread;
        let after = delivery.after(Attempt { at, outcome }, retry_after, spread);
        if !self.services.store.change_delivery(delivery, &after).await? {
            tracing::warn!(message = %delivery.id, "a delivery was tried by two at once");
        }
        Ok(())
    }

    /// Takes note of how an endpoint does, where that is not known of it.
    async fn note(&self, endpoint: &Endpoint, is_success: bool, is_gone: bool) -> Result<(), HandleError> {
        let (store, now) = (&self.services.store, self.services.clock.now());
        let mut before = endpoint.clone();
        for _ in 0..MAX_ROUNDS {
            let after = if is_success { before.after_success() } else { before.after_failure(is_gone, now) };
            if after == before || store.change_endpoint(&before, &after).await? {
                return Ok(());
            }
            let Some(found) = store.find_endpoint(&endpoint.account, &endpoint.id).await? else { return Ok(()) };
            before = found;
        }
        Ok(())
    }

    /// Lets an endpoint get nothing more; one that gets nothing already stays as it is.
    pub(crate) async fn disable(&self, endpoint: Endpoint, reason: Reason, now: Timestamp) -> Result<(), HandleError> {
        let store = &self.services.store;
        let mut before = endpoint;
        for _ in 0..MAX_ROUNDS {
            let after = before.disabled_for(reason, now);
            if after == before || store.change_endpoint(&before, &after).await? {
                return Ok(());
            }
            let Some(found) = store.find_endpoint(&before.account, &before.id).await? else { return Ok(()) };
            before = found;
        }
        Err(HandleError::Missing("quiet moment of an endpoint"))
    }

    async fn cancel(&self, delivery: &Delivery, ending: Ending) -> Result<(), HandleError> {
        let after = Delivery { state: DeliveryState::Cancelled(ending), ..delivery.clone() };
        self.services.store.change_delivery(delivery, &after).await?;
        Ok(())
    }
}

/// After which rotations the key's texts that still work were made, the one in force first.
fn numbers_in_force(cell: &Cell, now: Timestamp) -> Vec<u64> {
    let Some(secrets) = cell.secrets() else { return Vec::new() };
    let current = secrets.rotations();
    let previous = secrets.rotation.filter(|rotation| !rotation.grace.is_over(now)).map(|_| current.saturating_sub(1));
    std::iter::once(current).chain(previous).collect()
}

fn headers(delivery: &Delivery, signers: &[SigningSecret], at: Timestamp) -> HeaderMap {
    let signatures: Vec<_> = signers.iter().map(|signer| signer.sign(&delivery.id, at, &delivery.body)).collect();
    let texts = [
        ("webhook-id", delivery.id.to_string()),
        ("webhook-timestamp", at.epoch_s().to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, text) in texts {
        // Base62, digits and base64: all of them may stand in a header.
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
    headers
}

/// How much earlier than its time an attempt may be made: clocks differ.
const EARLY_SECONDS: u64 = 2;
const MAX_ROUNDS: u32 = 8;
const FORBIDDEN: &str = "address_not_public";
