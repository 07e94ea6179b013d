//! How management functions answer: success in an envelope, a problem for the caller's mistakes, 503 for ours.

use faregate_domain::{delegation::Overreach, denial::Denial, policy::Dialect};
use faregate_edge::{input, problem::Problem, seal::SealError, secrets::SecretsError, wording};
use faregate_store::StoreError;
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::{GateError, Tally, signing::SigningError};

/// Why a request gets no success: the caller's doing, or ours.
#[derive(Debug)]
pub enum Refusal {
    /// The caller's, which the caller is told.
    Problem(Problem),
    /// Ours, which the log is told.
    Failure(Failure),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Overreach> for Refusal {
    fn from(overreach: Overreach) -> Self {
        let problem = Problem::new(403, overreach.code(), overreach.detail()).with_member("field", overreach.field());
        match &overreach {
            Overreach::Grant(grant) | Overreach::Reserved(grant) => {
                let challenge = Denial::InsufficientScope { required: grant.to_string() }.challenge();
                let problem = problem.with_member("required_scope", grant.as_str());
                challenge.into_iter().fold(problem, |problem, it| problem.with_header("www-authenticate", it)).into()
            }
            _ => problem.into(),
        }
    }
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

/// What of ours failed; told to the log, never to the caller.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gate.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A secret could not be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// An answer could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A signing secret could not be sealed or opened.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The response's parts do not fit.
    #[error("the response could not be built")]
    Response(#[from] lambda_http::http::Error),
    /// The answer is no JSON.
    #[error("the answer could not be written as json")]
    Render(#[from] serde_json::Error),
    /// Something that another item speaks of is not there.
    #[error("the {item} is missing")]
    Missing {
        /// What it is.
        item: &'static str,
    },
    /// An account's plan has left the policy.
    #[error("the policy has no plan {plan}")]
    NoSuchPlan {
        /// The plan's name.
        plan: String,
    },
    /// Somebody else was always first.
    #[error("the {item} was changed by others at every attempt")]
    Contended {
        /// What they changed.
        item: &'static str,
    },
}

/// The whole HTTP answer to a request, with what is left of its caller's limits where it was counted, an error in the
/// product's dialect unless the caller prefers none; a failure is logged here and becomes 503.
pub fn respond(request: &Request, answered: Result<Response<Body>, Refusal>, dialect: &Dialect) -> Response<Body> {
    let dialect = wording::dialect_for(request.headers(), dialect);
    let request_id = input::request_id(request);
    let mut response = match answered {
        Ok(response) => response,
        Err(Refusal::Problem(problem)) => problem.response(&request_id, dialect),
        Err(Refusal::Failure(failure)) => {
            let method = request.method().as_str();
            tracing::error!(request_id, method, path = input::path(request), %failure, "management request failed");
            Problem::unavailable().response(&request_id, dialect)
        }
    };
    if let Some(tally) = Tally::find(request) {
        tally.add_headers(response.headers_mut(), dialect.headers());
    }
    response.headers_mut().extend(wording::applied(request.headers()));
    response
}

/// A JSON answer that nobody may keep.
///
/// # Errors
/// [`Failure::Response`] where the status is none.
pub fn answer(status: u16, body: String) -> Result<Response<Body>, Refusal> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .body(Body::Text(body))?;
    Ok(response)
}

/// The envelope of every single answer.
#[derive(Debug, Serialize)]
pub struct Data<T> {
    /// What was asked for.
    pub data: T,
}

/// The envelope of every list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    /// One page of it.
    pub data: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}
