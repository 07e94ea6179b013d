//! Keeps the books: what the table's stream tells of each cell is entered once, however often it is told.

mod enter;
mod odd;
mod plan;
mod record;

use std::sync::Arc;

use faregate_domain::policy::Policy;
use faregate_edge::now::Clock;
use faregate_gate::Services;
use faregate_store::{SetAside, Store, StoreError};
use faregate_stream::{BatchAnswer, records, sequence_number};
use serde_json::Value;
use tokio::task::JoinSet;

pub use crate::enter::EnterError;
use crate::record::{Record, Told, by_cell};

/// The ledger function; cheap to clone.
#[derive(Clone)]
pub struct App {
    store: Store,
    policy: Arc<Policy>,
    clock: Clock,
    seen: odd::Seen,
}

impl App {
    /// The function over ready services; it needs no secret.
    #[must_use]
    pub fn new(services: &Services) -> Self {
        Self::over(services.store.clone(), services.config.policy.clone(), services.clock.clone())
    }

    /// The ledger of a table.
    #[must_use]
    pub fn over(store: Store, policy: Policy, clock: Clock) -> Self {
        Self { store, policy: Arc::new(policy), clock, seen: odd::Seen::default() }
    }

    /// Enters a batch of the stream's records. A record that cannot be understood is set aside, so that it does not hold
    /// up the rest; one that cannot be entered now is asked for again.
    ///
    /// # Errors
    /// [`NotABatch`] where the event is none.
    pub async fn handle(&self, event: Value) -> Result<BatchAnswer, NotABatch> {
        let records = records(&event).ok_or(NotABatch)?;
        let (mut told, mut failed) = (Vec::new(), None);
        for (place, value) in records.iter().enumerate() {
            match Record::parse(value) {
                Ok(Record::Cell(one)) => told.push((place, *one)),
                Ok(Record::Refused(days)) => {
                    if let Err(error) = self.look_for_guesses(days.0.as_ref(), &days.1).await {
                        tracing::error!(%error, "a day's refused calls are not looked at; their record comes again");
                        failed = Some(place);
                        break;
                    }
                }
                Ok(Record::Other) => {}
                Err(poison) => {
                    if let Err(error) = self.set_aside(value, &poison.to_string()).await {
                        tracing::error!(%error, "a record is not set aside");
                        failed = Some(place);
                        break;
                    }
                }
            }
        }
        failed = failed.into_iter().chain(self.enter_all(told).await).min();
        let answer = failed.and_then(|place| records.get(place)).and_then(sequence_number);
        Ok(answer.map(str::to_owned).into_iter().collect())
    }

    /// Enters one record that was not taken before; false where it still cannot be understood.
    ///
    /// # Errors
    /// [`EnterError`] when it must be tried again.
    pub async fn replay(&self, record: &Value) -> Result<bool, EnterError> {
        match Record::parse(record) {
            Ok(Record::Cell(told)) => self.enter(vec![*told]).await.map(|()| true),
            Ok(Record::Refused(days)) => self.look_for_guesses(days.0.as_ref(), &days.1).await.map(|()| true),
            Ok(Record::Other) => Ok(true),
            Err(_) => Ok(false),
        }
    }

    /// Enters what is told of all cells, some of them at a time; the first record that failed.
    async fn enter_all(&self, told: Vec<(usize, Told)>) -> Option<usize> {
        let places: Vec<(String, usize)> =
            told.iter().map(|(place, one)| (one.sequence_number.clone(), *place)).collect();
        let mut waiting = by_cell(told.into_iter().map(|(_, one)| one).collect()).into_iter();
        let (mut running, mut failed) = (JoinSet::new(), Vec::new());
        loop {
            while running.len() < CELLS_AT_ONCE
                && let Some(cell) = waiting.next()
            {
                let app = self.clone();
                running.spawn(async move {
                    let first = cell.first().map(|one| one.sequence_number.clone()).unwrap_or_default();
                    (first, app.enter(cell).await)
                });
            }
            match running.join_next().await {
                None => break,
                Some(Ok((_, Ok(())))) => {}
                Some(Ok((first, Err(error)))) => {
                    tracing::error!(%error, "a cell's books are not written; its records come again");
                    failed.push(first);
                }
                // A bug of ours, which the next delivery meets again until the batch is given up as a whole.
                Some(Err(error)) => {
                    tracing::error!(%error, "entering a cell's books crashed");
                    return places.first().map(|(_, place)| *place);
                }
            }
        }
        places.into_iter().filter(|(number, _)| failed.contains(number)).map(|(_, place)| place).min()
    }

    async fn set_aside(&self, record: &Value, why: &str) -> Result<(), StoreError> {
        let number = sequence_number(record).unwrap_or("none");
        tracing::error!(sequence_number = number, why, "a record is set aside");
        let (text, at) = (record.to_string(), self.clock.now());
        let aside = SetAside { sequence_number: number.to_owned(), why: why.to_owned(), record: text, at };
        self.store.set_aside(&aside).await
    }
}

/// An event without records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event is no batch of a stream's records")]
pub struct NotABatch;

/// Cells whose books are written side by side.
const CELLS_AT_ONCE: usize = 16;
