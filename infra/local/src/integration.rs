//! What is behind the gate: an upstream API, or an echo for trying things out.

use faregate_layer::credential;

use crate::{
    answer::Answer,
    call::Call,
    client::{BaseUrl, Client},
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
    pub(crate) async fn call(&self, mut call: Call, context: &Context) -> Answer {
        credential::remove(&mut call.headers);
        match self {
            Self::Echo => echo::answer(&call, context),
            Self::Upstream { client, base } => upstream::forward(client, base, &call, context).await,
        }
    }
}
