//! One call to the gate over HTTP, whatever makes the connections.

use std::{future::poll_fn, pin::Pin, time::Duration};

use http::{HeaderMap, Request, Response, header::RETRY_AFTER};
use http_body::Body;
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde_json::Value;
use tower_service::Service;

use crate::{CallError, bounded::bounded};

/// An error of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What stands in an answer, as far as it could be read.
pub(crate) type Content = Result<Vec<u8>, CallError>;

/// Sends one request and judges its answer.
pub(crate) type Exchange = Box<dyn Fn(Request<String>) -> Answered + Send + Sync>;
type Answered = Pin<Box<dyn Future<Output = Result<Content, CallError>> + Send>>;

/// Calls over TCP, for a gate on the same machine or network.
pub(crate) fn plain() -> Exchange {
    exchange(pool().build::<_, String>(tcp()))
}

/// Calls over TLS.
pub(crate) fn secure() -> Result<Exchange, std::io::Error> {
    let mut tcp = tcp();
    tcp.enforce_http(false);
    // The process may know several providers and have chosen none.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?.https_only().enable_http1();
    Ok(exchange(pool().build::<_, String>(tls.wrap_connector(tcp))))
}

/// Calls through any client.
pub(crate) fn exchange<C, B>(client: C) -> Exchange
where
    C: Service<Request<String>, Response = Response<B>> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    Box::new(move |request| {
        let mut client = client.clone();
        Box::pin(async move {
            let unreachable = |error: C::Error| CallError::Unreachable(deepest(error.into().as_ref()));
            poll_fn(|context| client.poll_ready(context)).await.map_err(unreachable)?;
            judge(client.call(request).await.map_err(unreachable)?).await
        })
    })
}

async fn judge<B>(answer: Response<B>) -> Result<Content, CallError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let (parts, body) = answer.into_parts();
    // Read to its end in any case, so that the connection can be used again.
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
    if parts.status.is_success() {
        return Ok(body.map(|body| body.to_bytes().to_vec()).map_err(|error| unreadable(error.as_ref())));
    }
    let body = body.map(Collected::to_bytes).unwrap_or_default();
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = problem.get("code").and_then(Value::as_str).unwrap_or_default();
    let code = bounded(code, 1..=64, |byte| byte.is_ascii_lowercase() || byte == b'_').unwrap_or_default();
    Err(CallError::Refused { status: parts.status, code, retry_after: retry_after(&parts.headers) })
}

/// Too long an answer stays so; one that broke off may come whole the next time.
fn unreadable(error: &(dyn std::error::Error + 'static)) -> CallError {
    if error.is::<LengthLimitError>() {
        CallError::Malformed("too long".to_owned())
    } else {
        CallError::Unreachable(deepest(error))
    }
}

/// RFC 9110 §10.2.3 in seconds, which is what the gate says; a date would need a clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than fit are longer than anybody waits.
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

fn pool() -> hyper_util::client::legacy::Builder {
    let mut pool = Client::builder(TokioExecutor::new());
    pool.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT).pool_max_idle_per_host(MAX_IDLE_CONNECTIONS);
    pool
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp
}

/// Clients wrap the system's word in their own.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than servers keep a connection, so that a call seldom finds one that has just been closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_IDLE_CONNECTIONS: usize = 16;
const MAX_ANSWER_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response<String> {
        let mut answer = Response::new(body.to_owned());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            answer.headers_mut().insert(*name, value.parse().unwrap());
        }
        answer
    }

    #[tokio::test]
    async fn only_success_is_success() {
        for status in [200, 201, 204] {
            assert_eq!(judge(answered(status, &[], "whatever")).await, Ok(Ok("whatever".into())));
        }
        for (status, body, wanted) in [
            (409, r#"{"code":"already_settled"}"#, "already_settled"),
            (302, "", ""),
            (500, "<html>", ""),
            (404, r#"{"code":7}"#, ""),
            (400, r#"{"code":"no\nlines"}"#, ""),
        ] {
            let Err(CallError::Refused { status: found, code, retry_after }) = judge(answered(status, &[], body)).await
            else {
                panic!("refused")
            };
            assert_eq!((found.as_u16(), code.as_str(), retry_after), (status, wanted, None));
        }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read_without_end() {
        let endless = judge(answered(200, &[], &"a".repeat(MAX_ANSWER_BYTES + 1))).await;
        assert_eq!(endless, Ok(Err(CallError::Malformed("too long".into()))));
        let long = format!("{{\"code\":\"long\",\"detail\":\"{}\"}}", "a".repeat(MAX_ANSWER_BYTES));
        let Err(CallError::Refused { code, .. }) = judge(answered(409, &[], &long)).await else { panic!("refused") };
        assert_eq!(code, "");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_the_networks_doing() {
        assert_eq!(judge(Response::new(Broken)).await, Ok(Err(CallError::Unreachable("reset by peer".into()))));
    }

    struct Broken;

    impl Body for Broken {
        type Data = &'static [u8];
        type Error = std::io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
            std::task::Poll::Ready(Some(Err(std::io::Error::other("reset by peer"))))
        }
    }

    #[test]
    fn a_wish_to_wait_is_read_in_seconds() {
        for (text, seconds) in [
            ("3", Some(3)),
            ("0", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ] {
            let headers = answered(503, &[("retry-after", text)], "").headers().clone();
            assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn a_gate_that_is_not_there_is_unreachable() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let request = Request::post(format!("http://{free}/")).body(String::new()).unwrap();
        let Err(CallError::Unreachable(reason)) = plain()(request).await else { panic!("unreachable") };
        assert!(reason.to_lowercase().contains("refused"), "{reason}");
    }

    #[tokio::test]
    async fn tls_is_not_given_up_for_a_gate_without_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(async || "")).await.unwrap() });
        let ask = async |exchange: Exchange, scheme: &str| {
            let request = Request::post(format!("{scheme}://{address}/")).body("secret".to_owned()).unwrap();
            exchange(request).await
        };
        assert_eq!(ask(plain(), "http").await, Ok(Ok(Vec::new())));
        for scheme in ["https", "http"] {
            let answer = ask(secure().unwrap(), scheme).await;
            assert!(matches!(answer, Err(CallError::Unreachable(_))), "{scheme} {answer:?}");
        }
    }
}
