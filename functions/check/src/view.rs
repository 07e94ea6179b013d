//! A decision as a service reads it.

use std::collections::BTreeMap;

use faregate_domain::policy::Dialect;
use faregate_edge::input::Usd;
use faregate_gate::{
    Decision,
    decision::{Permit, Principal},
    management::Data,
    rendering::Rendering,
};
use serde::Serialize;
use serde_json::value::RawValue;

/// The whole answer.
pub(crate) fn answer(decision: &Decision, request_id: &str, dialect: &Dialect) -> serde_json::Result<String> {
    let rendering = Rendering::of(decision, request_id, dialect);
    let admission = decision.verdict.as_ref().ok().and_then(Permit::admission);
    let lease = admission.and_then(|admission| admission.lease);
    let principal = decision.principal.as_ref().map(|principal| PrincipalView {
        account_id: rendering.text("accountId"),
        project_id: rendering.text("projectId"),
        key_id: Some(rendering.text("keyId")).filter(|id| !id.is_empty()),
        client_session_id: Some(rendering.text("clientSessionId")).filter(|id| !id.is_empty()),
        environment: rendering.text("environment"),
        gallery: rendering.text("gallery"),
        scopes: scopes(principal),
        settle: Some(rendering.text("settle")).filter(|word| !word.is_empty()),
        reserved_usd: lease.map(|lease| Usd(lease.amount)),
    });
    let view = DecisionView {
        allowed: decision.verdict.is_ok(),
        status: rendering.status,
        code: rendering.text("code"),
        headers: rendering.headers(),
        body: rendering.problem.as_deref().map(serde_json::from_str).transpose()?,
        charge_id: Some(rendering.text("chargeId")).filter(|id| !id.is_empty()),
        principal,
    };
    serde_json::to_string(&Data { data: view })
}

#[derive(Serialize)]
struct DecisionView<'d> {
    allowed: bool,
    /// What the caller is to be answered with; 200 where the call may go on.
    status: u16,
    code: &'d str,
    /// For the caller's answer, whoever gives it.
    headers: BTreeMap<&'d str, &'d str>,
    /// The refusal's problem.
    body: Option<&'d RawValue>,
    charge_id: Option<&'d str>,
    /// Who is calling, once that is known.
    principal: Option<PrincipalView<'d>>,
}

#[derive(Serialize)]
struct PrincipalView<'d> {
    account_id: &'d str,
    project_id: &'d str,
    /// `None` for a signed-in person.
    key_id: Option<&'d str>,
    /// The client session in whose name the key is used.
    client_session_id: Option<&'d str>,
    environment: &'d str,
    gallery: &'d str,
    scopes: Vec<&'d str>,
    /// `required` where the charge is to be settled.
    settle: Option<&'d str>,
    reserved_usd: Option<Usd>,
}

fn scopes(principal: &Principal) -> Vec<&str> {
    principal.scopes.split(' ').filter(|scope| !scope.is_empty()).collect()
}
