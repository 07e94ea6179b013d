//! Secrets in their current and previous version, from Secrets Manager or a local file, cached in process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_secretsmanager::{
    Client,
    config::timeout::TimeoutConfig,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_secret_value::GetSecretValueError,
};
use faregate_domain::{
    secret::{MacSecret, Versions},
    time::Timestamp,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::SecretsLocation;

use looks::Looks;

mod looks;

/// Reads secrets and remembers them; a secret that cannot be read is an error, never an empty one.
#[derive(Clone)]
pub struct Secrets(Arc<Inner>);

struct Inner {
    source: Source,
    cache: Mutex<HashMap<SecretName, Cached>>,
    /// When a secret that may be absent was last found to be.
    absent: Mutex<HashMap<SecretName, Timestamp>>,
    looks: AllLooks,
}

enum Source {
    File(std::path::PathBuf),
    Manager { client: Client, prefix: String },
}

#[derive(Default)]
struct AllLooks {
    pepper: Looks,
    tag: Looks,
    signing: Looks,
    seal: Looks,
    link: Looks,
    stripe: Looks,
}

/// The last good reading, and when the last one was tried.
#[derive(Clone)]
struct Cached {
    secret: Arc<Versions<MacSecret>>,
    read_at: Timestamp,
    tried_at: Timestamp,
}

impl Secrets {
    /// A reader for `location`; `aws` is the SDK's configuration for Secrets Manager.
    #[must_use]
    pub fn new(location: &SecretsLocation, aws: &aws_config::SdkConfig) -> Self {
        let source = match location {
            SecretsLocation::File(path) => Source::File(path.clone()),
            SecretsLocation::Manager(prefix) => Source::Manager { client: client(aws), prefix: prefix.clone() },
        };
        Self(Arc::new(Inner { source, cache: Mutex::default(), absent: Mutex::default(), looks: AllLooks::default() }))
    }

    /// A secret, at most [`MAX_AGE_S`] old.
    ///
    /// # Errors
    /// [`SecretsError`] when it was never read, or the last good reading is older than [`MAX_STALE_S`].
    pub async fn find(&self, name: SecretName, now: Timestamp) -> Result<Arc<Versions<MacSecret>>, SecretsError> {
        match self.cached(name) {
            Some(cached) if cached.read_at.plus_s(MAX_AGE_S) > now => Ok(cached.secret),
            Some(cached) if cached.read_at.plus_s(MAX_STALE_S) > now => self.find_again(name, cached, now).await,
            _ => self.refresh(name, now).await,
        }
    }

    /// As [`Secrets::find`], for a secret that a deployment may do without; one that is absent is looked for again after
    /// [`MIN_REFRESH_S`].
    ///
    /// # Errors
    /// As [`Secrets::find`].
    pub async fn find_optional(
        &self,
        name: SecretName,
        now: Timestamp,
    ) -> Result<Option<Arc<Versions<MacSecret>>>, SecretsError> {
        let absent_at = |name| self.0.absent.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        if absent_at(&name).is_some_and(|at| at.plus_s(MIN_REFRESH_S) > now) {
            return Ok(None);
        }
        match self.find(name, now).await {
            Ok(secret) => Ok(Some(secret)),
            Err(error) if error.is_absence() => {
                self.0.absent.lock().unwrap_or_else(PoisonError::into_inner).insert(name, now);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the secret anew, because a credential fits no version that is known and a rotation may just have happened;
    /// four times one right after the other, and then once every other second.
    ///
    /// # Errors
    /// As [`Secrets::find`].
    pub async fn find_fresh(&self, name: SecretName, now: Timestamp) -> Result<Arc<Versions<MacSecret>>, SecretsError> {
        match self.cached(name) {
            Some(cached) if cached.read_at.plus_s(MAX_STALE_S) > now => {
                // Seldom wanted, and more than every request's own future should hold.
                self.0.looks.of(name).take(now, Box::pin(self.look(name, now))).await;
                Ok(self.cached(name).unwrap_or(cached).secret)
            }
            _ => self.refresh(name, now).await,
        }
    }

    /// A new reading, or the last one when there is none: a failure is not tried again with every request.
    async fn find_again(
        &self,
        name: SecretName,
        cached: Cached,
        now: Timestamp,
    ) -> Result<Arc<Versions<MacSecret>>, SecretsError> {
        if cached.tried_at.plus_s(MIN_REFRESH_S) <= now {
            self.look(name, now).await;
        }
        Ok(self.cached(name).unwrap_or(cached).secret)
    }

    /// Tries a new reading; where it fails, the last one stays.
    async fn look(&self, name: SecretName, now: Timestamp) {
        if let Err(error) = self.refresh(name, now).await {
            tracing::warn!(secret = name.as_str(), %error, "keeping the last reading of a secret");
            if let Some(cached) = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&name) {
                cached.tried_at = now;
            }
        }
    }

    async fn refresh(&self, name: SecretName, now: Timestamp) -> Result<Arc<Versions<MacSecret>>, SecretsError> {
        let texts = match &self.0.source {
            Source::File(path) => read_file(path, name)?,
            Source::Manager { client, prefix } => read_manager(client, prefix, name).await?,
        };
        // A place that was made for a secret and never filled may read as an empty one.
        let is_blank = |text: &SecretString| text.expose_secret().trim().is_empty();
        if is_blank(&texts.current) {
            return Err(SecretsError::Absent(name.as_str()));
        }
        let current = decode(name, &texts.current)?;
        let previous = texts.previous.as_ref().filter(|text| !is_blank(text)).map(|text| decode(name, text));
        // Stripe's is put there by hand, and a slip before the right one must not outlive it.
        let previous = if name == SecretName::Stripe { previous.and_then(Result::ok) } else { previous.transpose()? };
        let secret = Arc::new(Versions { current, previous });
        self.keep(name, Cached { secret: Arc::clone(&secret), read_at: now, tried_at: now });
        Ok(secret)
    }

    fn keep(&self, name: SecretName, cached: Cached) {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(name, cached);
    }

    fn cached(&self, name: SecretName) -> Option<Cached> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()
    }
}

impl AllLooks {
    fn of(&self, name: SecretName) -> &Looks {
        match name {
            SecretName::Pepper => &self.pepper,
            SecretName::Tag => &self.tag,
            SecretName::Signing => &self.signing,
            SecretName::Seal => &self.seal,
            SecretName::Link => &self.link,
            SecretName::Stripe => &self.stripe,
        }
    }
}

/// The bundle's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretName {
    /// HMAC key of the stored key hashes.
    Pepper,
    /// HMAC key of the tag inside each key.
    Tag,
    /// Seed of the access tokens' signing key; only `verify` may read it.
    Signing,
    /// Key under which replayable answers are sealed.
    Seal,
    /// HMAC key of what is handed on to browsers and checked without a read: client sessions' tokens, signed URLs.
    Link,
    /// What Stripe signs its events with, `whsec_…`; only `payments` may read it, and a deployment may have none.
    Stripe,
}

impl SecretName {
    /// The last segment of the secret's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pepper => "pepper",
            Self::Tag => "tag",
            Self::Signing => "signing",
            Self::Seal => "seal",
            Self::Link => "link",
            Self::Stripe => "stripe",
        }
    }
}

