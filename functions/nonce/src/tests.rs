//! The function before a table of its own.

use std::collections::HashMap;

use faregate_domain::id::SessionId;
use faregate_edge::config::Config;
use faregate_edge::now::Clock;
use lambda_http::http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::*;

const ADDRESS: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

async fn app() -> App {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
    let app = app_before(&endpoint);
    app.services.store.ensure_table().await.unwrap();
    app
}

fn app_before(endpoint: &str) -> App {
    let variables =
        HashMap::from([("FAREGATE_ORIGIN", "https://gate.example"), ("FAREGATE_SECRETS", "file:unused.json")]);
    let config = Config::from_lookup(|name| variables.get(name).map(|value| (*value).to_owned())).unwrap();
    let clock = Clock::standing_at(Timestamp::from_epoch_s(1_760_000_000));
    App::new(Services::connect_local(config, endpoint, clock)).unwrap()
}

async fn send(app: &App, method: &str, path: &str) -> Answer {
    let request = lambda_http::http::Request::builder().method(method).uri(format!("https://gate.example{path}"));
    let (parts, body) = app.handle(request.body(Body::Empty).unwrap()).await.into_parts();
    let Body::Text(text) = body else { panic!("no text") };
    Answer { status: parts.status, headers: parts.headers, body: serde_json::from_str(&text).unwrap() }
}

async fn ask(app: &App, address: &str) -> Answer {
    send(app, "GET", &format!("/auth/nonce/{address}")).await
}

#[tokio::test]
async fn a_nonce_comes_with_the_whole_message() {
    let app = app().await;
    let answer = ask(&app, &ADDRESS.to_lowercase()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let data = &answer.body["data"];
    let nonce = data["nonce"].as_str().unwrap();
    let expected = format!(
        "gate.example wants you to sign in with your Ethereum account:\n{ADDRESS}\n\n{SIGN_IN_STATEMENT}\n\n\
         URI: https://gate.example\nVersion: 1\nChain ID: 1\nNonce: {nonce}\nIssued At: 2025-10-09T08:53:20Z\n\
         Expiration Time: 2025-10-09T08:58:20Z"
    );
    assert_eq!(data["message"], expected);
    assert_eq!(data["expires_at"], "2025-10-09T08:58:20Z");
    let attempt = SessionId::mint(&mut |pool| pool.fill(1));
    let store = &app.services.store;
    let kept = store.consume_nonce(&nonce.parse().unwrap(), &attempt, app.services.clock.now()).await.unwrap();
    assert_eq!(kept.unwrap().message, expected);
}

#[tokio::test]
async fn every_nonce_is_another() {
    let app = app().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        assert!(seen.insert(ask(&app, ADDRESS).await.body["data"]["nonce"].to_string()));
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let app = app().await;
    for address in [
        "",
        "0x",
        "vitalik.eth",
        "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/",
        "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "%30x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
    ] {
        let answer = ask(&app, address).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (400, &"invalid_address".into()), "{address}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn a_network_that_asks_too_often_is_told_when_to_return() {
    let app = app().await.with_cap(NonceCap { per_minute: 3, per_hour: 4 });
    for _ in 0..3 {
        assert_eq!(ask(&app, ADDRESS).await.status, 200);
    }
    let answer = ask(&app, ADDRESS).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (429, &"rate_limited".into()));
    assert_eq!(answer.headers["retry-after"], "40");
    let members = ["limit_source", "limit", "used", "resets_at"].map(|name| answer.body[name].to_string());
    assert_eq!(members, ["\"network\"", "3", "3", "\"2025-10-09T08:54:00Z\""]);
    app.services.clock.advance_ms(40_000);
    assert_eq!(ask(&app, ADDRESS).await.status, 200);
    let answer = ask(&app, ADDRESS).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["retry-after"]), (429, &"360".parse().unwrap()));
}

#[tokio::test]
async fn junk_does_not_count_against_the_cap() {
    let app = app().await.with_cap(NonceCap { per_minute: 1, per_hour: 1 });
    for _ in 0..5 {
        assert_eq!(ask(&app, "junk").await.status, 400);
    }
    assert_eq!(ask(&app, ADDRESS).await.status, 200);
}

#[tokio::test]
async fn other_methods_and_paths_are_named_as_such() {
    let app = app().await;
    let answer = send(&app, "POST", &format!("/auth/nonce/{ADDRESS}")).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["allow"]), (405, &"GET".parse().unwrap()));
    assert_eq!(send(&app, "GET", "/auth/nonce").await.status, 404);
    assert_eq!(send(&app, "GET", "/other").await.status, 404);
}

#[tokio::test]
async fn an_outage_is_a_503() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let answer = ask(&app_before(&format!("http://{free}")), ADDRESS).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (503, &"unavailable".into()));
}
