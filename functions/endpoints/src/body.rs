//! The bodies of endpoint management, as callers write them, and the rules for what stands in them.

use faregate_domain::{
    outbound::{Reach, Target},
    webhook::Wish,
};
use faregate_edge::{
    input::{self, Nullable, present},
    problem::Problem,
};
use lambda_http::Request;
use serde::Deserialize;

/// `POST /v1/webhooks`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateBody {
    pub(crate) url: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) events: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) description: Option<Nullable<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) key_id: Option<String>,
}

/// `PATCH /v1/webhooks/{id}`: what is absent stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    #[serde(default, deserialize_with = "present")]
    pub(crate) url: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) events: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) description: Option<Nullable<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) enabled: Option<bool>,
}

/// `POST /v1/webhooks/{id}/test` and `…/redeliver`: nothing can be said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NothingBody {}

/// Refuses a body that says something where nothing can be said; there may be none.
pub(crate) fn require_nothing(request: &Request) -> Result<(), Problem> {
    if input::bounded_body(request)?.is_empty() {
        return Ok(());
    }
    input::json::<NothingBody>(request).map(|_| ())
}

/// The URL as it is called.
pub(crate) fn url(text: &str, reach: Reach) -> Result<String, Problem> {
    let target = Target::parse(text, reach);
    target.map(|target| target.as_str().to_owned()).map_err(|error| Problem::invalid_field("url", &error.to_string()))
}

/// The kinds of events that are wanted.
pub(crate) fn wish(texts: &[String]) -> Result<Wish, Problem> {
    let rule = "must be a list of event types, or of \"*\" alone";
    Wish::parse(texts.iter().map(String::as_str)).map_err(|_| Problem::invalid_field("events", rule))
}

/// What the owner calls an endpoint.
pub(crate) fn description(text: Nullable<String>) -> Result<Option<String>, Problem> {
    let is_plain = |text: &String| {
        (1..=MAX_DESCRIPTION_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    match text.0 {
        Some(text) if !is_plain(&text) => {
            Err(Problem::invalid_field("description", "must have 1 to 200 characters and no control characters"))
        }
        text => Ok(text),
    }
}

const MAX_DESCRIPTION_CHARS: usize = 200;
