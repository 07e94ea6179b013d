//! The parts of RFC 3986 and RFC 3339 grammar that a sign-in message is built from.

use crate::time::Timestamp;

/// RFC 3986 section 3.1: a letter, then letters, digits, `+`, `-` and `.`.
pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// RFC 3986 section 3.2: optional user information, a host that is not empty, an optional port.
pub(super) fn is_authority(text: &str) -> bool {
    let (user, rest) = text.rsplit_once('@').unwrap_or(("", text));
    let (host, port) = match rest.strip_prefix('[') {
        Some(inside) => match inside.split_once(']') {
            Some((literal, after)) if is_ip_literal(literal) => (literal, after),
            _ => return false,
        },
        None => match rest.find(':') {
            Some(colon) => rest.split_at(colon),
            None => (rest, ""),
        },
    };
    let is_bracketed = rest.starts_with('[');
    let port_is_valid = match port.strip_prefix(':') {
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    let user_is_valid = is_made_of(user, |byte| is_unreserved(byte) || is_sub_delim(byte) || byte == b':');
    let host_is_valid = is_bracketed || is_made_of(host, |byte| is_unreserved(byte) || is_sub_delim(byte));
    !host.is_empty() && port_is_valid && user_is_valid && host_is_valid
}

/// RFC 3986 section 3: a scheme, a hierarchical part, an optional query and an optional fragment.
pub(super) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (hierarchical, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path_is_valid = match hierarchical.strip_prefix("//") {
        Some(after) => {
            let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
            (authority.is_empty() || is_authority(authority)) && is_path(path)
        }
        None => is_path(hierarchical),
    };
    is_scheme(scheme) && path_is_valid && is_query(query) && is_query(fragment)
}

/// The `request-id` of EIP-4361: any number of RFC 3986 `pchar`.
pub(super) fn is_request_id(text: &str) -> bool {
    is_made_of(text, is_plain_pchar)
}

/// The `statement` of EIP-4361: RFC 3986 reserved and unreserved characters and spaces, at least one.
pub(super) fn is_statement(text: &str) -> bool {
    let is_allowed = |byte: u8| is_unreserved(byte) || is_sub_delim(byte) || b" :/?#[]@".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// RFC 3339 section 5.6 `date-time`, with the `T` and `Z` in upper case that the profile recommends.
pub(super) fn parse_date_time(text: &str) -> Option<Timestamp> {
    let has_date_time_shape = text.is_ascii() && text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z');
    if has_date_time_shape { Timestamp::parse_rfc3339(text).ok() } else { None }
}

fn is_path(text: &str) -> bool {
    is_made_of(text, |byte| is_plain_pchar(byte) || byte == b'/')
}

fn is_query(text: &str) -> bool {
    is_made_of(text, |byte| is_plain_pchar(byte) || b"/?".contains(&byte))
}

fn is_ip_literal(text: &str) -> bool {
    if let Some(future) = text.strip_prefix(['v', 'V']) {
        let Some((version, address)) = future.split_once('.') else { return false };
        let is_allowed = |byte: u8| is_unreserved(byte) || is_sub_delim(byte) || byte == b':';
        return !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !address.is_empty()
            && address.bytes().all(is_allowed);
    }
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// Whether every byte is allowed, or begins a percent-encoded one.
fn is_made_of(text: &str, is_allowed: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_valid = if byte == b'%' {
            let is_hex = |digit: Option<u8>| digit.is_some_and(|digit| digit.is_ascii_hexdigit());
            is_hex(bytes.next()) && is_hex(bytes.next())
        } else {
            is_allowed(byte)
        };
        if !is_valid {
            return false;
        }
    }
    true
}

fn is_plain_pchar(byte: u8) -> bool {
    is_unreserved(byte) || is_sub_delim(byte) || byte == b':' || byte == b'@'
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn is_sub_delim(byte: u8) -> bool {
    b"!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_told_from_other_text() {
        for text in ["a.example", "127.0.0.1:8080", "user:pw@host:1", "[::1]:80", "[v1.a:b]", "host:", "%41.example"] {
            assert!(is_authority(text), "{text}");
        }
        for text in
            ["", ":80", "a b", "a/b", "a:port", "[::1", "[nope]", "a@b@c", "a:1:2", "[::1]x", "%4", "a:123456", "é"]
        {
            assert!(!is_authority(text), "{text}");
        }
    }

    #[test]
    fn uris_are_told_from_other_text() {
        for text in
            ["https://a.example", "https://a.example/x?y=1#z", "ipfs://Qm1", "urn:a:b", "did:x:y", "file:///x", "x:"]
        {
            assert!(is_uri(text), "{text}");
        }
        for text in ["", "a.example", "://x", "1a:b", "https://a b", "https://a/%zz", "x:a#b#c", "https://[::1", "x:\n"]
        {
            assert!(!is_uri(text), "{text}");
        }
    }

    #[test]
    fn times_are_told_from_other_text() {
        for text in ["2021-09-30T16:25:24Z", "2021-09-30T16:25:24.123+02:00", "2024-02-29T00:00:00-00:00"] {
            assert!(parse_date_time(text).is_some(), "{text}");
        }
        for text in [
            "",
            "2021-09-30",
            "2021-09-30 16:25:24Z",
            "2021-09-30t16:25:24Z",
            "2021-09-30T16:25:24z",
            "2021-02-29T00:00:00Z",
            "2021-09-30T16:25:24",
            "2021-09-30T24:00:00Z",
            "2021-09-30T16:25:24.Z",
            "2021-09-30T16:25:24Z ",
        ] {
            assert!(parse_date_time(text).is_none(), "{text}");
        }
    }
}
