//! What the deployed template says, and what a template may say.

use faregate_edge::problem;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;

/// A template with this section, among what else a template has.
fn template(section: &str) -> String {
    format!(
        "Parameters: {{ A: {{ Default: x }} }}\nGlobals:\n  Role: &role !GetAtt X.Arn\n  Both: [*role, !Ref A]\nResources:\n  \
         Other: {{ Type: !If [A, !Sub \"${{A}}\", !Ref AWS::NoValue] }}\n  Api:\n    Properties:\n      Name: !Sub ${{A}}\n      \
         DefinitionBody:\n        openapi: 3.0.1\n        x-amazon-apigateway-gateway-responses:\n{section}        \
         paths:\n          /a: {{ uri: !Sub \"arn:${{A}}\" }}\n"
    )
}

fn parse(section: &str) -> Result<GatewayResponses, InvalidGatewayResponse> {
    GatewayResponses::parse(&template(section))
}

async fn told(answer: Answer) -> (u16, BTreeMap<String, String>, String) {
    let (parts, body) = answer.into_parts();
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), headers, String::from_utf8(body.to_vec()).unwrap())
}

/// What `template.yaml` answers to request `req-1`.
async fn shipped(kind: Kind, pairs: &[(&str, &str)]) -> (u16, BTreeMap<String, String>, String) {
    let context = Context::from_pairs(pairs);
    told(GatewayResponses::shipped().unwrap().answer(kind, "req-1", &context)).await
}

fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const PROBLEM: (&str, &str) = ("content-type", "application/problem+json");
const NO_STORE: (&str, &str) = ("cache-control", "no-store");
/// What pages may read of answers of the gate, and where no context says who they are, all of them.
const EXPOSED: (&str, &str) = (
    "access-control-expose-headers",
    "ratelimit, ratelimit-policy, retry-after, www-authenticate, x-amzn-requestid, x-key-expires-in, x-ratelimit-limit, \
     x-ratelimit-remaining, x-ratelimit-reset",
);
const ANY_ORIGIN: (&str, &str) = ("access-control-allow-origin", "*");
const LIMITED: [(&str, &str); 8] = [
    ("status", "429"),
    ("problem", "{\"code\":\"rate_limited\"}"),
    ("contentType", "application/vnd.product+json"),
    ("rlLimit", "100"),
    ("rlRemaining", "0"),
    ("rlReset", "1789000060"),
    ("policy", "\"minute\";q=100;w=60"),
    ("rateLimit", "\"minute\";r=0;t=20"),
];
const LIMITS: [(&str, &str); 5] = [
    ("ratelimit", "\"minute\";r=0;t=20"),
    ("ratelimit-policy", "\"minute\";q=100;w=60"),
    ("x-ratelimit-limit", "100"),
    ("x-ratelimit-remaining", "0"),
    ("x-ratelimit-reset", "1789000060"),
];

#[tokio::test]
async fn a_429_has_everything_that_the_authorizer_says() {
    let context = [&LIMITED[..], &[("retryAfter", "20")]].concat();
    let (status, found, body) = shipped(Kind::AccessDenied, &context).await;
    let own = [NO_STORE, EXPOSED, ("content-type", "application/vnd.product+json"), ("retry-after", "20")];
    assert_eq!((status, found), (429, headers(&[&own[..], &LIMITS].concat())));
    assert_eq!(body, "{\"code\":\"rate_limited\"}");
}

#[tokio::test]
async fn what_the_authorizer_does_not_say_is_no_header() {
    let (status, found, body) = shipped(Kind::AccessDenied, &[("retryAfter", ""), ("rlLimit", "7")]).await;
    let wanted = [NO_STORE, EXPOSED, ("content-type", "application/json"), ("x-ratelimit-limit", "7")];
    assert_eq!((status, found, body), (429, headers(&wanted), String::new()));
}

#[tokio::test]
async fn any_other_refusal_is_a_403_whose_body_says_more() {
    let context = [("status", "402"), ("problem", "{\"status\":402}"), ("contentType", "application/problem+json")];
    let (status, found, body) = shipped(Kind::InvalidApiKey, &context).await;
    assert_eq!((status, found, body.as_str()), (403, headers(&[NO_STORE, EXPOSED, PROBLEM]), "{\"status\":402}"));
}

#[tokio::test]
async fn what_api_gateway_says_by_itself_is_a_problem() {
    let challenge = ("www-authenticate", "Bearer realm=\"faregate\"");
    for (kind, wanted, code, detail, others) in [
        (
            Kind::Unauthorized,
            401,
            "invalid_api_key",
            "The credential is missing or not valid.",
            &[challenge, ANY_ORIGIN, EXPOSED][..],
        ),
        (
            Kind::AuthorizerFailure,
            503,
            "gate_unavailable",
            "The gate cannot decide right now; try again.",
            &[("retry-after", "1"), ANY_ORIGIN, EXPOSED],
        ),
        (Kind::RequestTooLarge, 413, "body_too_large", "The body is larger than the gateway takes.", &[]),
        (Kind::IntegrationFailure, 502, "bad_gateway", "The API behind the gate could not be reached.", &[EXPOSED]),
        (
            Kind::IntegrationTimeout,
            504,
            "gateway_timeout",
            "The API behind the gate did not answer in 29 seconds.",
            &[EXPOSED],
        ),
    ] {
        let (status, found, body) = shipped(kind, &[]).await;
        assert_eq!((status, found), (wanted, headers(&[&[NO_STORE, PROBLEM], others].concat())), "{kind:?}");
        // The same members as a problem of our own, each.
        let own = Problem::new(wanted, code, detail).body("req-1", &faregate_domain::policy::Dialect::default());
        let [found, own]: [Value; 2] = [&body, &own].map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(found, own, "{kind:?}");
    }
}

