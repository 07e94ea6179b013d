//! A backend on a socket of its own, and callers that say what a gateway would.

use axum::Router;
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::gate::within_reason;

/// Serves `app` on a free port of the loopback address.
pub(crate) async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// A header's only value; nothing where it is absent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert!(values.len() < 2, "{name}: {values:?}");
        values.first().map(|value| value.to_str().unwrap())
    }
}

/// Sends one request; nothing when the connection broke before an answer came.
pub(crate) async fn try_ask(url: &str, headers: &[(&str, &str)]) -> Option<Answer> {
    let mut request = http::Request::post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client: Client<HttpConnector, String> = Client::builder(TokioExecutor::new()).build_http();
    let answered = within_reason(client.request(request.body(String::new()).unwrap())).await;
    let (parts, body) = answered.ok()?.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Some(Answer { status: parts.status.as_u16(), headers: parts.headers, text })
}

/// Sends one request.
pub(crate) async fn ask(url: &str, headers: &[(&str, &str)]) -> Answer {
    try_ask(url, headers).await.unwrap()
}

/// What a gateway says of an admitted request whose price is fixed.
pub(crate) const ADMITTED: [(&str, &str); 15] = [
    ("x-faregate-request-id", "req-1"),
    ("x-faregate-status", "200"),
    ("x-faregate-code", "ok"),
    ("x-faregate-account-id", "acc_aaaaaaaaaaaaaaaaaaaaaa"),
    ("x-faregate-project-id", "prj_bbbbbbbbbbbbbbbbbbbbbb"),
    ("x-faregate-key-id", "key_cccccccccccccccc"),
    ("x-faregate-environment", "sandbox"),
    ("x-faregate-gallery", "prj_bbbbbbbbbbbbbbbbbbbbbb"),
    ("x-faregate-scopes", "demo:read demo:write"),
    ("x-faregate-charge-id", "chg_dddddddddddddddddddddd"),
    ("x-faregate-rl-limit", "100"),
    ("x-faregate-rl-remaining", "99"),
    ("x-faregate-rl-reset", "1789000060"),
    ("x-faregate-policy", "\"minute\";q=100;w=60"),
    ("x-faregate-rate-limit", "\"minute\";r=99;t=20"),
];

/// What a gateway says of an admitted request for which ten cents are held.
pub(crate) fn held() -> Vec<(&'static str, &'static str)> {
    [&ADMITTED[..], &[("x-faregate-settle", "required"), ("x-faregate-reserved-usd", "0.10")]].concat()
}
