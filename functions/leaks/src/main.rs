//! The leaks function on AWS Lambda.

use faregate_edge::secrets::SecretName;
use faregate_gate::Services;
use faregate_leaks::App;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    faregate_edge::log::start();
    let services = Services::from_env(&[SecretName::Pepper, SecretName::Tag]).await?;
    let app = App::from_env(services)?;
    let app = &app;
    run(service_fn(move |request: Request| async move { Ok::<_, Error>(app.handle(request).await) })).await
}
