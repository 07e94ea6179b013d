//! What a function is built from: configuration, table, secrets and clock.

use std::sync::Arc;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use faregate_edge::{
    config::{Config, ConfigError},
    now::Clock,
    secrets::{SecretName, Secrets, SecretsError},
};
use faregate_store::{Layout, Patience, Store, StoreError};
use tokio::task::JoinSet;

use crate::RefusedCalls;

/// Everything a function needs to answer; cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// What the environment said.
    pub config: Arc<Config>,
    /// The table.
    pub store: Store,
    /// The secrets.
    pub secrets: Secrets,
    /// The time.
    pub clock: Clock,
    /// Refused calls that the table does not have yet.
    pub refused: RefusedCalls,
}

impl Services {
    /// Connects as the process's environment says, and reads `secrets` once, so that a function which lacks one does
    /// not start.
    ///
    /// # Errors
    /// [`StartError`] says what is missing.
    pub async fn from_env(secrets: &[SecretName]) -> Result<Self, StartError> {
        Self::connect(secrets).await.inspect_err(StartError::log)
    }

    async fn connect(secrets: &[SecretName]) -> Result<Self, StartError> {
        let config = Config::from_env()?;
        let aws = aws_of_lambda();
        let mut client = aws_sdk_dynamodb::config::Builder::from(&aws);
        let endpoint = find_variable("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| find_variable("AWS_ENDPOINT_URL"));
        // Whoever names an endpoint has an emulator, or a proxy, there.
        let patience = if endpoint.is_some() { Patience::LOCAL } else { Patience::DEPLOYED };
        client.set_endpoint_url(endpoint);
        let client = Store::client_from(client, patience);
        let services = Self {
            store: Store::new(client, config.table.clone()),
            secrets: Secrets::new(&config.secrets, &aws),
            clock: Clock::system(),
            refused: RefusedCalls::default(),
            config: Arc::new(config),
        };
        services.warm_up(secrets).await?;
        Ok(services)
    }

    /// Reads the secrets and the table's layout, side by side: whatever is missing or foreign ends the start here, and
    /// the first request finds every connection open.
    ///
    /// # Errors
    /// [`StartError`] names what is missing, and where it was looked for.
    pub async fn warm_up(&self, secrets: &[SecretName]) -> Result<(), StartError> {
        let now = self.clock.now();
        let mut reading = JoinSet::new();
        for name in secrets.iter().copied() {
            let secrets = self.secrets.clone();
            reading.spawn(async move { secrets.find(name, now).await.map(|_| ()) });
        }
        self.known(self.find_layout().await?)?;
        while let Some(read) = reading.join_next().await {
            // A reading that panicked is one that failed.
            read.map_err(|_| StartError::Aborted)??;
        }
        Ok(())
    }

    /// Makes sure of the table's layout, and writes it down where nothing was ever written: for those that write first.
    ///
    /// # Errors
    /// [`StartError::Layout`] where the table was written by another version of this code.
    pub async fn claim_layout(&self) -> Result<(), StartError> {
        let found = self.find_layout().await?;
        if found != Layout::Unwritten {
            return self.known(found);
        }
        let is_in_use = !self.store.find_published_keys().await.map_err(|error| self.silent(error))?.is_empty();
        // Whoever publishes keys has written the layout down before.
        if is_in_use && self.find_layout().await? == Layout::Unwritten {
            return Err(StartError::Unsaid { table: self.store.place() });
        }
        self.store.claim_layout().await.map_err(|error| self.silent(error))?;
        // Another version may have been faster.
        self.known(self.find_layout().await?)
    }

    async fn find_layout(&self) -> Result<Layout, StartError> {
        self.store.find_layout().await.map_err(|error| self.silent(error))
    }

    fn silent(&self, source: StoreError) -> StartError {
        StartError::Table { table: self.store.place(), source }
    }

    fn known(&self, layout: Layout) -> Result<(), StartError> {
        match layout {
            Layout::Foreign(found) => {
                Err(StartError::Layout { table: self.store.place(), found, wanted: Store::LAYOUT_VERSION })
            }
            Layout::Known | Layout::Unwritten => Ok(()),
        }
    }

    /// Writes down the refused calls that wait in memory, for a process that is about to end; what the table does not take
    /// is lost with it.
    pub async fn write_down_refused(&self) {
        self.refused.write_down(&self.store, self.clock.now()).await;
    }

    /// A table of the account that the environment's credentials belong to, for tools that read and mend it.
    #[must_use]
    pub fn table_of_env(table: &str) -> Store {
        let client = aws_sdk_dynamodb::config::Builder::from(&aws_of_lambda());
        Store::new(Store::client_from(client, Patience::LOCAL), table.to_owned())
    }

    /// A table of the emulator at `endpoint`.
    #[must_use]
    pub fn table_at(endpoint: &str, table: &str) -> Store {
        let client = aws_sdk_dynamodb::config::Builder::from(&aws_of_nobody())
            .endpoint_url(endpoint)
            .credentials_provider(Credentials::new("local", "local", None, None, "faregate"));
        Store::new(Store::client_from(client, Patience::LOCAL), table.to_owned())
    }

    /// Connects to an emulator at `dynamodb_endpoint`, with credentials that are none.
    #[must_use]
    pub fn connect_local(config: Config, dynamodb_endpoint: &str, clock: Clock) -> Self {
        Self {
            store: Self::table_at(dynamodb_endpoint, &config.table),
            secrets: Secrets::new(&config.secrets, &aws_of_nobody()),
            clock,
            refused: RefusedCalls::default(),
            config: Arc::new(config),
        }
    }
}

/// A configuration for emulators: a Region, because the SDK wants one, and no account.
fn aws_of_nobody() -> aws_config::SdkConfig {
    let region = Region::from_static("us-east-1");
    aws_config::SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(region).build()
}

/// What Lambda gives a function: region and credentials in its environment, and an emulator's address where one is named.
/// The SDK's own chain would also look into profiles, containers and instances, and bring the code for it.
///
/// All clients share one pool: one with its own, as the store has for its writes, would connect in the first request.
#[must_use]
pub fn aws_of_lambda() -> aws_config::SdkConfig {
    let pool = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
    let region = find_variable("AWS_REGION").or_else(|| find_variable("AWS_DEFAULT_REGION")).map(Region::new);
    let mut aws = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region)
        .http_client(pool)
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()));
    aws.set_endpoint_url(
        find_variable("AWS_ENDPOINT_URL_SECRETS_MANAGER").or_else(|| find_variable("AWS_ENDPOINT_URL")),
    );
    aws.build()
}

