//! The built-in API: says what it received.

use serde_json::{Map, Value, json};

use crate::{
    answer::{self, Answer},
    call::Call,
    outcome::Context,
};

/// 200 with `{"data":{"method","path","query","headers","body","context"}}`.
pub(super) fn answer(call: &Call, context: &Context) -> Answer {
    answer::json(&json!({"data": {
        "method": call.method.as_str(),
        "path": call.path,
        "query": grouped(call.query_pairs()),
        "headers": grouped(call.header_texts().map(|(name, value)| (name.to_owned(), value))),
        "body": body(call),
        "context": context.members(),
    }}))
}

/// A name given once has its value, a name given more than once the list of its values.
fn grouped(pairs: impl IntoIterator<Item = (String, String)>) -> Value {
    let mut groups: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        let grouped = match groups.remove(&name) {
            None => value.into(),
            Some(Value::Array(mut values)) => {
                values.push(value.into());
                Value::Array(values)
            }
            Some(first) => json!([first, value]),
        };
        groups.insert(name, grouped);
    }
    groups.into()
}

/// JSON as JSON, anything else as text, nothing as null.
fn body(call: &Call) -> Value {
    if call.body.is_empty() {
        return Value::Null;
    }
    let content_type = call.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json");
    let json = if is_json { serde_json::from_slice(&call.body).ok() } else { None };
    json.unwrap_or_else(|| String::from_utf8_lossy(&call.body).into())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use hyper::Request;

    use super::*;
    use crate::call::tests::call;

    #[tokio::test]
    async fn the_echo_says_what_it_received() {
        let request = Request::post("/demo/paid?a=1&b=2&b=3").header("content-type", "application/json");
        let call = call(request.body(r#"{"x":1}"#).unwrap()).await.unwrap();
        let answer = answer(&call, &Context::from_pairs(&[("accountId", "acc_1")]));
        assert_eq!(answer.status(), 200);
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        let wanted = json!({"data": {
            "method": "POST",
            "path": "/demo/paid",
            "query": {"a": "1", "b": ["2", "3"]},
            "headers": {"content-type": "application/json"},
            "body": {"x": 1},
            "context": {"accountId": "acc_1"},
        }});
        assert_eq!(body, wanted);
    }

    #[tokio::test]
    async fn a_body_that_is_no_json_is_text() {
        for (sent, content_type, wanted) in [
            ("", "application/json", Value::Null),
            ("{", "application/json; charset=utf-8", json!("{")),
            ("1", "application/JSON; charset=utf-8", json!(1)),
            ("{}", "text/plain", json!("{}")),
        ] {
            let request = Request::post("/demo/x").header("content-type", content_type).body(sent).unwrap();
            assert_eq!(body(&call(request).await.unwrap()), wanted);
        }
    }
}
