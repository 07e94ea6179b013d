//! The embedded DynamoDB: an own HTTP server on loopback, as real as the SDK needs it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use dynoxide::Database;
use rusqlite::Connection;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// A DynamoDB that runs in this process and is reached over HTTP.
pub(crate) struct DynamoDb {
    address: SocketAddr,
    database: Database,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), String>>,
}

impl std::fmt::Debug for DynamoDb {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "DynamoDb at {}", self.address)
    }
}

impl DynamoDb {
    /// Opens the database, in a file or in memory, and serves it at `listen`.
    ///
    /// # Errors
    /// [`DynamoDbError`] when the file is no database or the address cannot be served.
    pub(crate) async fn start(file: Option<PathBuf>, listen: &str) -> Result<Self, DynamoDbError> {
        let address = |source| DynamoDbError::Listen { address: listen.to_owned(), source };
        let listener = TcpListener::bind(listen).await.map_err(address)?;
        let bound = listener.local_addr().map_err(address)?;
        if !bound.ip().is_loopback() {
            return Err(DynamoDbError::NotLoopback(listen.to_owned()));
        }
        let database = open(file)?;
        let (stop, stopped) = oneshot::channel();
        let server = dynoxide::server::serve_with_shutdown(listener, database.clone(), async {
            // A sender that is gone stops the server as well.
            let _ = stopped.await;
        });
        Ok(Self { address: bound, database, stop, server: tokio::spawn(server) })
    }

    /// Where the SDK reaches it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The database itself, for what the SDK is not asked for here: its stream.
    pub(crate) fn database(&self) -> Database {
        self.database.clone()
    }

    /// Lets running calls end, for at most [`GRACE`].
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        match tokio::time::timeout(GRACE, self.server).await {
            Ok(Ok(Ok(()))) => {}
            other => tracing::warn!(?other, "the embedded dynamodb did not stop in order"),
        }
    }
}

fn open(file: Option<PathBuf>) -> Result<Database, DynamoDbError> {
    match file {
        None => database_in_memory(),
        Some(path) => open_file(&path).map_err(|reason| DynamoDbError::Open(path, reason)),
    }
}

fn open_file(path: &Path) -> Result<Database, String> {
    let text = path.to_str().ok_or("not a utf-8 path")?;
    let database = Database::new(text).map_err(|error| error.to_string())?;
    index_stream(path).map_err(|error| error.to_string())?;
    Ok(database)
}

/// A database in memory, as `--memory` has it.
///
/// # Errors
/// [`DynamoDbError::Open`] where it cannot be made.
pub fn database_in_memory() -> Result<Database, DynamoDbError> {
    memory().map_err(|reason| DynamoDbError::Open("memory".into(), reason))
}

/// No connection but the engine's own reaches it, so it begins as the copy of an indexed file.
fn memory() -> Result<Database, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("store.db");
    drop(open_file(&file)?);
    let database = Database::memory().map_err(|error| error.to_string())?;
    database.restore_from(file.to_str().ok_or("not a utf-8 path")?).map_err(|error| error.to_string())?;
    Ok(database)
}

/// Lets the engine find records of a stream by their number. Without this it reads the whole stream, from the table's first
/// write on, for every write and for every batch of records.
fn index_stream(path: &Path) -> rusqlite::Result<()> {
    Connection::open(path)?.execute_batch(STREAM_INDEX)
}

/// Why the embedded DynamoDB does not run.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The address is taken, malformed or not of this machine.
    #[error("the embedded dynamodb cannot listen on {address}: {source}")]
    Listen {
        /// The wanted address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The embedded database asks for no password, so that only this machine may reach it.
    #[error("the embedded dynamodb has no password and listens on loopback only, not on {0}")]
    NotLoopback(String),
    /// The file cannot be read, or is no database.
    #[error("{}: {}", .0.display(), .1)]
    Open(PathBuf, String),
}

const GRACE: Duration = Duration::from_secs(2);
/// The engine's own words for a record's place, so that it uses the index.
const STREAM_INDEX: &str = "CREATE INDEX IF NOT EXISTS stream_by_number
     ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_served_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = DynamoDb::start(None, &address).await.unwrap_err();
        assert!(error.to_string().contains(&address), "{error}");
        let error = DynamoDb::start(None, "0.0.0.0:0").await.unwrap_err();
        assert!(matches!(error, DynamoDbError::NotLoopback(_)));
        let folder = tempfile::tempdir().unwrap();
        let error = DynamoDb::start(Some(folder.path().join("no/such/store.db")), "127.0.0.1:0").await.unwrap_err();
        assert!(matches!(error, DynamoDbError::Open(..)), "{error}");
        let junk = folder.path().join("junk.db");
        std::fs::write(&junk, "this is no database, however long one looks at it".repeat(100)).unwrap();
        let error = DynamoDb::start(Some(junk), "127.0.0.1:0").await.unwrap_err();
        assert!(matches!(error, DynamoDbError::Open(..)), "{error}");
    }

    #[tokio::test]
    async fn it_stops_in_order() {
        let dynamodb = DynamoDb::start(None, "127.0.0.1:0").await.unwrap();
        let address = dynamodb.address;
        assert!(dynamodb.url().starts_with("http://127.0.0.1:"));
        dynamodb.stop().await;
        TcpListener::bind(address).await.unwrap();
    }

    #[test]
    fn a_write_does_not_read_the_whole_stream() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("store.db"), folder.path().join("copy.db"));
        drop(open(Some(file.clone())).unwrap());
        open(None).unwrap().vacuum_into(copy.to_str().unwrap()).unwrap();
        for path in [file, copy] {
            let database = Connection::open(path).unwrap();
            for question in [
                "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records WHERE table_name = 't'",
                "SELECT keys_json FROM _stream_records
                 WHERE table_name = 't' AND shard_id = 's' AND CAST(sequence_number AS INTEGER) > 7
                 ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT 9",
            ] {
                let plan = format!("EXPLAIN QUERY PLAN {question}");
                let plan: String = database.query_row(&plan, [], |row| row.get("detail")).unwrap();
                assert!(plan.contains("INDEX stream_by_number"), "{plan}");
            }
        }
    }
}
