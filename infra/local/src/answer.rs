//! Answers on their way back to the caller, and the reading of a function's answer.

use base64::{Engine, prelude::BASE64_STANDARD};
use faregate_domain::policy::Dialect;
use faregate_edge::problem::Problem;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING},
};
use serde_json::{Map, Value};

/// An HTTP answer with a whole or a streamed body.
pub(crate) type Answer = Response<BoxBody<Bytes, BodyError>>;

/// Why a streamed body broke off.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// An answer with a whole body.
pub(crate) fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(boxed(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// An answer whose text is ready.
pub(crate) fn text(answer: Response<String>) -> Answer {
    answer.map(|body| boxed(body.into()))
}

/// 200 with JSON.
pub(crate) fn json(body: &Value) -> Answer {
    whole(StatusCode::OK, "application/json", body.to_string())
}

/// A problem of the gateway itself, in the product's dialect.
pub(crate) fn problem(problem: &Problem, request_id: &str, dialect: &Dialect) -> Answer {
    problem.response(request_id, dialect).map(|body| match body {
        lambda_http::Body::Text(text) => boxed(text.into()),
        lambda_http::Body::Binary(bytes) => boxed(bytes.into()),
        _ => boxed(Bytes::new()),
    })
}

/// The answer of a proxied function: `{statusCode, headers, multiValueHeaders, body, isBase64Encoded}`.
///
/// # Errors
/// [`MalformedAnswer`] where API Gateway would answer 502.
pub(crate) fn from_function(answer: &Value) -> Result<Answer, MalformedAnswer> {
    let status = answer.get("statusCode").and_then(Value::as_u64).ok_or(MalformedAnswer::Status)?;
    let status = u16::try_from(status).ok().filter(|status| (200..=599).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).ok_or(MalformedAnswer::Status)?;
    let mut response = Response::new(boxed(body(answer)?));
    *response.status_mut() = status;
    *response.headers_mut() = headers(answer)?;
    Ok(response)
}

/// What is wrong with a function's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MalformedAnswer {
    #[error("statusCode is not a final http status")]
    Status,
    #[error("a header is not a header")]
    Header,
    #[error("body is neither text nor base64")]
    Body,
}

fn body(answer: &Value) -> Result<Bytes, MalformedAnswer> {
    let is_base64 = answer.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or_default();
    match answer.get("body") {
        None | Some(Value::Null) => Ok(Bytes::new()),
        Some(Value::String(text)) if is_base64 => {
            BASE64_STANDARD.decode(text).map(Bytes::from).map_err(|_| MalformedAnswer::Body)
        }
        Some(Value::String(text)) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        Some(_) => Err(MalformedAnswer::Body),
    }
}

/// Both header maps merged; a name in both is taken from `multiValueHeaders`, as API Gateway does.
fn headers(answer: &Value) -> Result<HeaderMap, MalformedAnswer> {
    let mut headers = HeaderMap::new();
    let empty = Map::new();
    let map = |name: &str| answer.get(name).and_then(Value::as_object).unwrap_or(&empty).clone();
    for (name, values) in map("multiValueHeaders") {
        for value in values.as_array().ok_or(MalformedAnswer::Header)? {
            headers.append(header_name(&name)?, header_value(value)?);
        }
    }
    for (name, value) in map("headers") {
        let name = header_name(&name)?;
        if !headers.contains_key(&name) {
            headers.insert(name, header_value(&value)?);
        }
    }
    // The server frames the body itself.
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRANSFER_ENCODING);
    Ok(headers)
}

fn header_name(name: &str) -> Result<HeaderName, MalformedAnswer> {
    name.parse().map_err(|_| MalformedAnswer::Header)
}

fn header_value(value: &Value) -> Result<HeaderValue, MalformedAnswer> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return Err(MalformedAnswer::Header),
    };
    text.parse().map_err(|_| MalformedAnswer::Header)
}

fn boxed(bytes: Bytes) -> BoxBody<Bytes, BodyError> {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn text(answer: Answer) -> String {
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_functions_answer_keeps_its_status_headers_and_body() {
        let answer = from_function(&json!({
            "statusCode": 201,
            "headers": {"X-One": "single", "set-cookie": "lost"},
            "multiValueHeaders": {"set-cookie": ["a=1", "b=2"], "content-length": ["999"]},
            "body": "aGVsbG8=",
            "isBase64Encoded": true,
        }));
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 201);
        assert_eq!(answer.headers()["x-one"], "single");
        let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert!(!answer.headers().contains_key("content-length"));
        assert_eq!(text(answer).await, "hello");
    }

    #[test]
    fn a_malformed_answer_is_not_passed_on() {
        for (answer, wanted) in [
            (json!({}), MalformedAnswer::Status),
            (json!({"statusCode": 99}), MalformedAnswer::Status),
            (json!({"statusCode": 101}), MalformedAnswer::Status),
            (json!({"statusCode": 200, "headers": {"a b": "c"}}), MalformedAnswer::Header),
            (json!({"statusCode": 200, "headers": {"a": "b\nc"}}), MalformedAnswer::Header),
            (json!({"statusCode": 200, "multiValueHeaders": {"a": "b"}}), MalformedAnswer::Header),
            (json!({"statusCode": 200, "body": {}}), MalformedAnswer::Body),
            (json!({"statusCode": 200, "body": "%", "isBase64Encoded": true}), MalformedAnswer::Body),
        ] {
            assert_eq!(from_function(&answer).unwrap_err(), wanted, "{answer}");
        }
    }
}
