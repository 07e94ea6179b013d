//! Strict input: bounded bodies, JSON that names what is wrong with it, money from its literal digits.

use std::{fmt, marker::PhantomData};

use faregate_domain::{
    ledger::Movement,
    money::{InvalidAmount, MicroUsd},
};
use lambda_http::{Body, Request};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

use crate::problem::Problem;

/// The largest body of a management request.
pub const MAX_BODY_BYTES: usize = 65_536;

/// Reads a JSON body: at most 64 KB, `application/json`, no unknown and no repeated field.
///
/// # Errors
/// 413, 415 or 400 `invalid_request`, which names the field and never repeats its value.
pub fn json<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let bytes = bounded_body(request)?;
    let content_type = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(415, "unsupported_media_type", "Send the body as application/json."));
    }
    parse_json(bytes)
}

/// The body as bytes, if it is at most 64 KB.
///
/// # Errors
/// 413 `body_too_large`.
pub fn bounded_body(request: &Request) -> Result<&[u8], Problem> {
    let bytes = match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    };
    if bytes.len() > MAX_BODY_BYTES {
        return Err(Problem::new(413, "body_too_large", "A body may have at most 65536 bytes."));
    }
    Ok(bytes)
}

/// Reads JSON text strictly.
///
/// # Errors
/// 400 `invalid_request`, which names the field and never repeats its value.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, &error.into_inner())
    })?;
    reader.end().map_err(|_| Problem::new(400, "invalid_request", "The body must be one JSON value."))?;
    Ok(value)
}

/// A name that somebody gives to something of theirs: 1 to 100 characters, none of them a control character.
///
/// # Errors
/// 400 `invalid_request` about `name`.
pub fn name(text: String) -> Result<String, Problem> {
    let is_name = (1..=MAX_NAME_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if is_name {
        Ok(text)
    } else {
        Err(Problem::invalid_field("name", "must have 1 to 100 characters and no control characters"))
    }
}

/// The id by which API Gateway knows this request, or `-`.
#[must_use]
pub fn request_id(request: &Request) -> String {
    use lambda_http::{RequestExt, request::RequestContext};
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.request_id.clone(),
        _ => None,
    }
    .unwrap_or_else(|| "-".to_owned())
}

/// The request's path as the caller wrote it, without the stage that API Gateway may put in front.
#[must_use]
pub fn path(request: &Request) -> &str {
    use lambda_http::RequestExt;
    match request.raw_http_path() {
        "" => request.uri().path(),
        path => path,
    }
}

/// The caller's address as API Gateway saw it.
#[must_use]
pub fn source_ip(request: &Request) -> Option<std::net::IpAddr> {
    use lambda_http::{RequestExt, request::RequestContext};
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.identity.source_ip.as_deref()?.parse().ok(),
        _ => None,
    }
}

/// Dollars in JSON: read from the literal digits of a number or string, written as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usd(pub MicroUsd);

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_literal(deserializer, MicroUsd::parse_json_literal).map(Self)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_literal(serializer, &self.0)
    }
}

/// As [`Usd`], with a `-` in front where money goes back; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsdMovement(pub Movement);

impl<'de> Deserialize<'de> for UsdMovement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_literal(deserializer, Movement::parse_json_literal).map(Self)
    }
}

impl Serialize for UsdMovement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_literal(serializer, &self.0)
    }
}

fn read_literal<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, InvalidAmount>,
) -> Result<T, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    parse(raw.get()).map_err(|error| serde::de::Error::custom(format_args!("{AMOUNT_MARK}{error}")))
}

fn write_literal<S: Serializer>(serializer: S, amount: &impl fmt::Display) -> Result<S::Ok, S::Error> {
    RawValue::from_string(amount.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

/// A JSON object and nothing else: derived readers would also take an array, field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectOnly<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectOnly<T> {
            type Value = T;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(ObjectOnly(PhantomData)).map(Self)
    }
}

/// A value, or `null` where nothing is wanted.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Nullable<T>(pub Option<T>);

