//! The endpoints function on AWS Lambda.

use faregate_edge::secrets::SecretName;
use faregate_endpoints::App;
use faregate_gate::Services;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    faregate_edge::log::start();
    let app = App::new(Services::from_env(&[SecretName::Pepper, SecretName::Tag, SecretName::Seal]).await?);
    let app = &app;
    run(service_fn(move |request: Request| async move { Ok::<_, Error>(app.handle(request).await) })).await
}
