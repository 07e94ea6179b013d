//! What a function has open when its first request comes.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A door to the store that counts who comes in.
async fn door_to(store: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let entered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&entered);
    tokio::spawn(async move {
        while let Ok((mut outside, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut inside = TcpStream::connect(store).await.unwrap();
                tokio::io::copy_bidirectional(&mut outside, &mut inside).await.ok();
            });
        }
    });
    (address, entered)
}

#[tokio::test]
async fn the_first_write_finds_the_connection_of_the_start() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (door, entered) = door_to(listener.local_addr().unwrap()).await;
    tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
    let client = aws_sdk_dynamodb::config::Builder::from(&aws_of_lambda())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(format!("http://{door}"));
    let store = Store::new(Store::client_from(client, Patience::LOCAL), "faregate".to_owned());
    store.ensure_table().await.unwrap();
    let before = entered.load(Ordering::Relaxed);
    // It reads, writes and reads again.
    assert_eq!(store.find_layout().await.unwrap(), Layout::Unwritten);
    store.claim_layout().await.unwrap();
    assert_eq!(store.find_layout().await.unwrap(), Layout::Known);
    assert_eq!(entered.load(Ordering::Relaxed), before, "a client opened a connection of its own");
}
