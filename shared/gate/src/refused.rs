//! Refused calls of this process, on their way into the table: gathered in memory, and written down now and then by
//! somebody who is refused. Nobody who is admitted counts, writes or waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use faregate_domain::{
    base62,
    denial::Denial,
    policy::Route,
    refused::{Counts, Entry, Form, Next, Place, Reason, RefusedDay, Whose},
    time::Timestamp,
};
use faregate_edge::{entropy, problem::Problem};
use faregate_store::{EntryOutcome, Store, StoreError};

use crate::{Decision, Gate, refusal};

/// The refused calls of one process that the table does not have yet; clones share them.
#[derive(Clone, Debug)]
pub struct RefusedCalls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Names this process on the sheets that it writes.
    writer: String,
    gathered: Mutex<Gathered>,
    /// Held by the one that writes.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Gathered {
    counts: Counts,
    /// On their way: sent again as they are until the table says that it has them.
    entries: Vec<Entry>,
    last_seq: u64,
    /// When somebody last began to write.
    written_at: Timestamp,
    /// Whether that has failed, and the log knows.
    is_failing: bool,
}

impl Default for RefusedCalls {
    fn default() -> Self {
        let gathered = Gathered {
            counts: Counts::default(),
            entries: Vec::new(),
            last_seq: 0,
            written_at: Timestamp::from_epoch_ms(0),
            is_failing: false,
        };
        let writer = base62::random(NAME_CHARS, &mut entropy::fill);
        Self(Arc::new(Shared { writer, gathered: Mutex::new(gathered), writing: tokio::sync::Mutex::default() }))
    }
}

impl RefusedCalls {
    /// Refusals that the table has not confirmed yet.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let gathered = self.lock();
        let sent = gathered.entries.iter().flat_map(|entry| entry.reasons.values()).copied();
        sent.fold(gathered.counts.total(), u64::saturating_add)
    }

    /// Writes down everything that waits; what the table does not take stays.
    pub async fn write_down(&self, store: &Store, now: Timestamp) {
        let _turn = self.0.writing.lock().await;
        for _ in 0..MAX_FLUSHES {
            self.lock().begin(&self.0.writer, now);
            if self.waiting() == 0 || !self.send(store).await {
                return;
            }
        }
    }

    fn note(&self, place: Place, reason: Reason) {
        self.lock().counts.note(place, reason);
    }

    /// Writes down the most of what waits, where nobody has for a while and nobody is at it.
    async fn write_down_when_due(&self, store: &Store, now: Timestamp) {
        if !self.lock().is_due(now) {
            return;
        }
        let Ok(_turn) = self.0.writing.try_lock() else { return };
        {
            let mut gathered = self.lock();
            if !gathered.is_due(now) {
                return;
            }
            gathered.begin(&self.0.writer, now);
        }
        self.send(store).await;
    }

    /// Sends what is on its way, each entry in a try or two and all within the time of one; whether the table took it all.
    async fn send(&self, store: &Store) -> bool {
        let entries = self.lock().entries.clone();
        let sending = async {
            let mut failed = None;
            for entry in entries {
                failed = self.send_one(store, entry).await.err().or(failed);
            }
            failed.map_or(Ok(()), Err)
        };
        let timeout = StoreError::Unanswered { operation: "update", reason: "timeout" };
        let sent = tokio::time::timeout(store.attempt_patience(), sending).await.unwrap_or(Err(timeout));
        let mut gathered = self.lock();
        let was_failing = std::mem::replace(&mut gathered.is_failing, sent.is_err());
        drop(gathered);
        match sent {
            Ok(()) => true,
            Err(error) => {
                if !was_failing {
                    tracing::warn!(%error, "refused calls wait to be counted");
                }
                false
            }
        }
    }

    async fn send_one(&self, store: &Store, mut entry: Entry) -> Result<(), StoreError> {
        let mut form = Form::Add;
        for _ in 0..MAX_TRIES {
            let found = match store.add_refused(&entry, form).await? {
                EntryOutcome::Added(day) => {
                    self.lock().arrived(&entry);
                    sweep(store, &day).await;
                    return Ok(());
                }
                EntryOutcome::Refused(found) => found,
            };
            match entry.next(found.as_ref()) {
                Next::Done => {
                    self.lock().arrived(&entry);
                    return Ok(());
                }
                Next::Send(next) => form = next,
            }
            self.lock().changed(&entry);
        }
        Err(StoreError::Unanswered { operation: "update", reason: "the sheet changed under every try" })
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn is_due(&self, now: Timestamp) -> bool {
        let has_waited = now.epoch_ms() >= self.written_at.epoch_ms().saturating_add(PAUSE_MS);
        has_waited || now < self.written_at
    }

    /// Puts what is to be sent next beside what was not confirmed yet.
    fn begin(&mut self, writer: &str, now: Timestamp) {
        self.written_at = now;
        let free = MAX_ENTRIES.saturating_sub(self.entries.len());
        let entries = &self.entries;
        let taken = self.counts.take(free, |sheet| entries.iter().any(|entry| entry.place.sheet == *sheet));
        for (place, reasons) in taken {
            self.last_seq = now.epoch_ms().max(self.last_seq + 1);
            self.entries.push(Entry { place, reasons, writer: writer.to_owned(), seq: self.last_seq });
        }
    }

    fn arrived(&mut self, entry: &Entry) {
        self.last_seq = self.last_seq.max(entry.seq);
        self.entries.retain(|other| other.place.sheet != entry.place.sheet);
    }

    /// An entry is sent again as it was sent last, or a copy that is still on its way could be added beside it.
    fn changed(&mut self, entry: &Entry) {
        self.last_seq = self.last_seq.max(entry.seq);
        for other in self.entries.iter_mut().filter(|other| other.place.sheet == entry.place.sheet) {
            other.clone_from(entry);
        }
    }
}

impl Gate {
    /// Counts the refusal that a decision is, if it is one.
    pub(crate) async fn count_if_refused(&self, decision: &Decision, route: Option<&Route>) {
        if let Err(denial) = &decision.verdict {
            Box::pin(self.count_refused(decision.whose.clone(), route, denial, decision.now)).await;
        }
    }

    /// The problem to answer a management call with, which is counted.
    pub(crate) async fn turn_away(
        &self,
        whose: Whose,
        route: Option<&Route>,
        denial: &Denial,
        now: Timestamp,
    ) -> Problem {
        Box::pin(self.count_refused(whose, route, denial, now)).await;
        refusal::problem(denial, now)
    }

    async fn count_refused(&self, whose: Whose, route: Option<&Route>, denial: &Denial, now: Timestamp) {
        let services = self.services();
        services.refused.note(Place::at(now, whose), Reason::of(route, denial));
        services.refused.write_down_when_due(&services.store, now).await;
    }
}

/// Forgets writers that have long been silent, where they are many.
async fn sweep(store: &Store, day: &RefusedDay) {
    let Some((writers, horizon)) = day.stale() else { return };
    if let Err(error) = store.sweep_refused(&day.sheet, &writers, horizon).await {
        tracing::warn!(%error, "silent writers stay for now");
    }
}

/// How long a process gathers before somebody who is refused writes it down.
const PAUSE_MS: u64 = 10_000;
/// Writes at a time.
const MAX_ENTRIES: usize = 8;
/// Each needs another: the hour is not there, is begun by somebody else, has no room.
const MAX_TRIES: u32 = 4;
/// More than a full memory needs.
const MAX_FLUSHES: u32 = 1_000;
/// 8 base62 characters: 47 random bits among the processes of an hour.
const NAME_CHARS: usize = 8;
