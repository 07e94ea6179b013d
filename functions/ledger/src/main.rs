//! The ledger function on AWS Lambda, fed by the table's stream.

use faregate_gate::Services;
use faregate_ledger::App;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    faregate_edge::log::start();
    let app = App::new(Services::from_env(&[]).await?);
    let app = &app;
    run(service_fn(
        move |event: LambdaEvent<Value>| async move { app.handle(event.payload).await.map_err(Error::from) },
    ))
    .await
}
