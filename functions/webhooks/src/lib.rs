//! Tells endpoints what happened.
//!
//! ```text
//! the table's stream ──▶ what happened ──▶ a delivery for each endpoint that wants it, in the table
//!                   └──▶ a delivery that is to be tried ──▶ a message in a queue
//! a queue ─────────────▶ an attempt ──▶ written down: delivered, or when it is tried again
//! every minute ────────▶ deliveries whose time has come and that nobody is at ──▶ a message in a queue
//! ```
//! The table is the truth and the queues only wake: a message that is lost, comes twice or comes late changes nothing.

mod attempt;
mod fan_out;
mod news;
mod queues;
mod record;
mod sweep;

use faregate_domain::outbound::Reach;
use faregate_gate::{Services, signing::SigningError};
use faregate_outbound::Outbound;
use faregate_store::StoreError;
use faregate_stream::{BatchAnswer, records};
use serde_json::Value;

pub use queues::{Queues, QueuesError};
pub use record::is_news;

/// The webhooks function; cheap to clone.
#[derive(Clone)]
pub struct App {
    services: Services,
    outbound: Outbound,
    queues: Queues,
}

impl App {
    /// The function over ready services.
    #[must_use]
    pub fn new(services: Services, outbound: Outbound, queues: Queues) -> Self {
        Self { services, outbound, queues }
    }

    /// Does what an event asks for: the stream's records, a queue's messages, or one of the regular tasks.
    ///
    /// # Errors
    /// [`HandleError`] where the event is none of these, or a task came to nothing.
    pub async fn handle(&self, event: Value) -> Result<BatchAnswer, HandleError> {
        match event.get("task").and_then(Value::as_str) {
            Some("sweep") => return self.sweep().await.map(|()| BatchAnswer::default()),
            Some("reseal") => return self.reseal().await.map(|()| BatchAnswer::default()),
            _ => {}
        }
        let records = records(&event).ok_or(HandleError::Foreign)?;
        Ok(if records.iter().all(|record| record.get("dynamodb").is_some()) {
            self.take_records(records).await.into_iter().collect()
        } else {
            self.take_messages(records).await.into_iter().collect()
        })
    }

    fn reach(&self) -> Reach {
        self.services.config.reach
    }
}

/// Why something is to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The event is nothing that this function knows.
    #[error("the event is no batch and no task")]
    Foreign,
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A signing secret could not be opened or sealed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A queue took no message.
    #[error(transparent)]
    Queues(#[from] QueuesError),
    /// Something that another item speaks of is not there.
    #[error("the {0} is missing")]
    Missing(&'static str),
}
