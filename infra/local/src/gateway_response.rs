//! Gateway responses: what API Gateway answers itself when the backend is not called.

use faregate_edge::problem::Problem;
use hyper::StatusCode;

use crate::{answer::Answer, layer, outcome::Context};

/// `UNAUTHORIZED`: the authorizer's context is lost, so the body is always the same.
pub(crate) fn unauthorized() -> Problem {
    let problem = Problem::new(401, "invalid_api_key", "The credential is missing or not valid.");
    problem.with_header("www-authenticate", "Bearer realm=\"faregate\"")
}

/// `INVALID_API_KEY`: always 403; the true status stands in the body.
///
/// A path that the policy does not name is no resource here, as `MISSING_AUTHENTICATION_TOKEN` is set to 404.
pub(crate) fn invalid_api_key(context: &Context) -> Result<Answer, Problem> {
    let is_resource = context.text("status") != "404";
    from_context(if is_resource { StatusCode::FORBIDDEN } else { StatusCode::NOT_FOUND }, context)
}

/// `ACCESS_DENIED`: always 429; the true status stands in the body.
pub(crate) fn access_denied(context: &Context) -> Result<Answer, Problem> {
    from_context(StatusCode::TOO_MANY_REQUESTS, context)
}

/// `AUTHORIZER_FAILURE`: the gate is closed and says so.
pub(crate) fn failure() -> Problem {
    let detail = "The gate cannot decide right now; try again.";
    Problem::new(503, "gate_unavailable", detail).with_header("retry-after", "1")
}

/// `INTEGRATION_FAILURE`: what is behind the gateway could not be reached or gave no HTTP answer.
pub(crate) fn bad_gateway() -> Problem {
    Problem::new(502, "bad_gateway", "The API behind the gate could not be reached.")
}

/// `INTEGRATION_TIMEOUT`: what is behind the gateway took longer than API Gateway waits.
pub(crate) fn gateway_timeout() -> Problem {
    Problem::new(504, "gateway_timeout", "The API behind the gate did not answer in 29 seconds.")
}

/// A refusal without a problem to show is the authorizer's fault, not the caller's.
fn from_context(status: StatusCode, context: &Context) -> Result<Answer, Problem> {
    match context.text("problem") {
        "" => Err(failure()),
        _ => Ok(layer::render(status, context)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_status() {
        let context = Context::from_pairs(&[("problem", "{}"), ("status", "402"), ("retryAfter", "3")]);
        assert_eq!(invalid_api_key(&context).unwrap().status(), 403);
        let denied = access_denied(&context).unwrap();
        assert_eq!((denied.status().as_u16(), &denied.headers()["retry-after"]), (429, &"3".parse().unwrap()));
        assert_eq!(access_denied(&Context::default()).unwrap_err().status, 503);
        let unknown = Context::from_pairs(&[("problem", "{}"), ("status", "404"), ("code", "NO_SUCH_PLACE")]);
        assert_eq!(invalid_api_key(&unknown).unwrap().status(), 404);
        assert_eq!(unauthorized().headers, [("www-authenticate", "Bearer realm=\"faregate\"".to_owned())]);
    }
}
