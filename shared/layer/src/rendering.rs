//! How a decision becomes HTTP: the answer to a refused request, the rate-limit headers of an admitted one.

use faregate_domain::{
    header::{LIMIT_HEADERS, PROBLEM_CACHING, PROBLEM_TYPE, REFUSAL_HEADERS, exposed_headers},
    policy::dialect::HeaderNames,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL,
        CONTENT_TYPE, RETRY_AFTER, VARY,
    },
};
use serde_json::{Map, Value, json};

/// What a decision says of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Admitted,
    /// It is answered with this status, 400 to 599, and a problem.
    Refused(StatusCode),
}

/// The verdict of a decision whose members `text` tells, empty where there is none.
///
/// # Errors
/// [`NoVerdict`] when it is neither an admission nor a refusal; nobody is to be admitted then.
pub fn verdict<'m>(text: impl Fn(&'static str) -> &'m str) -> Result<Verdict, NoVerdict> {
    let status = text("status");
    if status == "200" {
        return Ok(Verdict::Admitted);
    }
    if status.is_empty() {
        return Err(NoVerdict::Absent);
    }
    let refused = Some(status).filter(|status| status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()));
    let refused = refused.and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
    let refused = refused.filter(|status| (400..=599).contains(&status.as_u16())).ok_or(NoVerdict::Status)?;
    serde_json::from_str::<Map<String, Value>>(text("problem")).map_err(|_| NoVerdict::Problem)?;
    Ok(Verdict::Refused(refused))
}

/// The answer to a refused request: the problem that the decision carries, under `status`, with all of its headers, as the
/// product that is behind the gate types and names them.
#[must_use]
pub fn refusal<'m>(status: StatusCode, text: impl Fn(&'static str) -> &'m str) -> Response<String> {
    let content_type = HeaderValue::from_str(text("contentType")).ok().filter(|it| !it.is_empty());
    let content_type = content_type.unwrap_or(HeaderValue::from_static(PROBLEM_TYPE));
    let mut answer = problem(status, content_type, text("problem").to_owned());
    insert(answer.headers_mut(), &text, &REFUSAL_HEADERS);
    add_limits(answer.headers_mut(), text);
    answer
}

/// Adds the rate-limit headers of a decision, in place of the backend's own, tells a caller whose key ends soon, and says to
/// a browser which page may read the answer.
pub fn add_limits<'m>(headers: &mut HeaderMap, text: impl Fn(&'static str) -> &'m str) {
    insert(headers, &text, &LIMIT_HEADERS);
    let vary = text("vary");
    // A policy that says nothing of browsers leaves them to the backend.
    if !vary.is_empty() {
        allow_origin(headers, text("allowOrigin"), vary, text("headerNames"));
    }
}

/// 503 `gate_unavailable`: there is no decision to act on.
#[must_use]
pub fn gate_unavailable(request_id: &str) -> Response<String> {
    let body = json!({
        "type": "/problems/gate_unavailable",
        "title": "Gate unavailable",
        "status": 503,
        "detail": "The gate cannot decide right now; try again.",
        "code": "gate_unavailable",
        "request_id": request_id,
    });
    let content_type = HeaderValue::from_static(PROBLEM_TYPE);
    let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, content_type, body.to_string());
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// Why a decision is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoVerdict {
    /// There is no status at all.
    #[error("there is no decision")]
    Absent,
    /// The status is neither 200 nor one of a refusal.
    #[error("the decision's status is neither an admission nor a refusal")]
    Status,
    /// A refusal whose problem is not a JSON object.
    #[error("the refusal has no problem to show")]
    Problem,
}

fn problem(status: StatusCode, content_type: HeaderValue, body: String) -> Response<String> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(PROBLEM_CACHING));
    answer
}

/// What the backend says to browsers itself gives way: it may allow an origin that is on no list.
fn allow_origin(headers: &mut HeaderMap, allowed: &str, vary: &str, names: &str) {
    for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS] {
        headers.remove(name);
    }
    let mut set = |name: HeaderName, text: &str| match HeaderValue::from_str(text) {
        Ok(value) if !value.is_empty() => drop(headers.insert(name, value)),
        Ok(_) => {}
        Err(_) => tracing::error!(%name, "a member of the gate's decision is no header value"),
    };
    set(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    set(ACCESS_CONTROL_EXPOSE_HEADERS, &exposed_headers(&HeaderNames::parse(names).unwrap_or_default()));
    let varied = headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok());
    let is_varied = varied.flat_map(|line| line.split(',')).any(|word| word.trim().eq_ignore_ascii_case(vary));
    if let (false, Ok(value)) = (is_varied, HeaderValue::from_str(vary)) {
        headers.append(VARY, value);
    }
}

