//! The types of gateway responses: those that this gateway answers with, and the names of all that API Gateway knows.

/// Why API Gateway answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The authorizer's policy denies the method.
    AccessDenied,
    /// The authorizer failed, timed out or answered something else.
    AuthorizerFailure,
    /// What is behind the gateway could not be reached or gave no HTTP answer.
    IntegrationFailure,
    /// What is behind the gateway took longer than API Gateway waits.
    IntegrationTimeout,
    /// The authorizer named an API key that the usage plan does not know.
    InvalidApiKey,
    /// The body is larger than API Gateway takes.
    RequestTooLarge,
    /// The authorizer failed with the one word that means 401; nothing of its context is left.
    Unauthorized,
}

impl Kind {
    /// What the template calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "ACCESS_DENIED",
            Self::AuthorizerFailure => "AUTHORIZER_FAILURE",
            Self::IntegrationFailure => "INTEGRATION_FAILURE",
            Self::IntegrationTimeout => "INTEGRATION_TIMEOUT",
            Self::InvalidApiKey => "INVALID_API_KEY",
            Self::RequestTooLarge => "REQUEST_TOO_LARGE",
            Self::Unauthorized => "UNAUTHORIZED",
        }
    }

    /// The status where the template sets none.
    pub(super) fn default_status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::AccessDenied | Self::InvalidApiKey => 403,
            Self::RequestTooLarge => 413,
            Self::AuthorizerFailure => 500,
            Self::IntegrationFailure | Self::IntegrationTimeout => 504,
        }
    }

    /// The type whose headers and body serve where the template does not set this one.
    pub(super) fn family(self) -> &'static str {
        if self.default_status() < 500 { "DEFAULT_4XX" } else { "DEFAULT_5XX" }
    }

    /// `$context.error.message`; `None` where API Gateway has nothing to say.
    pub(super) fn message(self) -> Option<&'static str> {
        match self {
            Self::AccessDenied => Some("User is not authorized to access this resource"),
            Self::AuthorizerFailure => None,
            Self::IntegrationFailure => Some("Network error communicating with endpoint"),
            Self::IntegrationTimeout => Some("Endpoint request timed out"),
            Self::InvalidApiKey => Some("Forbidden"),
            Self::RequestTooLarge => Some("Request Too Long"),
            Self::Unauthorized => Some("Unauthorized"),
        }
    }
}

/// Every type that a template may set.
pub(super) const NAMES: [&str; 21] = [
    "ACCESS_DENIED",
    "API_CONFIGURATION_ERROR",
    "AUTHORIZER_CONFIGURATION_ERROR",
    "AUTHORIZER_FAILURE",
    "BAD_REQUEST_BODY",
    "BAD_REQUEST_PARAMETERS",
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "EXPIRED_TOKEN",
    "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT",
    "INVALID_API_KEY",
    "INVALID_SIGNATURE",
    "MISSING_AUTHENTICATION_TOKEN",
    "QUOTA_EXCEEDED",
    "REQUEST_TOO_LARGE",
    "RESOURCE_NOT_FOUND",
    "THROTTLED",
    "UNAUTHORIZED",
    "UNSUPPORTED_MEDIA_TYPE",
    "WAF_FILTERED",
];
