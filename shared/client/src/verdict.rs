//! What the gate says of a call.

use std::collections::BTreeMap;

use faregate_domain::money::MicroUsd;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{CallError, Charge, InvalidPrincipal, Part, Principal};

/// Whether a call may go on.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It may: it is counted, and paid or reserved.
    Allowed(Box<Allowed>),
    /// It may not, and took nothing.
    Refused(Refused),
}

/// A call that may go on.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// Who is calling.
    pub principal: Principal,
    /// The charge that the call has made; `None` where it came by a signed URL, which counts and costs nothing.
    pub charge: Option<Charge>,
    /// The amount held until the charge is settled; `None` where the price is fixed and nothing is to settle.
    pub reserved: Option<MicroUsd>,
    /// What is left of each limit, for the caller's answer.
    pub headers: HeaderMap,
}

/// A call that may not go on.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What to answer the caller with, 400 to 599.
    pub status: StatusCode,
    /// The stable word for why.
    pub code: String,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's body.
    pub body: String,
}

impl Allowed {
    /// Adds the limits to the headers of the caller's answer, in place of others of these names.
    pub fn add_limits(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }
}

impl Refused {
    /// The caller's answer.
    #[must_use]
    pub fn into_response(self) -> Response<String> {
        let mut answer = Response::new(self.body);
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers;
        answer
    }
}

impl Verdict {
    /// Reads the gate's answer; whatever is neither an admission nor a refusal is none of both.
    pub(crate) fn parse(answer: &[u8]) -> Result<Self, CallError> {
        let malformed = |reason: String| CallError::Malformed(reason);
        // The reader's own words could repeat what it read.
        let Answer { data } = serde_json::from_slice(answer).map_err(|_| malformed("not a decision".to_owned()))?;
        let headers = headers(&data.headers)?;
        if data.allowed {
            let charge = data.charge_id.as_deref().map(Charge::parse).transpose();
            let charge = charge.map_err(|error| malformed(error.to_string()))?;
            let principal = data.principal.ok_or_else(|| malformed("nobody is allowed".to_owned()))?;
            if data.status != StatusCode::OK.as_u16() {
                return Err(malformed("allowed with another status than 200".to_owned()));
            }
            let reserved = principal.reserved()?;
            if reserved.is_some() && charge.is_none() {
                return Err(malformed("something is reserved under no charge".to_owned()));
            }
            let principal = principal.principal().map_err(|error| malformed(error.to_string()))?;
            return Ok(Self::Allowed(Box::new(Allowed { principal, charge, reserved, headers })));
        }
        let status = StatusCode::from_u16(data.status).ok();
        let status = status.filter(|status| status.is_client_error() || status.is_server_error());
        let status = status.ok_or_else(|| malformed("refused with a status that refuses nothing".to_owned()))?;
        let body = data.body.ok_or_else(|| malformed("refused without a body".to_owned()))?;
        Ok(Self::Refused(Refused { status, code: data.code, headers, body: body.get().to_owned() }))
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    allowed: bool,
    status: u16,
    code: String,
    headers: BTreeMap<String, String>,
    body: Option<Box<RawValue>>,
    charge_id: Option<String>,
    principal: Option<PrincipalData>,
}

#[derive(Deserialize)]
struct PrincipalData {
    account_id: String,
    project_id: String,
    key_id: Option<String>,
    #[serde(default)]
    client_session_id: Option<String>,
    environment: String,
    gallery: String,
    scopes: Vec<String>,
    settle: Option<String>,
    reserved_usd: Option<Box<RawValue>>,
}

impl PrincipalData {
    fn principal(&self) -> Result<Principal, InvalidPrincipal> {
        let text = |part| match part {
            Part::Account => self.account_id.as_str(),
            Part::Project => &self.project_id,
            Part::Key => self.key_id.as_deref().unwrap_or_default(),
            Part::Session => self.client_session_id.as_deref().unwrap_or_default(),
            Part::Environment => &self.environment,
            Part::Gallery => &self.gallery,
            Part::Scopes => "",
        };
        Principal::parse(text, self.scopes.iter().map(String::as_str))
    }

