//! The layer behind the real gate: what the authorizer writes is what the layer reads.

use axum::{
    Extension, Json, Router,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use faregate::{Options, Running, Wallet, start};
use faregate_layer::{ActualCost, Admission, FaregateLayer, MicroUsd, ServiceKey, Settler, Settling, member::MEMBERS};
use faregate_tests::{Bundle, Caller, Knock};
use lambda_http::{Body, Error, Request, Response, Service, service_fn, tower::Layer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::program::fetch;

/// A function on AWS Lambda behind the layer, called with what the gate said.
async fn call(knock: &Knock) -> Response<Body> {
    let event = json!({
        "resource": "/{proxy+}", "path": "/demo/free", "httpMethod": "GET", "headers": {}, "multiValueHeaders": {},
        "requestContext": {
            "accountId": "000000000000", "apiId": "test", "httpMethod": "GET", "path": "/demo/free",
            "protocol": "HTTP/1.1", "requestId": "request-1", "requestTimeEpoch": 0, "resourceId": "r",
            "resourcePath": "/{proxy+}", "stage": "test", "identity": {"sourceIp": "203.0.113.7"},
            "authorizer": knock.context,
        },
        "body": null, "isBase64Encoded": false,
    });
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let tell = service_fn(|request: Request| async move {
        let admission = request.extensions().get::<Admission>().unwrap();
        let key = admission.principal.key.as_ref().map(ToString::to_string);
        Ok::<_, Error>(Response::new(Body::from(format!("{} {key:?}", admission.principal.account))))
    });
    FaregateLayer::on_lambda(Settling::LeftToBackend).layer(tell).call(request).await.unwrap()
}

fn text(response: &Response<Body>) -> &str {
    let Body::Text(text) = response.body() else { panic!("text") };
    text
}

#[tokio::test]
async fn the_layer_reads_what_the_authorizer_writes() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 0.01})).await;
    for (caller, wanted) in [
        (&key, format!("{} Some({id:?})", session.account_id)),
        (&session.caller(), format!("{} None", session.account_id)),
    ] {
        let knock = bundle.knock(caller, "GET", "/demo/free").await;
        let response = call(&knock).await;
        assert_eq!((response.status().as_u16(), text(&response)), (200, wanted.as_str()));
        for (header, member) in [("x-ratelimit-remaining", "rlRemaining"), ("ratelimit", "rateLimit")] {
            assert_eq!(response.headers()[header], knock.text(member));
        }
    }
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    let (_, reader) = bundle.key(&session, json!({"name": "b", "scopes": "read-only"})).await;
    let mut statuses = Vec::new();
    for (caller, method, path) in [
        (&Caller::Anonymous, "GET", "/demo/free"),
        (&key, "POST", "/demo/paid"),
        (&reader, "POST", "/demo/paid"),
        (&key, "GET", "/demo/nowhere"),
    ] {
        let knock = bundle.knock(caller, method, path).await;
        let response = call(&knock).await;
        assert_eq!((response.status().as_u16(), text(&response)), (knock.status, knock.text("problem")));
        statuses.push(knock.status);
    }
    for _ in 0..7 {
        assert_eq!(bundle.knock(&key, "GET", "/demo/limited").await.status, 200);
    }
    let knock = bundle.knock(&key, "GET", "/demo/limited").await;
    let response = call(&knock).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "60"));
    assert_eq!(statuses, [401, 402, 403, 404]);
}

