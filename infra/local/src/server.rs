//! The HTTP/1.1 server in front of the gateway, bounded in connections, headers and time.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::gateway::Gateway;

/// Serves until `stop` resolves, then lets running requests end for at most [`GRACE`].
pub(crate) async fn serve(listener: TcpListener, gateway: Arc<Gateway>, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        let (place, stream, peer) = tokio::select! {
            () = &mut stop => break,
            (place, accepted) = accepted => match accepted {
                Ok((stream, peer)) => (place, stream, peer),
                Err(error) => {
                    // Out of file descriptors, mostly: accepting again at once would spin.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                    continue;
                }
            },
        };
        let served = connections.watch(connection(stream, peer.ip(), Arc::clone(&gateway)));
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, connections.shutdown()).await.is_err() {
        tracing::warn!("requests were still running at the end");
    }
}

fn connection(
    stream: TcpStream,
    source_ip: std::net::IpAddr,
    gateway: Arc<Gateway>,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::Service<Request<Incoming>, Response = crate::answer::Answer, Error = Infallible, Future: Send>
    + Send,
> {
    // A small answer must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let gateway = Arc::clone(&gateway);
        async move { Ok(gateway.answer(request, source_ip).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
}

const MAX_CONNECTIONS: usize = 1_024;
const MAX_HEADERS: usize = 100;
const MAX_HEAD_BYTES: usize = 16 * 1024;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(3);
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);
