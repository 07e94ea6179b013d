//! The request authorizer: API Gateway's question in, the gate's decision out, rendered for the route's wiring.

pub mod event;
mod response;

use std::sync::Arc;

use faregate_edge::secrets::SecretName;
use faregate_gate::{Gate, Services, StartError};
use lambda_runtime::Diagnostic;
use serde::Deserializer;

pub use response::{AuthorizerResponse, REFUSED_KEY};

/// The authorizer, ready to answer; cheap to clone.
#[derive(Clone)]
pub struct App {
    gate: Arc<Gate>,
}

impl App {
    /// An authorizer on these services.
    #[must_use]
    pub fn new(services: Services) -> Self {
        Self { gate: Arc::new(Gate::new(services)) }
    }

    /// An authorizer as the process's environment says.
    ///
    /// # Errors
    /// [`StartError`] says what is missing.
    pub async fn from_env() -> Result<Self, StartError> {
        Services::from_env(&[SecretName::Pepper, SecretName::Tag, SecretName::Link]).await.map(Self::new)
    }

    /// Answers one event of a REST API's REQUEST authorizer.
    ///
    /// # Errors
    /// [`AuthorizerError::Unauthorized`] is API Gateway's way to a 401; every other error is a failure, which API
    /// Gateway answers with the status of its `AUTHORIZER_FAILURE` response and never with an admission.
    pub async fn handle<'de>(&self, event: impl Deserializer<'de>) -> Result<AuthorizerResponse, AuthorizerError> {
        let event = event::parse(event).map_err(|_| AuthorizerError::Event)?;
        let decision = self.gate.decide(&event.request).await.map_err(|error| {
            tracing::error!(request_id = event.request.request_id, %error, "no decision");
            AuthorizerError::Unavailable
        })?;
        decision.log(&event.request.request_id);
        response::render(&decision, &event, self.gate.services().config.policy.dialect())
    }
}

/// Why there is no answer; the text is all that API Gateway and its logs see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizerError {
    /// The caller is not authenticated, on a route whose refusals API Gateway renders.
    #[error("Unauthorized")]
    Unauthorized,
    /// The event is not one of a REQUEST authorizer.
    #[error("not an authorizer event")]
    Event,
    /// A part that the decision rests on failed.
    #[error("gate unavailable")]
    Unavailable,
}

/// API Gateway compares the error's message with `Unauthorized`, so the message is the whole text and nothing else.
impl From<AuthorizerError> for Diagnostic {
    fn from(error: AuthorizerError) -> Self {
        Self { error_type: "AuthorizerError".to_owned(), error_message: error.to_string() }
    }
}
