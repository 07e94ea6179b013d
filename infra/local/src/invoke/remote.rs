//! The Lambda Invoke API, as AWS and `cargo lambda watch` serve it.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, body::Bytes, header::CONTENT_TYPE};
use serde_json::Value;

use super::{Function, InvokeError};
use crate::client::{BaseUrl, Client};

/// Functions behind an Invoke API.
pub(crate) struct Remote {
    client: Box<Client>,
    base: BaseUrl,
}

impl Remote {
    /// Functions served at `base`.
    pub(crate) fn new(client: Client, base: BaseUrl) -> Self {
        Self { client: Box::new(client), base }
    }

    /// `POST /2015-03-31/functions/{name}/invocations`.
    ///
    /// # Errors
    /// [`InvokeError::Function`] with the function's own message, or what kept it from answering.
    pub(crate) async fn invoke(&self, function: Function, event: &Value) -> Result<Value, InvokeError> {
        match tokio::time::timeout(TIMEOUT, self.send(function, event)).await {
            Ok(answer) => answer,
            Err(_) => Err(InvokeError::TimedOut),
        }
    }

    async fn send(&self, function: Function, event: &Value) -> Result<Value, InvokeError> {
        let failed = |error: &dyn std::fmt::Display| InvokeError::Api(error.to_string());
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let uri = self.base.with_path(&path, None).map_err(|error| failed(&error))?;
        let request = Request::post(uri).header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::new(Bytes::from(event.to_string()))).map_err(|error| failed(&error))?;
        let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| failed(&error))?.to_bytes();
        let value: Value = serde_json::from_slice(&body).map_err(|_| failed(&format_args!("{}", parts.status)))?;
        let is_function_error = parts.headers.contains_key("x-amz-function-error") || value.get("errorType").is_some();
        match value.get("errorMessage").and_then(Value::as_str) {
            Some(message) if is_function_error => Err(InvokeError::Function { message: message.to_owned() }),
            _ if is_function_error => Err(InvokeError::Function { message: "without a message".to_owned() }),
            _ if parts.status.is_success() => Ok(value),
            _ => Err(failed(&format_args!("{}", parts.status))),
        }
    }
}

/// Longer than API Gateway waits: `cargo lambda watch` compiles a function when it is first called.
const TIMEOUT: Duration = Duration::from_mins(10);
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