    fn reserved(&self) -> Result<Option<MicroUsd>, CallError> {
        let malformed = || CallError::Malformed("what is reserved is no amount".to_owned());
        match (self.settle.as_deref(), &self.reserved_usd) {
            (None, None) => Ok(None),
            (Some("required"), Some(amount)) => {
                MicroUsd::parse_json_literal(amount.get()).map(Some).map_err(|_| malformed())
            }
            _ => Err(malformed()),
        }
    }
}

fn headers(texts: &BTreeMap<String, String>) -> Result<HeaderMap, CallError> {
    let header = |(name, value): (&String, &String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    };
    let headers: Option<HeaderMap> = texts.iter().map(header).collect();
    headers.ok_or_else(|| CallError::Malformed("a header that is none".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn allowed() -> Value {
        json!({"data": {
            "allowed": true, "status": 200, "code": "ok", "headers": {"x-ratelimit-limit": "100"}, "body": null,
            "charge_id": "chg_dddddddddddddddddddddd",
            "principal": {
                "account_id": "acc_aaaaaaaaaaaaaaaaaaaaaa", "project_id": "prj_bbbbbbbbbbbbbbbbbbbbbb",
                "key_id": "key_cccccccccccccccc", "environment": "sandbox", "gallery": "prj_bbbbbbbbbbbbbbbbbbbbbb",
                "scopes": ["demo:*"], "settle": "required", "reserved_usd": 0.1,
            },
        }})
    }

    fn refused() -> Value {
        json!({"data": {
            "allowed": false, "status": 429, "code": "rate_limited", "headers": {"retry-after": "20"},
            "body": {"code": "rate_limited"}, "charge_id": null, "principal": null, "later": "fields are left alone",
        }})
    }

    fn read(answer: &Value) -> Result<Verdict, CallError> {
        Verdict::parse(answer.to_string().as_bytes())
    }

    #[test]
    fn an_admission_says_who_calls_and_what_is_held() {
        let Ok(Verdict::Allowed(allowed)) = read(&allowed()) else { panic!("allowed") };
        assert_eq!(allowed.principal.account.to_string(), "acc_aaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(allowed.principal.key.as_ref().unwrap().to_string(), "key_cccccccccccccccc");
        assert_eq!(
            (allowed.charge.as_ref().unwrap().as_str(), allowed.reserved),
            ("chg_dddddddddddddddddddddd", MicroUsd::new(100_000).ok())
        );
        let mut headers = HeaderMap::new();
        headers.append("x-ratelimit-limit", HeaderValue::from_static("7"));
        headers.append("x-ratelimit-limit", HeaderValue::from_static("8"));
        allowed.add_limits(&mut headers);
        assert_eq!(headers.get_all("x-ratelimit-limit").iter().collect::<Vec<_>>(), ["100"]);
    }

    #[test]
    fn a_person_has_no_key_and_a_fixed_price_reserves_nothing() {
        let mut answer = allowed();
        for member in ["key_id", "settle", "reserved_usd"] {
            answer["data"]["principal"][member] = Value::Null;
        }
        let Ok(Verdict::Allowed(allowed)) = read(&answer) else { panic!("allowed") };
        assert_eq!((allowed.principal.key, allowed.reserved), (None, None));
    }

    #[test]
    fn a_signed_url_makes_no_charge() {
        let mut answer = allowed();
        answer["data"]["charge_id"] = Value::Null;
        assert!(read(&answer).is_err(), "what is reserved has a charge");
        for member in ["settle", "reserved_usd"] {
            answer["data"]["principal"][member] = Value::Null;
        }
        let Ok(Verdict::Allowed(allowed)) = read(&answer) else { panic!("allowed") };
        assert_eq!((allowed.charge, allowed.reserved), (None, None));
    }

    #[test]
    fn a_refusal_is_the_callers_answer() {
        let Ok(Verdict::Refused(refused)) = read(&refused()) else { panic!("refused") };
        assert_eq!(refused.code, "rate_limited");
        let answer = refused.into_response();
        assert_eq!(
            (answer.status(), answer.body().as_str()),
            (StatusCode::TOO_MANY_REQUESTS, r#"{"code":"rate_limited"}"#)
        );
        assert_eq!(answer.headers()["retry-after"], "20");
    }

    #[test]
    fn what_is_neither_admits_nobody() {
        for (member, value) in [
            ("allowed", json!("yes")),
            ("allowed", Value::Null),
            ("status", json!(204)),
            ("status", json!(403)),
            ("charge_id", Value::Null),
            ("charge_id", json!("../keys")),
            ("principal", Value::Null),
            ("headers", json!({"a b": "c"})),
            ("headers", json!({"a": "b\r\nc: d"})),
        ] {
            let mut answer = allowed();
            answer["data"][member] = value.clone();
            assert!(matches!(read(&answer), Err(CallError::Malformed(_))), "{member} {value}");
        }
        for (member, value) in [
            ("account_id", json!("acc_1")),
            ("project_id", json!("acc_aaaaaaaaaaaaaaaaaaaaaa")),
            ("key_id", json!("key_")),
            ("environment", json!("Sandbox")),
            ("gallery", json!("a b")),
            ("scopes", json!([])),
            ("scopes", json!(["two words"])),
            ("settle", json!("perhaps")),
            ("settle", Value::Null),
            ("reserved_usd", Value::Null),
            ("reserved_usd", json!(-1)),
        ] {
            let mut answer = allowed();
            answer["data"]["principal"][member] = value.clone();
            assert!(matches!(read(&answer), Err(CallError::Malformed(_))), "{member} {value}");
        }
        for (member, value) in
            [("status", json!(200)), ("status", json!(302)), ("status", json!(99)), ("body", Value::Null)]
        {
            let mut answer = refused();
            answer["data"][member] = value.clone();
            assert!(matches!(read(&answer), Err(CallError::Malformed(_))), "{member} {value}");
        }
        for text in ["", "{}", "[]", "<html>", r#"{"data":{"allowed":true}}"#] {
            assert!(matches!(Verdict::parse(text.as_bytes()), Err(CallError::Malformed(_))), "{text}");
        }
    }
}
