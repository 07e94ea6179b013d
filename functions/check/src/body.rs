//! What a service asks: which caller, which call.

use std::net::IpAddr;

use faregate_domain::{credential::Credential, denial::Denial, money::MicroUsd, query::Query};
use faregate_edge::{
    input::{Usd, present},
    problem::Problem,
};
use faregate_gate::Request;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// `POST /v1/api-keys/verify`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyBody {
    /// The caller's key, or its access token.
    key: SecretString,
    method: String,
    path: String,
    /// The request's query, as it is written; it is read for a signature alone.
    #[serde(default, deserialize_with = "present")]
    query: Option<String>,
    /// Where a browser's request comes from; absent where it named nothing.
    #[serde(default, deserialize_with = "present")]
    origin: Option<String>,
    /// The caller's address.
    #[serde(default, deserialize_with = "present")]
    ip: Option<String>,
    /// What this call costs or reserves, where its route leaves that open.
    #[serde(default, deserialize_with = "present")]
    cost_usd: Option<Usd>,
}

impl VerifyBody {
    /// The call as the gate sees one.
    pub(crate) fn request(&self, request_id: &str) -> Result<Request, Problem> {
        // What another server would cut off here must not be cut off silently: it may be a part of the route there.
        if self.path.contains(['?', '#']) {
            return Err(Problem::invalid_field("path", "must have neither query nor fragment"));
        }
        if self.query.as_ref().is_some_and(|query| query.len() > MAX_QUERY_BYTES || query.contains('#')) {
            return Err(Problem::invalid_field("query", "must have at most 8192 bytes and no fragment"));
        }
        let address = |text: &String| text.parse::<IpAddr>();
        let source_ip = self.ip.as_ref().map(address).transpose();
        let source_ip = source_ip.map_err(|_| Problem::invalid_field("ip", "must be an IPv4 or IPv6 address"))?;
        let origin = self.origin.iter().map(|origin| ("origin".to_owned(), origin.clone()));
        Ok(Request {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.as_deref().map(Query::parse).unwrap_or_default(),
            headers: origin.collect(),
            source_ip,
            request_id: request_id.to_owned(),
        })
    }

    pub(crate) fn credential(&self) -> Result<Credential, Denial> {
        Credential::of_bearer(self.key.expose_secret())
    }

    pub(crate) fn cost(&self) -> Option<MicroUsd> {
        self.cost_usd.map(|cost| cost.0)
    }
}

/// As long a target as the gateway takes.
const MAX_QUERY_BYTES: usize = 8_192;
