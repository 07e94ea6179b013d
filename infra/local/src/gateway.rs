//! The gateway: sends each request where it belongs and applies the authorizer's answer.

use faregate_domain::policy::Dialect;
use faregate_edge::{now::Clock, problem::Problem};
use hyper::{
    Method, Request,
    body::Bytes,
    header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN},
};

use crate::{
    answer::{self, Answer},
    call::{Call, CallOrigin},
    event,
    gateway_response::{GatewayResponses, Kind, Stopped},
    integration::Integration,
    invoke::{Function, Functions, InvokeError},
    layer,
    outcome::Outcome,
    pages::Pages,
    routes::{Place, Routes},
};

/// What API Gateway is on AWS.
pub(crate) struct Gateway {
    pub(crate) functions: Functions,
    pub(crate) routes: Routes,
    pub(crate) pages: Pages,
    pub(crate) integration: Integration,
    /// What API Gateway answers itself.
    pub(crate) responses: GatewayResponses,
    /// How the product words what this program says in front of API Gateway, and on its own pages.
    pub(crate) dialect: Dialect,
    pub(crate) clock: Clock,
}

impl Gateway {
    /// Answers a request from `source_ip`.
    pub(crate) async fn answer<B>(&self, request: Request<B>, source_ip: std::net::IpAddr) -> Answer
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let origin = CallOrigin::new(source_ip, self.clock.now());
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let answer = match Call::read(request, origin.clone()).await {
            Ok(call) => self.answer_call(call).await,
            Err(stopped) => self.answer_stopped(&stopped, &origin.request_id),
        };
        let took_ms = self.clock.now().epoch_ms().saturating_sub(origin.received_at.epoch_ms());
        let status = answer.status().as_u16();
        tracing::info!(request_id = origin.request_id, %method, path, status, took_ms, "answered");
        answer
    }

    /// Answers a request that was read to its end.
    pub(crate) async fn answer_call(&self, call: Call) -> Answer {
        let request_id = call.request_id.clone();
        let answered = self.pass_on(call).await;
        answered.unwrap_or_else(|stopped| self.answer_stopped(&stopped, &request_id))
    }

    fn answer_stopped(&self, stopped: &Stopped, request_id: &str) -> Answer {
        match stopped {
            Stopped::Response(kind, context) => self.responses.answer(*kind, request_id, context),
            Stopped::Problem(problem) => answer::problem(problem, request_id, &self.dialect),
        }
    }

    async fn pass_on(&self, call: Call) -> Result<Answer, Stopped> {
        match self.routes.find(&call.path) {
            Place::Own { page, parameters } => Ok(own_page(&call, || self.pages.show(page, &parameters))?),
            Place::Function { function, template, parameters } => {
                let event = event::proxy::event(&call, template, &parameters);
                let answered = self.functions.invoke(function, event).await;
                Ok(from_function(answered, function, &call.request_id)?)
            }
            Place::Gate if is_preflight(&call) => {
                let event = event::proxy::event(&call, "/{proxy+}", &event::authorizer::parameters(&call));
                let answered = self.functions.invoke(Function::Sessions, event).await;
                Ok(from_function(answered, Function::Sessions, &call.request_id)?)
            }
            Place::Gate => self.through_the_gate(call).await,
        }
    }

    async fn through_the_gate(&self, call: Call) -> Result<Answer, Stopped> {
        let arn = event::authorizer::method_arn(&call);
        let answered = self.functions.invoke(Function::Authorizer, event::authorizer::event(&call)).await;
        let request_id = call.request_id.clone();
        match Outcome::of(answered, &arn) {
            Outcome::Admitted(context) => match layer::refusal(&context, &request_id) {
                Some(refusal) => Ok(refusal),
                None => match self.integration.call(call, &context).await {
                    Ok(mut answer) => {
                        layer::add_limits(answer.headers_mut(), &context);
                        Ok(answer)
                    }
                    Err(kind) => Err(Stopped::Response(kind, context)),
                },
            },
            Outcome::Unauthorized => Err(Kind::Unauthorized.into()),
            Outcome::AccessDenied(context) => Err(Stopped::Response(Kind::AccessDenied, context)),
            Outcome::InvalidApiKey(context) => Err(Stopped::Response(Kind::InvalidApiKey, context)),
            Outcome::Failure => Err(Kind::AuthorizerFailure.into()),
        }
    }
}

fn from_function(
    answered: Result<serde_json::Value, InvokeError>,
    function: Function,
    request_id: &str,
) -> Result<Answer, Kind> {
    let answer = match answered {
        Ok(answer) => answer,
        Err(InvokeError::TimedOut) => return Err(Kind::IntegrationTimeout),
        Err(error) => {
            tracing::error!(%function, %error, request_id, "a function gave no answer");
            return Err(Kind::IntegrationFailure);
        }
    };
    answer::from_function(&answer).map_err(|error| {
        tracing::error!(%function, %error, request_id, "a function's answer is malformed");
        Kind::IntegrationFailure
    })
}

/// Whether a browser asks before it sends a call, as the template has it: nobody is asked for a credential, and nothing is
/// counted.
fn is_preflight(call: &Call) -> bool {
    let has = |name| call.headers.contains_key(name);
    call.method == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD)
}

fn own_page(call: &Call, page: impl FnOnce() -> Option<Answer>) -> Result<Answer, Problem> {
    if call.method != Method::GET && call.method != Method::HEAD {
        return Err(Problem::method_not_allowed("GET, HEAD"));
    }
    page().ok_or_else(Problem::not_found)
}

#[cfg(test)]
mod tests;
