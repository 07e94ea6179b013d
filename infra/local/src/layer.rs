//! The layer in front of the backend: answers refusals from the authorizer's context, adds its rate-limit headers.

use faregate_edge::problem::Problem;
use faregate_layer::rendering::{self, Verdict};
use hyper::{StatusCode, header::HeaderMap};

use crate::{
    answer::{self, Answer},
    gateway_response,
    outcome::Context,
};

/// The answer to a refused call, or none when the call was admitted.
///
/// # Errors
/// 503 for a context that says neither.
pub(crate) fn refusal(context: &Context, request_id: &str) -> Result<Option<Answer>, Problem> {
    match rendering::verdict(|member| context.text(member)) {
        Ok(Verdict::Admitted) => Ok(None),
        Ok(Verdict::Refused(status)) => Ok(Some(render(status, context))),
        Err(error) => {
            tracing::error!(%error, request_id, "the authorizer's context is neither an admission nor a refusal");
            Err(gateway_response::failure())
        }
    }
}

/// A refusal: the problem that the context carries, under `status`, with all of its headers.
pub(crate) fn render(status: StatusCode, context: &Context) -> Answer {
    answer::text(rendering::refusal(status, |member| context.text(member)))
}

/// Adds the rate-limit headers of the context, in place of the backend's own.
pub(crate) fn add_limits(headers: &mut HeaderMap, context: &Context) {
    rendering::add_limits(headers, |member| context.text(member));
}

#[cfg(test)]
mod tests {
    use faregate_domain::policy::Dialect;
    use http_body_util::BodyExt;

    use super::*;

    async fn told(answer: Answer) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_refusal_is_the_layers() {
        let context = Context::from_pairs(&[("status", "429"), ("problem", "{\"code\":\"x\"}"), ("retryAfter", "20")]);
        let (status, headers, body) = told(refusal(&context, "req").unwrap().unwrap()).await;
        let wanted = rendering::refusal(status, |member| context.text(member));
        assert_eq!((status, &headers, &body), (wanted.status(), wanted.headers(), wanted.body()));
        assert_eq!((status.as_u16(), body.as_str()), (429, "{\"code\":\"x\"}"));
    }

    #[tokio::test]
    async fn only_status_200_admits_and_whatever_else_is_the_layers_503() {
        assert!(refusal(&Context::from_pairs(&[("status", "200"), ("problem", "")]), "req").unwrap().is_none());
        let wanted = rendering::gate_unavailable("req");
        for (status, problem) in [("", ""), ("200 ", "{}"), ("201", "{}"), ("999", "{}"), ("x", "{}"), ("403", "")] {
            let problem =
                refusal(&Context::from_pairs(&[("status", status), ("problem", problem)]), "req").unwrap_err();
            let answer = answer::problem(&problem, "req", &Dialect::default());
            let (status, headers, body) = told(answer).await;
            assert_eq!((status, &headers), (wanted.status(), wanted.headers()));
            let [body, wanted]: [serde_json::Value; 2] =
                [&body, wanted.body()].map(|body| serde_json::from_str(body).unwrap());
            assert_eq!(body, wanted);
        }
    }

    #[test]
    fn the_gates_limits_replace_the_backends() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-limit", "7".parse().unwrap());
        add_limits(&mut headers, &Context::from_pairs(&[("rlLimit", "100")]));
        assert_eq!(headers["x-ratelimit-limit"], "100");
    }
}
