//! The HTTP client for upstreams and the Lambda Invoke API, and the addresses it is pointed at.

use std::{fmt, str::FromStr, time::Duration};

use http_body_util::Full;
use hyper::{Uri, body::Bytes};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use url::Url;

/// A pooled HTTP/1.1 client over TCP or TLS.
pub(crate) type Client = Pool<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client whose connections are made within [`CONNECT_TIMEOUT`]; TLS trusts the system's roots.
///
/// # Errors
/// When the system has no trusted roots.
pub(crate) fn connect() -> Result<Client, std::io::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().wrap_connector(tcp);
    Ok(Pool::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
        .build(tls))
}

/// An `http://` or `https://` address that paths are put behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The address of a path, which begins with `/`, and a raw query below this base.
    pub(crate) fn with_path(&self, path: &str, query: Option<&str>) -> Result<Uri, hyper::http::uri::InvalidUri> {
        let base = self.0.as_str().trim_end_matches('/');
        match query {
            Some(query) => format!("{base}{path}?{query}").parse(),
            None => format!("{base}{path}").parse(),
        }
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let url = Url::parse(text).map_err(|_| InvalidBaseUrl)?;
        let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_bare = url.query().is_none() && url.fragment().is_none();
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if is_http && is_bare && !has_credentials { Ok(Self(url)) } else { Err(InvalidBaseUrl) }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// A text that is no base address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an http:// or https:// address without query, fragment and credentials")]
pub struct InvalidBaseUrl;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
const MAX_IDLE_CONNECTIONS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_put_behind_the_base_unchanged() {
        for (base, path, query, wanted) in [
            ("http://a:3000", "/x", None, "http://a:3000/x"),
            ("http://a:3000/", "/x%20y/", Some("q=1&q=%2F"), "http://a:3000/x%20y/?q=1&q=%2F"),
            ("https://a/base/", "/x", None, "https://a/base/x"),
        ] {
            let base: BaseUrl = base.parse().unwrap();
            assert_eq!(base.with_path(path, query).unwrap().to_string(), wanted);
        }
    }

    #[test]
    fn only_a_bare_http_address_is_a_base() {
        for text in ["", "a.com", "ftp://a", "http://", "http://a?x=1", "http://a#x", "http://me:pw@a", "file:///x"] {
            assert_eq!(text.parse::<BaseUrl>(), Err(InvalidBaseUrl), "{text}");
        }
    }
}
