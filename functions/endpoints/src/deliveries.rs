//! `POST /v1/webhooks/{id}/test`, `GET /v1/webhooks/{id}/deliveries` and
//! `POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver`

use faregate_domain::{
    base62,
    cell::CellId,
    id::MessageId,
    time::Timestamp,
    webhook::{Data as EventData, Delivery, Endpoint, Event, EventKind},
};
use faregate_edge::{entropy, page, problem::Problem};
use faregate_gate::management::{Data, Failure, Page, Refusal, answer};
use lambda_http::{Body, Request, Response};

use crate::{
    App,
    body::require_nothing,
    view::{DeliveryView, ended_with},
};

impl App {
    /// Puts an event on its way whatever kinds the endpoint wants.
    pub(crate) async fn test(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let now = self.services().clock.now();
        let caller = self.authenticate(request).await?;
        let endpoint = self.find(&caller, id).await?;
        require_nothing(request)?;
        self.require_enabled(&endpoint, now).await?;
        let data = EventData::default().with_text("webhook_id", &endpoint.id.to_string());
        let whose = (endpoint.account.clone(), Some(endpoint.project.clone()));
        let what = base62::random(TEST_CHARS, &mut entropy::fill);
        let event = Event::new(EventKind::WebhookTest, now, whose, &what, data);
        let delivery = Delivery::new(&event, &endpoint, now);
        self.services().store.insert_delivery(&delivery).await?;
        accepted(&delivery)
    }

    /// What is on its way to an endpoint, and what was, the newest first.
    pub(crate) async fn deliveries(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let endpoint = self.find(&caller, id).await?;
        page::only(request, &["limit", "cursor"])?;
        let limit = page::limit(request)?;
        let after = page::cursor(request, |suffix| MessageId::from_suffix(suffix).ok())?;
        let now = self.services().clock.now();
        // One more than wanted shows whether there is a next page.
        let mut found = self.services().store.find_deliveries(&endpoint.id, after.as_ref(), limit + 1).await?;
        let has_more = found.len() > usize::from(limit);
        found.truncate(limit.into());
        let next_cursor = found.last().filter(|_| has_more).map(|last| page::cursor_of(last.id.suffix()));
        // What has expired is not shown, collected or not.
        found.retain(|delivery| delivery.expires_at() > now);
        let data = found.iter().map(DeliveryView::from).collect();
        answer(200, serde_json::to_string(&Page { data, next_cursor })?)
    }

    /// Begins a delivery anew, under the same name, whatever became of it.
    pub(crate) async fn redeliver(
        &self,
        request: &Request,
        id: &str,
        message: &str,
    ) -> Result<Response<Body>, Refusal> {
        let now = self.services().clock.now();
        let caller = self.authenticate(request).await?;
        let endpoint = self.find(&caller, id).await?;
        let message = MessageId::parse(message).map_err(|_| Problem::not_found())?;
        require_nothing(request)?;
        let store = &self.services().store;
        for _ in 0..MAX_ATTEMPTS {
            let before = store.find_delivery(&endpoint.id, &message).await?;
            let before = before.filter(|delivery| delivery.expires_at() > now).ok_or_else(Problem::not_found)?;
            self.require_enabled(&endpoint, now).await?;
            let after = before.again(now);
            if store.change_delivery(&before, &after).await? {
                return accepted(&after);
            }
        }
        Err(Failure::Contended { item: "delivery" }.into())
    }

    async fn require_enabled(&self, endpoint: &Endpoint, now: Timestamp) -> Result<(), Refusal> {
        let cell = CellId::Key(endpoint.key.clone());
        let cell = self.services().store.find_cell(&cell).await?;
        match endpoint.disabled.or_else(|| ended_with(cell.as_ref(), now)) {
            None => Ok(()),
            Some(disabled) => {
                let detail = "The endpoint is disabled, so nothing is delivered to it.";
                let problem = Problem::new(409, "webhook_disabled", detail);
                Err(problem.with_member("disabled_reason", disabled.reason.as_str()).into())
            }
        }
    }
}

fn accepted(delivery: &Delivery) -> Result<Response<Body>, Refusal> {
    answer(202, serde_json::to_string(&Data { data: DeliveryView::from(delivery) })?)
}

const TEST_CHARS: usize = 22;
const MAX_ATTEMPTS: u32 = 8;
