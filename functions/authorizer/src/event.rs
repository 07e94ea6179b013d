//! The event of a REST API's REQUEST authorizer, reduced to what a decision needs.
//!
//! Headers stay plain text here: a value that is no legal header must be refused as a credential, not fail the event
//! (a failure would also put the value into an error text).

use std::collections::BTreeMap;

use faregate_domain::query::Query;
use faregate_gate::Request;
use serde::{Deserialize, Deserializer};

/// A question of API Gateway.
#[derive(Clone, Debug)]
pub struct Event {
    /// The request that is asked about.
    pub request: Request,
    /// `arn:aws:execute-api:region:account:api/stage/…`, as far as its stage.
    pub stage_arn: String,
}

/// Reads an event.
///
/// # Errors
/// [`InvalidEvent`] when it is not the event of a REQUEST authorizer.
pub fn parse<'de>(event: impl Deserializer<'de>) -> Result<Event, InvalidEvent> {
    let file = EventFile::deserialize(event).map_err(|_| InvalidEvent)?;
    if file.kind != "REQUEST" {
        return Err(InvalidEvent);
    }
    let mut arn = file.method_arn.splitn(3, '/');
    let (Some(api), Some(stage)) = (arn.next().filter(|api| api.starts_with("arn:")), arn.next()) else {
        return Err(InvalidEvent);
    };
    let headers = match file.multi_value_headers {
        Some(lines) => lines
            .into_iter()
            .flat_map(|(name, values)| values.unwrap_or_default().into_iter().map(move |value| (name.clone(), value)))
            .collect(),
        None => single(file.headers).collect(),
    };
    let query = match file.multi_value_query_string_parameters {
        Some(all) => Query::of_all(all.into_iter().map(|(name, values)| (name, values.unwrap_or_default()))),
        None => Query::of_one_each(single(file.query_string_parameters)),
    };
    Ok(Event {
        stage_arn: format!("{api}/{stage}"),
        request: Request {
            method: file.http_method,
            path: file.path,
            query,
            headers,
            source_ip: file.request_context.identity.source_ip.and_then(|text| text.parse().ok()),
            request_id: file.request_context.request_id.unwrap_or_default(),
        },
    })
}

fn single(map: Option<BTreeMap<String, Option<String>>>) -> impl Iterator<Item = (String, String)> {
    map.unwrap_or_default().into_iter().filter_map(|(name, value)| Some((name, value?)))
}

/// Not the event of a REQUEST authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the event of a request authorizer")]
pub struct InvalidEvent;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventFile {
    #[serde(rename = "type")]
    kind: String,
    method_arn: String,
    path: String,
    http_method: String,
    headers: Option<BTreeMap<String, Option<String>>>,
    multi_value_headers: Option<BTreeMap<String, Option<Vec<String>>>>,
    query_string_parameters: Option<BTreeMap<String, Option<String>>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Option<Vec<String>>>>,
    #[serde(default)]
    request_context: ContextFile,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextFile {
    request_id: Option<String>,
    #[serde(default)]
    identity: IdentityFile,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityFile {
    source_ip: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::RawValue};

    use super::*;

    fn event() -> Value {
        json!({
            "type": "REQUEST",
            "methodArn": "arn:aws:execute-api:us-east-1:123456789012:abc/prod/GET/demo/free",
            "path": "/demo/free",
            "httpMethod": "GET",
            "headers": {"X-Api-Key": "b"},
            "multiValueHeaders": {"X-Api-Key": ["a", "b"]},
            "requestContext": {"requestId": "r-1", "identity": {"sourceIp": "203.0.113.9"}}
        })
    }

    #[test]
    fn every_header_line_is_kept() {
        let parsed = parse(event()).unwrap();
        assert_eq!(parsed.stage_arn, "arn:aws:execute-api:us-east-1:123456789012:abc/prod");
        assert_eq!(parsed.request.headers, [("X-Api-Key".into(), "a".into()), ("X-Api-Key".into(), "b".into())]);
        assert_eq!(parsed.request.source_ip, "203.0.113.9".parse().ok());
        assert_eq!(parsed.request.request_id, "r-1");
    }

    #[test]
    fn a_text_is_read_as_a_value_is() {
        let text = RawValue::from_string(event().to_string()).unwrap();
        let (of_text, of_value) = (parse(&*text).unwrap(), parse(event()).unwrap());
        assert_eq!(format!("{of_text:?}"), format!("{of_value:?}"));
        for text in ["null", "7", "{}", "[]"] {
            assert!(parse(&*RawValue::from_string(text.to_owned()).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn single_headers_serve_where_the_others_are_absent() {
        let mut event = event();
        event["multiValueHeaders"] = Value::Null;
        assert_eq!(parse(event).unwrap().request.headers, [("X-Api-Key".into(), "b".into())]);
    }

    #[test]
    fn other_events_are_refused() {
        for (field, value) in [
            ("type", json!("TOKEN")),
            ("type", Value::Null),
            ("methodArn", json!("abc")),
            ("methodArn", json!("arn:aws:execute-api:us-east-1:1:abc")),
            ("path", json!(7)),
            ("headers", json!(["a"])),
            ("multiValueHeaders", json!({"a": "b"})),
        ] {
            let mut event = event();
            event[field] = value.clone();
            assert!(parse(event).is_err(), "{field} {value}");
        }
        for event in [json!(null), json!([]), json!("x"), json!({})] {
            assert!(parse(event.clone()).is_err(), "{event}");
        }
    }
}
