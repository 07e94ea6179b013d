//! The functions on one set of services, called as API Gateway calls them.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use faregate::Wallet;
use faregate_gate::Services;
use serde_json::{Value, json};

use crate::{
    Answer, Caller, Knock,
    call::{call, proxy_event},
    knock,
};

/// The functions of one process; clones share everything.
#[derive(Clone)]
pub struct Functions {
    authorizer: faregate_authorizer::App,
    nonce: faregate_nonce::App,
    verify: faregate_verify::App,
    keys: faregate_keys::App,
    charges: faregate_charges::App,
    check: faregate_check::App,
    billing: faregate_billing::App,
    payments: faregate_payments::App,
    requests: faregate_requests::App,
    sessions: faregate_sessions::App,
    links: faregate_links::App,
    endpoints: faregate_endpoints::App,
}

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// The access token.
    pub token: String,
    /// The account's id.
    pub account_id: String,
    /// The wallet.
    pub wallet: Arc<Wallet>,
}

impl Session {
    /// This session as a caller.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller::Bearer(self.token.clone())
    }
}

impl Functions {
    /// Functions that have only just started.
    #[must_use]
    pub fn start(services: &Services) -> Self {
        Self {
            authorizer: faregate_authorizer::App::new(services.clone()),
            nonce: faregate_nonce::App::new(services.clone()).unwrap_or_else(|error| panic!("nonce: {error}")),
            verify: faregate_verify::App::new(services.clone()).unwrap_or_else(|error| panic!("verify: {error}")),
            keys: faregate_keys::App::new(services.clone()),
            charges: faregate_charges::App::new(services.clone()),
            check: faregate_check::App::new(services.clone()),
            billing: faregate_billing::App::new(services.clone()),
            payments: faregate_payments::App::new(services.clone()),
            requests: faregate_requests::App::new(services.clone()),
            sessions: faregate_sessions::App::new(services.clone()),
            links: faregate_links::App::new(services.clone()),
            endpoints: faregate_endpoints::App::new(services.clone()),
        }
    }

    /// Signs a wallet in.
    pub async fn login(&self, wallet: &Arc<Wallet>) -> Session {
        let address = wallet.address().to_string();
        let nonce = self.send("GET", &format!("/auth/nonce/{address}"), &Caller::Anonymous, None).await;
        let signature = wallet.sign(nonce.data("message"));
        let body = json!({"address": address, "signature": signature, "nonce": nonce.data("nonce")});
        let answer = self.send("POST", "/auth/verify", &Caller::Anonymous, Some(&body.to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Session {
            token: answer.data("access_token").to_owned(),
            account_id: answer.data("account_id").to_owned(),
            wallet: Arc::clone(wallet),
        }
    }

    /// Makes a key; returns its id and the key as a caller.
    pub async fn key(&self, session: &Session, body: Value) -> (String, Caller) {
        let answer = self.send("POST", "/v1/api-keys", &session.caller(), Some(&body.to_string())).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        (answer.data("id").to_owned(), Caller::Key(answer.data("key").to_owned()))
    }

    /// Knocks at the gate.
    pub async fn knock(&self, caller: &Caller, method: &str, path: &str) -> Knock {
        self.ask(knock::knock_event(method, path, &caller.headers())).await
    }

    /// Puts any event before the authorizer.
    pub async fn ask(&self, event: Value) -> Knock {
        let answer = self.authorizer.handle(event).await.map_err(|error| error.to_string());
        Knock::read(answer.and_then(|answer| serde_json::to_value(answer).map_err(|error| error.to_string())))
    }

    /// Sends a management request.
    pub async fn send(&self, method: &str, path: &str, caller: &Caller, body: Option<&str>) -> Answer {
        let mut headers = caller.headers();
        if body.is_some() {
            headers.push(("Content-Type".into(), "application/json".into()));
        }
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send_with(method, path, &headers, body).await
    }

    /// Sends any bytes to where Stripe's events go, in the form that API Gateway has for binary bodies.
    pub async fn stripe_with(&self, signature: &str, body: &[u8]) -> Answer {
        let headers = [("Stripe-Signature", signature), ("Content-Type", "application/json; charset=utf-8")];
        let headers = if signature.is_empty() { &headers[1..] } else { &headers[..] };
        let mut event = proxy_event("POST", "/v1/payments/stripe", headers, None);
        event["body"] = BASE64_STANDARD.encode(body).into();
        event["isBase64Encoded"] = true.into();
        call(event, |request| self.payments.handle(request)).await
    }

    /// Sends a management request with exactly these headers.
    pub async fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let event = proxy_event(method, path, headers, body);
        let mut segments = path.split(['?', '/']).skip(1);
        match (segments.next(), segments.next()) {
            (Some("auth"), Some("nonce")) => call(event, |request| self.nonce.handle(request)).await,
            (Some("auth" | ".well-known"), _) => call(event, |request| self.verify.handle(request)).await,
            (_, Some("api-keys")) if path == "/v1/api-keys/verify" => {
                call(event, |request| self.check.handle(request)).await
            }
            (_, Some("charges")) => call(event, |request| self.charges.handle(request)).await,
            (_, Some("projects" | "billing" | "accounts" | "me" | "sessions" | "catalogue")) => {
                call(event, |request| self.billing.handle(request)).await
            }
            (_, Some("client-sessions")) => call(event, |request| self.sessions.handle(request)).await,
            (_, Some("payments")) => call(event, |request| self.payments.handle(request)).await,
            (_, Some("webhooks")) => call(event, |request| self.endpoints.handle(request)).await,
            (_, Some("requests" | "requests.csv" | "analytics")) => {
                call(event, |request| self.requests.handle(request)).await
            }
            (_, Some("signed-urls")) => call(event, |request| self.links.handle(request)).await,
            _ if path.split('?').next().is_some_and(|path| path.ends_with("/events")) => {
                call(event, |request| self.requests.handle(request)).await
            }
            _ => call(event, |request| self.keys.handle(request)).await,
        }
    }
}
