//! A function on AWS Lambda that makes videos, behind Faregate's authorizer.

use faregate_layer::{ActualCost, Admission, FaregateLayer, MicroUsd, ServiceKey, Settler, Settling};
use lambda_http::{Body, Error, Request, Response, service_fn, tower::ServiceBuilder};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().json().init();
    let key = ServiceKey::new(&std::env::var("FAREGATE_SERVICE_KEY")?)?;
    let settler = Settler::new(&std::env::var("FAREGATE_GATE")?, key)?;
    let gate = FaregateLayer::on_lambda(Settling::Awaited(settler));
    lambda_http::run(ServiceBuilder::new().layer(gate).service(service_fn(make_video))).await
}

/// Charges for the seconds that were made; an order that cannot be read costs nothing.
async fn make_video(request: Request) -> Result<Response<Body>, Error> {
    let Some(admission) = request.extensions().get::<Admission>() else {
        return Err("the layer is missing".into());
    };
    let Ok(order) = serde_json::from_slice::<Value>(request.body()) else {
        let answer = Response::builder().status(400).extension(ActualCost(MicroUsd::ZERO));
        return Ok(answer.body("an order is JSON".into())?);
    };
    let seconds = order["seconds"].as_u64().unwrap_or(0);
    let cost = MicroUsd::new(seconds.saturating_mul(MICRO_USD_PER_SECOND))?;
    let video = json!({"for": admission.principal.account.to_string(), "seconds": seconds});
    let answer = Response::builder().header("content-type", "application/json").extension(ActualCost(cost));
    Ok(answer.body(video.to_string().into())?)
}

const MICRO_USD_PER_SECOND: u64 = 5_000;
