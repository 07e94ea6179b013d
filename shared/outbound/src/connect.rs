//! A connection to one of some addresses, and TLS over it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use faregate_domain::outbound::Target;
use hyper_rustls::ConfigBuilderExt as _;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, client::WantsClientCert, pki_types::ServerName,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::OutboundError;

/// TLS that trusts whom the system trusts.
pub(crate) fn system() -> std::io::Result<TlsConnector> {
    Ok(connector(builder()?.with_native_roots()?))
}

/// TLS that trusts these alone.
///
/// # Errors
/// When the cryptography knows no version of TLS that is in use.
pub fn trusting(roots: RootCertStore) -> std::io::Result<TlsConnector> {
    Ok(connector(builder()?.with_root_certificates(roots)))
}

fn builder() -> std::io::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    // The process may know several providers and have chosen none.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(std::io::Error::other)
}

fn connector(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> TlsConnector {
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Connects to the first of the addresses that answers.
pub(crate) async fn to_one_of(addresses: &[SocketAddr]) -> Result<TcpStream, OutboundError> {
    let mut last = OutboundError::Unreachable;
    for address in addresses {
        match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // One small request: it must not wait for more.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(_)) => last = OutboundError::Unreachable,
            Err(_) => last = OutboundError::TimedOut,
        }
    }
    Err(last)
}

/// TLS by the target's own name, whatever address it stood for.
pub(crate) async fn secure(
    tls: &TlsConnector,
    target: &Target,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, OutboundError> {
    let host = target.host();
    // A dot at the end says that a name is whole; certificates do not say so.
    let name = host.strip_suffix('.').unwrap_or(&host).to_owned();
    let name = ServerName::try_from(name).map_err(|_| OutboundError::Tls)?;
    tls.connect(name, stream).await.map_err(|_| OutboundError::Tls)
}

/// How long one address is waited for; the next one has its chance within the deadline of the call.
const PATIENCE: Duration = Duration::from_secs(4);
