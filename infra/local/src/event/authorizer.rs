//! The event of a REQUEST authorizer of a REST API.

use serde_json::Value;

use super::{ACCOUNT_ID, API_ID, STAGE, members};
use crate::call::Call;

/// The event that asks whether a call to the API behind the gate is admitted.
pub(crate) fn event(call: &Call) -> Value {
    let mut event = members(call, "/{proxy+}", &parameters(call));
    event.insert("type".into(), "REQUEST".into());
    event.insert("methodArn".into(), method_arn(call).into());
    Value::Object(event)
}

/// The path's parameters of the API behind the gate: all of it is one.
pub(crate) fn parameters(call: &Call) -> [(String, String); 1] {
    [("proxy".to_owned(), call.path.trim_start_matches('/').to_owned())]
}

/// The ARN of the called method, which the authorizer's policy must allow.
pub(crate) fn method_arn(call: &Call) -> String {
    format!("arn:aws:execute-api:us-east-1:{ACCOUNT_ID}:{API_ID}/{STAGE}/{}{}", call.method, call.path)
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerRequestTypeRequest;
    use hyper::{Request, header::HeaderValue};

    use super::*;
    use crate::call::tests::call;

    #[tokio::test]
    async fn the_event_is_the_one_that_authorizers_are_sent_on_aws() {
        let request = Request::get("/demo/free?a=1").header("x-api-key", "sk_test_x").body("").unwrap();
        let event = event(&call(request).await.unwrap());
        assert_eq!(event["type"], "REQUEST");
        let event: ApiGatewayCustomAuthorizerRequestTypeRequest = serde_json::from_value(event).unwrap();
        let arn = "arn:aws:execute-api:us-east-1:000000000000:faregate00/local/GET/demo/free";
        assert_eq!(event.method_arn.as_deref(), Some(arn));
        assert_eq!(event.resource.as_deref(), Some("/{proxy+}"));
        assert_eq!(event.path.as_deref(), Some("/demo/free"));
        assert_eq!(event.headers["x-api-key"], "sk_test_x");
        assert_eq!(event.path_parameters["proxy"], "demo/free");
        assert_eq!(event.query_string_parameters.first("a"), Some("1"));
        assert_eq!(event.request_context.identity.unwrap().source_ip.as_deref(), Some("127.0.0.1"));
    }

    #[tokio::test]
    async fn two_credentials_and_bytes_that_are_no_text_reach_the_authorizer() {
        let bytes = HeaderValue::from_bytes(b"Bearer caf\xe9").unwrap();
        let request = Request::get("/").header("authorization", "Bearer a").header("authorization", bytes);
        let event = event(&call(request.body("").unwrap()).await.unwrap());
        assert_eq!(event["multiValueHeaders"]["authorization"], serde_json::json!(["Bearer a", "Bearer caf\u{fffd}"]));
    }
}
