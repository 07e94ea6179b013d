//! `POST /v1/payments/stripe`

use faregate_domain::{
    payment::{event::Event, signature::Signature},
    secret::{MacSecret, Versions},
    time::Timestamp,
};
use faregate_edge::{
    input,
    problem::Problem,
    secrets::{SecretName, SecretsError},
};
use faregate_gate::management::{Data, Refusal, answer};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::App;

impl App {
    /// Takes an event of Stripe's. Whatever is understood is answered 200, also where nobody can be credited with it: Stripe
    /// would send it again for days, and it is kept. What fails here is 503, and Stripe's sending again makes it good.
    pub(crate) async fn receive(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let now = self.services().clock.now();
        let secrets = &self.services().secrets;
        let Some(secret) = secrets.find_optional(SecretName::Stripe, now).await? else {
            tracing::warn!("an event came, and there is no secret of Stripe's to check it by");
            return Err(Problem::not_found().into());
        };
        let body = input::bounded_body(request)?;
        // Nothing of the body is read before this, so nobody but Stripe has it parsed.
        if !self.is_signed(request, body, &secret, now).await? {
            return Err(Problem::new(400, "invalid_event_signature", UNSIGNED).into());
        }
        let event =
            Event::parse(body).map_err(|_| Problem::new(400, "invalid_request", "This is no event of Stripe's."))?;
        let status = self.apply(event, now).await?.as_str();
        answer(200, serde_json::to_string(&Data { data: ReceiptView { status } })?)
    }

    async fn is_signed(
        &self,
        request: &Request,
        body: &[u8],
        secret: &Versions<MacSecret>,
        now: Timestamp,
    ) -> Result<bool, SecretsError> {
        let header = request.headers().get("stripe-signature").and_then(|header| header.to_str().ok());
        let Some(signature) = header.and_then(Signature::parse) else { return Ok(false) };
        if !signature.is_timely(now) {
            return Ok(false);
        }
        if signature.is_of(body, secret) {
            return Ok(true);
        }
        // The secret may just have been replaced; asking again is bounded in the secrets' own cache.
        let secret = self.services().secrets.find_fresh(SecretName::Stripe, now).await?;
        Ok(signature.is_of(body, &secret))
    }

    /// Does what the event says.
    async fn apply(&self, event: Event, now: Timestamp) -> Result<Receipt, Refusal> {
        let (payment, complaint) = match event {
            Event::Other => return Ok(Receipt::Ignored),
            Event::Paid(paid) => (paid.payment.clone(), self.pay(paid, now).await?),
            Event::Refund(refund) => (refund.payment.clone(), self.refund(refund, now).await?),
            Event::Refunded(refunded) => (refunded.payment.clone(), self.refund_charge(refunded, now).await?),
        };
        let Some(complaint) = complaint else { return Ok(Receipt::Applied) };
        tracing::warn!(payment = payment.as_str(), reason = complaint.as_str(), "a payment needs an operator");
        Ok(Receipt::Kept)
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receipt {
    /// The money is where it belongs, now or since before.
    Applied,
    /// It is kept for an operator.
    Kept,
    /// It moves no money.
    Ignored,
}

impl Receipt {
    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Kept => "kept",
            Self::Ignored => "ignored",
        }
    }
}

#[derive(Serialize)]
struct ReceiptView {
    status: &'static str,
}

/// The one answer to whoever is not Stripe, or comes too late.
const UNSIGNED: &str = "The event carries no signature that is valid here and now.";
