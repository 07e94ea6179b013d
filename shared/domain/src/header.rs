//! Which members of a decision become headers of an answer, under which names: the one table that the gate, the layer
//! and the local gateway render by.

/// The headers that a refusal has and an admission has not: each header's name, and the member that is its value.
pub const REFUSAL_HEADERS: [(&str, &str); 2] = [("retry-after", "retryAfter"), ("www-authenticate", "challenge")];

/// The headers that every answer of a counted route has.
pub const LIMIT_HEADERS: [(&str, &str); 5] = [
    ("x-ratelimit-limit", "rlLimit"),
    ("x-ratelimit-remaining", "rlRemaining"),
    ("x-ratelimit-reset", "rlReset"),
    ("ratelimit-policy", "policy"),
    ("ratelimit", "rateLimit"),
];

/// What a refusal's body is.
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// What may be kept of a refusal.
pub const PROBLEM_CACHING: &str = "no-store";