#[tokio::test]
async fn answers_warn_in_the_last_week_of_a_key_and_of_a_rotated_secret() {
    let bundle = Bundle::new().await;
    let end = bundle.clock.now().plus_s(604_801);
    let (session, id, old) = bundle.key_of_newcomer(json!({"name": "a", "expires_at": end.to_string()})).await;
    let warning = async |key: &Caller| {
        let response = call(&bundle.knock(key, "GET", "/demo/free").await).await;
        assert_eq!(response.status(), 200);
        response.headers().get("x-key-expires-in").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(warning(&old).await, None);
    let new = crate::rotation::rotated(&bundle, &session, &id, &json!({"grace_seconds": 60})).await;
    assert_eq!((warning(&old).await.as_deref(), warning(&new).await), (Some("60"), None));
    bundle.clock.advance_ms(1_000);
    assert_eq!((warning(&old).await.as_deref(), warning(&new).await.as_deref()), (Some("59"), Some("604800")));
    bundle.clock.set(end.minus_s(1));
    assert_eq!(warning(&new).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn the_layer_leaves_no_member_out() {
    let bundle = Bundle::new().await;
    let knock = bundle.knock(&Caller::Anonymous, "GET", "/demo/free").await;
    let mut read = MEMBERS.map(|(_, name)| name);
    read.sort_unstable();
    let written: Vec<_> = knock.context.as_object().unwrap().keys().collect();
    assert_eq!(written, read);
}

#[test]
fn the_template_hands_every_member_on_and_no_other() {
    let template = include_str!("../../../template.yaml");
    let lines = template.lines().filter_map(|line| line.trim().strip_prefix("integration.request.header.x-faregate-"));
    let mut found: Vec<_> = lines.map(str::to_owned).collect();
    let rest = |header: &str| header.trim_start_matches("x-faregate-").to_owned();
    let member = |(header, name): (&str, &str)| format!("{}: context.authorizer.{name}", rest(header));
    let mut wanted: Vec<_> = MEMBERS.map(member).into_iter().collect();
    wanted.push(format!("{}: context.requestId", rest(faregate_layer::member::REQUEST_ID)));
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

async fn tell(Extension(admission): Extension<Admission>, headers: HeaderMap) -> Json<Value> {
    let principal = &admission.principal;
    let (account, key) = (principal.account.to_string(), principal.key.as_ref().map(ToString::to_string));
    let is_clean = headers.keys().all(|name| !name.as_str().contains("faregate"));
    Json(json!({"account": account, "key": key, "environment": principal.environment, "is_clean": is_clean}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_behind_the_running_program_learns_who_calls() {
    let layer = FaregateLayer::behind_gateway(Settling::LeftToBackend);
    let app = Router::new().route("/demo/free", get(tell)).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let options = Options { upstream: Some(backend.parse().unwrap()), ..Options::throw_away() };
    let running = start(options).await.unwrap();
    let demo = running.make_demo().await.unwrap().unwrap();
    let forged = [("x-api-key", demo.key()), ("x-faregate-account-id", "acc_f"), ("x_faregate_key_id", "key_f")];
    let (status, body) = fetch(&running.url, "GET", "/demo/free", &forged, "").await;
    let wanted = json!({
        "account": demo.account_id, "key": demo.key_id, "environment": "sandbox", "is_clean": true,
    });
    assert_eq!((status, body), (200, wanted));
    let (status, body) = fetch(&running.url, "GET", "/demo/free", &forged[1..], "").await;
    assert_eq!((status, &body["code"]), (401, &json!("missing_credentials")));
    let (status, body) = fetch(&backend, "GET", "/demo/free", &forged, "").await;
    assert_eq!((status, &body["code"]), (503, &json!("gate_unavailable")));
    running.stop().await;
}

/// Does the work that was ordered, at its cost; says which charge it was.
async fn work(Extension(admission): Extension<Admission>, Json(order): Json<Value>) -> Worked {
    let status = StatusCode::from_u16(u16::try_from(order["status"].as_u64().unwrap()).unwrap()).unwrap();
    let cost = MicroUsd::new(order["micro_usd"].as_u64().unwrap()).unwrap();
    (status, Extension(ActualCost(cost)), Json(admission.charge.unwrap().to_string()))
}

type Worked = (StatusCode, Extension<ActualCost>, Json<String>);

/// Makes a key of `wallet`'s account on the running program.
pub(crate) async fn make_key(running: &Running, wallet: &Wallet, body: Value) -> String {
    let json = [("content-type", "application/json")];
    let address = wallet.address().to_string();
    let (_, nonce) = fetch(&running.url, "GET", &format!("/auth/nonce/{address}"), &[], "").await;
    let signature = wallet.sign(nonce["data"]["message"].as_str().unwrap());
    let proof = json!({"address": address, "signature": signature, "nonce": nonce["data"]["nonce"]});
    let (_, token) = fetch(&running.url, "POST", "/auth/verify", &json, &proof.to_string()).await;
    let bearer = format!("Bearer {}", token["data"]["access_token"].as_str().unwrap());
    let headers = [json[0], ("authorization", bearer.as_str())];
    let (status, made) = fetch(&running.url, "POST", "/v1/api-keys", &headers, &body.to_string()).await;
    assert_eq!(status, 201, "{made}");
    made["data"]["key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_behind_the_running_program_settles_what_each_call_cost() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::open(&folder.path().join("operator.hex")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let operator = Some(wallet.address().to_string());
    let running = start(Options { upstream: Some(upstream), operator, ..Options::throw_away() }).await.unwrap();
    let service = make_key(&running, &wallet, json!({"name": "backend", "scopes": ["gate:check"]})).await;
    let key = make_key(&running, &wallet, json!({"name": "a", "budget_usd": 0.15})).await;
    let settler = Settler::new(&running.url, ServiceKey::new(&service).unwrap()).unwrap();
    let layer = FaregateLayer::behind_gateway(Settling::Awaited(settler));
    let app = Router::new().route("/demo/metered", post(work)).layer(layer);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let service = format!("Bearer {service}");
    let succeeded = |usd: &str| json!({"outcome": "succeeded", "actual_usd": usd});
    // Ten cents are held each time: the last call has room only if the others gave back what they did not cost.
    for (order, same, other) in [
        (json!({"status": 200, "micro_usd": 37_000}), succeeded("0.037"), json!({"outcome": "failed"})),
        (json!({"status": 500, "micro_usd": 37_000}), json!({"outcome": "failed"}), succeeded("0.037")),
        (json!({"status": 200, "micro_usd": 900_000}), succeeded("0.1"), succeeded("0.9")),
    ] {
        let headers = [("content-type", "application/json"), ("x-api-key", key.as_str())];
        let (status, charge) = fetch(&running.url, "POST", "/demo/metered", &headers, &order.to_string()).await;
        assert_eq!(u64::from(status), order["status"].as_u64().unwrap(), "{charge}");
        let page = format!("/v1/charges/{}/settle", charge.as_str().unwrap());
        let headers = [headers[0], ("authorization", service.as_str())];
        let (status, body) = fetch(&running.url, "POST", &page, &headers, &same.to_string()).await;
        assert_eq!(status, 200, "{body}");
        let (status, body) = fetch(&running.url, "POST", &page, &headers, &other.to_string()).await;
        assert_eq!((status, &body["code"]), (409, &json!("already_settled")));
    }
    running.stop().await;
}
