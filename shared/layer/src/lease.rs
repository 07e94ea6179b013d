//! A charge that waits for its settlement: settled by the response, or by whatever happens in its place.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    task::Poll,
};

use faregate_client::{Charge, Settlement};
use faregate_domain::money::MicroUsd;
use http::Response;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    outcome::{Said, failed},
    settler::Settler,
};

/// An unsettled charge. To drop it is to say that its request was given up.
#[derive(Debug)]
pub(crate) struct Lease {
    settler: Settler,
    /// Taken when the request came, since a request can be dropped anywhere.
    runtime: Option<Handle>,
    reserved: MicroUsd,
    /// None once it is settled.
    charge: Option<Charge>,
    is_awaited: bool,
}

impl Lease {
    /// The lease of a charge; the response waits for its settlement if `is_awaited`.
    pub(crate) fn new(settler: Settler, charge: Charge, reserved: MicroUsd, is_awaited: bool) -> Self {
        Self { settler, runtime: Handle::try_current().ok(), reserved, charge: Some(charge), is_awaited }
    }

    /// Sees a request to its end and settles by how it ends.
    ///
    /// # Errors
    /// Those of the request; a settlement that fails is only logged.
    ///
    /// # Panics
    /// When the request does, once its failure is settled.
    pub(crate) async fn settle_after<B, E>(
        self,
        answered: impl Future<Output = Result<(Response<B>, Said), E>>,
    ) -> Result<Response<B>, E> {
        match caught(answered).await {
            Ok(Ok((response, said))) => {
                let settlement = said.settlement(response.status(), self.reserved);
                self.close(settlement).await;
                Ok(response)
            }
            Ok(Err(error)) => {
                self.close(Some(failed("service_error"))).await;
                Err(error)
            }
            Err(panic) => {
                self.close(Some(failed("panic"))).await;
                resume_unwind(panic)
            }
        }
    }

    /// Settles, or leaves the charge to the backend. The settlement goes on when nobody waits for it any more.
    async fn close(mut self, settlement: Option<Settlement>) {
        let Some(charge) = self.charge.take() else { return };
        let Some(settlement) = settlement else {
            tracing::debug!(%charge, "the backend settles later");
            return;
        };
        let running = self.start(charge, settlement);
        if let (Some(running), true) = (running, self.is_awaited) {
            // A settlement that panicked has been told of by the panic; the response is none the worse.
            let _ = running.await;
        }
    }

    fn start(&self, charge: Charge, settlement: Settlement) -> Option<JoinHandle<()>> {
        if self.runtime.is_none() {
            tracing::error!(%charge, ?settlement, "a charge could not be settled: no tokio runtime");
        }
        self.runtime.as_ref().map(|runtime| self.settler.spawn(runtime, charge, settlement))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(charge) = self.charge.take() {
            // Runs by itself: nobody is left to wait for it.
            drop(self.start(charge, failed("cancelled")));
        }
    }
}

/// A future's output, or the panic that ended it.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn std::any::Any + Send>> {
    let mut future = pin!(future);
    // Nothing that a panic left half done is used again: the future is not polled after it, and the panic goes on.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}
