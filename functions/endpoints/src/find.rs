//! `GET /v1/webhooks`, `GET /v1/webhooks/{id}`, `DELETE /v1/webhooks/{id}`

use faregate_domain::{cell::CellId, delegation::Authority, id::WebhookId, webhook::Endpoint};
use faregate_edge::{page, problem::Problem};
use faregate_gate::{
    Caller,
    management::{Data, Page, Refusal, answer},
};
use lambda_http::{Body, Request, Response};

use crate::{App, require_current_secret, view::EndpointView};

impl App {
    /// All that the caller may know of, the newest first.
    pub(crate) async fn list(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        page::only(request, &["limit", "cursor"])?;
        let limit = page::limit(request)?;
        let after = page::cursor(request, |suffix| WebhookId::from_suffix(suffix).ok())?;
        let store = &self.services().store;
        let mut endpoints = store.find_endpoints(&caller.account).await?;
        endpoints.retain(|endpoint| reaches(&caller, endpoint));
        endpoints.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        if let Some(after) = after {
            let place = endpoints.iter().position(|endpoint| endpoint.id == after);
            // One that was deleted meanwhile leaves nothing to go on after.
            endpoints.drain(..place.map_or(endpoints.len(), |place| place + 1));
        }
        let has_more = endpoints.len() > usize::from(limit);
        endpoints.truncate(limit.into());
        let next_cursor = endpoints.last().filter(|_| has_more).map(|last| page::cursor_of(last.id.suffix()));
        let keys: Vec<_> = endpoints
            .iter()
            .map(|endpoint| endpoint.key.clone())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        let (cells, now) = (store.find_cells(&keys).await?, self.services().clock.now());
        let view = |endpoint| EndpointView::of(endpoint, cells.get(&endpoint.key), now);
        let data = endpoints.iter().map(view).collect();
        answer(200, serde_json::to_string(&Page { data, next_cursor })?)
    }

    pub(crate) async fn read(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let endpoint = self.find(&caller, id).await?;
        self.answer_with(&endpoint).await
    }

    /// Deletes an endpoint; what is on its way to it is not tried again.
    pub(crate) async fn delete(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        require_current_secret(&caller)?;
        let endpoint = self.find(&caller, id).await?;
        self.services().store.delete_endpoint(&caller.account, &endpoint.id).await?;
        tracing::info!(account = %caller.account, webhook = %endpoint.id, "webhook deleted");
        Ok(Response::builder().status(204).header("cache-control", "no-store").body(Body::Empty)?)
    }

    pub(crate) async fn answer_with(&self, endpoint: &Endpoint) -> Result<Response<Body>, Refusal> {
        let cell = self.services().store.find_cell(&CellId::Key(endpoint.key.clone())).await?;
        let data = EndpointView::of(endpoint, cell.as_ref(), self.services().clock.now());
        answer(200, serde_json::to_string(&Data { data })?)
    }

    /// An endpoint that the caller may know of; whatever else the id may be, the answer is the same.
    pub(crate) async fn find(&self, caller: &Caller, id: &str) -> Result<Endpoint, Refusal> {
        let id = WebhookId::parse(id).map_err(|_| Problem::not_found())?;
        let endpoint = self.services().store.find_endpoint(&caller.account, &id).await?;
        Ok(endpoint.filter(|endpoint| reaches(caller, endpoint)).ok_or_else(Problem::not_found)?)
    }
}

/// A key knows of the endpoints of its own project and environment; whoever signed in of all of the account's.
fn reaches(caller: &Caller, endpoint: &Endpoint) -> bool {
    let authority = caller.key().map_or(Authority::Owner, Authority::Key);
    authority.reaches(&endpoint.project, &endpoint.environment)
}
