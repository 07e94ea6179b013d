//! What a decision consists of: each member's name in the authorizer's context, and the header that carries it.

use http::{HeaderMap, HeaderName};

/// Every member: the header in which a gateway hands it to the backend, and its name in the authorizer's context.
pub const MEMBERS: [(&str, &str); 25] = [
    ("x-faregate-status", "status"),
    ("x-faregate-code", "code"),
    ("x-faregate-problem", "problem"),
    ("x-faregate-content-type", "contentType"),
    ("x-faregate-header-names", "headerNames"),
    ("x-faregate-retry-after", "retryAfter"),
    ("x-faregate-challenge", "challenge"),
    ("x-faregate-allow-origin", "allowOrigin"),
    ("x-faregate-vary", "vary"),
    ("x-faregate-account-id", "accountId"),
    ("x-faregate-project-id", "projectId"),
    ("x-faregate-key-id", "keyId"),
    ("x-faregate-client-session-id", "clientSessionId"),
    ("x-faregate-environment", "environment"),
    ("x-faregate-gallery", "gallery"),
    ("x-faregate-scopes", "scopes"),
    ("x-faregate-charge-id", "chargeId"),
    ("x-faregate-settle", "settle"),
    ("x-faregate-reserved-usd", "reservedUsd"),
    ("x-faregate-key-expires-in", "keyExpiresIn"),
    ("x-faregate-rl-limit", "rlLimit"),
    ("x-faregate-rl-remaining", "rlRemaining"),
    ("x-faregate-rl-reset", "rlReset"),
    ("x-faregate-policy", "policy"),
    ("x-faregate-rate-limit", "rateLimit"),
];

/// The header with the gateway's id of the request.
pub const REQUEST_ID: &str = "x-faregate-request-id";

/// Whether only a gateway may set this header: it begins with `x-faregate-`, or with what some servers cannot tell
/// from that, as CGI reads `_` and `-` alike.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    name.as_str().replace('_', "-").starts_with("x-faregate-")
}

/// Removes every header that only a gateway may set.
pub fn remove_reserved(headers: &mut HeaderMap) {
    let reserved: Vec<_> = headers.keys().filter(|name| is_reserved(name)).cloned().collect();
    for name in reserved {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_one_header_and_one_name() {
        for (at, (header, name)) in MEMBERS.iter().enumerate() {
            assert!(is_reserved(&HeaderName::from_static(header)), "{header}");
            assert!(MEMBERS[..at].iter().all(|(other, _)| other != header), "{header}");
            assert!(MEMBERS[..at].iter().all(|(_, other)| other != name), "{name}");
        }
    }

    #[test]
    fn no_spelling_of_a_reserved_header_is_left() {
        let mut headers = HeaderMap::new();
        for name in
            ["x-faregate-status", "x_faregate_key_id", "x-faregate_scopes", "x-faregate-new", "x-other", "accept"]
        {
            headers.append(HeaderName::from_static(name), "a".parse().unwrap());
            headers.append(HeaderName::from_static(name), "b".parse().unwrap());
        }
        remove_reserved(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "x-other"]);
    }
}
