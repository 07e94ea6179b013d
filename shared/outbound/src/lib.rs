//! Calls to addresses that others chose: bounded in time and size, to none but public addresses, and never redirected.
//!
//! ```text
//! Target ──▶ resolve ──▶ every address looked at ──▶ connect to one of those ──▶ TLS by the name ──▶ one request, one answer
//!                             └ none is public: refused
//! ```
//!
//! A name is resolved once, and the connection goes to the very address that was looked at: a name that answers otherwise
//! the next time leads nowhere else. There is no proxy, no cookie, no pool, and an answer of 3xx is an answer like any other.

mod answer;
mod connect;
mod resolver;

use std::time::Duration;

use faregate_domain::outbound::Target;
use http::{HeaderMap, Method};
use tokio_rustls::TlsConnector;

pub use answer::Answer;
pub use connect::trusting;
pub use resolver::Resolver;

/// Calls targets; cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    tls: TlsConnector,
    resolver: Resolver,
}

impl Outbound {
    /// Trusts the system's roots, and resolves as the system does.
    ///
    /// # Errors
    /// When the system has no trusted roots.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self::over(connect::system()?, Resolver::system()))
    }

    /// Over another trust, or another way of resolving names.
    #[must_use]
    pub fn over(tls: TlsConnector, resolver: Resolver) -> Self {
        Self { tls, resolver }
    }

    /// Posts a body. What comes back is read to [`MAX_POST_ANSWER_BYTES`], for a moment, and thrown away: the status says all.
    ///
    /// # Errors
    /// [`OutboundError`] when no answer came within [`DEADLINE`].
    pub async fn post(&self, target: &Target, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, OutboundError> {
        let asked = self.ask(target, Method::POST, headers, body, answer::Wanted::Status);
        tokio::time::timeout(DEADLINE, asked).await.unwrap_or(Err(OutboundError::TimedOut))
    }

    /// Gets a document of at most `max_bytes`, whole.
    ///
    /// # Errors
    /// [`OutboundError`] when it did not come within [`DEADLINE`], or is longer.
    pub async fn get(&self, target: &Target, headers: HeaderMap, max_bytes: usize) -> Result<Answer, OutboundError> {
        let asked = self.ask(target, Method::GET, headers, Vec::new(), answer::Wanted::Whole { max_bytes });
        tokio::time::timeout(DEADLINE, asked).await.unwrap_or(Err(OutboundError::TimedOut))
    }

    async fn ask(
        &self,
        target: &Target,
        method: Method,
        headers: HeaderMap,
        body: Vec<u8>,
        wanted: answer::Wanted,
    ) -> Result<Answer, OutboundError> {
        let request = answer::request(target, method, headers, body)?;
        let addresses = self.resolver.permitted(target).await?;
        let stream = connect::to_one_of(&addresses).await?;
        if target.is_tls() {
            answer::exchange(connect::secure(&self.tls, target, stream).await?, request, wanted).await
        } else {
            answer::exchange(stream, request, wanted).await
        }
    }
}

/// Why a call got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The name stands for no address.
    #[error("the name does not resolve")]
    Unresolved,
    /// The name, or the address, leads to no public network.
    #[error("the address is not public")]
    Forbidden,
    /// No connection could be made.
    #[error("no connection could be made")]
    Unreachable,
    /// The other side did not prove to be whom the name says.
    #[error("the tls handshake failed")]
    Tls,
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke off, or what came is no HTTP.
    #[error("the connection broke off")]
    Broken,
    /// The answer is longer than anybody reads.
    #[error("the answer is too long")]
    TooLong,
    /// The request cannot be written as HTTP.
    #[error("the request is malformed")]
    Malformed,
}

impl OutboundError {
    /// The stable word for it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unresolved => "name_not_resolved",
            Self::Forbidden => "address_not_public",
            Self::Unreachable => "connection_failed",
            Self::Tls => "tls_failed",
            Self::TimedOut => "timed_out",
            Self::Broken => "connection_broken",
            Self::TooLong => "answer_too_long",
            Self::Malformed => "request_malformed",
        }
    }
}

/// How long a call may take, from resolving the name to the answer.
pub const DEADLINE: Duration = Duration::from_secs(15);
/// What is read of the answer to a `POST`.
pub const MAX_POST_ANSWER_BYTES: usize = 16 * 1024;
/// What every request says of us, unless its caller says something else.
pub const USER_AGENT: &str = concat!("Faregate/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;
