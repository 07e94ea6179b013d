//! The layer in front of the backend: answers refusals from the authorizer's context, adds its rate-limit headers.

use faregate_layer::rendering::{self, Verdict};
use hyper::header::HeaderMap;

use crate::{
    answer::{self, Answer},
    outcome::Context,
};

/// The answer to a refused call, 503 where the context says neither yes nor no; none when the call was admitted.
pub(crate) fn refusal(context: &Context, request_id: &str) -> Option<Answer> {
    let refusal = match rendering::verdict(|member| context.text(member)) {
        Ok(Verdict::Admitted) => return None,
        Ok(Verdict::Refused(status)) => rendering::refusal(status, |member| context.text(member)),
        Err(error) => {
            tracing::error!(%error, request_id, "the authorizer's context is neither an admission nor a refusal");
            rendering::gate_unavailable(request_id)
        }
    };
    Some(answer::text(refusal))
}

/// Adds the rate-limit headers of the context, in place of the backend's own.
pub(crate) fn add_limits(headers: &mut HeaderMap, context: &Context) {
    rendering::add_limits(headers, |member| context.text(member));
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use hyper::StatusCode;

    use super::*;

    async fn told(answer: Answer) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_refusal_is_the_layers() {
        let context = Context::from_pairs(&[("status", "429"), ("problem", "{\"code\":\"x\"}"), ("retryAfter", "20")]);
        let (status, headers, body) = told(refusal(&context, "req").unwrap()).await;
        let wanted = rendering::refusal(status, |member| context.text(member));
        assert_eq!((status, &headers, &body), (wanted.status(), wanted.headers(), wanted.body()));
        assert_eq!((status.as_u16(), body.as_str()), (429, "{\"code\":\"x\"}"));
    }

    #[tokio::test]
    async fn only_status_200_admits_and_whatever_else_is_the_layers_503() {
        assert!(refusal(&Context::from_pairs(&[("status", "200"), ("problem", "")]), "req").is_none());
        let wanted = rendering::gate_unavailable("req");
        for (status, problem) in [("", ""), ("200 ", "{}"), ("201", "{}"), ("999", "{}"), ("x", "{}"), ("403", "")] {
            let context = Context::from_pairs(&[("status", status), ("problem", problem)]);
            let (status, headers, body) = told(refusal(&context, "req").unwrap()).await;
            assert_eq!((status, &headers, &body), (wanted.status(), wanted.headers(), wanted.body()));
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
