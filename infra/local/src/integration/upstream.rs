//! Forwards admitted calls to an HTTP API and brings its answers back.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

use crate::{
    answer::{Answer, BodyError},
    call::Call,
    client::{BaseUrl, Client},
    event::forwarded_for,
    gateway_response,
    outcome::Context,
};

/// The upstream's answer, its body streamed; 502 or 504 when there is none.
pub(super) async fn forward(client: &Client, base: &BaseUrl, call: &Call, context: &Context) -> Answer {
    let uri = match base.with_path(&call.path, call.query.as_deref()) {
        Ok(uri) => uri,
        Err(error) => return unreachable(&error, call),
    };
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = outgoing_headers(call, context);
    match tokio::time::timeout(TIMEOUT, client.request(request)).await {
        Ok(Ok(answer)) => {
            let mut answer = answer.map(|body| body.map_err(BodyError::from).boxed());
            remove_hop_by_hop(answer.headers_mut());
            answer
        }
        Ok(Err(error)) => unreachable(&error, call),
        Err(_) => gateway_response::gateway_timeout(&call.request_id),
    }
}

fn unreachable(error: &dyn std::error::Error, call: &Call) -> Answer {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    tracing::warn!(%error, %cause, request_id = call.request_id, "the upstream gave no answer");
    gateway_response::bad_gateway(&call.request_id)
}

/// The caller's headers, those of this connection removed, those by which the gate vouches for the caller replaced.
fn outgoing_headers(call: &Call, context: &Context) -> HeaderMap {
    let mut headers = call.headers.clone();
    remove_hop_by_hop(&mut headers);
    let forged: Vec<_> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    let host = headers.remove(HOST);
    let mut insert = |name: &'static str, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    insert("x-forwarded-for", &forwarded_for(call));
    insert("x-forwarded-proto", "http");
    if let Some(host) = host.as_ref().and_then(|host| host.to_str().ok()) {
        insert("x-forwarded-host", host);
    }
    insert("x-faregate-request-id", &call.request_id);
    for (name, member) in VOUCHED.iter().filter(|(_, member)| !context.text(member).is_empty()) {
        insert(name, context.text(member));
    }
    headers
}

/// Names that some servers cannot tell from ours are ours as well: CGI reads `_` and `-` alike.
fn is_ours(name: &HeaderName) -> bool {
    name.as_str().replace('_', "-").starts_with("x-faregate-")
}

/// RFC 9110 §7.6.1: headers that are about one connection, and those that `Connection` names.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let fixed = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].into_iter();
    let others = ["keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"];
    for name in fixed.chain(others.map(HeaderName::from_static)).chain(named) {
        headers.remove(name);
    }
}

/// What the upstream is told about the caller.
const VOUCHED: [(&str, &str); 8] = [
    ("x-faregate-account-id", "accountId"),
    ("x-faregate-project-id", "projectId"),
    ("x-faregate-key-id", "keyId"),
    ("x-faregate-environment", "environment"),
    ("x-faregate-gallery", "gallery"),
    ("x-faregate-scopes", "scopes"),
    ("x-faregate-charge-id", "chargeId"),
    ("x-faregate-code", "code"),
];
/// As long as API Gateway waits.
const TIMEOUT: Duration = Duration::from_secs(29);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::tests::call;

    #[tokio::test]
    async fn a_caller_cannot_speak_for_the_gate() {
        let request = Request::get("/x")
            .header("host", "api.example")
            .header("X-Faregate-Account-Id", "acc_forged")
            .header("x_faregate_key_id", "key_forged")
            .header("connection", "close, x-hop")
            .header("x-hop", "1")
            .header("te", "trailers")
            .header("x-forwarded-for", "9.9.9.9")
            .header("accept", "*/*");
        let call = call(request.body("").unwrap()).await.unwrap();
        let context = Context::from_pairs(&[("accountId", "acc_1"), ("keyId", ""), ("scopes", "demo:read\r\nx: y")]);
        let headers = outgoing_headers(&call, &context);
        let mut headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        headers.sort_unstable();
        assert_eq!(
            headers,
            [
                ("accept", "*/*"),
                ("x-faregate-account-id", "acc_1"),
                ("x-faregate-request-id", call.request_id.as_str()),
                ("x-forwarded-for", "9.9.9.9, 127.0.0.1"),
                ("x-forwarded-host", "api.example"),
                ("x-forwarded-proto", "http"),
            ]
        );
    }
}
