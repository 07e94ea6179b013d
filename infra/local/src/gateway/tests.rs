//! The gateway from request to answer, with functions of the test's own.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use faregate_domain::time::Timestamp;
use faregate_edge::api::Api;
use http_body_util::{BodyExt, Full};
use hyper::{Response, header::HeaderValue, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::*;
use crate::{
    client,
    invoke::{Handler, Remote},
};

/// An HTTP API on a free port that counts its requests and answers each with `respond`.
struct Backend {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Backend {
    async fn start(respond: fn(Request<hyper::body::Incoming>) -> Response<Full<Bytes>>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Self { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let requests = Arc::clone(&backend.requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let requests = Arc::clone(&requests);
                let service = service_fn(move |request| {
                    requests.fetch_add(1, Ordering::SeqCst);
                    async move { Ok::<_, std::convert::Infallible>(respond(request)) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        backend
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn integration(&self) -> Integration {
        let base = format!("http://{}", self.address).parse().unwrap();
        Integration::Upstream { client: Box::new(client::connect().unwrap()), base }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of a backend")]
fn greet(request: Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
    let seen = format!("{} {}", request.method(), request.uri());
    let account = request.headers().get("x-faregate-account-id").cloned();
    let mut response = Response::new(Full::new(Bytes::from(seen)));
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit", HeaderValue::from_static("the backend's own"));
    headers.insert("connection", HeaderValue::from_static("x-hop"));
    headers.insert("x-hop", HeaderValue::from_static("1"));
    headers.insert("x-seen-account", account.unwrap_or(HeaderValue::from_static("none")));
    headers.insert("x-saw-key", HeaderValue::from(u16::from(request.headers().contains_key("x-api-key"))));
    response
}

fn gateway(functions: Functions, integration: Integration) -> Gateway {
    let api = Api::shipped().unwrap();
    let (routes, pages) = (Routes::of(&api).unwrap(), Pages::of(&api));
    let clock = Clock::standing_at(Timestamp::from_epoch_s(1_789_000_000));
    let responses = GatewayResponses::shipped().unwrap();
    Gateway { functions, routes, pages, integration, responses, dialect: Dialect::default(), clock }
}

fn authorizer(answer: Result<Value, &'static str>) -> Functions {
    let handler: Handler = Arc::new(move |_| {
        let answer = answer.clone().map_err(ToOwned::to_owned);
        Box::pin(async move { answer })
    });
    Functions::InProcess(BTreeMap::from([(Function::Authorizer, handler)]))
}

fn allow(context: &Value) -> Value {
    policy("Allow", context)
}

fn policy(effect: &str, context: &Value) -> Value {
    let statement = json!({"Action": "execute-api:Invoke", "Effect": effect, "Resource": "*"});
    let key = "faregate-admitted-faregate00";
    let policy = json!({"Statement": [statement]});
    json!({"principalId": "acc_1", "policyDocument": policy, "context": context, "usageIdentifierKey": key})
}

async fn ask(gateway: &Gateway, request: hyper::http::request::Builder) -> (u16, hyper::HeaderMap, String) {
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let (parts, body) = gateway.answer(request, Ipv4Addr::LOCALHOST.into()).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn an_admitted_call_reaches_the_upstream_without_its_credential_and_comes_back_with_limits() {
    let backend = Backend::start(greet).await;
    let answer = allow(&json!({"status": "200", "problem": "", "accountId": "acc_1", "rlLimit": "100"}));
    let gateway = gateway(authorizer(Ok(answer)), backend.integration());
    let request = Request::put("/any/%20path?q=1").header("x-api-key", "sk").header("x-faregate-account-id", "forged");
    let (status, headers, body) = ask(&gateway, request).await;
    assert_eq!((status, body.as_str()), (200, "PUT /any/%20path?q=1"));
    assert_eq!(headers["x-ratelimit-limit"], "100");
    assert_eq!((&headers["x-seen-account"], &headers["x-saw-key"]), (&"acc_1".parse().unwrap(), &"0".parse().unwrap()));
    assert!(!headers.contains_key("x-hop"));
    assert_eq!(backend.requests(), 1);
}

#[tokio::test]
async fn a_refusal_never_reaches_the_upstream() {
    let backend = Backend::start(greet).await;
    let problem = "{\"code\":\"insufficient_credits\"}";
    let refused = json!({"status": "402", "problem": problem, "contentType": "application/problem+json"});
    let mut unknown_usage_key = policy("Allow", &refused);
    unknown_usage_key["usageIdentifierKey"] = json!("faregate-refused");
    for (answer, wanted) in [
        (Ok(allow(&refused)), 402),
        (Ok(unknown_usage_key), 403),
        (Ok(policy("Deny", &refused)), 429),
        (Err("Unauthorized"), 401),
        (Err("the store is away"), 503),
        (Ok(allow(&json!({}))), 503),
        (Ok(allow(&json!({"status": 200, "nested": []}))), 503),
        (Ok(json!({"isAuthorized": true})), 503),
    ] {
        let gateway = gateway(authorizer(answer.clone()), backend.integration());
        let (status, headers, body) = ask(&gateway, Request::get("/x")).await;
        assert_eq!(status, wanted, "{answer:?}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(serde_json::from_str::<Value>(&body).unwrap().get("code").is_some(), "{body}");
    }
    assert_eq!(backend.requests(), 0);
}

#[tokio::test]
async fn a_denial_that_says_nothing_is_a_denial() {
    let backend = Backend::start(greet).await;
    for context in [json!({}), json!({"status": "200", "problem": ""})] {
        let gateway = gateway(authorizer(Ok(policy("Deny", &context))), backend.integration());
        let (status, _, body) = ask(&gateway, Request::get("/x")).await;
        assert_eq!((status, body.as_str()), (429, ""));
    }
    assert_eq!(backend.requests(), 0);
}

#[tokio::test]
async fn what_the_server_refuses_itself_is_a_gateway_response_where_there_is_one() {
    let gateway = gateway(authorizer(Err("not asked")), Integration::Echo);
    let length = (crate::call::MAX_BODY_BYTES + 1).to_string();
    let (status, headers, body) = ask(&gateway, Request::post("/x").header("content-length", length)).await;
    assert_eq!((status, &headers["cache-control"]), (413, &"no-store".parse().unwrap()));
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&problem["code"], &problem["detail"]),
        (&json!("body_too_large"), &json!("The body is larger than the gateway takes."))
    );
    assert_eq!(problem["request_id"].as_str().unwrap().len(), 36);
    let (status, _, body) = ask(&gateway, Request::get("/x").header("host", "a b")).await;
    assert!(status == 400 && body.contains("\"invalid_request\""), "{body}");
}

#[tokio::test]
async fn an_upstream_that_is_away_is_a_502() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let base = format!("http://{free}").parse().unwrap();
    let integration = Integration::Upstream { client: Box::new(client::connect().unwrap()), base };
    let gateway = gateway(authorizer(Ok(allow(&json!({"status": "200", "rlLimit": "7"})))), integration);
    let (status, headers, body) = ask(&gateway, Request::get("/x")).await;
    assert_eq!((status, &headers["x-ratelimit-limit"]), (502, &"7".parse().unwrap()));
    assert!(body.contains("\"bad_gateway\""), "{body}");
}

#[tokio::test]
async fn without_an_upstream_the_echo_answers_whatever_is_admitted() {
    let admitted = gateway(authorizer(Ok(allow(&json!({"status": "200"})))), Integration::Echo);
    for path in ["/demo/anything", "/sessions", "/"] {
        let (status, _, body) = ask(&admitted, Request::get(path)).await;
        let echoed: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &echoed["data"]["path"]), (200, &json!(path)));
    }
    let refused = gateway(authorizer(Ok(allow(&json!({"status": "404", "problem": "{}"})))), Integration::Echo);
    assert_eq!(ask(&refused, Request::get("/sessions")).await.0, 404);
}

#[tokio::test]
async fn the_gateways_own_pages_need_no_credential() {
    let gateway = gateway(authorizer(Err("not asked")), Integration::Echo);
    assert_eq!(ask(&gateway, Request::get("/healthz")).await.0, 200);
    let (status, headers, _) = ask(&gateway, Request::post("/healthz")).await;
    assert_eq!((status, &headers["allow"]), (405, &"GET, HEAD".parse().unwrap()));
    let (status, headers, body) = ask(&gateway, Request::get("/docs")).await;
    assert_eq!((status, &headers["content-type"]), (200, &"text/html; charset=utf-8".parse().unwrap()));
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(body.contains("/v1/api-keys/{id}") && !body.contains("<script"), "{body}");
    assert_eq!(ask(&gateway, Request::get("/problems/there_is_no_such_code")).await.0, 404);
    assert_eq!(ask(&gateway, Request::get("/problems/..%2f..%2fCargo")).await.0, 404);
}

#[tokio::test]
async fn functions_behind_the_invoke_api_are_called_by_name() {
    let api = Backend::start(|request| {
        let answer = match request.uri().path() {
            "/2015-03-31/functions/keys/invocations" => json!({"statusCode": 200, "body": "from afar"}),
            "/2015-03-31/functions/authorizer/invocations" => {
                json!({"errorType": "Runtime", "errorMessage": "Unauthorized"})
            }
            other => panic!("{other}"),
        };
        Response::new(Full::new(Bytes::from(answer.to_string())))
    });
    let base = format!("http://{}", api.await.address).parse().unwrap();
    let gateway = gateway(Functions::Remote(Remote::new(client::connect().unwrap(), base)), Integration::Echo);
    let (status, _, body) = ask(&gateway, Request::get("/v1/api-keys/key_1")).await;
    assert_eq!((status, body.as_str()), (200, "from afar"));
    assert_eq!(ask(&gateway, Request::get("/demo/free")).await.0, 401);
}

#[tokio::test]
async fn a_function_that_fails_is_a_502() {
    let gateway = gateway(authorizer(Err("keys does not run here")), Integration::Echo);
    assert_eq!(ask(&gateway, Request::get("/v1/api-keys/key_1")).await.0, 502);
}
