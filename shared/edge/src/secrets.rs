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
        Self(Arc::new(Inner { source, cache: Mutex::default(), looks: AllLooks::default() }))
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
        let current = decode(name, &texts.current)?;
        let previous = texts.previous.as_ref().map(|text| decode(name, text)).transpose()?;
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
    /// The secret has no text.
    #[error("secret {0} is not 64 hexadecimal digits or more")]
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
    all.remove(name.as_str()).ok_or_else(|| SecretsError::File(format!("{} is missing", name.as_str())))
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
        Err(error) if error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception) => {
            None
        }
        Err(error) => return Err(failed(error)),
    };
    Ok(VersionTexts { current, previous, rotated_at: None })
}

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
    let bytes = hex::decode(text.expose_secret().trim()).map_err(|_| malformed())?;
    MacSecret::new(bytes).map_err(|_| malformed())
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
const ATTEMPT: Duration = Duration::from_millis(700);

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets_in(text: &str) -> (tempfile::TempDir, Secrets) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.json");
        std::fs::write(&path, text).unwrap();
        let aws = aws_config::SdkConfig::builder().build();
        (folder, Secrets::new(&SecretsLocation::File(path), &aws))
    }

    #[tokio::test]
    async fn both_versions_are_read() {
        let text = format!(r#"{{"pepper":{{"current":"{}","previous":"{}"}}}}"#, "aa".repeat(32), "bb".repeat(32));
        let (_folder, secrets) = secrets_in(&text);
        let pepper = secrets.find(SecretName::Pepper, Timestamp::from_epoch_s(1)).await.unwrap();
        assert_eq!(pepper.iter().count(), 2);
    }

    #[tokio::test]
    async fn a_missing_or_short_secret_is_an_error_that_shows_nothing() {
        let (_folder, secrets) = secrets_in(r#"{"pepper":{"current":"c0ffee"}}"#);
        let now = Timestamp::from_epoch_s(1);
        let error = secrets.find(SecretName::Pepper, now).await.unwrap_err().to_string();
        assert!(error.contains("pepper") && !error.contains("c0ffee"), "{error}");
        assert!(secrets.find(SecretName::Tag, now).await.is_err());
    }

    #[tokio::test]
    async fn a_rotation_is_seen_and_an_outage_is_survived_for_an_hour() {
        let text = |digit: &str| format!(r#"{{"pepper":{{"current":"{}"}}}}"#, digit.repeat(64));
        let (folder, secrets) = secrets_in(&text("a"));
        let path = folder.path().join("secrets.json");
        let at = Timestamp::from_epoch_s;
        let tag = |secret: Arc<Versions<MacSecret>>| secret.current.mac(&[b"x"]);
        let first = tag(secrets.find(SecretName::Pepper, at(0)).await.unwrap());
        std::fs::write(&path, text("b")).unwrap();
        assert_eq!(tag(secrets.find(SecretName::Pepper, at(MAX_AGE_S - 1)).await.unwrap()), first);
        let second = tag(secrets.find(SecretName::Pepper, at(MAX_AGE_S)).await.unwrap());
        assert_ne!(second, first);
        std::fs::remove_file(&path).unwrap();
        let late = at(MAX_AGE_S + MAX_STALE_S - 1);
        assert_eq!(tag(secrets.find(SecretName::Pepper, late).await.unwrap()), second);
        assert!(secrets.find(SecretName::Pepper, at(MAX_AGE_S + MAX_STALE_S)).await.is_err());
    }

    #[tokio::test]
    async fn a_reading_of_this_very_moment_does_not_decide_and_a_flood_does_not_read_for_ever() {
        let text = |digit: u32| format!(r#"{{"pepper":{{"current":"{}"}}}}"#, digit.to_string().repeat(64));
        let (folder, secrets) = secrets_in(&text(0));
        let path = folder.path().join("secrets.json");
        let seen = async |digit: u32, now: Timestamp| {
            std::fs::write(&path, text(digit)).unwrap();
            secrets.find_fresh(SecretName::Pepper, now).await.unwrap().current.mac(&[b"x"])
        };
        let (now, later) = (Timestamp::from_epoch_ms(1_000), Timestamp::from_epoch_ms(1_000 + looks::EVERY_MS));
        secrets.find(SecretName::Pepper, now).await.unwrap();
        let mut last = seen(1, now).await;
        for digit in [2, 3, 4] {
            let next = seen(digit, now).await;
            assert_ne!(next, last, "{digit}");
            last = next;
        }
        assert_eq!(seen(5, now).await, last);
        assert_ne!(seen(5, later).await, last);
        std::fs::remove_file(&path).unwrap();
        assert!(secrets.find_fresh(SecretName::Pepper, later).await.is_ok(), "the last reading serves");
    }
}
