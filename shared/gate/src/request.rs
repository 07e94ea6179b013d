//! A request as the gate sees it, from whichever event it came.

use std::net::IpAddr;

use faregate_domain::{origin::Origin, query::Query, signed_url::SignedUrl};

/// What the gate must know of a request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The HTTP method.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The query, as far as the gateway tells it.
    pub query: Query,
    /// Every header line, repeated ones repeated.
    pub headers: Vec<(String, String)>,
    /// The caller's address as the gateway saw it.
    pub source_ip: Option<IpAddr>,
    /// The gateway's id of the request.
    pub request_id: String,
}

impl Request {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Where a browser request comes from: `Origin`, else the origin of `Referer`; `None` when there is neither, or
    /// only something that is no origin, such as `null`.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        match self.header("origin") {
            Some(origin) => Origin::parse(origin).ok(),
            None => Origin::parse_referer(self.header("referer")?).ok(),
        }
    }

    /// Whether its URL is signed, rightly or wrongly.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        SignedUrl::is_signed(&self.query)
    }

    /// The header lines as pairs of texts.
    pub fn header_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request { headers, ..Request::default() }
    }

    #[test]
    fn a_null_origin_is_not_replaced_by_the_referer() {
        assert!(request(&[("Origin", "null"), ("Referer", "https://a.com/x")]).origin().is_none());
        assert_eq!(request(&[("Referer", "https://a.com/x")]).origin(), Origin::parse("https://a.com").ok());
        assert!(request(&[]).origin().is_none());
    }
}
