//! Lists in pages: how many at a time, and where the next one begins.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lambda_http::{Request, RequestExt};

use crate::problem::Problem;

/// The `limit` of a list: 1 to 100, 50 where the caller names none.
///
/// # Errors
/// 400 `invalid_request`.
pub fn limit(request: &Request) -> Result<u16, Problem> {
    let invalid = || Problem::invalid_field("limit", "must be a whole number from 1 to 100");
    match parameter(request, "limit")? {
        None => Ok(DEFAULT_LIMIT),
        Some(text) if text.len() > 3 || !text.bytes().all(|byte| byte.is_ascii_digit()) => Err(invalid()),
        Some(text) => text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(invalid),
    }
}

/// What the `cursor` of a list names, read by `parse` from the text that [`cursor_of`] was given.
///
/// # Errors
/// 400 `invalid_request`. A cursor is not a permission: whatever it names, a query must be bound to its caller.
pub fn cursor<T>(request: &Request, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    let Some(text) = parameter(request, "cursor")? else { return Ok(None) };
    let named = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let named = named.and_then(|named| parse(&named));
    named.map(Some).ok_or_else(|| Problem::invalid_field("cursor", "must be a next_cursor of an earlier answer"))
}

/// The cursor that names `text`.
#[must_use]
pub fn cursor_of(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A parameter of the query, where it is given.
///
/// # Errors
/// 400 `invalid_request` where it is given twice.
pub fn parameter(request: &Request, name: &str) -> Result<Option<String>, Problem> {
    let Some(values) = request.query_string_parameters_ref().and_then(|query| query.all(name)) else {
        return Ok(None);
    };
    match values.as_slice() {
        [value] => Ok(Some((*value).to_owned())),
        _ => Err(Problem::invalid_field(name, "is given twice")),
    }
}

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 100;
