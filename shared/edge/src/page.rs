//! Lists in pages: how many at a time, and where the next one begins.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use faregate_domain::secret::{MacSecret, Versions};
use lambda_http::{Request, RequestExt};
use secrecy::ExposeSecret;

use crate::{
    problem::Problem,
    seal::{self, SealError},
};

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

/// A cursor that names `text` to whoever has the secret, and that is good for one list only: the one that `list` names, with
/// whom it is shown to and what it is narrowed to.
///
/// # Errors
/// As [`seal::seal`].
pub fn sealed_cursor_of(secrets: &Versions<MacSecret>, list: &str, text: &str) -> Result<String, SealError> {
    seal::seal(secrets, list, text).map(|sealed| URL_SAFE_NO_PAD.encode(sealed))
}

/// What a cursor of [`sealed_cursor_of`] names; `None` where it was not made by us for this list.
#[must_use]
pub fn open_cursor(secrets: &Versions<MacSecret>, list: &str, cursor: &str) -> Option<String> {
    let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    seal::open(secrets, list, &sealed).ok().map(|text| text.expose_secret().to_owned())
}

/// 400: the cursor is none of this list.
#[must_use]
pub fn foreign_cursor() -> Problem {
    Problem::invalid_field("cursor", "must be a next_cursor of an earlier answer to the same question")
}

/// Refuses parameters of the query that are not among `known`.
///
/// # Errors
/// 400 `invalid_request` about the first of them.
pub fn only(request: &Request, known: &[&str]) -> Result<(), Problem> {
    let query = request.query_string_parameters_ref();
    let mut names: Vec<&str> = query.into_iter().flat_map(|query| query.iter()).map(|(name, _)| name).collect();
    names.sort_unstable();
    match names.into_iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Problem::invalid_field(name, "is not a parameter of this request")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(byte: u8) -> Versions<MacSecret> {
        Versions { current: MacSecret::new(vec![byte; 32]).unwrap(), previous: None }
    }

    #[test]
    fn a_sealed_cursor_opens_for_its_own_list_alone() {
        let cursor = sealed_cursor_of(&secrets(1), "requests of a", "here").unwrap();
        assert_eq!(open_cursor(&secrets(1), "requests of a", &cursor).as_deref(), Some("here"));
        assert_eq!(open_cursor(&secrets(1), "requests of b", &cursor), None);
        assert_eq!(open_cursor(&secrets(2), "requests of a", &cursor), None);
        for forged in ["", "here", &cursor_of("here"), &cursor[1..], &format!("{cursor}A")] {
            assert_eq!(open_cursor(&secrets(1), "requests of a", forged), None, "{forged}");
        }
    }
}
