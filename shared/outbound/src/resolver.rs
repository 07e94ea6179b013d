//! Which addresses a name stands for, and which of those may be called.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use faregate_domain::outbound::Target;

use crate::OutboundError;

/// Resolves names; cheap to clone.
#[derive(Clone)]
pub struct Resolver(Arc<dyn Fn(String) -> Resolving + Send + Sync>);

type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

impl Resolver {
    /// As the system does.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        }))
    }

    /// As a function says, of names alone: an address stands for itself.
    #[must_use]
    pub fn of(resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |name| {
            let found = resolve(&name);
            Box::pin(async move { Ok(found) })
        }))
    }

    /// The addresses of a target's host that a connection may be made to.
    pub(crate) async fn permitted(&self, target: &Target) -> Result<Vec<SocketAddr>, OutboundError> {
        let host = target.host();
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => (self.0)(host).await.map_err(|_| OutboundError::Unresolved)?,
        };
        if found.is_empty() {
            return Err(OutboundError::Unresolved);
        }
        let permitted = found.into_iter().filter(|address| target.permits(*address));
        let permitted: Vec<_> = permitted.take(MAX_ADDRESSES).map(|address| (address, target.port()).into()).collect();
        if permitted.is_empty() { Err(OutboundError::Forbidden) } else { Ok(permitted) }
    }
}

/// A name with more addresses than that is tried at the first of them.
const MAX_ADDRESSES: usize = 4;
