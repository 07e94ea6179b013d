//! The history that every version is led through: at its end the table holds every kind of item that the version writes.

use faregate_domain::{
    charge::ChargeId,
    id::ProjectId,
    idempotency::Fingerprint,
    money::MicroUsd,
    passage::{Begun, Passage, Pledge, Stage},
    sweep::{Removal, Sweep},
};
use faregate_edge::{
    config::{Config, SecretsLocation},
    now::Clock,
};
use faregate_gate::Services;
use faregate_store::{Store, WalletOutcome};

use crate::script::{Ask, Asker, ask, member};

/// A step of the story.
enum Step {
    /// A wallet signs in.
    SignIn(&'static str),
    /// A wallet is handed a nonce, which it keeps under a name and does not use.
    Nonce(&'static str, &'static str),
    /// Time passes, where it can be made to.
    Wait(u64),
    /// A request is made; members of its answer get names.
    Ask(Ask, &'static [(&'static str, &'static str)]),
    /// A request is made, and refused.
    Refused(Ask),
    /// The same request is made several times.
    Repeat(usize, Ask),
    /// A project's wallet becomes one from which entries are removed, or they are.
    Sweep(&'static str),
}

/// Leads a program through the story. Only this version must be able to take every step.
pub(crate) async fn tell(asker: &mut Asker<'_>, is_whole: bool) {
    let key = |step: &Step| matches!(step, Step::Wait(_));
    for step in STORY {
        if key(step) && !is_whole {
            continue;
        }
        match step {
            Step::SignIn(who) => asker.sign_in(who).await,
            Step::Nonce(who, name) => asker.ask_for_nonce(who, name).await,
            Step::Wait(seconds) => assert!(asker.door.wait_s(*seconds)),
            Step::Ask(ask, kept) => take(asker, ask, kept, is_whole).await,
            Step::Refused(ask) => refuse(asker, ask, is_whole).await,
            Step::Repeat(times, ask) => {
                for _ in 0..*times {
                    take(asker, ask, &[], is_whole).await;
                }
            }
            Step::Sweep(project) if is_whole => sweep(asker, project).await,
            Step::Sweep(_) => {}
        }
    }
    if is_whole {
        begin_passage(asker).await;
    }
}

async fn take(asker: &mut Asker<'_>, ask: &Ask, kept: &[(&str, &str)], is_whole: bool) {
    if !ask.is_told(&asker.names) {
        assert!(!is_whole, "{} names what the story has not told", ask.words());
        return;
    }
    let answer = asker.send(ask).await;
    assert!(!is_whole || answer.status < 300, "{}: {} {}", ask.words(), answer.status, answer.text);
    for (name, pointer) in kept {
        match member(&answer, pointer) {
            Some(value) => asker.keep(name, value.as_str().unwrap()),
            None => assert!(!is_whole, "{}: no {pointer} in {}", ask.words(), answer.text),
        }
    }
}

async fn refuse(asker: &mut Asker<'_>, ask: &Ask, is_whole: bool) {
    if ask.is_told(&asker.names) {
        let answer = asker.send(ask).await;
        assert!(!is_whole || answer.status >= 400, "{}: {}", ask.words(), answer.status);
    }
}

/// The table, for what nobody can do over HTTP.
fn store(asker: &Asker<'_>) -> Store {
    let config = Config {
        table: "faregate".into(),
        public_origin: asker.door.url.clone(),
        chain_id: 1,
        secrets: SecretsLocation::File("none".into()),
        policy: faregate_edge::config::policy(None, None).unwrap(),
        reach: faregate_domain::outbound::Reach::Public,
    };
    Services::connect_local(config, asker.door.table_url(), Clock::standing_at(asker.door.now())).store
}

/// Removes what a wallet knows of its cells, which takes two dozen of them to happen by itself.
async fn sweep(asker: &mut Asker<'_>, project: &str) {
    let (store, project) = (store(asker), ProjectId::parse(&asker.names[project]).unwrap());
    let wallet = store.find_wallet(&project).await.unwrap().unwrap();
    let Some(sweeps) = wallet.sweeps else {
        store.begin_sweeps(&project).await.unwrap();
        return;
    };
    for (id, child) in &wallet.children {
        if let Removal::AfterAcknowledging(seq) = child.removal(&store.find_cell(id).await.unwrap().unwrap().purse) {
            store.acknowledge_return(id, seq).await.unwrap();
        }
    }
    let outcome = store.sweep_wallet(&project, &Sweep { sweeps, settled: wallet.children }).await.unwrap();
    assert!(matches!(outcome, WalletOutcome::Applied(_)), "{outcome:?}");
}

/// A decision whose process died before it came to an answer, as its process wrote it down: there is no way to die over
/// HTTP.
async fn begin_passage(asker: &mut Asker<'_>) {
    let (store, now) = (store(asker), asker.door.now());
    let pledge = Pledge {
        charge: ChargeId::parse(&asker.names["held_charge"]).unwrap(),
        lane: "lane0001".into(),
        seq: 7,
        cost: MicroUsd::new(10_000).unwrap(),
        lease: None,
    };
    let begun = Begun { holder: "holder-of-the-passage".into(), until: now.plus_s(3), pledge };
    let passage = Passage { fingerprint: Fingerprint([7; 32]), end: now.plus_s(600), stage: Stage::Begun(begun) };
    store.insert_passage("idm_begun", &passage, now).await.unwrap();
}

const fn make(body: &'static str, kept: &'static [(&'static str, &'static str)]) -> Step {
    Step::Ask(ask("owner", "POST /v1/api-keys", body), kept)
}

const fn plainly(who: &'static str, what: &'static str, body: &'static str) -> Step {
    Step::Ask(ask(who, what, body), &[])
}

const fn visit(body: &'static str, kept: &'static [(&'static str, &'static str)]) -> Step {
    Step::Ask(ask("backend", "POST /v1/client-sessions", body), kept)
}

const STORY: &[Step] = &[
    // What takes a quarter of an hour comes first: leases that nobody settles.
    Step::SignIn("owner"),
    make(r#"{"name":"lapsed"}"#, &[("lapsed", "/data/key"), ("lapsed_id", "/data/id")]),
    Step::Ask(ask("lapsed", "POST /demo/metered", "{}"), &[("retired_charge", "/data/context/chargeId")]),
    Step::Wait(5),
    Step::Repeat(8, ask("lapsed", "POST /demo/metered", "{}")),
    make(r#"{"name":"late"}"#, &[("late", "/data/key")]),
    Step::Ask(ask("late", "POST /demo/metered", "{}"), &[("lapsed_charge", "/data/context/chargeId")]),
    make(
        r#"{"name":"backend","scopes":["demo:*","sessions:write"]}"#,
        &[("backend", "/data/key"), ("backend_id", "/data/id")],
    ),
    visit(
        r#"{"client_reference_id":"user-1","metadata":{"cart":"7"},"scopes":["demo:write"],"ttl_seconds":86400,"max_cost_usd":1}"#,
        &[("visit_id", "/data/session/id"), ("visit_secret", "/data/client_secret/secret")],
    ),
    Step::Ask(
        ask("-", "POST /v1/client-sessions/redeem", r#"{"client_secret":"{visit_secret}"}"#),
        &[("visit", "/data/access_token")],
    ),
    Step::Ask(ask("visit", "POST /demo/metered", "{}"), &[("retired_visit_charge", "/data/context/chargeId")]),
    Step::Repeat(8, ask("visit", "POST /demo/metered", "{}")),
    Step::Wait(900),
    Step::SignIn("operator"),
    Step::SignIn("owner"),
    Step::Repeat(2, ask("lapsed", "GET /demo/free", "")),
    Step::Repeat(2, ask("backend", "GET /demo/free", "")),
    plainly("late", "GET /demo/free", ""),
    // Sessions: one that was ended, one that is used, and a nonce for another.
    Step::SignIn("owner"),
    plainly("owner", "POST /auth/logout", ""),
    Step::SignIn("owner"),
    Step::Nonce("owner", "pending"),
    plainly("owner", "GET /demo/free", ""),
    Step::Ask(
        ask("operator", "POST /v1/api-keys", r#"{"name":"service","scopes":["gate:check"]}"#),
        &[("service", "/data/key")],
    ),
    Step::Ask(
        ask("operator", "POST /v1/accounts/{owner_account}/credits", r#"{"amount_usd":5,"reference":"invoice-1"}"#),
        &[],
    ),
    // Keys in every state.
    make(r#"{"name":"plain"}"#, &[("plain", "/data/key"), ("plain_id", "/data/id")]),
    Step::Repeat(3, ask("plain", "GET /demo/free", "")),
    // It wants what does not happen here, so nothing goes anywhere.
    Step::Ask(
        ask(
            "owner",
            "POST /v1/webhooks",
            r#"{"url":"https://hooks.invalid/","key_id":"{plain_id}","events":["client_session.redeemed"],"description":"a hook"}"#,
        ),
        &[("hook_id", "/data/id")],
    ),
    Step::Ask(ask("owner", "PATCH /v1/webhooks/{hook_id}", r#"{"enabled":false}"#), &[]),
    Step::Repeat(2, ask("plain", "POST /demo/paid", "{}")),
    Step::Repeat(7, ask("plain", "GET /demo/limited", "")),
    make(
        r#"{"name":"bound","environment":"production","scopes":["demo:read"],"allowlist":["https://app.example.com","*.example.org"],"expires_at":"2099-01-01T00:00:00Z","budget_usd":0.05,"limits":{"per_minute":50,"burst":5,"per_day":1000,"concurrent":3}}"#,
        &[("bound", "/data/key"), ("bound_id", "/data/id")],
    ),
    Step::Ask(ask("bound", "GET /demo/free", "").with("origin: https://app.example.com"), &[]),
    make(r#"{"name":"frozen"}"#, &[("frozen", "/data/key"), ("frozen_id", "/data/id")]),
    plainly("owner", "PATCH /v1/api-keys/{frozen_id}", r#"{"frozen":true}"#),
    make(r#"{"name":"revoked"}"#, &[("revoked", "/data/key"), ("revoked_id", "/data/id")]),
    plainly("revoked", "POST /demo/paid", "{}"),
    plainly("owner", "DELETE /v1/api-keys/{revoked_id}", ""),
    make(r#"{"name":"spent","budget_usd":0.01}"#, &[("spent", "/data/key")]),
    plainly("spent", "POST /demo/paid", "{}"),
    make(r#"{"name":"rotated"}"#, &[("rotated_old", "/data/key"), ("rotated_id", "/data/id")]),
    Step::Ask(
        ask("owner", "POST /v1/api-keys/{rotated_id}/rotate", r#"{"grace_seconds":3600}"#),
        &[("rotated", "/data/key")],
    ),
    plainly("rotated_old", "GET /demo/free", ""),
    plainly("rotated", "GET /demo/free", ""),
    make(r#"{"name":"rotating"}"#, &[("rotating_old", "/data/key"), ("rotating_id", "/data/id")]),
    Step::Ask(
        ask("owner", "POST /v1/api-keys/{rotating_id}/rotate", r#"{"grace_seconds":3600,"grace_from":"first_use"}"#),
        &[("rotating", "/data/key")],
    ),
    // Calls that are settled, or not.
    make(r#"{"name":"leased","limits":{"concurrent":1}}"#, &[("leased", "/data/key"), ("leased_id", "/data/id")]),
    Step::Ask(ask("leased", "POST /demo/metered", "{}"), &[("settled_charge", "/data/context/chargeId")]),
    plainly("service", "POST /v1/charges/{settled_charge}/settle", r#"{"outcome":"succeeded","actual_usd":0.04}"#),
    Step::Ask(ask("leased", "POST /demo/metered", "{}"), &[("failed_charge", "/data/context/chargeId")]),
    plainly("service", "POST /v1/charges/{failed_charge}/settle", r#"{"outcome":"failed","error_code":"model_error"}"#),
    Step::Ask(ask("leased", "POST /demo/metered", "{}"), &[("held_charge", "/data/context/chargeId")]),
    // Client sessions: one with a call that is not settled, one that was ended, and one that waits for its visitor.
    Step::Ask(ask("visit", "POST /demo/metered", "{}"), &[("visit_charge", "/data/context/chargeId")]),
    visit(
        r#"{"client_reference_id":"user-2","ttl_seconds":86400}"#,
        &[("left_id", "/data/session/id"), ("left_secret", "/data/client_secret/secret")],
    ),
    Step::Ask(
        ask("-", "POST /v1/client-sessions/redeem", r#"{"client_secret":"{left_secret}"}"#),
        &[("left", "/data/access_token")],
    ),
    plainly("left", "GET /demo/free", ""),
    plainly("backend", "DELETE /v1/client-sessions/{left_id}", ""),
    visit(
        r#"{"client_reference_id":"user-3","allowlist":["https://app.example.com"],"ttl_seconds":86400}"#,
        &[("new_id", "/data/session/id"), ("new_secret", "/data/client_secret/secret")],
    ),
    // Projects: one with a rate that was changed, and one whose keys give money back to each other.
    Step::Ask(
        ask("owner", "POST /v1/projects", r#"{"name":"second","limits":{"per_minute":60}}"#),
        &[("second_id", "/data/id")],
    ),
    plainly("owner", "POST /v1/projects/{second_id}/allocations", r#"{"amount_usd":1}"#),
    make(r#"{"name":"of second","project_id":"{second_id}"}"#, &[("seconds", "/data/key"), ("seconds_id", "/data/id")]),
    plainly("seconds", "POST /demo/paid", "{}"),
    plainly(
        "owner",
        "PATCH /v1/projects/{second_id}",
        r#"{"limits":{"per_minute":40,"burst":20},"gallery_mode":"shared"}"#,
    ),
    plainly("seconds", "GET /demo/free", ""),
    Step::Ask(ask("owner", "POST /v1/projects", r#"{"name":"poor"}"#), &[("poor_id", "/data/id")]),
    plainly("owner", "POST /v1/projects/{poor_id}/allocations", r#"{"amount_usd":0.12}"#),
    make(r#"{"name":"first of poor","project_id":"{poor_id}"}"#, &[("poor_first", "/data/key")]),
    make(r#"{"name":"other of poor","project_id":"{poor_id}"}"#, &[("poor_other", "/data/key")]),
    plainly("poor_first", "POST /demo/paid", "{}"),
    Step::Repeat(10, ask("poor_other", "POST /demo/paid", "{}")),
    // The same with a wallet that does not keep what it knows of its cells.
    Step::Ask(ask("owner", "POST /v1/projects", r#"{"name":"swept"}"#), &[("swept_id", "/data/id")]),
    plainly("owner", "POST /v1/projects/{swept_id}/allocations", r#"{"amount_usd":0.2}"#),
    make(r#"{"name":"first of swept","project_id":"{swept_id}"}"#, &[("swept_first", "/data/key")]),
    make(r#"{"name":"other of swept","project_id":"{swept_id}"}"#, &[("swept_other", "/data/key")]),
    plainly("swept_first", "POST /demo/paid", "{}"),
    Step::Sweep("swept_id"),
    Step::Repeat(13, ask("swept_other", "POST /demo/paid", "{}")),
    Step::Sweep("swept_id"),
    Step::Repeat(2, ask("swept_other", "POST /demo/paid", "{}")),
    // Refused calls, which are counted.
    Step::Refused(ask("frozen", "GET /demo/free", "")),
    // Requests under an idempotency key.
    Step::Ask(
        ask("owner", "POST /v1/api-keys", r#"{"name":"once"}"#).with("idempotency-key: make-once"),
        &[("once", "/data/key")],
    ),
    Step::Ask(
        ask("service", "POST /v1/api-keys/verify", r#"{"key":"{plain}","method":"POST","path":"/demo/paid"}"#)
            .with("idempotency-key: ask-once"),
        &[("once_charge", "/data/charge_id")],
    ),
];