/// A variable of the environment, unless it is empty.
#[must_use]
pub fn find_variable(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Why a function must not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment is incomplete or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A secret cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// A reading of a secret was broken off.
    #[error("a secret could not be read to its end")]
    Aborted,
    /// The table does not answer, or there is none of that name in this region.
    #[error(
        "table {table} does not answer: {source}; FAREGATE_TABLE names the table, and the function's own region is where it is looked for"
    )]
    Table {
        /// Its name and the region.
        table: String,
        /// What came instead.
        source: StoreError,
    },
    /// The table was written by another version of this code.
    #[error(
        "table {table} has layout {found}, and this version reads layout {wanted}: deploy the version that wrote it, or see \
         docs/operations.md"
    )]
    Layout {
        /// Its name and the region.
        table: String,
        /// What the table says.
        found: u64,
        /// What this code reads.
        wanted: u64,
    },
    /// The table was written by a version that did not say its layout.
    #[error("table {table} was written before tables said their layout, and this version does not read that")]
    Unsaid {
        /// Its name and the region.
        table: String,
    },
}

impl StartError {
    /// Says it in the log, in the words that the alarm counts: the runtime would print it as code, and a policy's faults
    /// are lines for people.
    pub fn log(&self) {
        tracing::error!("the function does not start: {self}");
    }
}

#[cfg(test)]
mod tests;
