//! A knock at the gate: one request through the authorizer's whole handler.

use faregate_domain::query::Query;
use serde_json::{Map, Value, json};

/// Who knocks.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// The holder of a key, in `X-Api-Key`.
    Key(String),
    /// The holder of a bearer credential.
    Bearer(String),
}

impl Caller {
    /// The headers that say so.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        match self {
            Self::Anonymous => Vec::new(),
            Self::Key(key) => vec![("X-Api-Key".into(), key.clone())],
            Self::Bearer(token) => vec![("Authorization".into(), format!("Bearer {token}"))],
        }
    }
}

/// What the gate said.
#[derive(Clone, Debug)]
pub struct Knock {
    /// 200, or the refusal's status; 503 when there was no decision.
    pub status: u16,
    /// `ok`, or the refusal's word.
    pub code: String,
    /// The authorizer's context.
    pub context: Value,
    /// The refusal's body.
    pub problem: Value,
    /// The authorizer's whole answer.
    pub answer: Value,
}

impl Knock {
    pub(crate) fn read(answer: Result<Value, String>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(message) => {
                return Self {
                    status: if message == "Unauthorized" { 401 } else { 503 },
                    code: message,
                    context: Value::Null,
                    problem: Value::Null,
                    answer: Value::Null,
                };
            }
        };
        let context = answer["context"].clone();
        let text = |name: &str| context[name].as_str().unwrap_or_default().to_owned();
        Self {
            status: text("status").parse().unwrap_or(0),
            code: text("code"),
            problem: serde_json::from_str(&text("problem")).unwrap_or(Value::Null),
            context,
            answer,
        }
    }

    /// A value of the context.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.context[name].as_str().unwrap_or_default()
    }

    /// A value of the context as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }
}

/// The REQUEST authorizer's event; the target may have a query.
#[must_use]
pub fn knock_event(method: &str, target: &str, headers: &[(String, String)]) -> Value {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = Query::parse(query);
    let all: Map<_, _> = query.names().map(|name| (name.to_owned(), json!(query.values(name)))).collect();
    let last: Map<_, _> = query.names().map(|name| (name.to_owned(), json!(query.values(name).last()))).collect();
    let mut lines = Map::new();
    for (name, value) in headers {
        if let Value::Array(values) = lines.entry(name.clone()).or_insert_with(|| json!([])) {
            values.push(value.clone().into());
        }
    }
    json!({
        "type": "REQUEST",
        "methodArn": format!("arn:aws:execute-api:us-east-1:000000000000:test/stage/{method}{path}"),
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect::<Map<_, _>>(),
        "multiValueHeaders": lines,
        "queryStringParameters": last,
        "multiValueQueryStringParameters": all,
        "requestContext": {"requestId": "request-1", "identity": {"sourceIp": "203.0.113.7"}}
    })
}
