//! Kills the ledger, over and over: a runtime that is torn down while one of its requests is on the wire, and the others stand
//! wherever they stand. What follows begins with another size of batch, and now and then at an older place.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use faregate::{Feed, FeedParts, Ledger, Stream, is_for_the_ledger};
use faregate_edge::{config::Config, now::Clock};
use faregate_gate::Services;
use faregate_ledger::App;
use faregate_store::Store;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Fault, Link, load::lag};

/// What was done to the ledger.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Toll {
    pub(crate) crashes: u64,
    pub(crate) rewinds: u64,
    pub(crate) faults: u64,
}

/// Ledgers that live and die.
pub(crate) struct Crashes {
    is_over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Toll>,
}

struct Lives {
    link: Link,
    stream: Stream,
    mark: PathBuf,
    config: Config,
    life: usize,
    /// Where the link runs.
    home: Handle,
    is_over: Arc<AtomicBool>,
}

impl Crashes {
    /// Begins the first life; each lasts for `life` requests at the link, on average.
    pub(crate) fn begin(link: Link, stream: Stream, mark: PathBuf, config: &Config, life: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (config, home) = (config.clone(), Handle::current());
        let lives = Lives { link, stream, mark, config, life, home, is_over: Arc::clone(&is_over) };
        Self { is_over, thread: std::thread::spawn(move || lives.live()) }
    }

    /// Kills the last one too.
    pub(crate) async fn end(self) -> Toll {
        self.is_over.store(true, Ordering::SeqCst);
        let ended = tokio::task::spawn_blocking(|| self.thread.join()).await;
        ended.ok().and_then(Result::ok).unwrap_or_else(|| panic!("the thread that kills ledgers crashed"))
    }
}

impl Lives {
    fn live(&self) -> Toll {
        let (mut toll, mut places) = (Toll::default(), vec![None]);
        while !self.is_over.load(Ordering::SeqCst) {
            let newest = lag::position(&self.mark);
            let mut place = newest.clone();
            if fastrand::u8(..4) == 0 {
                place.clone_from(&places[fastrand::usize(..places.len())]);
                toll.rewinds += u64::from(place != newest);
            }
            places.push(newest);
            if places.len() > REMEMBERED {
                places.remove(0);
            }

            let mut fate = self.fate();
            self.link.play(fate.iter().copied());
            let (held, requests) = (self.link.held(), self.link.requests());
            let (runtime, _feed) = self.start(place);
            while self.link.held() == held && !self.is_over.load(Ordering::SeqCst) {
                std::thread::sleep(LOOK);
            }
            runtime.shutdown_timeout(GRACE);
            self.link.clear_faults();
            for _ in held..self.link.held() {
                self.link.let_through();
            }
            self.home.block_on(self.link.deliver_late());
            toll.crashes += 1;
            fate.truncate(usize::try_from(self.link.requests() - requests).unwrap_or(usize::MAX));
            let faults = fate.iter().filter(|fault| !matches!(fault, Fault::None | Fault::Hold)).count();
            toll.faults += u64::try_from(faults).unwrap_or(u64::MAX);
        }
        toll
    }

    /// What happens to the requests of a life; the last of them is on the wire when it ends.
    fn fate(&self) -> Vec<Fault> {
        let any =
            |_| if fastrand::usize(..FAULTLESS) == 0 { FAULTS[fastrand::usize(..FAULTS.len())] } else { Fault::None };
        let mut fate: Vec<_> = (0..fastrand::usize(..self.life * 2)).map(any).collect();
        fate.push(Fault::Hold);
        fate
    }

    /// A ledger of its own, in a runtime of its own.
    fn start(&self, place: Option<String>) -> (Runtime, Feed) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no threads: {error}"));
        let inside = runtime.enter();
        let store = Services::table_at(&self.link.url(), &self.config.table);
        let feed = Feed::start(FeedParts {
            ledger: ledger_over(store.clone(), &self.config),
            is_wanted: is_for_the_ledger,
            clock: Clock::system(),
            store: Some(store),
            stream: self.stream.restarted(place),
            mark: Some(self.mark.clone()),
            batch: BATCHES[fastrand::usize(..BATCHES.len())],
        });
        drop(inside);
        (runtime, feed)
    }
}

/// The ledger function before a store.
pub(crate) fn ledger_over(store: Store, config: &Config) -> Ledger {
    let app = App::over(store, config.policy.clone(), Clock::system());
    Arc::new(move |batch| {
        let app = app.clone();
        Box::pin(async move {
            let answer = app.handle(batch).await.map_err(|error| error.to_string())?;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        })
    })
}

/// Of so many requests, one meets a fault.
const FAULTLESS: usize = 200;
const FAULTS: [Fault; 6] =
    [Fault::LoseRequest, Fault::LoseAnswer, Fault::Duplicate, Fault::Delay, Fault::Throttle, Fault::Break];
const BATCHES: [usize; 5] = [7, 60, 250, 500, 1_000];
/// Lives whose beginnings are remembered.
const REMEMBERED: usize = 4;
const LOOK: Duration = Duration::from_millis(1);
const GRACE: Duration = Duration::from_secs(5);
