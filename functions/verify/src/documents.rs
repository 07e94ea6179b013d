//! The key set, the discovery document and the description of the whole API.

use faregate_edge::api::Api;
use faregate_edge::token::{Discovery, JwkSet};
use lambda_http::{Body, Response};
use serde::Serialize;

use crate::{App, Failure, Refusal};

impl App {
    /// `GET /.well-known/jwks.json`: every key that tokens in force may be signed with.
    pub(crate) async fn key_set(&self) -> Result<Response<Body>, Refusal> {
        let now = self.services.clock.now();
        // The set is never empty: the key of the next token is in it before the token is.
        let current = self.signer.key(now).await?;
        let mut keys = self.sessions.keys(now).await?;
        if keys.iter().all(|key| key.id() != current.public().id()) {
            keys.insert(0, current.public().clone());
        }
        Ok(document(&JwkSet::new(&keys))?)
    }

    /// `GET /.well-known/openid-configuration`.
    pub(crate) fn discovery(&self) -> Result<Response<Body>, Refusal> {
        Ok(document(&Discovery::new(&self.issuance))?)
    }
}

/// `GET /openapi.json`. Reading it takes milliseconds and whoever asks keeps it, so it is read when it is asked for.
pub(crate) fn description() -> Result<Response<Body>, Refusal> {
    Ok(document(Api::shipped()?.document())?)
}

/// A public document that caches may keep for a minute, as long as our own functions keep the keys.
fn document(content: &impl Serialize) -> Result<Response<Body>, Failure> {
    let text = serde_json::json!(content).to_string();
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("cache-control", "public, max-age=60")
        .header("access-control-allow-origin", "*");
    Ok(response.body(Body::Text(text))?)
}
