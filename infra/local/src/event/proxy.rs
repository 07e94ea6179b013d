//! The event of a function behind API Gateway: Lambda proxy integration, payload version 1.0.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::members;
use crate::call::Call;

/// The event of a call to the route `resource`; empty maps are null, a body that is no text travels as base64.
pub(crate) fn event(call: &Call, resource: &str, parameters: &[(String, String)]) -> Value {
    let mut event = members(call, resource, parameters);
    for (_, member) in event.iter_mut().filter(|(name, _)| *name != "requestContext") {
        if member.as_object().is_some_and(serde_json::Map::is_empty) {
            *member = Value::Null;
        }
    }
    let (body, is_base64_encoded) = match std::str::from_utf8(&call.body) {
        Ok("") => (Value::Null, false),
        Ok(text) => (text.into(), false),
        Err(_) => (BASE64_STANDARD.encode(&call.body).into(), true),
    };
    event.insert("body".into(), body);
    event.insert("isBase64Encoded".into(), json!(is_base64_encoded));
    Value::Object(event)
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::apigw::ApiGatewayProxyRequest;
    use hyper::{Request, body::Bytes};

    use super::*;
    use crate::call::tests::call;

    #[tokio::test]
    async fn the_event_is_the_one_that_functions_are_sent_on_aws() {
        let request = Request::post("/v1/api-keys/key_1/rotate?q=%2F&q=b")
            .header("host", "127.0.0.1:8080")
            .header("user-agent", "curl/8")
            .header("x-two", "1")
            .header("x-two", "2")
            .body("{}");
        let call = call(request.unwrap()).await.unwrap();
        let event = event(&call, "/v1/api-keys/{id}/rotate", &[("id".into(), "key_1".into())]);
        let event: ApiGatewayProxyRequest = serde_json::from_value(event).unwrap();
        assert_eq!(event.resource.as_deref(), Some("/v1/api-keys/{id}/rotate"));
        assert_eq!(event.path.as_deref(), Some("/v1/api-keys/key_1/rotate"));
        assert_eq!(event.http_method, "POST");
        assert_eq!(event.headers["x-two"], "2");
        assert_eq!(event.multi_value_headers.get_all("x-two").iter().count(), 2);
        assert_eq!(event.query_string_parameters.first("q"), Some("b"));
        assert_eq!(event.multi_value_query_string_parameters.all("q"), Some(vec!["/", "b"]));
        assert_eq!(event.path_parameters["id"], "key_1");
        assert_eq!(event.body.as_deref(), Some("{}"));
        assert!(!event.is_base64_encoded);
        let context = event.request_context;
        assert_eq!(context.path.as_deref(), Some("/local/v1/api-keys/key_1/rotate"));
        assert_eq!(context.request_id.as_deref(), Some(call.request_id.as_str()));
        assert_eq!(context.request_time.as_deref(), Some("10/Sep/2026:00:26:40 +0000"));
        assert_eq!(context.request_time_epoch, 1_789_000_000_000);
        assert_eq!(context.identity.source_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(context.identity.user_agent.as_deref(), Some("curl/8"));
    }

    #[tokio::test]
    async fn what_is_absent_is_null_and_what_is_no_text_is_base64() {
        let mut call = call(Request::get("/x").body("").unwrap()).await.unwrap();
        let empty = event(&call, "/x", &[]);
        for member in ["queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"] {
            assert_eq!(empty[member], Value::Null, "{member}");
        }
        call.body = Bytes::from_static(b"\xff\x00");
        let binary = event(&call, "/x", &[]);
        assert_eq!((&binary["body"], &binary["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
    }
}
