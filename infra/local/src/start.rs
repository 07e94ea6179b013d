//! Brings the bundle up, in the order in which its parts need each other, and down again.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use faregate_domain::outbound::{InvalidTarget, Reach, Target};
use faregate_edge::{
    api::{Api, ApiError},
    config::{Config, ConfigError},
    now::Clock,
};
use faregate_gate::Services;
use faregate_store::{Store, StoreError};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

use crate::{
    bundle, client,
    data::{self, DataError, DataFolder},
    demo::Demo,
    dynamodb::{DynamoDb, DynamoDbError},
    gateway::Gateway,
    gateway_response::{GatewayResponses, InvalidGatewayResponse},
    integration::Integration,
    invoke::{Function, Functions, Remote},
    ledger::{self, Feed, FeedParts},
    options::Options,
    pages::Pages,
    queues::{EmbeddedQueues, Taker},
    routes::{NobodyServes, Routes},
    secrets::{self, PutError},
    server,
    stream::{Stream, is_for_the_ledger},
    wallet::Wallet,
};

/// Starts the bundle on the system's clock.
///
/// # Errors
/// [`StartError`] says in one line what is in the way.
pub async fn start(options: Options) -> Result<Running, StartError> {
    start_at(options, Clock::system()).await
}

/// Starts the bundle on a clock that a test may move.
///
/// # Errors
/// [`StartError`] says in one line what is in the way.
pub async fn start_at(options: Options, clock: Clock) -> Result<Running, StartError> {
    let is_fed_elsewhere = options.store.is_some();
    let mut running = start_unfed(options, clock).await?;
    if !is_fed_elsewhere {
        running.feed()?;
    }
    Ok(running)
}

/// Starts the bundle without a feed of its own: a test feeds the ledger, and breaks it.
///
/// # Errors
/// [`StartError`] says in one line what is in the way.
pub async fn start_unfed(options: Options, clock: Clock) -> Result<Running, StartError> {
    let listen = |source| StartError::Listen { address: options.listen.clone(), source };
    let listener = TcpListener::bind(&options.listen).await.map_err(listen)?;
    let url = format!("http://{}", reachable(listener.local_addr().map_err(listen)?));
    let folder = if options.memory { DataFolder::throw_away() } else { DataFolder::open(&options.data) }?;
    secrets::ensure(&folder.file("secrets.json"))?;
    if let Some(secret) = &options.stripe_secret {
        secrets::put_stripe(&folder.file("secrets.json"), secret.expose_secret())?;
    }
    let config = config(&options, &url, &folder)?;
    let integration = match &options.upstream {
        Some(base) => {
            Integration::Upstream { client: Box::new(client::connect().map_err(StartError::Tls)?), base: base.clone() }
        }
        None => Integration::Echo,
    };
    let file = (!options.memory).then(|| folder.file("store.db"));
    if let Some(file) = &file {
        // SQLite would make the file readable for everyone; its journals take the file's mode.
        data::write_private(file, b"")?;
    }
    let dynamodb = DynamoDb::start(file, options.dynamodb_address()).await?;
    let store = options.store.as_ref().map_or_else(|| dynamodb.url(), ToString::to_string);
    let services = Services::connect_local(config.clone(), &store, clock.clone());
    services.store.ensure_table().await?;
    services.claim_layout().await.map_err(StartError::Layout)?;
    let queues = EmbeddedQueues::start(options.queues_address()).await?;
    let functions = match &options.invoke {
        Some(base) => Functions::Remote(Remote::new(client::connect().map_err(StartError::Tls)?, base.clone())),
        None => bundle::functions(&services, github_keys(&options)?, &queues.url())?,
    };
    let api = Api::shipped()?.with_keys_at(config.policy.management().keys())?;
    let (routes, pages) = (Routes::of(&api)?, Pages::of(&api));
    let dialect = config.policy.dialect().clone();
    let responses = GatewayResponses::shipped()?;
    let gateway = Arc::new(Gateway { functions, routes, pages, integration, responses, dialect, clock });
    let (stop, stopped) = oneshot::channel::<()>();
    let served = server::serve(listener, Arc::clone(&gateway), async {
        // A sender that is gone stops the server as well.
        let _ = stopped.await;
    });
    let server = tokio::spawn(served);
    let feeds = Vec::new();
    let (hooks, keeps) = (JoinSet::new(), !options.memory);
    Ok(Running { url, config, services, gateway, feeds, hooks, queues, keeps, folder, dynamodb, stop, server })
}