/// Why a secret could not be had; never says anything of its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file cannot be read or has another shape.
    #[error("secrets file: {0}")]
    File(String),
    /// Secrets Manager did not give the secret.
    #[error("secret {id} could not be read: {code}")]
    Manager {
        /// Which one, by its whole name.
        id: String,
        /// The error's code, or what kind of silence it is. What the SDK holds beside that may be the whole answer.
        code: String,
    },
    /// The file has none, or none was ever put into its place.
    #[error("secret {0} is missing")]
    Absent(&'static str),
    /// The secret has another form.
    #[error("secret {0} has not its form: 64 hexadecimal digits or more, and whsec_… where it is Stripe's")]
    Malformed(&'static str),
}

/// A secret that does not come soon is not waited for: the last reading serves.
fn client(aws: &aws_config::SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(2 * ATTEMPT).build();
    let config = aws_sdk_secretsmanager::config::Builder::from(aws).timeout_config(timeouts);
    Client::from_conf(config.build())
}

fn read_file(path: &std::path::Path, name: SecretName) -> Result<VersionTexts, SecretsError> {
    let text = std::fs::read_to_string(path).map_err(|error| SecretsError::File(error.kind().to_string()))?;
    let mut all: HashMap<String, VersionTexts> = serde_json::from_str(&text)
        .map_err(|error| SecretsError::File(format!("not a secrets file, line {}", error.line())))?;
    all.remove(name.as_str()).ok_or(SecretsError::Absent(name.as_str()))
}

async fn read_manager(client: &Client, prefix: &str, name: SecretName) -> Result<VersionTexts, SecretsError> {
    let id = format!("{prefix}/{}", name.as_str());
    let read = |stage: &'static str| client.get_secret_value().secret_id(&id).version_stage(stage).send();
    let failed = |error| SecretsError::Manager { id: id.clone(), code: code(&error).to_owned() };
    let text = |output: aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput| {
        output.secret_string.map(SecretString::from).ok_or(SecretsError::Malformed(name.as_str()))
    };
    // Side by side: a cold start waits for the slower of the two.
    let (current, previous) = tokio::join!(read("AWSCURRENT"), read("AWSPREVIOUS"));
    let current = text(current.map_err(failed)?)?;
    let previous = match previous {
        Ok(output) => Some(text(output)?),
        Err(error) if code(&error) == NOT_FOUND => None,
        Err(error) => return Err(failed(error)),
    };
    Ok(VersionTexts { current, previous, rotated_at: None })
}

impl SecretsError {
    /// Whether there is no such secret, as opposed to one that cannot be read.
    fn is_absence(&self) -> bool {
        match self {
            Self::Absent(_) => true,
            Self::Manager { code, .. } => code == NOT_FOUND,
            _ => false,
        }
    }
}

/// Secrets Manager's word for a secret, or a version of one, that does not exist.
const NOT_FOUND: &str = "ResourceNotFoundException";

fn code(error: &SdkError<GetSecretValueError>) -> &str {
    match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown"),
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(_) => "no connection",
        _ => "unreadable response",
    }
}

