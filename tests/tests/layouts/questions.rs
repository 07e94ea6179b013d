//! What every table is asked after its story, and what matters of the answers. A question changes the table for those
//! after it, so their order counts.

use crate::script::{Ask, ask};

/// A question, and the members of its answer that must stay as they were recorded.
pub(crate) struct Question {
    pub(crate) ask: Ask,
    pub(crate) said: &'static [&'static str],
}

const fn question(ask: Ask, said: &'static [&'static str]) -> Question {
    Question { ask, said }
}

/// A call of the API behind the gate.
const fn call(who: &'static str, what: &'static str) -> Question {
    question(ask(who, what, ""), CALL)
}

const fn told(who: &'static str, what: &'static str, said: &'static [&'static str]) -> Question {
    question(ask(who, what, ""), said)
}

const fn sent(who: &'static str, what: &'static str, body: &'static str, said: &'static [&'static str]) -> Question {
    question(ask(who, what, body), said)
}

const CALL: &[&str] = &[
    "/code",
    "/limit",
    "/used",
    "/spent_usd",
    "/reserved_usd",
    "/limit_usd",
    "/data/context/accountId",
    "/data/context/projectId",
    "/data/context/keyId",
    "/data/context/environment",
    "/data/context/gallery",
    "/data/context/scopes",
    "/data/context/rlLimit",
    "/data/context/rlRemaining",
];

const KEY: &[&str] = &[
    "/code",
    "/data/id",
    "/data/name",
    "/data/key_prefix",
    "/data/project_id",
    "/data/environment",
    "/data/scopes",
    "/data/allowlist",
    "/data/budget_usd",
    "/data/expires_at",
    "/data/created_at",
    "/data/status",
    "/data/limits/per_minute",
    "/data/limits/per_day",
    "/data/limits/concurrent",
    "/data/usage/today",
    "/data/usage/spent_usd",
    "/data/usage/remaining_usd",
    "/data/rotation/number",
    "/data/rotation/old_last_used_at",
];

const PROJECT: &[&str] = &["/code", "/data/id", "/data/name", "/data/gallery_mode", "/data/limits", "/data/budget_usd"];

const BILLING: &[&str] = &[
    "/data/wallet_usd",
    "/data/allocated_usd",
    "/data/reserved_usd",
    "/data/spent_today_usd",
    "/data/spent_month_usd",
];

const SETTLED: &[&str] =
    &["/code", "/data/charge_id", "/data/outcome", "/data/actual_usd", "/data/reserved_usd", "/data/refunded_usd"];

const VISIT: &[&str] = &[
    "/code",
    "/data/id",
    "/data/status",
    "/data/client_reference_id",
    "/data/metadata",
    "/data/scopes",
    "/data/allowlist",
    "/data/max_cost_usd",
    "/data/expires_at",
    "/data/spent_usd",
];

/// The account's session is signed in anew before these.
pub(crate) const QUESTIONS: &[Question] = &[
    // Admitted and refused, by what stands in the cell.
    call("plain", "GET /demo/free"),
    call("plain", "POST /demo/paid"),
    call("plain", "GET /demo/limited"),
    question(ask("bound", "GET /demo/free", "").with("origin: https://app.example.com"), CALL),
    question(ask("bound", "GET /demo/free", "").with("origin: https://a.example.org"), CALL),
    question(ask("bound", "GET /demo/free", "").with("origin: https://elsewhere.example"), CALL),
    call("bound", "POST /demo/paid"),
    call("frozen", "GET /demo/free"),
    call("revoked", "GET /demo/free"),
    call("spent", "POST /demo/paid"),
    call("leased", "POST /demo/metered"),
    call("rotated_old", "GET /demo/free"),
    call("rotated", "GET /demo/free"),
    call("swept_first", "POST /demo/paid"),
    call("swept_other", "POST /demo/paid"),
    told("owner", "GET /v1/projects/{swept_id}", PROJECT),
    call("rotating_old", "GET /demo/free"),
    call("rotating", "GET /demo/free"),
    call("seconds", "GET /demo/free"),
    call("seconds", "POST /demo/paid"),
    call("poor_first", "POST /demo/paid"),
    call("poor_other", "POST /demo/paid"),
    call("owner", "GET /demo/free"),
    call("visit", "POST /demo/metered"),
    call("visit", "GET /demo/free"),
    call("left", "GET /demo/free"),
    // What its owner is told.
    told("owner", "GET /v1/me", &["/data/account_id", "/data/address", "/data/plan", "/data/default_project_id"]),
    told("owner", "GET /v1/api-keys", &["/data/0/id", "/data/1/id", "/data/2/name", "/data/3/name", "/data/9/status"]),
    told("owner", "GET /v1/api-keys/{plain_id}", KEY),
    told("owner", "GET /v1/api-keys/{bound_id}", KEY),
    told("owner", "GET /v1/api-keys/{frozen_id}", KEY),
    told("owner", "GET /v1/api-keys/{revoked_id}", KEY),
    told("owner", "GET /v1/api-keys/{rotated_id}", KEY),
    told("owner", "GET /v1/api-keys/{rotating_id}", KEY),
    told("owner", "GET /v1/api-keys/{lapsed_id}", KEY),
    told(
        "owner",
        "GET /v1/webhooks/{hook_id}",
        &["/data/url", "/data/events", "/data/description", "/data/disabled_reason"],
    ),
    told("owner", "GET /v1/projects", &["/data/0/name", "/data/1/name", "/data/2/name", "/data/3/name"]),
    told("owner", "GET /v1/projects/{second_id}", PROJECT),
    told("owner", "GET /v1/projects/{poor_id}", PROJECT),
    told("backend", "GET /v1/client-sessions/{visit_id}", VISIT),
    told("backend", "GET /v1/client-sessions/{left_id}", VISIT),
    told("backend", "GET /v1/client-sessions", &["/data/0/id", "/data/1/id", "/data/2/id"]),
    told("owner", "GET /v1/billing", BILLING),
    told("owner", "GET /v1/billing/entries", &["/data/0", "/data/1", "/data/2", "/data/3", "/data/4"]),
    // Once for ever.
    sent(
        "service",
        "POST /v1/charges/{settled_charge}/settle",
        r#"{"outcome":"succeeded","actual_usd":0.04}"#,
        SETTLED,
    ),
    sent("service", "POST /v1/charges/{settled_charge}/settle", r#"{"outcome":"failed"}"#, SETTLED),
    sent(
        "service",
        "POST /v1/charges/{failed_charge}/settle",
        r#"{"outcome":"failed","error_code":"model_error"}"#,
        SETTLED,
    ),
    sent("service", "POST /v1/charges/{held_charge}/settle", r#"{"outcome":"succeeded","actual_usd":0.07}"#, SETTLED),
    sent("service", "POST /v1/charges/{lapsed_charge}/settle", r#"{"outcome":"succeeded","actual_usd":0.02}"#, SETTLED),
    sent(
        "service",
        "POST /v1/charges/{retired_charge}/settle",
        r#"{"outcome":"succeeded","actual_usd":0.03}"#,
        SETTLED,
    ),
    sent(
        "service",
        "POST /v1/charges/{retired_visit_charge}/settle",
        r#"{"outcome":"succeeded","actual_usd":0.03}"#,
        SETTLED,
    ),
    sent("service", "POST /v1/charges/{visit_charge}/settle", r#"{"outcome":"succeeded","actual_usd":0.01}"#, SETTLED),
    question(
        ask("-", "POST /v1/client-sessions/redeem", r#"{"client_secret":"{new_secret}"}"#)
            .with("origin: https://app.example.com"),
        &["/data/client_session_id", "/data/expires_at"],
    ),
    sent("-", "POST /v1/client-sessions/redeem", r#"{"client_secret":"{new_secret}"}"#, &["/code"]),
    call("leased", "POST /demo/metered"),
    sent(
        "operator",
        "POST /v1/accounts/{owner_account}/credits",
        r#"{"amount_usd":5,"reference":"invoice-1"}"#,
        &["/code", "/data/amount_usd", "/data/wallet_usd", "/data/entry_id"],
    ),
    question(
        ask("owner", "POST /v1/api-keys", r#"{"name":"once"}"#).with("idempotency-key: make-once"),
        &["/data/id", "/data/key"],
    ),
    question(ask("owner", "POST /v1/api-keys", r#"{"name":"twice"}"#).with("idempotency-key: make-once"), &["/code"]),
    question(
        ask("service", "POST /v1/api-keys/verify", r#"{"key":"{plain}","method":"POST","path":"/demo/paid"}"#)
            .with("idempotency-key: ask-once"),
        &["/data/allowed", "/data/charge_id", "/data/headers/x-ratelimit-remaining"],
    ),
    sent(
        "-",
        "POST /auth/verify",
        r#"{"address":"{owner_address}","signature":"{pending_signature}","nonce":"{pending_nonce}"}"#,
        &["/data/account_id"],
    ),
    sent(
        "-",
        "POST /auth/verify",
        r#"{"address":"{owner_address}","signature":"{pending_signature}","nonce":"{pending_nonce}"}"#,
        &["/code"],
    ),
    told("-", "GET /.well-known/jwks.json", &["/keys/0/kid", "/keys/0/x", "/keys/0/y"]),
    // Every kind of change.
    sent(
        "owner",
        "PATCH /v1/api-keys/{plain_id}",
        r#"{"name":"renamed","limits":{"per_minute":200},"budget_usd":0.5}"#,
        KEY,
    ),
    sent("owner", "PATCH /v1/api-keys/{bound_id}", r#"{"scopes":["demo:*"],"allowlist":[],"expires_at":null}"#, KEY),
    sent("owner", "PATCH /v1/api-keys/{frozen_id}", r#"{"frozen":false}"#, KEY),
    call("frozen", "GET /demo/free"),
    call("plain", "POST /demo/paid"),
    sent("owner", "POST /v1/api-keys/{plain_id}/rotate", r#"{"grace_seconds":0}"#, &["/data/id", "/data/name"]),
    call("plain", "GET /demo/free"),
    sent(
        "owner",
        "POST /v1/api-keys",
        r#"{"name":"new","project_id":"{second_id}"}"#,
        &["/data/name", "/data/project_id"],
    ),
    sent(
        "owner",
        "PATCH /v1/projects/{second_id}",
        r#"{"name":"changed","limits":{"per_second":5},"gallery_mode":"isolated"}"#,
        PROJECT,
    ),
    call("seconds", "GET /demo/free"),
    sent("owner", "POST /v1/projects", r#"{"name":"third"}"#, &["/data/name"]),
    sent("owner", "POST /v1/projects/{second_id}/allocations", r#"{"amount_usd":0.5}"#, &["/code", "/data/budget_usd"]),
    sent(
        "owner",
        "POST /v1/projects/{second_id}/allocations",
        r#"{"amount_usd":-0.25}"#,
        &["/code", "/data/budget_usd"],
    ),
    sent("backend", "DELETE /v1/client-sessions/{visit_id}", "", &["/code"]),
    call("visit", "GET /demo/free"),
    sent("owner", "DELETE /v1/api-keys/{rotated_id}", "", &["/code"]),
    call("rotated", "GET /demo/free"),
    call("rotated_old", "GET /demo/free"),
    sent(
        "operator",
        "POST /v1/accounts/{owner_account}/credits",
        r#"{"amount_usd":1,"reference":"invoice-2"}"#,
        &["/data/wallet_usd"],
    ),
    told("owner", "GET /v1/billing", BILLING),
    sent("owner", "POST /auth/logout", "", &["/code"]),
    call("owner", "GET /demo/free"),
];