fn insert<'m>(
    headers: &mut HeaderMap,
    text: &impl Fn(&'static str) -> &'m str,
    wanted: &[(&'static str, &'static str)],
) {
    let names = HeaderNames::parse(text("headerNames")).unwrap_or_else(|error| {
        tracing::error!(%error, "the gate's decision does not say how its headers are called");
        HeaderNames::default()
    });
    for (header, member) in wanted {
        let Some(name) = names.sent(header).and_then(|name| name.parse::<HeaderName>().ok()) else { continue };
        match text(member) {
            "" => {}
            text => match HeaderValue::from_str(text) {
                Ok(value) => drop(headers.insert(name, value)),
                Err(_) => tracing::error!(member, "a member of the gate's decision is no header value"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members that the pairs give; empty otherwise.
    fn lookup<'m>(pairs: &'m [(&str, &'m str)]) -> impl Fn(&'static str) -> &'m str {
        |name| pairs.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }

    const LIMITED: [(&str, &str); 9] = [
        ("status", "429"),
        ("problem", r#"{"code":"rate_limited"}"#),
        ("retryAfter", "20"),
        ("challenge", ""),
        ("rlLimit", "100"),
        ("rlRemaining", "0"),
        ("rlReset", "1789000060"),
        ("policy", "\"minute\";q=100;w=60"),
        ("rateLimit", "\"minute\";r=0;t=20"),
    ];

    #[test]
    fn a_refusal_carries_its_status_problem_and_headers() {
        let text = lookup(&LIMITED);
        assert_eq!(verdict(&text), Ok(Verdict::Refused(StatusCode::TOO_MANY_REQUESTS)));
        let answer = refusal(StatusCode::TOO_MANY_REQUESTS, text);
        let mut headers: Vec<_> =
            answer.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        headers.sort_unstable();
        assert_eq!(
            headers,
            [
                ("cache-control", "no-store"),
                ("content-type", "application/problem+json"),
                ("ratelimit", "\"minute\";r=0;t=20"),
                ("ratelimit-policy", "\"minute\";q=100;w=60"),
                ("retry-after", "20"),
                ("x-ratelimit-limit", "100"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1789000060"),
            ]
        );
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (429, r#"{"code":"rate_limited"}"#));
    }

    #[test]
    fn a_challenge_becomes_www_authenticate() {
        let answer = refusal(StatusCode::UNAUTHORIZED, lookup(&[("challenge", "Bearer realm=\"faregate\"")]));
        assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"faregate\"");
        assert!(!answer.headers().contains_key("retry-after"));
    }

    #[test]
    fn only_status_200_admits() {
        assert_eq!(verdict(lookup(&[("status", "200")])), Ok(Verdict::Admitted));
        for (status, problem, reason) in [
            ("", "", NoVerdict::Absent),
            ("", "{}", NoVerdict::Absent),
            ("200 ", "{}", NoVerdict::Status),
            ("+200", "{}", NoVerdict::Status),
            ("0200", "{}", NoVerdict::Status),
            ("201", "{}", NoVerdict::Status),
            ("204", "", NoVerdict::Status),
            ("302", "{}", NoVerdict::Status),
            ("399", "{}", NoVerdict::Status),
            ("600", "{}", NoVerdict::Status),
            ("999", "{}", NoVerdict::Status),
            ("+402", "{}", NoVerdict::Status),
            ("0402", "{}", NoVerdict::Status),
            ("402 ", "{}", NoVerdict::Status),
            ("x", "{}", NoVerdict::Status),
            ("403", "", NoVerdict::Problem),
            ("403", "no", NoVerdict::Problem),
            ("403", "[]", NoVerdict::Problem),
            ("403", "{\"code\":", NoVerdict::Problem),
        ] {
            assert_eq!(verdict(lookup(&[("status", status), ("problem", problem)])), Err(reason), "{status} {problem}");
        }
        for status in [400, 599] {
            let text = status.to_string();
            let refused = Ok(Verdict::Refused(StatusCode::from_u16(status).unwrap()));
            assert_eq!(verdict(lookup(&[("status", &text), ("problem", "{}")])), refused);
        }
    }

    #[test]
    fn the_gates_limits_replace_the_backends() {
        let mut headers = HeaderMap::new();
        headers.append("x-ratelimit-limit", HeaderValue::from_static("7"));
        headers.append("x-ratelimit-limit", HeaderValue::from_static("8"));
        add_limits(&mut headers, lookup(&LIMITED));
        let limits: Vec<_> = headers.get_all("x-ratelimit-limit").iter().collect();
        assert_eq!(limits, ["100"]);
        assert!(!headers.contains_key("retry-after"));
    }

    #[test]
    fn a_caller_whose_key_ends_soon_is_told() {
        let mut headers = HeaderMap::new();
        add_limits(&mut headers, lookup(&[("keyExpiresIn", "")]));
        assert!(headers.is_empty());
        add_limits(&mut headers, lookup(&[("keyExpiresIn", "86400")]));
        assert_eq!(headers["x-key-expires-in"], "86400");
    }

    #[test]
    fn the_gate_says_which_page_may_read_an_answer_and_the_backend_does_not() {
        let from_backend = || {
            let mut headers = HeaderMap::new();
            for (name, value) in [
                ("access-control-allow-origin", "https://evil.com"),
                ("access-control-allow-credentials", "true"),
                ("vary", "Accept-Encoding"),
            ] {
                headers.append(name, HeaderValue::from_static(value));
            }
            headers
        };
        let mut headers = from_backend();
        add_limits(&mut headers, lookup(&LIMITED));
        assert_eq!(headers["access-control-allow-origin"], "https://evil.com", "nobody said anything of browsers");
        for (allowed, wanted) in [("https://a.com", Some("https://a.com")), ("", None), ("*", Some("*"))] {
            let mut headers = from_backend();
            let members = [("vary", "Origin"), ("allowOrigin", allowed)];
            for _ in 0..2 {
                add_limits(&mut headers, lookup(&[&LIMITED[..], &members].concat()));
            }
            let said: Vec<_> = headers.get_all("access-control-allow-origin").iter().collect();
            assert_eq!(said, wanted.into_iter().collect::<Vec<_>>());
            assert!(!headers.contains_key("access-control-allow-credentials"));
            let vary: Vec<_> = headers.get_all("vary").iter().collect();
            assert_eq!(vary, ["Accept-Encoding", "Origin"]);
            assert!(headers["access-control-expose-headers"].to_str().unwrap().contains("retry-after"));
        }
    }

    #[test]
    fn a_product_types_and_names_its_own_refusals() {
        let dialect = [
            ("contentType", "application/json"),
            ("headerNames", "ratelimit=,retry-after=X-Wait,x-ratelimit-limit=X-RateLimit-Limit"),
        ];
        let members = [&LIMITED[..], &dialect].concat();
        let answer = refusal(StatusCode::TOO_MANY_REQUESTS, lookup(&members));
        let headers = answer.headers();
        assert_eq!(
            (&headers["content-type"], &headers["x-wait"]),
            (&"application/json".parse().unwrap(), &"20".parse().unwrap())
        );
        assert_eq!((&headers["x-ratelimit-limit"], headers.get("ratelimit")), (&"100".parse().unwrap(), None));
        assert!(!headers.contains_key("retry-after") && headers.contains_key("ratelimit-policy"));
    }

    #[test]
    fn names_that_are_none_leave_the_headers_as_they_are() {
        let members = [&LIMITED[..], &[("headerNames", "ratelimit=Content-Length"), ("contentType", "a\nb")]].concat();
        let answer = refusal(StatusCode::TOO_MANY_REQUESTS, lookup(&members));
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert!(answer.headers().contains_key("ratelimit") && !answer.headers().contains_key("content-length"));
    }

    #[test]
    fn a_member_cannot_inject_a_header() {
        let mut headers = HeaderMap::new();
        add_limits(&mut headers, lookup(&[("rlLimit", "1\r\nset-cookie: a")]));
        assert!(headers.is_empty());
    }

    #[test]
    fn no_decision_is_a_503_that_may_be_tried_again() {
        let answer = gate_unavailable("r-1\"");
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["retry-after"], "1");
        let body: Value = serde_json::from_str(answer.body()).unwrap();
        assert_eq!((&body["code"], &body["request_id"]), (&json!("gate_unavailable"), &json!("r-1\"")));
    }
}
