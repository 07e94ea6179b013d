//! The gateway: sends each request where it belongs and applies the authorizer's answer.

use faregate_edge::{now::Clock, problem::Problem};
use hyper::{Method, Request, body::Bytes, header::ALLOW};

use crate::{
    answer::{self, Answer},
    call::{Call, CallOrigin},
    event, gateway_response,
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
            Err(problem) => answer::problem(&problem, &origin.request_id),
        };
        let took_ms = self.clock.now().epoch_ms().saturating_sub(origin.received_at.epoch_ms());
        let status = answer.status().as_u16();
        tracing::info!(request_id = origin.request_id, %method, path, status, took_ms, "answered");
        answer
    }

    /// Answers a request that was read to its end.
    pub(crate) async fn answer_call(&self, call: Call) -> Answer {
        match self.routes.find(&call.path) {
            Place::Own { page, parameters } => own_page(&call, || self.pages.show(page, &parameters)),
            Place::Function { function, template, parameters } => {
                let event = event::proxy::event(&call, template, &parameters);
                let answered = self.functions.invoke(function, event).await;
                from_function(answered, function, &call.request_id)
            }
            Place::Gate => self.through_the_gate(call).await,
        }
    }

    async fn through_the_gate(&self, call: Call) -> Answer {
        let arn = event::authorizer::method_arn(&call);
        let answered = self.functions.invoke(Function::Authorizer, event::authorizer::event(&call)).await;
        let request_id = call.request_id.clone();
        match Outcome::of(answered, &arn) {
            Outcome::Admitted(context) => match layer::refusal(&context, &request_id) {
                Some(refusal) => refusal,
                None => {
                    let mut answer = self.integration.call(call, &context).await;
                    layer::add_limits(answer.headers_mut(), &context);
                    answer
                }
            },
            Outcome::Unauthorized => gateway_response::unauthorized(&request_id),
            Outcome::AccessDenied(context) => gateway_response::access_denied(&context, &request_id),
            Outcome::InvalidApiKey(context) => gateway_response::invalid_api_key(&context, &request_id),
            Outcome::Failure => gateway_response::failure(&request_id),
        }
    }
}

fn from_function(answered: Result<serde_json::Value, InvokeError>, function: Function, request_id: &str) -> Answer {
    let answer = match answered {
        Ok(answer) => answer,
        Err(InvokeError::TimedOut) => return gateway_response::gateway_timeout(request_id),
        Err(error) => {
            tracing::error!(%function, %error, request_id, "a function gave no answer");
            return gateway_response::bad_gateway(request_id);
        }
    };
    answer::from_function(&answer).unwrap_or_else(|error| {
        tracing::error!(%function, %error, request_id, "a function's answer is malformed");
        gateway_response::bad_gateway(request_id)
    })
}

fn own_page(call: &Call, page: impl FnOnce() -> Option<Answer>) -> Answer {
    if call.method != Method::GET && call.method != Method::HEAD {
        let mut answer = answer::problem(&Problem::method_not_allowed("GET, HEAD"), &call.request_id);
        answer.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    page().unwrap_or_else(|| answer::problem(&Problem::not_found(), &call.request_id))
}

#[cfg(test)]
mod tests;
