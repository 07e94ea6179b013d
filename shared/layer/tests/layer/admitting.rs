//! An admitted request: what the service behind the layer sees, and what its answer carries.

use axum::{Extension, Router, http::HeaderMap, routing::post};
use faregate_layer::{Admission, FaregateLayer, Scope, Settling};
use tower::Service;
use tower_layer::Layer;

use crate::{
    backend::{ADMITTED, ask, held, serve},
    gate::Gate,
};

/// Says who called, what is held, and which of the gate's headers came along.
async fn tell(Extension(admission): Extension<Admission>, headers: HeaderMap) -> (HeaderMap, String) {
    let mut own = HeaderMap::new();
    own.insert("x-ratelimit-limit", "7".parse().unwrap());
    own.insert("x-own", "kept".parse().unwrap());
    let seen: Vec<_> = headers.keys().filter(|name| name.as_str().contains("faregate")).collect();
    let Admission { principal, charge, reserved, request_id } = admission;
    let may_write = principal.scopes.permits(&Scope::parse("demo:write").unwrap());
    let charge = charge.map_or_else(|| "uncharged".to_owned(), |charge| charge.to_string());
    let text = format!(
        "{} {} {:?} {} {} {may_write} {charge} {reserved:?} {request_id} {seen:?} {:?}",
        principal.account,
        principal.project,
        principal.key.map(|key| key.to_string()),
        principal.environment,
        principal.gallery,
        headers.get("accept"),
    );
    (own, text)
}

#[tokio::test]
async fn the_service_is_told_who_calls_and_sees_no_header_of_the_gate() {
    let gate = Gate::open().await;
    let settling = Settling::Awaited(gate.settler());
    let url = serve(Router::new().route("/", post(tell)).layer(FaregateLayer::behind_gateway(settling))).await;
    let forged = [("x_faregate_account_id", "acc_f"), ("x-faregate-admin", "yes"), ("accept", "*/*")];
    let answer = ask(&url, &[&ADMITTED[..], &forged].concat()).await;
    assert_eq!(
        answer.text,
        "acc_aaaaaaaaaaaaaaaaaaaaaa prj_bbbbbbbbbbbbbbbbbbbbbb Some(\"key_cccccccccccccccc\") sandbox \
         prj_bbbbbbbbbbbbbbbbbbbbbb true chg_dddddddddddddddddddddd None req-1 [] Some(\"*/*\")"
    );
    let answer = ask(&url, &held()).await;
    assert!(answer.text.contains("Some(MicroUsd(100000))"), "{}", answer.text);
}

#[tokio::test]
async fn the_answer_carries_the_gates_limits_in_place_of_the_backends() {
    let layer = FaregateLayer::behind_gateway(Settling::LeftToBackend);
    let url = serve(Router::new().route("/", post(tell)).layer(layer)).await;
    let answer = ask(&url, &ADMITTED).await;
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("x-ratelimit-limit", "100"),
        ("x-ratelimit-remaining", "99"),
        ("x-ratelimit-reset", "1789000060"),
        ("ratelimit-policy", "\"minute\";q=100;w=60"),
        ("ratelimit", "\"minute\";r=99;t=20"),
        ("x-own", "kept"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_fixed_price_leaves_nothing_to_settle() {
    let gate = Gate::open().await;
    let settler = gate.settler();
    let layer = FaregateLayer::behind_gateway(Settling::Awaited(settler.clone()));
    let url = serve(Router::new().route("/", post(tell)).layer(layer)).await;
    assert_eq!(ask(&url, &ADMITTED).await.status, 200);
    settler.finish().await;
    gate.assert_silent().await;
}

#[tokio::test]
async fn errors_of_the_service_are_its_own() {
    let refusing = tower::service_fn(|_: http::Request<()>| async {
        Err::<http::Response<String>, _>(std::io::Error::other("broken"))
    });
    let mut service = FaregateLayer::behind_gateway(Settling::LeftToBackend).layer(refusing);
    let mut request = http::Request::new(());
    for (name, value) in ADMITTED {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(service.call(request).await.unwrap_err().to_string(), "broken");
}
