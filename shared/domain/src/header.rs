//! Which members of a decision become headers of an answer, under which names: the one table that the gate, the layer
//! and the local gateway render by.

use crate::policy::dialect::HeaderNames;

/// The headers that a refusal has and an admission has not: each header's name, and the member that is its value.
pub const REFUSAL_HEADERS: [(&str, &str); 2] = [("retry-after", "retryAfter"), ("www-authenticate", "challenge")];

/// The headers that every answer of a counted route has, and the one that an admitted caller whose key ends soon is told by.
pub const LIMIT_HEADERS: [(&str, &str); 6] = [
    ("x-ratelimit-limit", "rlLimit"),
    ("x-ratelimit-remaining", "rlRemaining"),
    ("x-ratelimit-reset", "rlReset"),
    ("ratelimit-policy", "policy"),
    ("ratelimit", "rateLimit"),
    ("x-key-expires-in", "keyExpiresIn"),
];

/// The headers by which a browser learns whether a page of another origin may read an answer (Fetch, section 3.2.3), and
/// whatever keeps answers that they differ by origin (RFC 9110, section 12.5.5).
pub const CORS_HEADERS: [(&str, &str); 2] = [("access-control-allow-origin", "allowOrigin"), ("vary", "vary")];

/// The header that names what a page may read beside the body.
pub const EXPOSED_HEADER: &str = "access-control-expose-headers";

/// What an answer to a browser varies by.
pub const VARY: &str = "Origin";

/// The headers that a page may read: all that the gate sends, under the product's names, and the request's id on AWS.
#[must_use]
pub fn exposed_headers(names: &HeaderNames) -> String {
    let gates = LIMIT_HEADERS.iter().chain(&REFUSAL_HEADERS).filter_map(|(name, _)| names.sent(name));
    gates.chain([REQUEST_ID_HEADER]).collect::<Vec<_>>().join(", ")
}

/// Under which API Gateway tells a request's id.
const REQUEST_ID_HEADER: &str = "x-amzn-requestid";

/// What a refusal's body is.
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// What may be kept of a refusal.
pub const PROBLEM_CACHING: &str = "no-store";
