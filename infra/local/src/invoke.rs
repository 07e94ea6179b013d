//! Calls the functions: in this process, or through the Lambda Invoke API.

use std::{collections::BTreeMap, fmt, pin::Pin, sync::Arc, time::Duration};

use lambda_http::{Adapter, Context, LambdaEvent, Service, request::LambdaRequest, service_fn};
use serde_json::Value;

mod remote;

pub(crate) use remote::Remote;

/// Where the functions run.
pub(crate) enum Functions {
    /// In this process.
    InProcess(BTreeMap<Function, Handler>),
    /// Behind the Lambda Invoke API.
    Remote(Remote),
}

impl Functions {
    /// Calls a function with an event. It runs to its end even when nobody waits for the answer any more, as on AWS.
    ///
    /// # Errors
    /// [`InvokeError`] when the function failed, crashed, timed out or could not be reached.
    pub(crate) async fn invoke(&self, function: Function, event: Value) -> Result<Value, InvokeError> {
        match self {
            Self::Remote(remote) => remote.invoke(function, &event).await,
            Self::InProcess(handlers) => {
                let handler = handlers.get(&function).ok_or(InvokeError::Unknown(function))?;
                let run = tokio::time::timeout(TIMEOUT, tokio::spawn(handler(event)));
                match run.await {
                    Ok(Ok(answer)) => answer.map_err(|message| InvokeError::Function { message }),
                    Ok(Err(_)) => Err(InvokeError::Crashed(function)),
                    Err(_) => Err(InvokeError::TimedOut),
                }
            }
        }
    }
}

/// A function's handler: event in, answer or error message out.
pub(crate) type Handler = Arc<dyn Fn(Value) -> HandlerFuture + Send + Sync>;

type HandlerFuture = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

/// The handler of a function that speaks HTTP, by the same adapter that runs it on AWS.
pub(crate) fn http_handler<H, F>(handle: H) -> Handler
where
    H: Fn(lambda_http::Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = lambda_http::Response<lambda_http::Body>> + Send + 'static,
{
    Arc::new(move |event| {
        let handle = handle.clone();
        Box::pin(async move {
            let request: LambdaRequest = serde_json::from_value(event).map_err(|error| error.to_string())?;
            let service = service_fn(move |request| {
                let answer = handle(request);
                async move { Ok::<_, std::convert::Infallible>(answer.await) }
            });
            let answer = Adapter::from(service).call(LambdaEvent::new(request, Context::default())).await;
            let Ok(answer) = answer;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        })
    })
}

/// The functions of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Function {
    /// Hands out nonces for wallet logins.
    Nonce,
    /// Checks wallet logins and signs access tokens.
    Verify,
    /// Manages API keys.
    Keys,
    /// Settles charges.
    Charges,
    /// Decides for backends that ask.
    Check,
    /// Manages projects and money.
    Billing,
    /// Takes the payment provider's events.
    Payments,
    /// Keeps the books.
    Ledger,
    /// Reads the books out.
    Requests,
    /// Hands sessions on to frontends, and answers browsers' preflights.
    Sessions,
    /// Signs URLs.
    Links,
    /// Takes reports of leaked keys.
    Leaks,
    /// Manages webhook endpoints.
    Endpoints,
    /// Tells webhook endpoints what happened.
    Webhooks,
    /// Shows the console.
    Console,
    /// Decides about each request.
    Authorizer,
}

impl Function {
    /// The function that has this name among those behind HTTP.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let all = [
            Self::Nonce,
            Self::Verify,
            Self::Keys,
            Self::Charges,
            Self::Check,
            Self::Billing,
            Self::Payments,
            Self::Requests,
            Self::Sessions,
            Self::Links,
            Self::Leaks,
            Self::Endpoints,
            Self::Console,
        ];
        all.into_iter().find(|function| function.to_string() == name)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Nonce => "nonce",
            Self::Verify => "verify",
            Self::Keys => "keys",
            Self::Charges => "charges",
            Self::Check => "check",
            Self::Billing => "billing",
            Self::Payments => "payments",
            Self::Ledger => "ledger",
            Self::Requests => "requests",
            Self::Sessions => "sessions",
            Self::Links => "links",
            Self::Leaks => "leaks",
            Self::Endpoints => "endpoints",
            Self::Webhooks => "webhooks",
            Self::Console => "console",
            Self::Authorizer => "authorizer",
        })
    }
}

/// Why a function gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvokeError {
    /// The function answered with an error.
    #[error("the function failed: {message}")]
    Function {
        /// The error's text.
        message: String,
    },
    /// The function panicked.
    #[error("{0} crashed")]
    Crashed(Function),
    /// No such function runs here.
    #[error("{0} does not run here")]
    Unknown(Function),
    /// The function took too long.
    #[error("timed out")]
    TimedOut,
    /// The Invoke API could not be reached or did not answer as it should.
    #[error("invoke api: {0}")]
    Api(String),
}

/// How long API Gateway waits for a function.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(29);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn functions(handler: Handler) -> Functions {
        Functions::InProcess(BTreeMap::from([(Function::Nonce, handler)]))
    }

    #[tokio::test]
    async fn a_crash_is_an_error_of_that_call_only() {
        let functions = functions(Arc::new(|_| Box::pin(async { panic!("a bug") })));
        for _ in 0..2 {
            let error = functions.invoke(Function::Nonce, json!({})).await.unwrap_err();
            assert_eq!(error.to_string(), "nonce crashed");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_hangs_is_given_up() {
        let functions = functions(Arc::new(|_| Box::pin(std::future::pending())));
        let error = functions.invoke(Function::Nonce, json!({})).await.unwrap_err();
        assert!(matches!(error, InvokeError::TimedOut));
    }

    #[tokio::test]
    async fn an_http_function_answers_in_the_form_of_a_proxy_integration() {
        let functions = functions(http_handler(|request: lambda_http::Request| async move {
            lambda_http::Response::new(lambda_http::Body::Text(request.method().to_string()))
        }));
        let event = json!({"httpMethod": "PUT", "path": "/", "requestContext": {"httpMethod": "PUT"}});
        let answer = functions.invoke(Function::Nonce, event).await.unwrap();
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!("PUT")));
        let error = functions.invoke(Function::Nonce, json!({})).await.unwrap_err();
        assert!(matches!(error, InvokeError::Function { .. }));
    }
}
