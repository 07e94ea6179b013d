//! The console function on AWS Lambda.

use faregate_console::App;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    faregate_edge::log::start();
    let app = App::from_env()?;
    let app = &app;
    run(service_fn(move |request: Request| async move { Ok::<_, Error>(app.handle(&request)) })).await
}
