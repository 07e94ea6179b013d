//! What is said to browsers: preflights, and who may read the answer to a redemption (Fetch, section 3.2).

use faregate_domain::{
    header::{CORS_HEADERS, EXPOSED_HEADER, VARY, exposed_headers},
    origin::Origin,
    policy::cors::{Admitted, CorsGrant},
};
use lambda_http::{
    Body, Request, Response,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
            ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
        },
    },
};

use crate::{App, Place};

/// Whether a browser asks before it sends what a page wants to send.
pub(crate) fn is_preflight(request: &Request) -> bool {
    let has = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Where a request comes from, if its one `Origin` header says so.
pub(crate) fn origin(headers: &HeaderMap) -> Option<Origin> {
    let mut sent = headers.get_all(ORIGIN).iter();
    let origin = sent.next().and_then(|value| value.to_str().ok()).and_then(|text| Origin::parse(text).ok());
    origin.filter(|_| sent.next().is_none())
}

impl App {
    /// Says what pages of that origin may send; nothing is counted, and no credential is asked for.
    pub(crate) fn answer_preflight(&self, request: &Request, place: Option<Place<'_>>) -> Response<Body> {
        let grant = self.services().config.policy.cors().grant(origin(request.headers()).as_ref());
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        if grant.allowed.is_some() {
            let methods = if place.is_some() { REDEEMING } else { ANY_METHOD };
            for (name, value) in [
                (ACCESS_CONTROL_ALLOW_METHODS, methods),
                (ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
                (ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS),
            ] {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
        }
        insert(response.headers_mut(), &grant);
        response
    }

    /// Says who may read the answer, where a list of the session's has its own word in that.
    pub(crate) fn add_cors(&self, request: &Request, admitted: Admitted, headers: &mut HeaderMap) {
        let policy = &self.services().config.policy;
        let origin = origin(request.headers());
        let grant = policy.cors().grant(origin.as_ref()).narrowed(origin.as_ref(), admitted);
        if grant.varies
            && let Ok(exposed) = HeaderValue::try_from(exposed_headers(policy.dialect().headers()))
        {
            headers.insert(HeaderName::from_static(EXPOSED_HEADER), exposed);
        }
        insert(headers, &grant);
    }
}

fn insert(headers: &mut HeaderMap, grant: &CorsGrant) {
    let [(allowed, _), (vary, _)] = CORS_HEADERS;
    if let Some(Ok(value)) = grant.allowed.as_deref().map(HeaderValue::from_str) {
        headers.insert(HeaderName::from_static(allowed), value);
    }
    if grant.varies {
        headers.insert(HeaderName::from_static(vary), HeaderValue::from_static(VARY));
    }
}

const REDEEMING: &str = "POST";
/// What the API behind the gate may take; whether it does, its own answer says.
const ANY_METHOD: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const ALLOWED_HEADERS: &str = "Authorization, X-Api-Key, Content-Type, Idempotency-Key";
/// Two hours: the longest that Chromium keeps to.
const MAX_AGE_SECONDS: &str = "7200";
