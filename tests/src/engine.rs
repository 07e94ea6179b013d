//! The embedded engine behind DynamoDB's own messages, without a socket: an operation and its JSON in, status and JSON out.

use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};

/// An empty DynamoDB in memory; clones share it.
#[derive(Clone)]
pub struct Engine(Database);

/// What DynamoDB answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: String,
}

impl Reply {
    /// A refusal by its exception's name.
    #[must_use]
    pub fn exception(status: u16, name: &str) -> Self {
        let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{name}","message":"injected"}}"#);
        Self { status, body }
    }

    /// Whether the operation was carried out.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == 200
    }
}

impl Engine {
    /// A new one, without tables.
    #[must_use]
    pub fn in_memory() -> Self {
        Self(Database::memory().unwrap_or_else(|error| panic!("engine: {error}")))
    }

    /// One that is there already.
    #[must_use]
    pub fn over(database: Database) -> Self {
        Self(database)
    }

    /// Carries out one operation, such as `UpdateItem`, at once.
    #[must_use]
    pub fn apply(&self, operation: &str, body: &str) -> Reply {
        let Self(database) = self;
        match operation {
            "BatchGetItem" => answer(body, |request| database.batch_get_item(request)),
            "CreateTable" => answer(body, |request| database.create_table(request)),
            "GetItem" => answer(body, |request| database.get_item(request)),
            "PutItem" => answer(body, |request| database.put_item(request)),
            "Query" => answer(body, |request| database.query(request)),
            "Scan" => answer(body, |request| database.scan(request)),
            "TransactGetItems" => answer(body, |request| database.transact_get_items(request)),
            "TransactWriteItems" => answer(body, |request| database.transact_write_items(request)),
            "UpdateItem" => answer(body, |request| database.update_item(request)),
            "UpdateTimeToLive" => answer(body, |request| database.update_time_to_live(request)),
            _ => panic!("the engine is not asked for {operation} here"),
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Engine")
    }
}

fn answer<Q, A>(body: &str, carry_out: impl FnOnce(Q) -> Result<A, DynoxideError>) -> Reply
where
    Q: DeserializeOwned,
    A: Serialize,
{
    let request = serde_json::from_str(body).unwrap_or_else(|error| panic!("the SDK sent {body}: {error}"));
    match carry_out(request) {
        Ok(answer) => {
            let body = serde_json::to_string(&answer).unwrap_or_else(|error| panic!("answer: {error}"));
            Reply { status: 200, body }
        }
        Err(error) => Reply { status: error.status_code(), body: error.to_json() },
    }
}
