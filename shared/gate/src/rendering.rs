//! A decision as members, and as HTTP: the one place where it is put into words, whichever wiring carries them.

use std::collections::BTreeMap;

use faregate_domain::{
    cell::Owner,
    denial::Denial,
    header::{CORS_HEADERS, EXPOSED_HEADER, LIMIT_HEADERS, PROBLEM_CACHING, REFUSAL_HEADERS, VARY, exposed_headers},
    policy::Dialect,
    standing::{Level, Standing},
};

use crate::{
    Decision,
    decision::{Permit, Principal},
    refusal,
};

/// A decision in the product's words.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendering<'d> {
    /// 200, or the refusal's status.
    pub status: u16,
    /// Every member by its name; each is always there, empty where it has nothing to say.
    pub members: BTreeMap<&'static str, String>,
    /// The refusal's body, which is JSON; `None` for an admission.
    pub problem: Option<String>,
    /// The headers that a page may read.
    exposed: String,
    dialect: &'d Dialect,
}

impl<'d> Rendering<'d> {
    /// Renders a decision about the request of that id.
    #[must_use]
    pub fn of(decision: &Decision, request_id: &str, dialect: &'d Dialect) -> Self {
        let denial = decision.verdict.as_ref().err();
        let status = denial.map_or(200, Denial::status);
        let problem = denial.map(|denial| refusal::problem(denial, decision.now));
        let header = |name: &str| {
            let headers = problem.as_ref().map(|problem| problem.headers.as_slice()).unwrap_or_default();
            headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let mut members = context(decision);
        let code = decision.verdict.as_ref().map_or_else(|denial| dialect.word(denial.code()), |_| "ok");
        members.insert("code", code.to_owned());
        members.insert("contentType", dialect.content_type().to_owned());
        members.insert("headerNames", dialect.headers().to_string());
        for (name, member) in REFUSAL_HEADERS {
            members.insert(member, header(name));
        }
        let problem = problem.map(|problem| problem.body(request_id, dialect));
        members.insert("status", status.to_string());
        members.insert("problem", problem.clone().unwrap_or_default());
        let exposed = exposed_headers(dialect.headers());
        Self { status, members, problem, exposed, dialect }
    }

    /// A member.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        self.members.get(member).map(String::as_str).unwrap_or_default()
    }

    /// The headers of the answer, under the product's names: what is left of each limit, and for a refusal what it is and
    /// when to come back.
    #[must_use]
    pub fn headers(&self) -> BTreeMap<&str, &str> {
        let filled = |(name, member): &(&'static str, &'static str)| {
            let (name, text) = (self.dialect.headers().sent(name)?, self.text(member));
            (!text.is_empty()).then_some((name, text))
        };
        let mut headers: BTreeMap<_, _> = LIMIT_HEADERS.iter().filter_map(filled).collect();
        if self.problem.is_some() {
            headers.extend(REFUSAL_HEADERS.iter().filter_map(filled));
            headers.insert("content-type", self.dialect.content_type());
            headers.insert("cache-control", PROBLEM_CACHING);
        }
        for (name, member) in CORS_HEADERS {
            if !self.text(member).is_empty() {
                headers.insert(name, self.text(member));
            }
        }
        if !self.text("vary").is_empty() {
            headers.insert(EXPOSED_HEADER, &self.exposed);
        }
        headers
    }
}

/// What a decision says beside the refusal's own words.
fn context(decision: &Decision) -> BTreeMap<&'static str, String> {
    let owner = decision.principal.as_ref().map(|principal| &principal.owner);
    let session = decision.principal.as_ref().and_then(|principal| principal.session.as_ref());
    let of_owner = |read: fn(&Owner) -> String| owner.map(read).unwrap_or_default();
    let tightest = decision.standing.as_ref().map(Standing::tightest);
    let of_tightest = |read: fn(&Level) -> u64| tightest.map(|window| read(window).to_string()).unwrap_or_default();
    let permit = decision.verdict.as_ref().ok();
    let admission = permit.and_then(Permit::admission);
    let lease = admission.and_then(|admission| admission.lease);
    let expires_in = admission.and_then(|admission| admission.expires_in_seconds);
    let standing = decision.standing.as_ref();
    BTreeMap::from([
        ("accountId", of_owner(|owner| owner.account.to_string())),
        ("projectId", of_owner(|owner| owner.project.to_string())),
        ("allowOrigin", decision.cors.allowed.clone().unwrap_or_default()),
        ("vary", if decision.cors.varies { VARY.to_owned() } else { String::new() }),
        ("clientSessionId", session.map(ToString::to_string).unwrap_or_default()),
        ("keyId", decision.principal.as_ref().map(Principal::key_id).unwrap_or_default()),
        ("environment", of_owner(|owner| owner.environment.clone())),
        ("gallery", of_owner(|owner| owner.gallery.clone())),
        ("scopes", decision.principal.as_ref().map(|principal| principal.scopes.clone()).unwrap_or_default()),
        ("chargeId", permit.and_then(Permit::charge).map(ToString::to_string).unwrap_or_default()),
        ("settle", if lease.is_some() { "required".to_owned() } else { String::new() }),
        ("keyExpiresIn", expires_in.map(|seconds| seconds.to_string()).unwrap_or_default()),
        ("reservedUsd", lease.map(|lease| lease.amount.to_string()).unwrap_or_default()),
        ("rlLimit", of_tightest(|window| window.limit)),
        ("rlRemaining", of_tightest(|window| window.remaining)),
        ("rlReset", of_tightest(|window| window.resets_at.epoch_s())),
        ("policy", standing.map(Standing::policy_field).unwrap_or_default()),
        ("rateLimit", standing.map(|standing| standing.state_field(decision.now)).unwrap_or_default()),
    ])
}