/// The bundle while it runs.
pub struct Running {
    /// Where callers reach the gateway; no trailing slash.
    pub url: String,
    /// What the functions were configured with.
    pub config: Config,
    services: Services,
    gateway: Arc<Gateway>,
    feeds: Vec<Feed>,
    /// What wakes deliveries; it ends with this.
    hooks: JoinSet<()>,
    queues: EmbeddedQueues,
    /// Whether the folder outlasts the program.
    keeps: bool,
    folder: DataFolder,
    dynamodb: DynamoDb,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Running {
    /// Where the embedded DynamoDB is reached.
    #[must_use]
    pub fn dynamodb_url(&self) -> String {
        self.dynamodb.url()
    }

    /// The table's stream, from its beginning.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream::new(self.dynamodb.database(), &self.config.table, None)
    }

    /// Where the embedded queues are reached.
    #[must_use]
    pub fn queues_url(&self) -> String {
        self.queues.url()
    }

    /// Feeds the functions behind the stream from where the last feeds were, and lets the webhooks run.
    fn feed(&mut self) -> Result<(), DataError> {
        let store = Some(self.services.store.clone());
        self.feed_function(Function::Ledger, "ledger.position", is_for_the_ledger, store)?;
        self.feed_function(Function::Webhooks, "webhooks.position", faregate_webhooks::is_news, None)?;
        let pumped = self.queues.pump(self.calling(Function::Webhooks));
        let taker = self.calling(Function::Webhooks);
        self.hooks.spawn(async move {
            // A pump that is dropped goes on; this one ends with its bundle.
            let _pumped = AbortOnDrop(pumped);
            for round in 0_u64.. {
                // The first ones wake what the program before this one left, and look after its secrets.
                let tasks = if round.is_multiple_of(ROUNDS_A_DAY) { &TASKS[..] } else { &TASKS[..1] };
                for task in tasks {
                    if let Err(error) = taker(serde_json::json!({ "task": task })).await {
                        tracing::error!(task, %error, "a regular task failed");
                    }
                }
                tokio::time::sleep(BETWEEN_SWEEPS).await;
            }
        });
        Ok(())
    }

    fn feed_function(
        &mut self,
        function: Function,
        mark: &str,
        is_wanted: fn(&Value) -> bool,
        store: Option<Store>,
    ) -> Result<(), DataError> {
        let mark = self.keeps.then(|| self.folder.file(mark));
        let position = mark.as_deref().map(data::find).transpose()?.flatten();
        self.feeds.push(Feed::start(FeedParts {
            ledger: self.calling(function),
            is_wanted,
            clock: self.gateway.clock.clone(),
            store,
            stream: self.stream().restarted(position),
            mark,
            // Of the webhooks' records each is several writes, and a call ends after half a minute.
            batch: if function == Function::Webhooks { HOOKS_BATCH } else { ledger::BATCH },
        }));
        Ok(())
    }

    /// Calls a function with whatever event.
    fn calling(&self, function: Function) -> Taker {
        let gateway = Arc::clone(&self.gateway);
        Arc::new(move |event| {
            let gateway = Arc::clone(&gateway);
            Box::pin(async move {
                let answered = gateway.functions.invoke(function, event).await;
                answered.map_err(|error| error.to_string())
            })
        })
    }

