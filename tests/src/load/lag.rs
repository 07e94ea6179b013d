//! How far the ledger is behind: records for it that it has not passed.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use faregate::{Stream, is_for_the_ledger};

/// Somebody who reads along; stops when dropped.
pub(crate) struct Lag {
    watched: Arc<Watched>,
    is_over: Arc<AtomicBool>,
}

struct Watched {
    /// The reader, and the number of each record for the ledger that it has seen.
    seen: Mutex<(Stream, Vec<u128>)>,
    samples: Mutex<Vec<u64>>,
    last: AtomicU64,
    mark: PathBuf,
}

impl Lag {
    /// Watches a ledger whose feed notes in `mark` how far it is.
    pub(crate) fn watch(stream: Stream, mark: PathBuf) -> Self {
        let watched = Arc::new(Watched {
            seen: Mutex::new((stream, Vec::new())),
            samples: Mutex::default(),
            last: AtomicU64::new(0),
            mark,
        });
        let is_over = Arc::new(AtomicBool::new(false));
        let (watching, ends) = (Arc::clone(&watched), Arc::clone(&is_over));
        std::thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                let lag = watching.measure();
                lock(&watching.samples).push(lag);
                watching.last.store(lag, Ordering::SeqCst);
                std::thread::sleep(INTERVAL);
            }
        });
        Self { watched, is_over }
    }

    /// The lag at this moment.
    pub(crate) fn now(&self) -> u64 {
        self.watched.measure()
    }

    /// Whether callers should wait: a rate at which the ledger falls behind for ever is none that lasts.
    pub(crate) fn is_too_long(&self) -> bool {
        self.watched.last.load(Ordering::SeqCst) > MAX_BEHIND
    }

    /// What was measured so far, in ascending order.
    pub(crate) fn samples(&self) -> Vec<u64> {
        let mut samples = lock(&self.watched.samples).clone();
        samples.sort_unstable();
        samples
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

impl Watched {
    fn measure(&self) -> u64 {
        let mut seen = lock(&self.seen);
        let (stream, numbers) = &mut *seen;
        loop {
            let records = stream.peek(PAGE).unwrap_or_else(|error| panic!("stream: {error}"));
            let Some(last) = records.last() else { break };
            stream.pass(last);
            for record in records.iter().filter(|record| is_for_the_ledger(record)) {
                numbers.extend(record["dynamodb"]["SequenceNumber"].as_str().map(number));
            }
            if records.len() < PAGE {
                break;
            }
        }
        let passed = position(&self.mark).map_or(0, |text| number(&text));
        let is_passed = numbers.partition_point(|number| *number <= passed);
        u64::try_from(numbers.len() - is_passed).unwrap_or(u64::MAX)
    }
}

/// The number of the last record that the feed has passed.
pub(crate) fn position(mark: &Path) -> Option<String> {
    std::fs::read_to_string(mark).ok().filter(|text| !text.is_empty())
}

fn number(text: &str) -> u128 {
    text.trim().parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records that the ledger may be behind before callers wait.
const MAX_BEHIND: u64 = 1_000;
const INTERVAL: Duration = Duration::from_millis(100);
const PAGE: usize = 1_000;
