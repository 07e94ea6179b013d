//! The functions of the bundle, as the gateway calls them.

use std::{collections::BTreeMap, sync::Arc};

use faregate_domain::outbound::Target;
use faregate_gate::Services;
use faregate_outbound::Outbound;

use crate::{
    invoke::{Function, Functions, Handler, http_handler},
    start::StartError,
};

/// The functions in this process, on the same services; the keys of leak reports are at `github_keys`, and `queues` is where
/// messages are sent.
///
/// # Errors
/// [`StartError::Function`] names the one that does not start.
pub(crate) fn functions(services: &Services, github_keys: Target, queues: &str) -> Result<Functions, StartError> {
    let failed =
        |function, reason: &dyn std::fmt::Display| StartError::Function { function, reason: reason.to_string() };
    let nonce = faregate_nonce::App::new(services.clone()).map_err(|error| failed("nonce", &error))?;
    let verify = faregate_verify::App::new(services.clone()).map_err(|error| failed("verify", &error))?;
    let keys = faregate_keys::App::new(services.clone());
    let charges = faregate_charges::App::new(services.clone());
    let check = faregate_check::App::new(services.clone());
    let billing = faregate_billing::App::new(services.clone());
    let payments = faregate_payments::App::new(services.clone());
    let ledger = faregate_ledger::App::new(services);
    let ledger: Handler = Arc::new(move |event| {
        let ledger = ledger.clone();
        Box::pin(async move {
            let answer = ledger.handle(event).await.map_err(|error| error.to_string())?;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        })
    });
    let sessions = faregate_sessions::App::new(services.clone());
    let requests = faregate_requests::App::new(services.clone());
    let links = faregate_links::App::new(services.clone());
    let outbound = Outbound::new().map_err(StartError::Tls)?;
    let leaks = faregate_leaks::App::new(services.clone(), outbound.clone(), github_keys);
    let endpoints = faregate_endpoints::App::new(services.clone());
    let webhooks = faregate_webhooks::App::new(services.clone(), outbound, faregate_webhooks::Queues::at(queues));
    let webhooks: Handler = Arc::new(move |event| {
        let webhooks = webhooks.clone();
        Box::pin(async move {
            let answer = webhooks.handle(event).await.map_err(|error| error.to_string())?;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        })
    });
    let console = faregate_console::App::new(services.config.policy.dialect().clone());
    let console = http_handler(move |request| std::future::ready(console.handle(&request)));
    let authorizer = faregate_authorizer::App::new(services.clone());
    let authorizer: Handler = Arc::new(move |event| {
        let authorizer = authorizer.clone();
        Box::pin(async move {
            let answer = authorizer.handle(event).await.map_err(|error| error.to_string())?;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        })
    });
    Ok(Functions::InProcess(BTreeMap::from([
        (Function::Nonce, over_http!(nonce)),
        (Function::Verify, over_http!(verify)),
        (Function::Keys, over_http!(keys)),
        (Function::Charges, over_http!(charges)),
        (Function::Check, over_http!(check)),
        (Function::Billing, over_http!(billing)),
        (Function::Payments, over_http!(payments)),
        (Function::Ledger, ledger),
        (Function::Requests, over_http!(requests)),
        (Function::Sessions, over_http!(sessions)),
        (Function::Links, over_http!(links)),
        (Function::Leaks, over_http!(leaks)),
        (Function::Endpoints, over_http!(endpoints)),
        (Function::Webhooks, webhooks),
        (Function::Console, console),
        (Function::Authorizer, authorizer),
    ])))
}

/// A closure over a clone of the app for each call, because the answer may outlive the caller.
macro_rules! over_http {
    ($app:expr) => {{
        let app = $app;
        http_handler(move |request| {
            let app = app.clone();
            async move { app.handle(request).await }
        })
    }};
}
use over_http;
