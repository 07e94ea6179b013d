//! The webhooks function on AWS Lambda, fed by the table's stream, by its own queues, and by a clock.

use faregate_edge::secrets::SecretName;
use faregate_gate::Services;
use faregate_outbound::Outbound;
use faregate_webhooks::{App, Queues};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    faregate_edge::log::start();
    let services = Services::from_env(&[SecretName::Seal]).await?;
    let queues = Queues::from_env().inspect_err(|error| tracing::error!("the function does not start: {error}"))?;
    let app = App::new(services, Outbound::new()?, queues);
    let app = &app;
    run(service_fn(
        move |event: LambdaEvent<Value>| async move { app.handle(event.payload).await.map_err(Error::from) },
    ))
    .await
}