    /// Makes the demo account of a store that has none yet.
    ///
    /// # Errors
    /// [`StartError`] when a function refuses, or the data folder cannot be written to.
    pub async fn make_demo(&self) -> Result<Option<Demo>, StartError> {
        let mark = self.folder.file("demo.json");
        if data::find(&mark)?.is_some() {
            return Ok(None);
        }
        let wallet = Wallet::open(&self.folder.file("wallet.hex"))?;
        let host = self.url.trim_start_matches("http://");
        let demo = Demo::make(&self.gateway, host, &wallet, &self.config.policy).await;
        let demo = demo.map_err(|error| StartError::Demo(error.to_string()))?;
        let made = serde_json::json!({"account_id": demo.account_id, "key_id": demo.key_id});
        data::write_private(&mark, made.to_string().as_bytes())?;
        Ok(Some(demo))
    }

    /// Stops the bundle; requests that still run get a few seconds.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        if let Err(error) = self.server.await {
            tracing::error!(%error, "the server did not stop in order");
        }
        self.services.write_down_refused().await;
        let mut hooks = self.hooks;
        hooks.shutdown().await;
        for feed in self.feeds {
            feed.stop().await;
        }
        // Connections to the store end with those who have them.
        drop((self.gateway, self.services, self.queues));
        self.dynamodb.stop().await;
        drop(self.folder);
    }
}

/// Why the bundle does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, malformed or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The wanted address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The store was written by another version of this program.
    #[error("{0}; start with another --data folder")]
    Layout(faregate_gate::StartError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A secret that was given has not its form.
    #[error(transparent)]
    Secret(#[from] PutError),
    /// The policy or another setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The embedded DynamoDB does not run.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The table could not be made.
    #[error("the table could not be made: {0}")]
    Table(#[from] StoreError),
    /// A function does not start.
    #[error("{function} does not start: {reason}")]
    Function {
        /// Which one.
        function: &'static str,
        /// Why.
        reason: String,
    },
    /// The API's description cannot be read.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The API's description names a function that is not there.
    #[error(transparent)]
    Nobody(#[from] NobodyServes),
    /// The gateway responses of the template cannot be read.
    #[error(transparent)]
    GatewayResponses(#[from] InvalidGatewayResponse),
    /// The system has no trusted roots for TLS.
    #[error("no trusted roots for tls: {0}")]
    Tls(#[source] std::io::Error),
    /// The demo account could not be made.
    #[error("the demo account could not be made: {0}")]
    Demo(String),
}

/// A task that ends when nobody holds this any more.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn config(options: &Options, url: &str, folder: &DataFolder) -> Result<Config, ConfigError> {
    let policy = options.policy.as_ref().map(|path| path.to_string_lossy().into_owned());
    let secrets = format!("file:{}", folder.file("secrets.json").display());
    Config::from_lookup(|name| match name {
        "FAREGATE_ORIGIN" => Some(url.to_owned()),
        "FAREGATE_SECRETS" => Some(secrets.clone()),
        "FAREGATE_POLICY" => policy.clone(),
        "FAREGATE_OPERATOR" => options.operator.clone(),
        // This program is the layer: it renders refusals in front of whatever is behind it.
        "FAREGATE_LAYER" => Some("present".to_owned()),
        // Whoever works locally has receivers on the same machine.
        "FAREGATE_REACH" => Some("loopback".to_owned()),
        _ => None,
    })
}

/// Where the keys of leak reports are published.
fn github_keys(options: &Options) -> Result<Target, StartError> {
    let place = options.github_keys.clone();
    let there = || Target::parse(faregate_leaks::App::GITHUB_KEYS, Reach::Public);
    let failed = |error: InvalidTarget| StartError::Function { function: "leaks", reason: error.to_string() };
    place.map_or_else(|| there().map_err(failed), Ok)
}

/// An address that callers on this machine can use, also where the server listens on all of them.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let mut address = bound;
    if bound.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

/// What is done every so often; the first of them at each turn, the others once a day.
const TASKS: [&str; 2] = ["sweep", "reseal"];
const HOOKS_BATCH: usize = 100;
const BETWEEN_SWEEPS: Duration = Duration::from_secs(10);
const ROUNDS_A_DAY: u64 = 8_640;

#[cfg(test)]
mod tests;
