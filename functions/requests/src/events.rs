//! `GET /v1/api-keys/{id}/events`: what happened with a key that its owner should know of.

use faregate_domain::{cell::CellId, delegation::Authority, id::KeyId};
use faregate_edge::{page, problem::Problem};
use faregate_gate::{
    Caller,
    management::{Page, Refusal, answer},
};
use faregate_store::Event;
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{App, KEYS_MANAGE};

impl App {
    pub(crate) async fn events(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request, KEYS_MANAGE).await?;
        let key = self.find_key(&caller, id).await?;
        page::only(request, &["limit", "cursor"])?;
        let limit = page::limit(request)?;
        let question = format!("events\0{}\0{key}", caller.account);
        let after = self.gate.open_cursor(request, &question).await?;
        let now = self.services().clock.now();
        // One more than wanted shows whether there is a next page.
        let mut found = self.services().store.find_events(&CellId::Key(key), after, limit + 1).await?;
        let has_more = found.len() > usize::from(limit);
        found.truncate(limit.into());
        let next_cursor = match found.last() {
            Some((last, _)) if has_more => Some(self.gate.seal_cursor(&question, last).await?),
            _ => None,
        };
        // What has expired is not shown, collected or not.
        found.retain(|(_, event)| event.expires_at() > now);
        let data = found.into_iter().map(|(_, event)| EventView::of(event)).collect::<Result<_, _>>()?;
        answer(200, serde_json::to_string(&Page { data, next_cursor })?)
    }

    /// A key of the caller's account that the caller may know of; whatever else the id may be, the answer is the same.
    async fn find_key(&self, caller: &Caller, id: &str) -> Result<KeyId, Refusal> {
        let id = KeyId::parse(id).map_err(|_| Problem::not_found())?;
        let found = self.services().store.find_key(&caller.account, &id).await?.ok_or_else(Problem::not_found)?;
        let authority = caller.key().map_or(Authority::Owner, Authority::Key);
        if authority.reaches(&found.project, &found.environment) { Ok(id) } else { Err(Problem::not_found().into()) }
    }
}

#[derive(Serialize)]
struct EventView {
    kind: String,
    at: String,
    details: Box<RawValue>,
}

impl EventView {
    fn of(event: Event) -> Result<Self, serde_json::Error> {
        Ok(Self { kind: event.kind, at: event.at.to_string(), details: RawValue::from_string(event.details)? })
    }
}
