//! The layer in front of the backend: answers refusals from the authorizer's context, adds its rate-limit headers.

use hyper::{
    StatusCode,
    header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue},
};

use crate::{
    answer::{self, Answer},
    gateway_response,
    outcome::Context,
};

/// The answer to a refused call, or none when the call was admitted. A context that says neither refuses.
pub(crate) fn refusal(context: &Context, request_id: &str) -> Option<Answer> {
    let status = context.text("status");
    if status == "200" {
        return None;
    }
    let refused = status.parse::<u16>().ok().filter(|status| (400..=599).contains(status));
    let refused = refused.and_then(|status| StatusCode::from_u16(status).ok());
    let problem = context.text("problem");
    let Some(status) = refused.filter(|_| !problem.is_empty()) else {
        tracing::error!(status, "the authorizer's context is neither an admission nor a refusal");
        return Some(gateway_response::failure(request_id));
    };
    Some(render(status, context))
}

/// A refusal: the problem that the context carries, under `status`, with all of its headers.
pub(crate) fn render(status: StatusCode, context: &Context) -> Answer {
    let mut answer = answer::whole(status, "application/problem+json", context.text("problem").to_owned());
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    insert(headers, context, &REFUSAL_HEADERS);
    add_limits(headers, context);
    answer
}

/// Adds the rate-limit headers of the context, in place of the backend's own.
pub(crate) fn add_limits(headers: &mut HeaderMap, context: &Context) {
    insert(headers, context, &LIMIT_HEADERS);
}

fn insert(headers: &mut HeaderMap, context: &Context, wanted: &[(&'static str, &str)]) {
    for (header, member) in wanted {
        match context.text(member) {
            "" => {}
            text => match HeaderValue::from_str(text) {
                Ok(value) => drop(headers.insert(HeaderName::from_static(header), value)),
                Err(_) => tracing::error!(member, "a value of the authorizer's context is no header value"),
            },
        }
    }
}

const LIMIT_HEADERS: [(&str, &str); 5] = [
    ("x-ratelimit-limit", "rlLimit"),
    ("x-ratelimit-remaining", "rlRemaining"),
    ("x-ratelimit-reset", "rlReset"),
    ("ratelimit-policy", "policy"),
    ("ratelimit", "rateLimit"),
];
const REFUSAL_HEADERS: [(&str, &str); 2] = [("retry-after", "retryAfter"), ("www-authenticate", "challenge")];

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    const LIMITS: [(&str, &str); 5] = [
        ("rlLimit", "100"),
        ("rlRemaining", "0"),
        ("rlReset", "1789000060"),
        ("policy", "\"minute\";q=100;w=60"),
        ("rateLimit", "\"minute\";r=0;t=20"),
    ];

    fn context(pairs: &[(&str, &str)]) -> Context {
        Context::from_pairs(&[pairs, &LIMITS].concat())
    }

    #[tokio::test]
    async fn a_refusal_carries_its_status_problem_and_headers() {
        let context = context(&[
            ("status", "429"),
            ("problem", r#"{"code":"rate_limited"}"#),
            ("retryAfter", "20"),
            ("challenge", ""),
        ]);
        let answer = refusal(&context, "req").unwrap();
        assert_eq!(answer.status(), 429);
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        for (name, wanted) in [
            ("content-type", Some("application/problem+json")),
            ("cache-control", Some("no-store")),
            ("retry-after", Some("20")),
            ("www-authenticate", None),
            ("x-ratelimit-limit", Some("100")),
            ("x-ratelimit-remaining", Some("0")),
            ("x-ratelimit-reset", Some("1789000060")),
            ("ratelimit-policy", Some("\"minute\";q=100;w=60")),
            ("ratelimit", Some("\"minute\";r=0;t=20")),
        ] {
            assert_eq!(header(name).as_deref(), wanted, "{name}");
        }
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, r#"{"code":"rate_limited"}"#);
    }

    #[test]
    fn only_status_200_admits() {
        assert!(refusal(&context(&[("status", "200"), ("problem", "")]), "req").is_none());
        for (status, problem) in [("", ""), ("200 ", "{}"), ("201", "{}"), ("999", "{}"), ("x", "{}"), ("403", "")] {
            let answer = refusal(&context(&[("status", status), ("problem", problem)]), "req").unwrap();
            assert_eq!(answer.status(), 503, "{status}");
        }
    }

    #[test]
    fn the_gates_limits_replace_the_backends() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-limit", HeaderValue::from_static("7"));
        add_limits(&mut headers, &context(&[]));
        assert_eq!(headers["x-ratelimit-limit"], "100");
        assert!(!headers.contains_key("retry-after"));
    }

    #[test]
    fn a_context_value_cannot_inject_a_header() {
        let mut headers = HeaderMap::new();
        add_limits(&mut headers, &Context::from_pairs(&[("rlLimit", "1\r\nset-cookie: a")]));
        assert!(headers.is_empty());
    }
}
