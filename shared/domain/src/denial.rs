//! Every way the gate says no, with what a program needs to act on it.

use crate::{money::MicroUsd, time::Timestamp};

/// A refusal. It takes nothing: no money, no token, no quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Two different credentials at once.
    AmbiguousCredentials,
    /// No credential.
    MissingCredentials,
    /// A key that is malformed, unknown, revoked or expired: callers cannot tell which.
    InvalidApiKey,
    /// An access token that is malformed, forged, expired or ended.
    InvalidToken,
    /// The key has an allowlist and the request's origin is not on it.
    OriginNotAllowed,
    /// The credential lacks the route's scope.
    InsufficientScope {
        /// What the route requires.
        required: String,
    },
    /// The route is closed to the key's environment.
    ForbiddenEnvironment,
    /// The account's plan has no API access.
    PlanRequired,
    /// Nothing left to pay with, or the key is frozen.
    InsufficientCredits {
        /// Which budget ran out.
        source: LimitSource,
        /// Captured so far under that budget.
        spent: MicroUsd,
        /// Held for calls that are not settled.
        reserved: MicroUsd,
        /// The budget; `None` when it has no cap of its own.
        limit: Option<MicroUsd>,
        /// When reserved money may have come back, where that would be enough.
        retry_at: Option<Timestamp>,
    },
    /// A limit per window is used up.
    RateLimited(Exhausted),
    /// The quota of the UTC day is used up.
    RateLimitedDaily(Exhausted),
    /// As many calls as may be waiting for their settlement are.
    RateLimitedConcurrent(Exhausted),
    /// The rate that all keys of the project share is used up.
    RateLimitedProject(Exhausted),
    /// A signed URL whose signature is not of this very request, or whose route takes none.
    InvalidSignedUrl,
    /// A signed URL whose time is over.
    SignedUrlExpired,
    /// No route has this method and path.
    UnknownRoute,
}

impl Denial {
    /// The stable word in answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AmbiguousCredentials => "ambiguous_credentials",
            Self::MissingCredentials => "missing_credentials",
            Self::InvalidApiKey => "invalid_api_key",
            Self::InvalidToken => "invalid_token",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::ForbiddenEnvironment => "forbidden_environment",
            Self::PlanRequired => "plan_required",
            Self::InsufficientCredits { .. } => "insufficient_credits",
            Self::RateLimited(_) => "rate_limited",
            Self::RateLimitedDaily(_) => "rate_limited_daily",
            Self::RateLimitedConcurrent(_) => "rate_limited_concurrent",
            Self::RateLimitedProject(_) => "rate_limited_project",
            Self::InvalidSignedUrl => "invalid_signed_url",
            Self::SignedUrlExpired => "signed_url_expired",
            Self::UnknownRoute => "unknown_route",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::AmbiguousCredentials => 400,
            Self::MissingCredentials | Self::InvalidApiKey | Self::InvalidToken => 401,
            Self::InsufficientCredits { .. } => 402,
            Self::OriginNotAllowed
            | Self::InsufficientScope { .. }
            | Self::ForbiddenEnvironment
            | Self::PlanRequired
            | Self::InvalidSignedUrl
            | Self::SignedUrlExpired => 403,
            Self::UnknownRoute => 404,
            Self::RateLimited(_)
            | Self::RateLimitedDaily(_)
            | Self::RateLimitedConcurrent(_)
            | Self::RateLimitedProject(_) => 429,
        }
    }

    /// What happened, for a person.
    #[must_use]
    pub fn detail(&self) -> &'static str {
        match self {
            Self::AmbiguousCredentials => "The request carries two different credentials; send one.",
            Self::MissingCredentials => "Send an API key in a header that this API accepts.",
            Self::InvalidApiKey => "The API key is not valid.",
            Self::InvalidToken => "The access token is not valid or has ended.",
            Self::OriginNotAllowed => "This origin may not use the key.",
            Self::InsufficientScope { .. } => "The credential lacks the scope that this route requires.",
            Self::ForbiddenEnvironment => "Keys of this environment may not call this route.",
            Self::PlanRequired => "The account's plan has no API access.",
            Self::InsufficientCredits { .. } => "Insufficient credits",
            Self::RateLimited(_) => "Too many requests in this window.",
            Self::RateLimitedDaily(_) => "The quota of this UTC day is used up.",
            Self::RateLimitedConcurrent(_) => "Too many calls are running; wait until one is settled.",
            Self::RateLimitedProject(_) => "Too many requests of this project in this window.",
            Self::InvalidSignedUrl => "The URL's signature is not of this request.",
            Self::SignedUrlExpired => "The signed URL's time is over; ask for a fresh one.",
            Self::UnknownRoute => "No route has this method and path.",
        }
    }

    /// When trying again can succeed; `None` when time alone changes nothing.
    #[must_use]
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::InsufficientCredits { retry_at, .. } => *retry_at,
            _ => self.exhausted().map(|exhausted| exhausted.resets_at),
        }
    }

    /// The limit that a 429 ran into.
    #[must_use]
    pub fn exhausted(&self) -> Option<&Exhausted> {
        match self {
            Self::RateLimited(exhausted)
            | Self::RateLimitedDaily(exhausted)
            | Self::RateLimitedConcurrent(exhausted)
            | Self::RateLimitedProject(exhausted) => Some(exhausted),
            _ => None,
        }
    }

    /// The `WWW-Authenticate` challenge of a 401 (RFC 6750, section 3), and of a 403 for want of scope.
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        let realm = r#"Bearer realm="faregate""#;
        match self {
            Self::MissingCredentials => Some(realm.to_owned()),
            Self::InvalidApiKey | Self::InvalidToken => Some(format!(r#"{realm}, error="invalid_token""#)),
            Self::InsufficientScope { required } => {
                Some(format!(r#"{realm}, error="insufficient_scope", scope="{required}""#))
            }
            _ => None,
        }
    }
}

/// A limit with nothing left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Whose limit it is.
    pub source: LimitSource,
    /// Requests per window.
    pub limit: u64,
    /// Requests counted in the window.
    pub used: u64,
    /// When the next window begins.
    pub resets_at: Timestamp,
}

/// Whose limit or budget refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// The key's own.
    Key,
    /// The route's, per key.
    Route,
    /// The project's.
    Project,
    /// The client session's.
    Session,
}

impl LimitSource {
    /// The word in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Route => "route",
            Self::Project => "project",
            Self::Session => "session",
        }
    }
}
