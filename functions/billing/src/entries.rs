//! `GET /v1/billing/entries`

use faregate_domain::{id::EntryId, ledger::Entry};
use faregate_edge::page;
use faregate_gate::management::{Failure, Page, Refusal, answer};
use lambda_http::{Body, Request, Response};

use crate::{
    App, BILLING_READ,
    view::EntryView,
    whose::{ACCOUNT, Whose},
};

impl App {
    pub(crate) async fn entries(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request, BILLING_READ).await?;
        page::only(request, &[ACCOUNT, "key_id", "limit", "cursor"])?;
        let whose = self.whose(request, &caller).await?;
        if let Some(key) = page::parameter(request, "key_id")? {
            return self.grants(request, &caller, &whose, &key).await;
        }
        let limit = page::limit(request)?;
        let question = whose.question("entries", &caller);
        let after = self.gate.open_cursor(request, &question).await?;
        let after = after.map(|suffix| EntryId::from_suffix(&suffix)).transpose();
        let after = after.map_err(|_| page::foreign_cursor())?;
        let (entries, next) = self.page_of_entries(&whose, after, limit).await?;
        let data = entries.iter().map(EntryView::from).collect();
        let next_cursor = match next {
            Some(id) => Some(self.gate.seal_cursor(&question, id.suffix()).await?),
            None => None,
        };
        answer(200, serde_json::to_string(&Page { data, next_cursor })?)
    }

    /// Up to `limit` entries after `after` that the caller may know of, and the id to go on after.
    async fn page_of_entries(
        &self,
        whose: &Whose,
        mut after: Option<EntryId>,
        limit: u16,
    ) -> Result<(Vec<Entry>, Option<EntryId>), Failure> {
        let mut page: Vec<Entry> = Vec::new();
        for _ in 0..MAX_QUERIES {
            // One more than wanted shows whether there is a next page.
            let found = self.services().store.find_entries(&whose.account, after.as_ref(), limit + 1).await?;
            let is_last = found.len() <= usize::from(limit);
            after = found.last().map(|last| last.id.clone());
            page.extend(found.into_iter().filter(|entry| whose.project.is_none() || entry.project == whose.project));
            if page.len() > usize::from(limit) {
                page.truncate(limit.into());
                let next = page.last().map(|last| last.id.clone());
                return Ok((page, next));
            }
            if is_last {
                return Ok((page, None));
            }
        }
        Ok((page, after))
    }
}

/// A key that may see few of many entries gets a short page rather than a long wait.
const MAX_QUERIES: u32 = 10;
