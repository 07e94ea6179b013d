//! The running program under as many calls as it answers, its ledger killed over and over; then the books are held against what
//! the callers know.

mod callers;
mod client;
mod comparison;
mod crashes;
mod lag;
mod owners;
mod scene;
mod tally;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use faregate::{Feed, FeedParts, is_for_the_ledger};
use faregate_edge::now::Clock;
use faregate_gate::Services;
use tokio::task::JoinSet;

use crate::{
    Link,
    load::{
        comparison::Comparison,
        crashes::{Crashes, Toll, ledger_over},
        lag::Lag,
        scene::Scene,
        tally::Tally,
    },
};

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Callers, each of which sends its next call when it has the answer to the last one.
    pub callers: usize,
    /// When the callers stop.
    pub end: End,
    /// How many requests a ledger sends to the table before it is killed, on average.
    pub life: usize,
    /// Where the program keeps its data.
    pub place: Place,
    /// How long the owners wait between two changes of their keys, projects and money.
    pub pause: Duration,
}

/// Where the program keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a folder below the system's for temporary files; each write is on the disk before it is answered.
    Disk,
    /// In memory.
    Memory,
}

/// When the callers stop.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// After so many calls of all of them.
    Calls(u64),
    /// After so long.
    After(Duration),
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Calls at the gate, settlements and changes that were sent.
    pub requests: u64,
    /// Calls at the gate, by the status of their answers.
    pub statuses: Vec<(u16, u64)>,
    /// Requests that were admitted, changes by owners included.
    pub admitted: u64,
    /// Settlements that were reported.
    pub settled: u64,
    /// Rows in the books.
    pub rows: u64,
    /// What the callers know that their calls cost, in millionths of a dollar.
    pub micro_usd: u64,
    /// How long the callers called.
    pub took: Duration,
    /// Ledgers that were killed.
    pub crashes: u64,
    /// Times that a ledger was started at an older place than where its predecessor died.
    pub rewinds: u64,
    /// Requests of the ledger that were lost, doubled, held up, refused or left without an answer.
    pub faults: u64,
    /// Records for the ledger that it had not passed, at one moment after the other; in ascending order.
    pub lags: Vec<u64>,
    /// How long the last ledger took to come to the end of the stream.
    pub catch_up: Duration,
    /// What is not in the books as the callers know it, or does not agree with a cell or a wallet.
    pub differences: Vec<String>,
}

impl Load {
    /// Starts the program in a folder of its own, and does it.
    pub async fn run(self) -> Outcome {
        let tally = Arc::new(Tally::default());
        let scene = Arc::new(Scene::new(self.callers, self.place, &tally).await);
        let link = Link::before(scene.running.dynamodb_url().replace("http://", "")).await;
        let link = link.unwrap_or_else(|error| panic!("link: {error}"));
        let (stream, mark) = (scene.running.stream(), scene.mark());
        let config = scene.running.config.clone();
        let lag = Arc::new(Lag::watch(stream.clone(), mark.clone()));
        let crashes = Crashes::begin(link, stream.clone(), mark.clone(), &config, self.life);

        let began = Instant::now();
        let (span, mut calling) = (Arc::new(Span::new(self.end)), JoinSet::new());
        for _ in 0..self.callers {
            calling.spawn(callers::call(Arc::clone(&scene), Arc::clone(&tally), Arc::clone(&span), Arc::clone(&lag)));
        }
        let owners =
            tokio::spawn(owners::change(Arc::clone(&scene), Arc::clone(&tally), self.pause, Arc::clone(&span)));
        calling.join_all().await;
        owners.await.unwrap_or_else(|error| panic!("owners: {error}"));
        let took = began.elapsed();
        let Toll { crashes, rewinds, faults } = crashes.end().await;
        let lags = lag.samples();

        let store = Services::table_at(&scene.running.dynamodb_url(), &config.table);
        let began = Instant::now();
        let position = lag::position(&mark);
        let feed = Feed::start(FeedParts {
            ledger: ledger_over(store.clone(), &config),
            is_wanted: is_for_the_ledger,
            clock: Clock::system(),
            store: Some(store.clone()),
            stream: stream.restarted(position),
            mark: Some(mark),
            batch: WHOLE_BATCH,
        });
        while lag.now() > 0 {
            tokio::time::sleep(LOOK).await;
        }
        let catch_up = began.elapsed();
        feed.stop().await;
        drop(lag);

        let compared = Comparison::of(&store, &tally).await;
        let counts = tally.counts();
        let outcome = Outcome {
            requests: counts.requests,
            statuses: counts.statuses.into_iter().collect(),
            admitted: counts.admitted,
            settled: counts.settled,
            rows: compared.rows,
            micro_usd: counts.micro_usd,
            took,
            crashes,
            rewinds,
            faults,
            lags,
            catch_up,
            differences: compared.differences,
        };
        if let Ok(scene) = Arc::try_unwrap(scene) {
            scene.running.stop().await;
        }
        outcome
    }
}

/// How much is left to do.
pub(crate) struct Span {
    calls: AtomicU64,
    until: Option<Instant>,
}

impl Span {
    fn new(end: End) -> Self {
        match end {
            End::Calls(calls) => Self { calls: AtomicU64::new(calls), until: None },
            End::After(duration) => Self { calls: AtomicU64::new(u64::MAX), until: Some(Instant::now() + duration) },
        }
    }

    /// Whether one more call is to be made.
    pub(crate) fn takes_another(&self) -> bool {
        let left = self.calls.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.is_ok() && self.goes_on()
    }

    /// Whether calls are still to be made.
    pub(crate) fn goes_on(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > 0 && self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl Outcome {
    /// The lag that so many of a hundred samples do not exceed.
    #[must_use]
    pub fn lag(&self, percent: usize) -> u64 {
        let place = (self.lags.len() * percent).div_ceil(100).saturating_sub(1);
        self.lags.get(place).copied().unwrap_or(0)
    }

    fn per_second(&self, count: u64) -> u128 {
        u128::from(count) * 1_000 / self.took.as_millis().max(1)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |duration: Duration| format!("{}.{:01}", duration.as_secs(), duration.subsec_millis() / 100);
        writeln!(out, "| | |\n|---|---:|")?;
        writeln!(out, "| requests | {} in {} s |", self.requests, seconds(self.took))?;
        writeln!(out, "| requests a second | {} |", self.per_second(self.requests))?;
        writeln!(out, "| admitted | {} |", self.admitted)?;
        writeln!(out, "| rows | {} |", self.rows)?;
        for (status, count) in self.statuses.iter().filter(|(status, _)| *status != 200) {
            writeln!(out, "| refused with {status} | {count} |")?;
        }
        writeln!(out, "| settlements | {} |", self.settled)?;
        writeln!(out, "| spent and reserved, µUSD | {} |", self.micro_usd)?;
        writeln!(out, "| ledgers killed · started at an older place | {} · {} |", self.crashes, self.rewinds)?;
        writeln!(out, "| the ledger's requests lost, doubled, late, refused, unanswered | {} |", self.faults)?;
        let most = self.lags.last().copied().unwrap_or(0);
        writeln!(out, "| ledger's lag in records, p50 · p99 · most | {} · {} · {most} |", self.lag(50), self.lag(99))?;
        writeln!(out, "| seconds to catch up | {} |", seconds(self.catch_up))?;
        write!(out, "| differences | {} |", self.differences.len())
    }
}

const WHOLE_BATCH: usize = 500;
const LOOK: Duration = Duration::from_millis(20);
