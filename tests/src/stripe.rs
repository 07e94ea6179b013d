//! Stripe as it calls: events in its shape (API version 2025-06-30), signed as it signs.

use faregate_domain::{secret::MacSecret, time::Timestamp};
use serde_json::{Value, json};

/// The signing secret of an endpoint.
pub const SECRET: &str = "whsec_5tr1p351gn1ngs3cr3t0f4t35t3ndp01nt";

/// The `Stripe-Signature` of a body that is sent at `at`.
#[must_use]
pub fn signature(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let (time, secret) = (at.epoch_s().to_string(), MacSecret::new(secret.as_bytes().to_vec()));
    let tag = secret.unwrap_or_else(|error| panic!("{error}")).mac(&[time.as_bytes(), b".", body]);
    format!("t={time},v1={}", hex::encode(tag))
}

/// A checkout that was paid at once.
#[must_use]
pub fn checkout(payment: &str, account: &str, cents: u64) -> Value {
    let session = json!({
        "id": format!("cs_test_{payment}"), "object": "checkout.session", "amount_subtotal": cents, "amount_total": cents,
        "client_reference_id": account, "created": 1_792_540_700, "currency": "usd", "customer": null,
        "customer_details": {"email": "payer@example.com"}, "livemode": false, "metadata": {}, "mode": "payment",
        "payment_intent": payment, "payment_method_types": ["card"], "payment_status": "paid", "status": "complete",
    });
    event("checkout.session.completed", &session)
}

/// News of one refund.
#[must_use]
pub fn refund(kind: &str, name: &str, payment: &str, cents: u64, status: &str) -> Value {
    let refund = json!({
        "id": name, "object": "refund", "amount": cents, "balance_transaction": "txn_1", "charge": format!("ch_{payment}"),
        "created": 1_792_540_750, "currency": "usd", "metadata": {}, "payment_intent": payment, "reason": null,
        "receipt_number": null, "status": status,
    });
    event(kind, &refund)
}

/// A charge, of which `cents` are refunded in all.
#[must_use]
pub fn refunded(payment: &str, cents: u64) -> Value {
    let charge = json!({
        "id": format!("ch_{payment}"), "object": "charge", "amount": 1_000_000, "amount_captured": 1_000_000,
        "amount_refunded": cents, "captured": true, "created": 1_792_540_700, "currency": "usd", "paid": true,
        "payment_intent": payment, "refunded": false, "status": "succeeded",
    });
    event("charge.refunded", &charge)
}

/// An event about an object.
#[must_use]
pub fn event(kind: &str, object: &Value) -> Value {
    json!({
        "id": format!("evt_{}", object["id"].as_str().unwrap_or_default()), "object": "event",
        "api_version": "2025-06-30.basil", "created": 1_792_540_799, "data": {"object": object}, "livemode": false,
        "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null}, "type": kind,
    })
}
