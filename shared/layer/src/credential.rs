//! Takes out of a request what proved its caller: the service behind the gate is told who calls, and needs no more.

use faregate_domain::{query::Query, signed_url::SignedUrl};
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{AUTHORIZATION, COOKIE},
};

/// Removes every header and cookie in which the gate reads a credential; other cookies stay.
pub fn remove(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    headers.remove(API_KEY);
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().filter_map(other_cookies).collect();
    headers.remove(COOKIE);
    for kept in cookies {
        headers.append(COOKIE, kept);
    }
}

/// Removes every parameter by which a URL is signed, however it is spelled; others stay as they are.
pub fn remove_from_uri(uri: &mut Uri) {
    let Some(query) = uri.query() else { return };
    let kept = remove_from_query(query);
    if kept == query {
        return;
    }
    let mut parts = uri.clone().into_parts();
    let target = if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{kept}", uri.path()) };
    parts.path_and_query = target.parse().ok();
    if let Ok(bare) = Uri::from_parts(parts) {
        *uri = bare;
    }
}

/// A query, as it is written, without the parameters by which a URL is signed.
#[must_use]
pub fn remove_from_query(query: &str) -> String {
    let is_other = |pair: &&str| !Query::parse(pair).names().any(SignedUrl::is_reserved);
    query.split('&').filter(is_other).collect::<Vec<_>>().join("&")
}

fn other_cookies(cookies: &HeaderValue) -> Option<HeaderValue> {
    let is_other = |cookie: &&[u8]| {
        let name = cookie.split(|byte| *byte == b'=').next().unwrap_or_default();
        !name.trim_ascii().eq_ignore_ascii_case(SESSION_COOKIE.as_bytes())
    };
    let pairs = cookies.as_bytes().split(|byte| *byte == b';').filter(is_other);
    let kept = pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).collect::<Vec<_>>().join(&b"; "[..]);
    if kept.is_empty() { None } else { HeaderValue::from_bytes(&kept).ok() }
}

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const SESSION_COOKIE: &str = "faregate_session";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_is_handed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer a"),
            ("authorization", "Basic b"),
            ("x-api-key", "c"),
            ("cookie", "theme=dark; faregate_session=d;lang=en"),
            ("cookie", " Faregate_Session = e"),
            ("accept", "*/*"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove(&mut headers);
        let mut kept: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        kept.sort_unstable();
        assert_eq!(kept, [("accept", "*/*"), ("cookie", "theme=dark; lang=en")]);
    }

    #[test]
    fn no_signature_is_handed_on() {
        for (target, wanted) in [
            ("/a", "/a"),
            ("/a?", "/a?"),
            ("/a?b=1&c", "/a?b=1&c"),
            ("/a?faregate-signature=1", "/a"),
            ("/a?b=1&faregate-for=x&faregate-expires=2&c=%2B+&faregate-signature=1", "/a?b=1&c=%2B+"),
            ("/a?%66aregate-signature=1&b", "/a?b"),
            ("http://api.example/a?faregate-signature=1&b=2", "http://api.example/a?b=2"),
        ] {
            let mut uri: Uri = target.parse().unwrap();
            remove_from_uri(&mut uri);
            assert_eq!(uri.to_string(), wanted, "{target}");
        }
    }
}
