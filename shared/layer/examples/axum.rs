//! An axum server that makes videos, behind Faregate.

use axum::{Extension, Json, Router, routing::post};
use faregate_layer::{
    ActualCost, Admission, ErrorCode, FaregateLayer, MicroUsd, Outcome, ServiceKey, Settler, Settling,
};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let key = ServiceKey::new(&std::env::var("FAREGATE_SERVICE_KEY")?)?;
    let settler = Settler::new(&std::env::var("FAREGATE_GATE")?, key)?;
    let gate = FaregateLayer::behind_gateway(Settling::Awaited(settler.clone()));
    let app = Router::new().route("/videos", post(make_video)).layer(gate);
    // Nobody but the gateway may reach this address: the layer believes its headers.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).with_graceful_shutdown(interrupt()).await?;
    // Callers who went away at the last moment.
    settler.finish().await;
    Ok(())
}

/// Charges for the seconds that were made; a video without a second was not made, and costs nothing.
async fn make_video(Extension(admission): Extension<Admission>, Json(order): Json<Value>) -> Answer {
    let seconds = order["seconds"].as_u64().unwrap_or(0);
    let cost = MicroUsd::new(seconds.saturating_mul(MICRO_USD_PER_SECOND)).unwrap_or(MicroUsd::MAX);
    let outcome = match ErrorCode::parse("nothing_to_make") {
        Some(code) if seconds == 0 => Outcome::Failed(code),
        _ => Outcome::Succeeded,
    };
    let video = json!({"for": admission.principal.account.to_string(), "seconds": seconds});
    (Extension(ActualCost(cost)), Extension(outcome), Json(video))
}

type Answer = (Extension<ActualCost>, Extension<Outcome>, Json<Value>);

async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        tracing::error!("Ctrl-C does not reach this program");
    }
}

const MICRO_USD_PER_SECOND: u64 = 5_000;
