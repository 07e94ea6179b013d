//! What a function is built from: configuration, table, secrets and clock.

use std::sync::Arc;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use faregate_edge::{
    config::{Config, ConfigError},
    now::Clock,
    secrets::{SecretName, Secrets, SecretsError},
};
use faregate_store::{Patience, Store};

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
}

impl Services {
    /// Connects as the process's environment says, and reads `secrets` once, so that a function which lacks one does
    /// not start.
    ///
    /// # Errors
    /// [`StartError`] says what is missing.
    pub async fn from_env(secrets: &[SecretName]) -> Result<Self, StartError> {
        // The runtime would print it as code; a policy's faults are lines for people.
        let config = Config::from_env().inspect_err(|error| tracing::error!("the function does not start: {error}"))?;
        let aws = aws_of_lambda();
        let is_local = std::env::var_os("AWS_ENDPOINT_URL_DYNAMODB").is_some();
        let patience = if is_local { Patience::LOCAL } else { Patience::DEPLOYED };
        let mut client = aws_sdk_dynamodb::config::Builder::from(&aws);
        client.set_endpoint_url(std::env::var("AWS_ENDPOINT_URL_DYNAMODB").ok());
        let client = Store::client_from(client, patience);
        let services = Self {
            store: Store::new(client, config.table.clone()),
            secrets: Secrets::new(&config.secrets, &aws),
            clock: Clock::system(),
            config: Arc::new(config),
        };
        for name in secrets {
            services.secrets.find(*name, services.clock.now()).await?;
        }
        Ok(services)
    }

    /// Connects to an emulator at `dynamodb_endpoint`, with credentials that are none.
    #[must_use]
    pub fn connect_local(config: Config, dynamodb_endpoint: &str, clock: Clock) -> Self {
        let region = Region::from_static("us-east-1");
        let aws = aws_config::SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(region).build();
        let client = aws_sdk_dynamodb::config::Builder::from(&aws)
            .endpoint_url(dynamodb_endpoint)
            .credentials_provider(Credentials::new("local", "local", None, None, "faregate"));
        let client = Store::client_from(client, Patience::LOCAL);
        Self {
            store: Store::new(client, config.table.clone()),
            secrets: Secrets::new(&config.secrets, &aws),
            clock,
            config: Arc::new(config),
        }
    }
}

/// What Lambda gives a function: region and credentials in its environment. The SDK's own chain would also look into
/// profiles, containers and instances, and bring the code for it.
fn aws_of_lambda() -> aws_config::SdkConfig {
    let find = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let region = find("AWS_REGION").or_else(|| find("AWS_DEFAULT_REGION")).map(Region::new);
    aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .build()
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
}
