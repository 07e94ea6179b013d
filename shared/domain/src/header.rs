//! Which members of a decision become headers of an answer, under which names: the one table that the gate, the layer
//! and the local gateway render by.

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

/// What a refusal's body is.
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// What may be kept of a refusal.
pub const PROBLEM_CACHING: &str = "no-store";
