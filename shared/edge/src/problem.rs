//! Errors as callers see them: RFC 9457 problem details.

use faregate_domain::policy::{Dialect, dialect::Json};
use lambda_http::{
    Body, Response,
    http::{HeaderName, StatusCode},
};
use serde_json::{Map, Value};

/// A problem to answer with: stable `code`, one title per code, a detail that helps, and extension members.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable word, `invalid_request`; also the last segment of the problem's `type`.
    pub code: &'static str,
    /// What happened and what to do; never a secret, never an internal reason.
    pub detail: String,
    /// Response headers beside the content type.
    pub headers: Vec<(&'static str, String)>,
    /// Members beside the standard ones.
    pub members: Map<String, Value>,
}

impl Problem {
    /// A problem without extra headers or members.
    #[must_use]
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), headers: Vec::new(), members: Map::new() }
    }

    /// 400 `invalid_request` about one field.
    #[must_use]
    pub fn invalid_field(field: &str, rule: &str) -> Self {
        // A longer name is none of ours, and may be a credential in the wrong place.
        let is_plain = field.len() <= MAX_FIELD_BYTES && !field.chars().any(char::is_control);
        let field = if is_plain { field } else { "a field" };
        Self::new(400, "invalid_request", format!("{field}: {rule}")).with_member("field", field)
    }

    /// 404 for a resource: the same answer for one that never existed and for one of another tenant.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "There is no such resource.")
    }

    /// 405 with the methods that the path answers.
    #[must_use]
    pub fn method_not_allowed(allow: &str) -> Self {
        Self::new(405, "method_not_allowed", format!("This path answers {allow}.")).with_header("allow", allow)
    }

    /// 503: a part that the function depends on failed; nothing is said of which.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(503, "unavailable", "The service cannot answer right now; try again.").with_header("retry-after", "1")
    }

    /// The same problem with a response header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same problem with an extension member.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The body as the product words it: problem details with `code`, `request_id` and the extension members, unless its
    /// dialect has a form of its own.
    #[must_use]
    pub fn body(&self, request_id: &str, dialect: &Dialect) -> String {
        let mut body = Map::new();
        body.insert("type".into(), format!("{TYPE_BASE}{}", self.code).into());
        body.insert("title".into(), title_of(self.code).into());
        body.insert("status".into(), self.status.into());
        body.insert("detail".into(), self.detail.clone().into());
        body.insert("code".into(), dialect.word(self.code).into());
        body.insert("request_id".into(), request_id.into());
        let find = |name: &str| body.get(name).cloned().map_or(Json::Null, Json::from);
        let others: Vec<_> = self.members.clone().into_iter().map(|(name, value)| (name, value.into())).collect();
        if let Some(own) = dialect.error(&find, &others) {
            return own.to_string();
        }
        body.extend(self.members.clone());
        Value::Object(body).to_string()
    }

    /// The whole HTTP answer in the product's dialect, never cached.
    #[must_use]
    pub fn response(&self, request_id: &str, dialect: &Dialect) -> Response<Body> {
        let body = Body::Text(self.body(request_id, dialect));
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let own = self.headers.iter().filter_map(|(name, value)| Some((dialect.headers().sent(name)?, value.as_str())));
        let headers = [("content-type", dialect.content_type()), ("cache-control", "no-store")].into_iter().chain(own);
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// A short human title for each code: the code's words, with a capital.
#[must_use]
pub fn title_of(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// Where the pages about each code live; relative, so that it resolves against the API that answered.
const TYPE_BASE: &str = "/problems/";
const MAX_FIELD_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use faregate_domain::policy::Policy;

    use super::*;

    #[test]
    fn a_problem_has_every_standard_member() {
        let problem = Problem::invalid_field("name", "is required").with_header("retry-after", "3");
        let response = problem.response("req-1", &Dialect::default());
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "3");
        let Body::Text(text) = response.body() else { panic!("text") };
        let body: Value = serde_json::from_str(text).unwrap();
        assert_eq!(body["type"], "/problems/invalid_request");
        assert_eq!(body["title"], "Invalid request");
        assert_eq!(body["status"], 400);
        assert_eq!(body["detail"], "name: is required");
        assert_eq!(body["code"], "invalid_request");
        assert_eq!(body["request_id"], "req-1");
        assert_eq!(body["field"], "name");
    }

    #[test]
    fn a_problem_is_worded_in_the_products_dialect() {
        let dialect = "dialect:\n  content_type: application/json\n  codes: { rate_limited: SLOW_DOWN }\n  \
                       error: { success: false, error: { word: \"{code}\", no: \"{status}\", \"...\": \"{...}\" } }\n  \
                       headers: { retry-after: X-Wait }\n";
        let policy = Policy::parse(&format!("{}{dialect}", Policy::DEFAULT_TEXT)).unwrap();
        let problem = Problem::new(429, "rate_limited", "Wait.").with_header("retry-after", "3").with_member("used", 7);
        let response = problem.response("req-1", policy.dialect());
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["x-wait"], "3");
        assert!(!response.headers().contains_key("retry-after"));
        let Body::Text(text) = response.body() else { panic!("text") };
        assert_eq!(text, r#"{"success":false,"error":{"word":"SLOW_DOWN","no":429,"used":7}}"#);
    }
}
