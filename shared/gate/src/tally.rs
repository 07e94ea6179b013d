//! What a counted management call leaves of its caller's limits, on its way from the gate to the answer.
//!
//! The gate learns it in the middle of a function, and the answer, be it a success or an error, tells it at the end; the
//! request is what both have in hand.

use std::sync::{Arc, OnceLock};

use faregate_domain::{policy::dialect::HeaderNames, standing::Standing, time::Timestamp};
use lambda_http::{
    Request,
    http::{HeaderMap, HeaderName, HeaderValue},
};

/// The limits of a request's caller, once they were counted; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<OnceLock<(Standing, Timestamp)>>);

impl Tally {
    /// Makes room for it in a request; whoever handles requests that may be counted does this first.
    pub fn attach(request: &mut Request) {
        request.extensions_mut().insert(Self::default());
    }

    /// The tally of a request; `None` where nobody made room.
    pub(crate) fn find(request: &Request) -> Option<&Self> {
        request.extensions().get()
    }

    /// Writes down what is left. A request is counted once, so only the first time counts.
    pub(crate) fn note(&self, standing: Standing, now: Timestamp) {
        let _ = self.0.set((standing, now));
    }

    /// Tells what is left, as at the gate.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap, names: &HeaderNames) {
        let Some((standing, now)) = self.0.get() else { return };
        let tightest = standing.tightest();
        for (name, text) in [
            ("x-ratelimit-limit", tightest.limit.to_string()),
            ("x-ratelimit-remaining", tightest.remaining.to_string()),
            ("x-ratelimit-reset", tightest.resets_at.epoch_s().to_string()),
            ("ratelimit-policy", standing.policy_field()),
            ("ratelimit", standing.state_field(*now)),
        ] {
            let name = names.sent(name).and_then(|name| name.parse::<HeaderName>().ok());
            if let (Some(name), Ok(value)) = (name, HeaderValue::from_str(&text)) {
                headers.insert(name, value);
            }
        }
    }
}
