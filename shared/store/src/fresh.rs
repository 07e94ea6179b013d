//! A new, empty table for one test.

use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};

use crate::{Patience, Store};

/// A store before an emulator of its own, which lives as long as the test.
pub(crate) async fn table() -> Store {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(endpoint);
    let store = Store::new(Store::client_from(config, Patience::LOCAL), "faregate".to_owned());
    store.ensure_table().await.unwrap();
    store
}
