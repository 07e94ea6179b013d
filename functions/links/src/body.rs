//! What is to be handed out.

use faregate_domain::{
    policy::{Method, RequestPath},
    query::Query,
    signed_url::SignedUrl,
};
use faregate_edge::{input::present, problem::Problem};
use serde::Deserialize;

/// `POST /v1/signed-urls`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignBody {
    path: String,
    #[serde(default, deserialize_with = "present")]
    method: Option<String>,
    #[serde(default, deserialize_with = "present")]
    ttl_seconds: Option<u64>,
}

impl SignBody {
    /// Path and query, each as all servers read it.
    pub(crate) fn target(&self) -> Result<(RequestPath, Query), Problem> {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        // What stands behind a `#` never leaves a browser.
        let path = RequestPath::parse(path).ok().filter(|_| !query.contains('#'));
        let path = path.ok_or_else(|| Problem::invalid_field("path", PATH_RULE))?;
        let query = Query::parse(query);
        let is_short = query.canonical().len() <= SignedUrl::MAX_QUERY_BYTES;
        if !query.is_plain() || !is_short || query.names().any(SignedUrl::is_reserved) {
            return Err(Problem::invalid_field("path", QUERY_RULE));
        }
        Ok((path, query))
    }

    pub(crate) fn method(&self) -> Result<Method, Problem> {
        let method = Method::parse(self.method.as_deref().unwrap_or("GET")).ok();
        let method = method.filter(|method| method.as_str() != "HEAD");
        method.ok_or_else(|| Problem::invalid_field("method", METHOD_RULE))
    }

    pub(crate) fn ttl_seconds(&self) -> Result<u64, Problem> {
        let seconds = self.ttl_seconds.unwrap_or(SignedUrl::MAX_SECONDS);
        let is_short = (1..=SignedUrl::MAX_SECONDS).contains(&seconds);
        is_short.then_some(seconds).ok_or_else(|| Problem::invalid_field("ttl_seconds", "must be between 1 and 900"))
    }
}

const PATH_RULE: &str = "must be a plain path that begins with /, and may have a query";
const QUERY_RULE: &str =
    "its query has at most 2048 bytes, no name of faregate-…, and no space, +, ; or % in a name or value";
const METHOD_RULE: &str = "must be an upper-case method; GET goes for HEAD too";
