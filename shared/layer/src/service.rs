//! The layer itself: acts on the gate's decision before the service behind it sees the request.

use std::{
    future::{poll_fn, ready},
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    admission::Admission,
    credential,
    decision::Decision,
    lease::Lease,
    member,
    outcome::Said,
    rendering,
    settler::Settler,
    source::{Members, Source},
};

/// Who settles charges whose amount is held until the work is done.
#[derive(Clone, Debug)]
pub enum Settling {
    /// The layer, before it returns the response: a process that ends after it has settled.
    Awaited(Settler),
    /// The layer, after it has returned the response; [`Settler::finish`] waits for what is under way. On AWS Lambda,
    /// where the process stands still after a response, this is [`Settling::Awaited`].
    InBackground(Settler),
    /// The backend, always. Of what nobody settles the whole reserved amount is charged when the reservation expires.
    LeftToBackend,
}

/// Puts a service behind the gate's decision.
#[derive(Clone, Debug)]
pub struct FaregateLayer {
    source: Source,
    settling: Settling,
    reads_cost_header: bool,
}

impl FaregateLayer {
    /// For a function that API Gateway calls as `AWS_PROXY` behind the authorizer, run by `lambda_http`. The decision
    /// stands in the event's `requestContext.authorizer`; the caller's credential, which the event still holds, is
    /// removed.
    #[cfg(feature = "lambda")]
    #[must_use]
    pub fn on_lambda(settling: Settling) -> Self {
        Self { source: Source::Lambda, settling, reads_cost_header: false }
    }

    /// For a server behind a gateway that says the decision in `x-faregate-*` headers.
    ///
    /// Headers prove nothing by themselves: use this only where nobody but the gateway can reach the server, because
    /// its network says so, or mutual TLS.
    #[must_use]
    pub fn behind_gateway(settling: Settling) -> Self {
        Self { source: Source::Headers, settling, reads_cost_header: false }
    }

    /// Also reads what a request has cost from the response's [`COST_HEADER`](crate::COST_HEADER), in decimal dollars,
    /// and removes it there. [`ActualCost`](crate::ActualCost) goes before it.
    #[must_use]
    pub fn with_cost_header(self) -> Self {
        Self { reads_cost_header: true, ..self }
    }

    fn lease(&self, admission: &Admission) -> Option<Lease> {
        let (reserved, charge) = (admission.reserved?, admission.charge.clone()?);
        let (settler, is_awaited) = match &self.settling {
            Settling::Awaited(settler) => (settler, true),
            Settling::InBackground(settler) => (settler, self.source.freezes()),
            Settling::LeftToBackend => return None,
        };
        Some(Lease::new(settler.clone(), charge, reserved, is_awaited))
    }
}

impl<S> Layer<S> for FaregateLayer {
    type Service = Faregate<S>;

    fn layer(&self, inner: S) -> Faregate<S> {
        Faregate { inner, layer: self.clone() }
    }
}

/// A service behind the gate's decision; made by [`FaregateLayer`].
///
/// It is always ready, and waits for the service behind it as part of each request: an admitted request that waits has
/// a charge to settle when its caller goes away.
#[derive(Clone, Debug)]
pub struct Faregate<S> {
    inner: S,
    layer: FaregateLayer,
}

impl<S, A, B> Service<Request<A>> for Faregate<S>
where
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    A: Send + 'static,
    B: From<String> + Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let source = self.layer.source;
        let request_id = source.request_id(&request);
        let decision = Decision::read(source, &request, &request_id);
        member::remove_reserved(request.headers_mut());
        match decision {
            Ok(Decision::Admitted { admission, members }) => {
                if source.shows_credential() {
                    credential::remove(request.headers_mut());
                }
                credential::remove_from_uri(request.uri_mut());
                let lease = self.layer.lease(&admission);
                request.extensions_mut().insert(admission);
                Box::pin(answer(self.inner.clone(), request, members, lease, self.layer.reads_cost_header))
            }
            Ok(Decision::Refused(answer)) => Box::pin(ready(Ok(answer.map(B::from)))),
            Err(error) => {
                tracing::error!(%error, request_id, "a request came without the gate's decision");
                Box::pin(ready(Ok(rendering::gate_unavailable(&request_id).map(B::from))))
            }
        }
    }
}

/// What the service behind the gate answers, with the limits of its request, once its charge is settled.
async fn answer<S, A, B>(
    mut inner: S,
    request: Request<A>,
    members: Members,
    lease: Option<Lease>,
    reads_cost_header: bool,
) -> Result<Response<B>, S::Error>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    let answered = async move {
        poll_fn(|context| inner.poll_ready(context)).await?;
        let mut response = inner.call(request).await?;
        let said = Said::take(&mut response, reads_cost_header);
        rendering::add_limits(response.headers_mut(), |name| members.text(name));
        Ok((response, said))
    };
    match lease {
        Some(lease) => lease.settle_after(answered).await,
        None => answered.await.map(|(response, _)| response),
    }
}
