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

use crate::{Call, Decision, Gate, refusal};

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
    pace: Pace,
    /// Whether that has failed, and the log knows.
    is_failing: bool,
}

impl Default for RefusedCalls {
    fn default() -> Self {
        let gathered = Gathered {
            counts: Counts::default(),
            entries: Vec::new(),
            last_seq: 0,
            pace: Pace::default(),
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
        let _writing = self.0.writing.lock().await;
        for _ in 0..MAX_FLUSHES {
            self.lock().begin(&self.0.writer, now);
            if self.waiting() == 0 || !self.send(store, now).await {
                return;
            }
        }
    }

    fn note(&self, place: Place, reason: Reason) {
        self.lock().counts.note(place, reason);
    }

    /// Writes down the most of what waits, where there is a turn for it and nobody is at it.
    async fn write_down_when_due(&self, store: &Store, now: Timestamp) {
        let Ok(_writing) = self.0.writing.try_lock() else { return };
        {
            let mut gathered = self.lock();
            if !gathered.pace.take(now) {
                return;
            }
            gathered.begin(&self.0.writer, now);
        }
        self.send(store, now).await;
    }

    /// Sends what is on its way, each entry in a try or two and all within the time of one; whether the table took it all.
    async fn send(&self, store: &Store, now: Timestamp) -> bool {
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
        if sent.is_err() {
            gathered.pace.pause(now);
        }
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
            self.lock().used(entry.seq);
        }
        Err(StoreError::Unanswered { operation: "update", reason: "the sheet changed under every try" })
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    /// Puts what is to be sent next beside what was not confirmed yet.
    fn begin(&mut self, writer: &str, now: Timestamp) {
        let free = MAX_ENTRIES.saturating_sub(self.entries.len());
        let entries = &self.entries;
        let taken = self.counts.take(free, |sheet| entries.iter().any(|entry| entry.place.sheet == *sheet));
        for (place, reasons) in taken {
            self.last_seq = now.epoch_ms().max(self.last_seq + 1);
            self.entries.push(Entry { place, reasons, writer: writer.to_owned(), seq: self.last_seq });
        }
    }

    fn arrived(&mut self, entry: &Entry) {
        self.entries.retain(|other| other.place.sheet != entry.place.sheet);
    }

    /// A later entry with a lower number would be taken for one that stands there.
    fn used(&mut self, seq: u64) {
        self.last_seq = self.last_seq.max(seq);
    }
}

/// When somebody may write: a few times at once, so that a few refusals are seen at once, and then every now and then.
#[derive(Debug, Default)]
struct Pace {
    /// Until when the turns that were taken last, one after another.
    taken_until_ms: u64,
}

impl Pace {
    fn take(&mut self, now: Timestamp) -> bool {
        let now_ms = now.epoch_ms();
        let ahead_ms = self.taken_until_ms.saturating_sub(now_ms);
        // More than all of them is a clock that was set back.
        let taken_ms = if ahead_ms > MAX_TURNS * TURN_MS { 0 } else { ahead_ms };
        let is_free = taken_ms <= (MAX_TURNS - 1) * TURN_MS;
        if is_free {
            self.taken_until_ms = now_ms + taken_ms + TURN_MS;
        }
        is_free
    }

    /// Leaves no turn but the one after the next pause: the table needs one.
    fn pause(&mut self, now: Timestamp) {
        self.taken_until_ms = now.epoch_ms() + MAX_TURNS * TURN_MS;
    }
}

impl Gate {
    /// Counts the refusal that a decision is, if it is one. A signed URL is looked at without a thought of the table, and
    /// whoever spells one wrong moves nothing there.
    pub(crate) async fn count_if_refused(&self, decision: &Decision, call: &Call<'_>) {
        if let (Err(denial), false) = (&decision.verdict, call.request.is_signed()) {
            let route = call.route.as_deref();
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

/// One turn comes in so many milliseconds.
const TURN_MS: u64 = 10_000;
/// A handful.
const MAX_TURNS: u64 = 8;
/// Writes at a time.
const MAX_ENTRIES: usize = 8;
/// Each needs another: the hour is not there, is begun by somebody else, has no room.
const MAX_TRIES: u32 = 4;
/// More than a full memory needs.
const MAX_FLUSHES: u32 = 1_000;
/// 8 base62 characters: 47 random bits among the processes of an hour.
const NAME_CHARS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_epoch_ms(1_792_540_800_000 + milliseconds)
    }

    fn taken(pace: &mut Pace, now: Timestamp) -> usize {
        (0..100).filter(|_| pace.take(now)).count()
    }

    #[test]
    fn there_are_a_few_turns_at_once_and_then_one_in_ten_seconds() {
        let mut pace = Pace::default();
        for (milliseconds, count) in [(0, 8), (9_999, 0), (10_000, 1), (35_000, 2), (40_000, 1), (1_000_000, 8)] {
            assert_eq!(taken(&mut pace, at(milliseconds)), count, "{milliseconds}");
        }
    }

    #[test]
    fn after_a_failure_the_table_has_a_pause() {
        let mut pace = Pace::default();
        assert!(pace.take(at(0)));
        pace.pause(at(0));
        assert_eq!((taken(&mut pace, at(9_999)), taken(&mut pace, at(10_000))), (0, 1));
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut pace = Pace::default();
        assert_eq!(taken(&mut pace, at(1_000_000)), 8);
        assert_eq!(taken(&mut pace, at(0)), 8);
    }
}