#[tokio::test]
async fn a_counted_call_that_the_api_does_not_answer_tells_its_limits() {
    for kind in [Kind::IntegrationFailure, Kind::IntegrationTimeout] {
        let (_, found, _) = shipped(kind, &LIMITED).await;
        assert_eq!(found, headers(&[&[NO_STORE, EXPOSED, PROBLEM], &LIMITS[..]].concat()), "{kind:?}");
    }
}

/// Types that this gateway never answers with are deployed too.
#[test]
fn every_body_of_the_template_is_a_problem_that_names_its_own_status() {
    let responses = GatewayResponses::shipped().unwrap();
    let context = Context::from_pairs(&[("problem", "null")]);
    let scene = Scene { kind: Kind::AccessDenied, request_id: "req-1", context: &context };
    for (kind, response) in &responses.0 {
        let body: Value = serde_json::from_str(&response.body.render(scene)).unwrap();
        if body.is_null() {
            continue;
        }
        let code = body["code"].as_str().unwrap();
        assert_eq!(body["status"], json!(response.status.unwrap().as_u16()), "{kind}");
        assert_eq!(body["type"], json!(format!("/problems/{code}")), "{kind}");
        assert_eq!(body["title"], json!(problem::title_of(code)), "{kind}");
        assert_eq!(body["request_id"], "req-1", "{kind}");
        assert!(faregate_domain::policy::dialect::CODES.contains(&code), "{kind}: {code}");
        assert!(body["detail"].is_string() && body.as_object().unwrap().len() == 6, "{kind}");
    }
    let missing = &responses.0["MISSING_AUTHENTICATION_TOKEN"];
    assert_eq!(missing.status, Some(StatusCode::NOT_FOUND));
    let [failed, misconfigured] =
        ["AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"].map(|kind| &responses.0[kind]);
    assert_eq!((failed.status, &failed.body), (misconfigured.status, &misconfigured.body));
}

#[tokio::test]
async fn a_type_that_is_not_set_has_its_own_status_and_the_words_of_its_family() {
    let section = "          DEFAULT_4XX:\n            statusCode: 418\n            responseParameters: { gatewayresponse.header.X-Family: \
                   \"'4'\" }\n            responseTemplates: { application/json: $context.error.responseType }\n          \
                   UNAUTHORIZED: { responseTemplates: { application/json: none } }\n";
    let responses = parse(section).unwrap();
    let context = Context::default();
    let (status, found, body) = told(responses.answer(Kind::AccessDenied, "req-1", &context)).await;
    let wanted = headers(&[("content-type", "application/json"), ("x-family", "4")]);
    assert_eq!((status, found, body.as_str()), (403, wanted, "ACCESS_DENIED"));
    let (status, found, body) = told(responses.answer(Kind::Unauthorized, "req-1", &context)).await;
    let plain = headers(&[("content-type", "application/json")]);
    assert_eq!((status, &found, body.as_str()), (401, &plain, "none"));
    for (kind, wanted, message) in [
        (Kind::AuthorizerFailure, 500, "{\"message\":null}"),
        (Kind::IntegrationTimeout, 504, "{\"message\":\"Endpoint request timed out\"}"),
    ] {
        let (status, found, body) = told(responses.answer(kind, "req-1", &context)).await;
        assert_eq!((status, &found, body.as_str()), (wanted, &plain, message));
    }
}

#[test]
fn what_is_not_understood_is_an_error_and_never_a_default() {
    let whole = "          ACCESS_DENIED:\n            statusCode: 429\n            responseParameters: { \
                 gatewayresponse.header.A: context.requestId }\n            responseTemplates: { application/json: \
                 $context.authorizer.problem }\n";
    parse(whole).unwrap();
    for (old, new, wanted) in [
        ("ACCESS_DENIED", "ACCESS_DENIDE", "no gateway response ACCESS_DENIDE"),
        ("statusCode: 429", "statusCode: 200", "200 is no status"),
        ("statusCode: 429", "statusCode: 4290", "4290 is no status"),
        ("statusCode: 429", "statusCode: soon", "template.yaml: "),
        ("statusCode: 429", "status: 429", "unknown field"),
        ("gatewayresponse.header.A", "gatewayresponse.path.A", "gatewayresponse.path.A"),
        ("gatewayresponse.header.A", "gatewayresponse.header.A B", "gatewayresponse.header.A B"),
        ("context.requestId", "context.requestID", "context.requestID"),
        ("context.requestId", "!Ref X", "X"),
        ("$context.authorizer.problem", "$context.authorizer.problm", "$context.authorizer.problm"),
        ("application/json", "text/html", "text/html"),
        ("ACCESS_DENIED", "UNAUTHORIZED: {}\n          UNAUTHORIZED", "duplicate"),
    ] {
        assert!(whole.contains(old));
        let error = parse(&whole.replace(old, new)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{new}: {error}");
    }
    assert!(matches!(parse("          {}\n"), Err(InvalidGatewayResponse::Empty)));
    for template in ["", "Resources: {}\n", "Resources: { Api: { Properties: { DefinitionBody: {} } } }\n", "a: [\n"] {
        assert!(matches!(GatewayResponses::parse(template), Err(InvalidGatewayResponse::Syntax(_))), "{template}");
    }
}
