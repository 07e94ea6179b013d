//! Takes out of a request what proved its caller: the service behind the gate is told who calls, and needs no more.

use http::{
    HeaderMap, HeaderName, HeaderValue,
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
}