/// A field that tells `null` apart from being left out; use with `#[serde(default)]`.
///
/// # Errors
/// Whatever the inner type's reader says.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn explain(path: &str, error: &serde_json::Error) -> Problem {
    if error.classify() != serde_json::error::Category::Data {
        let place = format!("The body is not JSON: line {}, column {}.", error.line(), error.column());
        return Problem::new(400, "invalid_request", place);
    }
    let text = error.to_string();
    let quoted = || text.split('`').nth(1).unwrap_or_default().to_owned();
    let beside = |name: &str| match path.rsplit_once('.') {
        Some((parent, last)) if last == name || last == "?" => format!("{parent}.{name}"),
        _ if path == "." || path == name || path == "?" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    if text.starts_with("unknown field") {
        return Problem::invalid_field(&beside(&quoted()), "is not a field of this request");
    }
    if text.starts_with("missing field") {
        return Problem::invalid_field(&beside(&quoted()), "is required");
    }
    if text.starts_with("duplicate field") {
        return Problem::invalid_field(&beside(&quoted()), "is given twice");
    }
    let field = if path == "." || path == "?" { "body" } else { path };
    if let Some(rule) = text.strip_prefix(AMOUNT_MARK) {
        let rule = rule.split(" at line").next().unwrap_or(rule);
        return Problem::invalid_field(field, rule);
    }
    let expected = text.rsplit_once(", expected ").map(|(_, rest)| rest.split(" at line").next().unwrap_or(rest));
    match expected.filter(|expected| expected.len() <= 80 && !expected.contains("struct")) {
        Some("u32" | "u64") => Problem::invalid_field(field, "must be a whole number"),
        Some(expected) => Problem::invalid_field(field, &format!("must be {expected}")),
        None => Problem::invalid_field(field, "has the wrong type"),
    }
}

const MAX_NAME_CHARS: usize = 100;
const AMOUNT_MARK: &str = "amount of dollars: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        name: String,
        budget_usd: Option<Usd>,
        limits: Option<Object<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        per_minute: Option<u32>,
    }

    fn detail(text: &str) -> String {
        parse_json::<Wanted>(text.as_bytes()).unwrap_err().detail
    }

    #[test]
    fn each_mistake_names_its_field_and_not_its_value() {
        for (text, wanted) in [
            (r#"{"name":"a","colour":1}"#, "colour: is not a field of this request"),
            (r#"{"name":"a","name":"b"}"#, "name: is given twice"),
            (r#"{"limits":{}}"#, "name: is required"),
            (r#"{"name":7}"#, "name: must be a string"),
            (r#"{"name":"a","limits":{"per_minute":"sk_test_secret"}}"#, "limits.per_minute: must be a whole number"),
            (r#"{"name":"a","limits":{"per_hour":1}}"#, "limits.per_hour: is not a field of this request"),
            (r#"{"name":"a","budget_usd":"1e3"}"#, "budget_usd: not a plain decimal number"),
            (r#"{"name":"a","budget_usd":1e-7}"#, "budget_usd: more than 6 fractional digits"),
            (r#"{"name":"a","budget_usd":-1}"#, "budget_usd: below zero"),
            (r#"{"name":"a","budget_usd":{}}"#, "budget_usd: not a plain decimal number"),
            (r#"[]"#, "body: must be an object"),
            (r#"{"name":"a","limits":[1]}"#, "limits: must be an object"),
            (r#""sk_test_secret""#, "body: must be an object"),
            (r#"{"name":"#, "The body is not JSON: line 1, column 8."),
            (r#"{"name":"a"} x"#, "The body must be one JSON value."),
            ("", "The body is not JSON: line 1, column 0."),
        ] {
            assert_eq!(detail(text), wanted, "{text}");
        }
    }

    #[test]
    fn money_keeps_every_digit() {
        let wanted: Wanted = parse_json(br#"{"name":"a","budget_usd":0.10}"#).unwrap();
        assert_eq!(wanted.budget_usd, Some(Usd(MicroUsd::new(100_000).unwrap())));
        assert_eq!(wanted.name, "a");
        assert!(wanted.limits.is_none_or(|limits| limits.0.per_minute.is_none()));
        let wanted: Wanted = parse_json(br#"{"name":"a","budget_usd":5e-05}"#).unwrap();
        assert_eq!(wanted.budget_usd, Some(Usd(MicroUsd::new(50).unwrap())));
        let wanted: Wanted = parse_json(br#"{"name":"a","budget_usd":"999999999.999999"}"#).unwrap();
        assert_eq!(serde_json::to_string(&wanted.budget_usd).unwrap(), "999999999.999999");
    }

    #[test]
    fn money_that_moves_may_have_a_sign() {
        let read = |text: &str| serde_json::from_str::<UsdMovement>(text);
        assert_eq!(serde_json::to_string(&read("-0.10").unwrap()).unwrap(), "-0.1");
        assert_eq!(read("\"5\"").unwrap().0.amount(), MicroUsd::new(5_000_000).unwrap());
        assert!(read("-0").unwrap_err().to_string().contains("must not be zero"));
    }

    #[test]
    fn deep_nesting_is_refused_without_a_crash() {
        let text = "[".repeat(60_000);
        assert_eq!(parse_json::<Wanted>(text.as_bytes()).unwrap_err().status, 400);
    }
}
