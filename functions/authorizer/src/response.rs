//! Renders a decision as the answer of a REST API's REQUEST authorizer.
//!
//! ```text
//! refusals   admitted   401             400, 402, 403, 404             429
//! backend    Allow      Allow, status and problem in the context, for every refusal
//! gateway    Allow      "Unauthorized"  Allow + unknown usage key      Deny
//! ```
//! Context values are strings, each of them always present, because a gateway-response template that names an absent
//! one renders nothing at all.

use std::collections::BTreeMap;

use faregate_domain::{
    policy::{Dialect, Refusals},
    standing::Standing,
};
use faregate_gate::{Decision, decision::Principal, refusal};
use serde::Serialize;

use crate::{AuthorizerError, event::Event};

/// What API Gateway reads.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerResponse {
    principal_id: String,
    policy_document: PolicyDocument,
    context: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_identifier_key: Option<String>,
}

/// A usage plan key that does not exist: under `ApiKeySourceType: AUTHORIZER` API Gateway answers it with 403.
pub const REFUSED_KEY: &str = "faregate-refused";

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDocument {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: String,
}

/// The answer to `event`, a refusal in the product's dialect.
///
/// # Errors
/// [`AuthorizerError::Unauthorized`] for a 401 that API Gateway renders.
pub(crate) fn render(
    decision: &Decision,
    event: &Event,
    dialect: &Dialect,
) -> Result<AuthorizerResponse, AuthorizerError> {
    let status = decision.verdict.as_ref().err().map_or(200, faregate_domain::denial::Denial::status);
    let (effect, usage_identifier_key) = match (decision.refusals, status) {
        (_, 200) | (Refusals::Backend, _) => ("Allow", Some(admitted_key(&event.stage_arn))),
        (Refusals::Gateway, 401) => return Err(AuthorizerError::Unauthorized),
        // A 429 would tell the caller to come back; whatever else is wrong, time does not mend it.
        (Refusals::Gateway, 429) => ("Deny", None),
        (Refusals::Gateway, _) => ("Allow", Some(REFUSED_KEY.to_owned())),
    };
    let principal = decision.principal.as_ref();
    Ok(AuthorizerResponse {
        principal_id: principal.map_or_else(|| "anonymous".to_owned(), |principal| principal.cell.partition()),
        policy_document: PolicyDocument {
            version: "2012-10-17",
            statement: [Statement { action: "execute-api:Invoke", effect, resource: format!("{}/*", event.stage_arn) }],
        },
        context: context(decision, status, &event.request.request_id, dialect),
        usage_identifier_key,
    })
}

/// The usage plan key of every request that goes on: methods behind the gate require one, since only then is a request
/// with [`REFUSED_KEY`] refused. The template makes it; no caller can send it, and key values are unique per region,
/// so the API's id is in it.
fn admitted_key(stage_arn: &str) -> String {
    let api = stage_arn.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap_or_default();
    format!("faregate-admitted-{api}")
}

fn context(decision: &Decision, status: u16, request_id: &str, dialect: &Dialect) -> BTreeMap<&'static str, String> {
    let owner = decision.principal.as_ref().map(|principal| &principal.owner);
    let of_owner = |read: fn(&faregate_domain::cell::Owner) -> String| owner.map(read).unwrap_or_default();
    let tightest = decision.standing.as_ref().map(Standing::tightest);
    let of_tightest = |read: fn(&faregate_domain::standing::Level) -> u64| {
        tightest.map(|window| read(window).to_string()).unwrap_or_default()
    };
    let problem = decision.verdict.as_ref().err().map(|denial| refusal::problem(denial, decision.now));
    let header = |name: &str| {
        let headers = problem.as_ref().map(|problem| problem.headers.as_slice()).unwrap_or_default();
        headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let expires_in = decision.verdict.as_ref().ok().and_then(|admission| admission.expires_in_seconds);
    let lease = decision.verdict.as_ref().ok().and_then(|admission| admission.lease);
    BTreeMap::from([
        ("status", status.to_string()),
        ("code", decision.verdict.as_ref().map_or_else(|denial| dialect.word(denial.code()), |_| "ok").to_owned()),
        ("problem", problem.as_ref().map(|problem| problem.body(request_id, dialect)).unwrap_or_default()),
        ("contentType", dialect.content_type().to_owned()),
        ("headerNames", dialect.headers().to_string()),
        ("retryAfter", header("retry-after")),
        ("challenge", header("www-authenticate")),
        ("accountId", of_owner(|owner| owner.account.to_string())),
        ("projectId", of_owner(|owner| owner.project.to_string())),
        ("keyId", decision.principal.as_ref().map(Principal::key_id).unwrap_or_default()),
        ("environment", of_owner(|owner| owner.environment.clone())),
        ("gallery", of_owner(|owner| owner.gallery.clone())),
        ("scopes", decision.principal.as_ref().map(|principal| principal.scopes.clone()).unwrap_or_default()),
        ("chargeId", decision.verdict.as_ref().map(|admission| admission.charge.to_string()).unwrap_or_default()),
        ("settle", if lease.is_some() { "required".to_owned() } else { String::new() }),
        ("reservedUsd", lease.map(|lease| lease.amount.to_string()).unwrap_or_default()),
        ("keyExpiresIn", expires_in.map(|seconds| seconds.to_string()).unwrap_or_default()),
        ("rlLimit", of_tightest(|window| window.limit)),
        ("rlRemaining", of_tightest(|window| window.remaining)),
        ("rlReset", of_tightest(|window| window.resets_at.epoch_s())),
        ("policy", decision.standing.as_ref().map(Standing::policy_field).unwrap_or_default()),
        (
            "rateLimit",
            decision.standing.as_ref().map(|standing| standing.state_field(decision.now)).unwrap_or_default(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_admitted_requests_is_the_one_that_the_template_makes() {
        let arn = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/live";
        assert_eq!(admitted_key(arn), "faregate-admitted-a1b2c3d4e5");
        assert!(include_str!("../../../template.yaml").contains("Value: !Sub faregate-admitted-${Api}"));
    }
}
