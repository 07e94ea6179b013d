//! A service that makes videos and asks Faregate by itself, with no gateway in front of it.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use faregate_client::{Call, Client, MicroUsd, ServiceKey, Settlement, Verdict};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = ServiceKey::new(&std::env::var("FAREGATE_SERVICE_KEY")?)?;
    let gate = Client::new(&std::env::var("FAREGATE_GATE")?, key)?;
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app(gate)).await?;
    Ok(())
}

pub(crate) fn app(gate: Client) -> Router {
    Router::new().route("/demo/metered", post(make_video)).with_state(gate)
}

/// Asks first, works second, and charges for the seconds that were made.
async fn make_video(State(gate): State<Client>, headers: HeaderMap, Json(order): Json<Value>) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let call = Call::new(text("x-api-key").unwrap_or_default(), "POST", "/demo/metered");
    let call = text("origin").map_or(call.clone(), |origin| call.with_origin(origin));
    let allowed = match gate.verify(&call).await {
        Ok(Verdict::Allowed(allowed)) => allowed,
        Ok(Verdict::Refused(refused)) => return refused.into_response().into_response(),
        Err(error) => {
            tracing::error!(%error, "the gate gave no verdict");
            return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")]).into_response();
        }
    };
    let seconds = order["seconds"].as_u64().unwrap_or(0);
    let settlement = Settlement::Succeeded { actual: MicroUsd::new(seconds.saturating_mul(MICRO_USD_PER_SECOND)).ok() };
    if let Some(charge) = &allowed.charge
        && let Err(error) = gate.settle(charge, &settlement).await
    {
        tracing::error!(%charge, %error, "a charge could not be settled");
    }
    let mut answer = Json(json!({"for": allowed.principal.account.to_string(), "seconds": seconds})).into_response();
    allowed.add_limits(answer.headers_mut());
    answer
}

const MICRO_USD_PER_SECOND: u64 = 5_000;
