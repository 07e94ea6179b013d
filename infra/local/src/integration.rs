//! What is behind the gate: an upstream API, or an echo for trying things out.

use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};

use crate::{
    answer::{self, Answer},
    call::Call,
    client::{BaseUrl, Client},
    outcome::Context,
};

mod echo;
mod upstream;

/// Where admitted calls go.
pub(crate) enum Integration {
    /// The built-in echo under `/demo/`.
    Echo,
    /// An HTTP API.
    Upstream { client: Box<Client>, base: BaseUrl },
}

impl Integration {
    /// Hands an admitted call on, without its credential, and brings the answer back.
    pub(crate) async fn call(&self, mut call: Call, context: &Context) -> Answer {
        call.headers = without_credential(&call.headers);
        match self {
            Self::Echo if call.path.starts_with("/demo/") => echo::answer(&call, context),
            Self::Echo => {
                let problem = faregate_edge::problem::Problem::not_found();
                answer::problem(&problem, &call.request_id)
            }
            Self::Upstream { client, base } => upstream::forward(client, base, &call, context).await,
        }
    }
}

/// The headers without any in which the gate reads a credential; other cookies stay.
fn without_credential(headers: &HeaderMap) -> HeaderMap {
    let is_other = |name: &HeaderName| *name != AUTHORIZATION && name.as_str() != "x-api-key" && *name != COOKIE;
    let mut kept = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| is_other(name)) {
        kept.append(name, value.clone());
    }
    for cookies in headers.get_all(COOKIE).iter().filter_map(other_cookies) {
        kept.append(COOKIE, cookies);
    }
    kept
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
        let kept = without_credential(&headers);
        let kept: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(kept, [("accept", "*/*"), ("cookie", "theme=dark; lang=en")]);
    }
}