fn decode(name: SecretName, text: &SecretString) -> Result<MacSecret, SecretsError> {
    let malformed = || SecretsError::Malformed(name.as_str());
    let text = text.expose_secret().trim();
    if name == SecretName::Stripe {
        // Stripe's own libraries take the whole text, prefix included, as the key.
        return stripe_secret(text).ok_or_else(malformed);
    }
    let bytes = hex::decode(text).map_err(|_| malformed())?;
    MacSecret::new(bytes).map_err(|_| malformed())
}

/// Reads the signing secret of one of Stripe's endpoints: `whsec_` and what follows it, 32 to 256 characters in all.
#[must_use]
pub fn stripe_secret(text: &str) -> Option<MacSecret> {
    let is_whole = text.starts_with("whsec_") && text.len() <= MAX_STRIPE_BYTES;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    (is_whole && is_plain).then(|| MacSecret::new(text.as_bytes().to_vec()).ok())?
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionTexts {
    current: SecretString,
    #[serde(default)]
    previous: Option<SecretString>,
    #[serde(default)]
    #[expect(dead_code, reason = "for whoever rotates the secret, not for its readers")]
    rotated_at: Option<serde::de::IgnoredAny>,
}

/// Seconds after which a secret is read again.
pub const MAX_AGE_S: u64 = 300;
/// Seconds for which the last reading is used while Secrets Manager fails.
pub const MAX_STALE_S: u64 = 3_600;
/// Seconds after which a reading that is due and failed is tried again.
pub const MIN_REFRESH_S: u64 = 10;
const MAX_STRIPE_BYTES: usize = 256;
const ATTEMPT: Duration = Duration::from_millis(700);

#[cfg(test)]
mod tests;
