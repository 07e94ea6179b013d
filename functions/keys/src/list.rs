//! `GET /v1/api-keys`

use faregate_domain::id::KeyId;
use faregate_edge::page;
use faregate_gate::{
    Caller,
    management::{Failure, Refusal, answer},
};
use faregate_store::KeyDescription;
use lambda_http::{Body, Request, Response};

use crate::{App, find::authority, view::KeyView};

impl App {
    pub(crate) async fn list(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let limit = page::limit(request)?;
        let after = page::cursor(request, |suffix| KeyId::from_suffix(suffix).ok())?;
        let (descriptions, next) = self.page(&caller, after, limit).await?;
        let ids: Vec<KeyId> = descriptions.iter().map(|description| description.id.clone()).collect();
        let cells = self.services().store.find_cells(&ids).await?;
        let now = self.services().clock.now();
        let mut data = Vec::with_capacity(descriptions.len());
        for description in &descriptions {
            let cell = cells.get(&description.id).ok_or(Failure::Missing { item: "key's cell" })?;
            data.push(KeyView::of(description, cell, now));
        }
        let next_cursor = next.map(|id| page::cursor_of(id.suffix()));
        answer(200, self.page_text(data, next_cursor)?)
    }

    /// Up to `limit` keys after `after` that the caller may know of, and the id to go on after.
    async fn page(
        &self,
        caller: &Caller,
        mut after: Option<KeyId>,
        limit: u16,
    ) -> Result<(Vec<KeyDescription>, Option<KeyId>), Refusal> {
        let authority = authority(caller);
        let mut page: Vec<KeyDescription> = Vec::new();
        for _ in 0..MAX_QUERIES {
            // One more than wanted shows whether there is a next page.
            let found = self.services().store.find_keys(&caller.account, after.as_ref(), limit + 1).await?;
            let is_last = found.len() <= usize::from(limit);
            after = found.last().map(|last| last.id.clone());
            let known = |one: &KeyDescription| authority.reaches(&one.project, &one.environment);
            page.extend(found.into_iter().filter(known));
            if page.len() > usize::from(limit) {
                page.truncate(limit.into());
                return Ok((page.clone(), page.last().map(|last| last.id.clone())));
            }
            if is_last {
                return Ok((page, None));
            }
        }
        Ok((page, after))
    }
}

/// A caller that may see few of many keys gets a short page rather than a long wait.
const MAX_QUERIES: u32 = 10;
