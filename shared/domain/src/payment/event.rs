//! Stripe's events, as far as they move money: a checkout that is paid, a refund, and what a charge has refunded in all.
//!
//! ```text
//! {"type": "checkout.session.completed", "data": {"object": {…}}, …}
//!
//! object   checkout.session   id · payment_intent · payment_status · amount_total · currency · client_reference_id · metadata
//!          refund             id · payment_intent · charge · status · amount · currency
//!          charge             id · payment_intent · amount_refunded · currency
//! ```
//!
//! Amounts are whole cents. Members that are not named here are Stripe's own affair and may come and go.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    id::AccountId,
    ledger::MAX_CREDIT,
    money::MicroUsd,
    payment::{Claim, Complaint, PaymentName, RefundName, RefundOutcome},
};

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody has paid.
    Paid(Paid),
    /// A refund has gone through, or has come to nothing.
    Refund(Refund),
    /// What was refunded of a charge so far.
    Refunded(Refunded),
    /// Nothing that moves money: another kind of event, nothing paid yet, a refund that is on its way.
    Other,
}

/// A checkout that is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The payment.
    pub payment: PaymentName,
    /// How much was paid.
    pub amount: Result<MicroUsd, Complaint>,
    /// The account that it is for.
    pub account: Result<AccountId, Complaint>,
    /// Both as Stripe says them.
    pub claim: Claim,
}

/// A refund that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// The payment that it is of.
    pub payment: PaymentName,
    /// The refund.
    pub name: RefundName,
    /// How much.
    pub amount: Result<MicroUsd, Complaint>,
    /// How it ended.
    pub outcome: RefundOutcome,
}

/// What was refunded of a charge so far, all refunds together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// The payment.
    pub payment: PaymentName,
    /// How much in all.
    pub amount: Result<MicroUsd, Complaint>,
}

impl Event {
    /// Reads an event whose signature was found right.
    ///
    /// # Errors
    /// [`NoEvent`] for what Stripe does not send: no JSON object, no type, no object, or an object of ours without an id.
    pub fn parse(body: &[u8]) -> Result<Self, NoEvent> {
        let Envelope { kind, data } = serde_json::from_slice(body).map_err(|_| NoEvent)?;
        let object = || serde_json::from_str::<Object<'_>>(data.object.get()).map_err(|_| NoEvent);
        match kind.as_str() {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => paid(&object()?),
            "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => refund(&object()?),
            "charge.refunded" => {
                let object = object()?;
                let amount = object.amount(object.amount_refunded);
                Ok(Self::Refunded(Refunded { payment: object.payment()?, amount }))
            }
            _ => Ok(Self::Other),
        }
    }
}

/// A signed text that is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event of stripe's")]
pub struct NoEvent;

fn paid(session: &Object<'_>) -> Result<Event, NoEvent> {
    let amount = session.amount(session.amount_total);
    if text(session.payment_status).as_deref() != Some("paid") || amount == Ok(MicroUsd::ZERO) {
        return Ok(Event::Other);
    }
    let metadata = session.metadata.and_then(|raw| serde_json::from_str::<Metadata<'_>>(raw.get()).ok());
    let named = [session.client_reference_id, metadata.and_then(|metadata| metadata.account_id)];
    let named: Vec<String> = named.into_iter().filter_map(text).collect();
    let account = named.iter().find_map(|named| AccountId::parse(named).ok());
    let account = account.ok_or(if named.is_empty() { Complaint::NoAccount } else { Complaint::UnknownAccount });
    let claim = Claim {
        amount: amount.ok(),
        stated: stated(&[session.amount_total.map(RawValue::get), text(session.currency).as_deref()]),
        account: named.first().map(|named| stated(&[Some(named)])),
    };
    Ok(Event::Paid(Paid { payment: session.payment()?, amount, account, claim }))
}

fn refund(refund: &Object<'_>) -> Result<Event, NoEvent> {
    let outcome = match text(refund.status).as_deref() {
        Some("succeeded") => RefundOutcome::Succeeded,
        Some("failed" | "canceled") => RefundOutcome::Failed,
        _ => return Ok(Event::Other),
    };
    let name = text(refund.id).and_then(|id| RefundName::parse(&id)).ok_or(NoEvent)?;
    let amount = refund.amount(refund.amount);
    Ok(Event::Refund(Refund { payment: refund.payment()?, name, amount, outcome }))
}

#[derive(Deserialize)]
struct Envelope<'e> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    data: Data<'e>,
}

#[derive(Deserialize)]
struct Data<'e> {
    #[serde(borrow)]
    object: &'e RawValue,
}

/// The members of all three kinds of object, as they are written.
#[derive(Deserialize)]
struct Object<'e> {
    #[serde(borrow)]
    id: Option<&'e RawValue>,
    #[serde(borrow)]
    payment_intent: Option<&'e RawValue>,
    #[serde(borrow)]
    charge: Option<&'e RawValue>,
    #[serde(borrow)]
    status: Option<&'e RawValue>,
    #[serde(borrow)]
    payment_status: Option<&'e RawValue>,
    #[serde(borrow)]
    amount: Option<&'e RawValue>,
    #[serde(borrow)]
    amount_total: Option<&'e RawValue>,
    #[serde(borrow)]
    amount_refunded: Option<&'e RawValue>,
    #[serde(borrow)]
    currency: Option<&'e RawValue>,
    #[serde(borrow)]
    client_reference_id: Option<&'e RawValue>,
    #[serde(borrow)]
    metadata: Option<&'e RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'e> {
    #[serde(borrow)]
    account_id: Option<&'e RawValue>,
}

impl Object<'_> {
    /// The payment that the object is about: its payment intent, or what stands for it where there is none.
    fn payment(&self) -> Result<PaymentName, NoEvent> {
        let named = [self.payment_intent, self.charge, self.id].into_iter().find_map(text);
        named.and_then(|name| PaymentName::parse(&name)).ok_or(NoEvent)
    }

    /// An amount of cents in US dollars, from its literal digits: `5e3`, `10.5` and `"500"` are none.
    fn amount(&self, raw: Option<&RawValue>) -> Result<MicroUsd, Complaint> {
        if text(self.currency).as_deref() != Some("usd") {
            return Err(Complaint::OtherCurrency);
        }
        let digits = raw.map(RawValue::get).filter(|digits| digits.len() <= MAX_CENT_DIGITS);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let cents = digits.and_then(|digits| digits.parse::<u64>().ok());
        let amount = cents.and_then(|cents| MicroUsd::new(cents * MICRO_USD_PER_CENT).ok());
        amount.filter(|amount| *amount <= MAX_CREDIT).ok_or(Complaint::MalformedAmount)
    }
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// A few words of Stripe's for people: short, and nothing but printable characters.
fn stated(words: &[Option<&str>]) -> String {
    let words = words.iter().copied().flatten().collect::<Vec<_>>().join(" ");
    words.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(MAX_STATED_CHARS).collect()
}

const MICRO_USD_PER_CENT: u64 = 10_000;
/// Stripe's largest amount has eight digits, or twelve in currencies that are none of ours.
const MAX_CENT_DIGITS: usize = 12;
const MAX_STATED_CHARS: usize = 64;

#[cfg(test)]
mod tests;
