//! The parts that API Gateway's event for a proxied function and its event for an authorizer have in common.
//!
//! ```text
//! GET /demo/free?q=1&q=2          path                              /demo/free
//! Host: 127.0.0.1:8080            queryStringParameters             {"q": "2"}            the last value
//! X-Api-Key: sk_test_…            multiValueQueryStringParameters   {"q": ["1", "2"]}     all values, decoded
//!                                 headers · multiValueHeaders       likewise
//!                                 requestContext.path               /local/demo/free      with the stage
//! ```

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::call::Call;

pub(crate) mod authorizer;
pub(crate) mod proxy;

/// The members of both events; `resource` is the path's template.
fn members(call: &Call, resource: &str, parameters: &[(String, String)]) -> Map<String, Value> {
    let headers = headers(call);
    let query = call.query_pairs();
    let (last_headers, all_headers) = maps(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let (last_query, all_query) = maps(query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let parameters: Map<_, _> = parameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let mut members = Map::new();
    for (name, value) in [
        ("resource", resource.into()),
        ("path", call.path.clone().into()),
        ("httpMethod", call.method.as_str().into()),
        ("headers", last_headers),
        ("multiValueHeaders", all_headers),
        ("queryStringParameters", last_query),
        ("multiValueQueryStringParameters", all_query),
        ("pathParameters", parameters.into()),
        ("stageVariables", json!({})),
        ("requestContext", context(call, resource)),
    ] {
        members.insert(name.to_owned(), value);
    }
    members
}

/// The request's headers and those that API Gateway sets itself, whatever the caller said in them.
fn headers(call: &Call) -> Vec<(String, String)> {
    let is_own = |name: &str| matches!(name, "x-forwarded-proto" | "x-forwarded-port" | "x-forwarded-for");
    let mut headers: Vec<_> =
        call.header_texts().filter(|(name, _)| !is_own(name)).map(|(name, value)| (name.to_owned(), value)).collect();
    headers.push(("x-forwarded-for".into(), forwarded_for(call)));
    headers.push(("x-forwarded-port".into(), "80".into()));
    headers.push(("x-forwarded-proto".into(), "http".into()));
    headers
}

/// The chain of proxies with this caller at its end.
pub(crate) fn forwarded_for(call: &Call) -> String {
    let received = call.header_texts().filter(|(name, _)| *name == "x-forwarded-for").map(|(_, value)| value);
    received.chain([call.source_ip.to_string()]).collect::<Vec<_>>().join(", ")
}

/// For each name its last value, and for each name all of its values.
fn maps<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> (Value, Value) {
    let (mut last, mut all) = (Map::new(), Map::new());
    for (name, value) in pairs {
        last.insert(name.to_owned(), value.into());
        if let Value::Array(values) = all.entry(name).or_insert_with(|| json!([])) {
            values.push(value.into());
        }
    }
    (last.into(), all.into())
}

fn context(call: &Call, resource: &str) -> Value {
    let user_agent = call.header_texts().find(|(name, _)| *name == "user-agent").map(|(_, value)| value);
    json!({
        "accountId": ACCOUNT_ID,
        "apiId": API_ID,
        "domainName": "localhost",
        "domainPrefix": "localhost",
        "httpMethod": call.method.as_str(),
        "identity": {"sourceIp": call.source_ip.to_string(), "userAgent": user_agent},
        "path": format!("/{STAGE}{}", call.path),
        "protocol": "HTTP/1.1",
        "requestId": call.request_id,
        "requestTime": request_time(call),
        "requestTimeEpoch": call.received_at.epoch_ms(),
        "resourceId": "local0",
        "resourcePath": resource,
        "stage": STAGE,
    })
}

/// The time in the form of access logs, `09/Apr/2026:12:34:56 +0000`.
fn request_time(call: &Call) -> String {
    let seconds = i64::try_from(call.received_at.epoch_s()).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let month = at.month().to_string();
    let month = month.get(..3).unwrap_or(&month);
    format!("{:02}/{month}/{}:{:02}:{:02}:{:02} +0000", at.day(), at.year(), at.hour(), at.minute(), at.second())
}

const ACCOUNT_ID: &str = "000000000000";
/// The id of the API that this gateway is.
pub(crate) const API_ID: &str = "faregate00";
/// A stage whose name is not `$default`, as on AWS: a function that mistakes the stage for a part of the path shows.
const STAGE: &str = "local";

#[cfg(test)]
mod tests {
    use hyper::Request;
    use lambda_http::{RequestExt, request::LambdaRequest};

    use super::*;
    use crate::call::tests::call;

    #[test]
    fn a_name_keeps_its_last_value_and_all_values() {
        let (last, all) = maps([("a", "1"), ("b", "2"), ("a", "3")].into_iter());
        assert_eq!(last, json!({"a": "3", "b": "2"}));
        assert_eq!(all, json!({"a": ["1", "3"], "b": ["2"]}));
    }

    #[tokio::test]
    async fn the_forwarding_headers_are_the_gateways_own() {
        let request = Request::get("/").header("x-forwarded-proto", "java script").header("x-forwarded-for", "9.9.9.9");
        let event = Value::Object(members(&call(request.body("").unwrap()).await.unwrap(), "/", &[]));
        assert_eq!(event["headers"]["x-forwarded-proto"], "http");
        assert_eq!(event["headers"]["x-forwarded-for"], "9.9.9.9, 127.0.0.1");
        assert_eq!(event["multiValueHeaders"]["x-forwarded-proto"], json!(["http"]));
    }

    #[tokio::test]
    async fn no_request_becomes_an_event_that_a_function_cannot_read() {
        let targets =
            ["/", "//", "/../a", "/%", "/%00%ff", "/a|b^c`d{e}\"<>", "/local/x", "/x?", "/x?%&=&a=%ff&b[]={}|^"];
        let hosts = ["a", "127.0.0.1:8080", "[::1]:1", "a..b", "-", "1.2.3.4.5", "0x7f.1", ""];
        for (target, host) in targets.iter().flat_map(|target| hosts.map(|host| (target, host))) {
            let header = hyper::header::HeaderValue::from_bytes(b"caf\xe9 \xff").unwrap();
            let Ok(request) = Request::get(*target).header("host", host).header("x-api-key", header).body("") else {
                continue;
            };
            let Ok(call) = call(request).await else { continue };
            let event = proxy::event(&call, "/{proxy+}", &[]);
            let read: LambdaRequest = serde_json::from_value(event).unwrap();
            let request: lambda_http::Request = read.into();
            assert_eq!(request.raw_http_path(), call.path);
        }
    }
}
