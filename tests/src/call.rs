//! A management request through a function's whole handler, as API Gateway would send it.

use std::{collections::BTreeMap, future::Future};

use lambda_http::{Body, Request, Response, request::LambdaRequest};
use serde_json::{Value, json};

/// What a function answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers; repeated ones joined by a comma.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Answer {
    /// The problem's code, or nothing.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A member of `data` as text.
    #[must_use]
    pub fn data(&self, member: &str) -> &str {
        self.body["data"][member].as_str().unwrap_or_default()
    }
}

/// Sends one request to `handler`.
pub(crate) async fn call<F, R>(request: Value, handler: F) -> Answer
where
    F: FnOnce(Request) -> R,
    R: Future<Output = Response<Body>>,
{
    let event: LambdaRequest = serde_json::from_value(request).unwrap_or_else(|error| panic!("event: {error}"));
    // A function's whole way is more than a test's own future should hold.
    let response = Box::pin(handler(Request::from(event))).await;
    let status = response.status().as_u16();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = headers.entry(name.to_string()).or_default();
        *joined = if joined.is_empty() { value.into_owned() } else { format!("{joined}, {value}") };
    }
    let text = match response.into_body() {
        Body::Text(text) => text,
        Body::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, text, body }
}

/// The proxy event of a request.
pub(crate) fn proxy_event(method: &str, target: &str, headers: &[(&str, &str)], body: Option<&str>) -> Value {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: BTreeMap<_, _> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        lines.entry(name).or_default().push(value);
    }
    let last: BTreeMap<_, _> = headers.iter().copied().collect();
    json!({
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": last,
        "multiValueHeaders": lines,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": query.iter().map(|(name, value)| (*name, vec![*value])).collect::<BTreeMap<_, _>>(),
        "pathParameters": {},
        "stageVariables": {},
        "requestContext": {
            "accountId": "000000000000", "apiId": "test", "httpMethod": method, "path": path, "protocol": "HTTP/1.1",
            "requestId": "request-1", "requestTimeEpoch": 0, "resourceId": "r", "resourcePath": path, "stage": "test",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "spec"}
        },
        "body": body,
        "isBase64Encoded": false
    })
}
