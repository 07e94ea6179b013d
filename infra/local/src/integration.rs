//! What is behind the gate: an upstream API, or an echo for trying things out.

use faregate_layer::credential;

use crate::{
    answer::Answer,
    call::Call,
    client::{BaseUrl, Client},
    gateway_response::Kind,
    outcome::Context,
};

mod echo;
mod upstream;

/// Where admitted calls go.
pub(crate) enum Integration {
    /// The built-in echo: answers whatever the policy admits.
    Echo,
    /// An HTTP API.
    Upstream { client: Box<Client>, base: BaseUrl },
}

impl Integration {
    /// Hands an admitted call on, without its credential, and brings the answer back.
    ///
    /// # Errors
    /// The gateway response for an upstream that does not answer.
    pub(crate) async fn call(&self, mut call: Call, context: &Context) -> Result<Answer, Kind> {
        credential::remove(&mut call.headers);
        call.query = call.query.map(|query| credential::remove_from_query(&query)).filter(|query| !query.is_empty());
        match self {
            Self::Echo => Ok(echo::answer(&call, context)),
            Self::Upstream { client, base } => upstream::forward(client, base, &call, context).await,
        }
    }
}
