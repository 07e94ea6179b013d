//! Forwards admitted calls to an HTTP API and brings its answers back.

use std::time::Duration;

use faregate_layer::member::{self, MEMBERS};
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
    gateway_response::Kind,
    outcome::Context,
};

/// The upstream's answer, its body streamed; a gateway response when there is none.
pub(super) async fn forward(client: &Client, base: &BaseUrl, call: &Call, context: &Context) -> Result<Answer, Kind> {
    let uri = match base.with_path(&call.path, call.query.as_deref()) {
        Ok(uri) => uri,
        Err(error) => return Err(unreachable(&error, call)),
    };
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = outgoing_headers(call, context);
    match tokio::time::timeout(TIMEOUT, client.request(request)).await {
        Ok(Ok(answer)) => {
            let mut answer = answer.map(|body| body.map_err(BodyError::from).boxed());
            remove_hop_by_hop(answer.headers_mut());
            Ok(answer)
        }
        Ok(Err(error)) => Err(unreachable(&error, call)),
        Err(_) => Err(Kind::IntegrationTimeout),
    }
}

fn unreachable(error: &dyn std::error::Error, call: &Call) -> Kind {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    tracing::warn!(%error, %cause, request_id = call.request_id, "the upstream gave no answer");
    Kind::IntegrationFailure
}

/// The caller's headers, those of this connection removed, those by which the gate vouches for the caller replaced.
fn outgoing_headers(call: &Call, context: &Context) -> HeaderMap {
    let mut headers = call.headers.clone();
    remove_hop_by_hop(&mut headers);
    member::remove_reserved(&mut headers);
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
    insert(member::REQUEST_ID, &call.request_id);
    for (header, name) in MEMBERS.iter().filter(|(_, name)| !context.text(name).is_empty()) {
        insert(header, context.text(name));
    }
    headers
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
        let context = Context::from_pairs(&[
            ("status", "200"),
            ("accountId", "acc_1"),
            ("keyId", ""),
            ("scopes", "demo:read\r\nx: y"),
            ("settle", "required"),
            ("reservedUsd", "0.10"),
            ("rateLimit", "\"minute\";r=9;t=20"),
            ("unknown", "1"),
        ]);
        let headers = outgoing_headers(&call, &context);
        let mut headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        headers.sort_unstable();
        assert_eq!(
            headers,
            [
                ("accept", "*/*"),
                ("x-faregate-account-id", "acc_1"),
                ("x-faregate-rate-limit", "\"minute\";r=9;t=20"),
                ("x-faregate-request-id", call.request_id.as_str()),
                ("x-faregate-reserved-usd", "0.10"),
                ("x-faregate-settle", "required"),
                ("x-faregate-status", "200"),
                ("x-forwarded-for", "9.9.9.9, 127.0.0.1"),
                ("x-forwarded-host", "api.example"),
                ("x-forwarded-proto", "http"),
            ]
        );
    }
}
