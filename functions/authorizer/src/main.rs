//! The authorizer function on AWS Lambda.

use faregate_authorizer::App;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    faregate_edge::log::start();
    let app = App::from_env().await?;
    let app = &app;
    // Its text, which is read once and as what it must be.
    run(service_fn(move |event: LambdaEvent<Box<RawValue>>| async move { app.handle(&*event.payload).await })).await
}
