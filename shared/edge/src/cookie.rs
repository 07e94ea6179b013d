//! The cookie that carries a browser's session (RFC 6265), and the guard against requests that other sites forge.

use faregate_domain::{origin::Origin, policy::CookieWithoutOrigin};
use lambda_http::http::HeaderMap;
use lambda_http::http::header::{COOKIE, ORIGIN};

use crate::problem::Problem;
use crate::token::AccessToken;

/// The session cookie's name.
pub const SESSION_COOKIE: &str = "faregate_session";

/// The `Set-Cookie` value that hands out a token for `max_age_seconds`.
#[must_use]
pub fn set_session(token: &AccessToken, max_age_seconds: u64) -> String {
    format!("{SESSION_COOKIE}={}; {ATTRIBUTES}; Max-Age={max_age_seconds}", token.expose())
}

/// The `Set-Cookie` value that makes a browser forget its session.
#[must_use]
pub fn clear_session() -> String {
    format!("{SESSION_COOKIE}=; {ATTRIBUTES}; Max-Age=0")
}

/// The session cookie of a request; `None` where there is none or it is empty.
///
/// # Errors
/// 400 `ambiguous_credentials` where two different ones are sent.
pub fn find_session(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut found: Option<&str> = None;
    for header in headers.get_all(COOKIE) {
        // A header that is not ASCII cannot carry a token of ours.
        let pairs = header.to_str().unwrap_or_default().split(';');
        let values = pairs.filter_map(|pair| pair.trim().strip_prefix(SESSION_COOKIE)?.strip_prefix('='));
        for value in values.filter(|value| !value.is_empty()) {
            if found.is_some_and(|earlier| earlier != value) {
                return Err(Problem::new(400, "ambiguous_credentials", "Send one session cookie, not several."));
            }
            found = Some(value);
        }
    }
    Ok(found)
}

/// Lets a state-changing request that is authenticated by the cookie pass only from our own pages, or from no page at all
/// where the policy takes requests of programs.
///
/// # Errors
/// 403 `origin_not_allowed` unless the `Origin` header is exactly one and names `public_origin`, or the request carries
/// nothing that a browser would have to send and that is `allowed`.
pub fn check_own_origin(
    headers: &HeaderMap,
    public_origin: &str,
    without_origin: CookieWithoutOrigin,
) -> Result<(), Problem> {
    let is_browsers = headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
    if without_origin == CookieWithoutOrigin::Allowed && !is_browsers {
        return Ok(());
    }
    let mut sent = headers.get_all(ORIGIN).iter();
    let origin = sent.next().and_then(|value| value.to_str().ok()).and_then(|text| Origin::parse(text).ok());
    let own = Origin::parse(public_origin).ok();
    if origin.is_some() && origin == own && sent.next().is_none() {
        Ok(())
    } else {
        Err(Problem::new(403, "origin_not_allowed", "A request with the session cookie must come from our own origin."))
    }
}

/// Which browsers send, and no script in them can set (Fetch Metadata, section 2.4).
const SEC_FETCH_SITE: &str = "sec-fetch-site";
const ATTRIBUTES: &str = "HttpOnly; Secure; SameSite=Strict; Path=/";

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_session_cookie_is_found_among_others() {
        for (text, wanted) in [
            ("faregate_session=a.b.c", Some("a.b.c")),
            ("x=1; faregate_session=a.b.c; y=2", Some("a.b.c")),
            ("x=1;faregate_session=a=b", Some("a=b")),
            ("faregate_session=", None),
            ("faregate_session", None),
            ("not_faregate_session=a", None),
            ("faregate_sessions=a", None),
            ("é=1; faregate_session=a", None),
        ] {
            assert_eq!(find_session(&headers(&[("cookie", text)])).unwrap(), wanted, "{text}");
        }
        assert_eq!(find_session(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn two_session_cookies_are_ambiguous_unless_they_are_the_same() {
        let twice = |one: &str, other: &str| {
            let joined = headers(&[("cookie", &format!("faregate_session={one}; faregate_session={other}"))]);
            let apart =
                [("cookie", format!("faregate_session={one}")), ("cookie", format!("faregate_session={other}"))];
            let apart = headers(&[(apart[0].0, &apart[0].1), (apart[1].0, &apart[1].1)]);
            [joined, apart].map(|headers| find_session(&headers).map(|found| found.map(str::to_owned)))
        };
        for found in twice("a", "a") {
            assert_eq!(found.unwrap().as_deref(), Some("a"));
        }
        for found in twice("a", "b") {
            assert_eq!(found.unwrap_err().code, "ambiguous_credentials");
        }
    }

    #[test]
    fn only_our_own_origin_may_use_the_cookie() {
        let verdict = |sent: &[&str]| {
            let pairs: Vec<_> = sent.iter().map(|value| ("origin", *value)).collect();
            let verdict = |rule| check_own_origin(&headers(&pairs), "https://gate.example", rule);
            let strict = verdict(CookieWithoutOrigin::Refused).map_err(|problem| problem.code);
            // What says where it comes from is judged alike.
            let lax = verdict(CookieWithoutOrigin::Allowed).map_err(|problem| problem.code);
            assert!(sent.is_empty() || strict == lax, "{sent:?}");
            strict
        };
        assert_eq!(verdict(&["https://gate.example"]), Ok(()));
        assert_eq!(verdict(&["https://gate.example:443"]), Ok(()));
        for sent in [
            &[][..],
            &["null"],
            &[""],
            &["https://evil.example"],
            &["http://gate.example"],
            &["https://gate.example:8443"],
            &["https://gate.example.evil.example"],
            &["https://www.gate.example"],
            &["https://example"],
            &["https://gate.example:444"],
            &["https://gate.example/"],
            &["https://evil.example, https://gate.example"],
            &["https://gate.example", "https://evil.example"],
            &["https://gate.example", "https://gate.example"],
        ] {
            assert_eq!(verdict(sent), Err("origin_not_allowed"), "{sent:?}");
        }
    }

    #[test]
    fn a_request_that_no_browser_sends_may_be_allowed() {
        let verdict = |pairs: &[(&'static str, &str)], rule| {
            check_own_origin(&headers(pairs), "https://gate.example", rule).map_err(|problem| problem.code)
        };
        let (refused, allowed) = (CookieWithoutOrigin::Refused, CookieWithoutOrigin::Allowed);
        assert_eq!(verdict(&[("user-agent", "curl/8")], allowed), Ok(()));
        assert_eq!(verdict(&[("user-agent", "curl/8")], refused), Err("origin_not_allowed"));
        for site in ["cross-site", "same-site", "same-origin", "none", ""] {
            assert_eq!(verdict(&[("sec-fetch-site", site)], allowed), Err("origin_not_allowed"), "{site}");
        }
        assert_eq!(verdict(&[("origin", "https://evil.example")], allowed), Err("origin_not_allowed"));
    }

    #[test]
    fn a_forgotten_session_keeps_the_cookies_attributes() {
        assert_eq!(clear_session(), "faregate_session=; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=0");
    }
}
