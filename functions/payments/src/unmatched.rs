//! `GET /v1/payments/unmatched`

use faregate_domain::payment::PaymentName;
use faregate_edge::page;
use faregate_gate::management::{Failure, Page, Refusal, answer};
use faregate_store::Unmatched;
use lambda_http::{Body, Request, Response};

use crate::{App, view::PaymentView};

impl App {
    /// The payments that need an operator, the newest first.
    pub(crate) async fn unmatched(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        self.gate.authenticate_operator(request).await?;
        let limit = page::limit(request)?;
        let after = page::cursor(request, Unmatched::place)?;
        let store = &self.services().store;
        let (listed, next) = self.page_of_unmatched(after, limit).await?;
        let next_cursor = next.map(|place| page::cursor_of(&place));
        let names: Vec<_> = listed.iter().map(|unmatched| unmatched.name.clone()).collect();
        let payments = store.find_payments(names.iter()).await?;
        let find = |name: &PaymentName| payments.iter().find(|payment| payment.name == *name);
        let data = listed.iter().filter_map(|unmatched| find(&unmatched.name)).map(PaymentView::from).collect();
        answer(200, serde_json::to_string(&Page { data, next_cursor })?)
    }

    /// Up to `limit` of them after the place `after`, and the place to go on after.
    async fn page_of_unmatched(
        &self,
        mut after: Option<String>,
        limit: u16,
    ) -> Result<(Vec<Unmatched>, Option<String>), Failure> {
        let mut page: Vec<Unmatched> = Vec::new();
        for _ in 0..MAX_QUERIES {
            // One more than wanted shows whether there is a next page.
            let found = self.services().store.find_unmatched(after.as_deref(), limit + 1).await?;
            let is_last = found.len() <= usize::from(limit);
            after = found.last().map(|last| last.place.clone());
            page.extend(found.into_iter().filter(|unmatched| unmatched.is_open));
            if page.len() > usize::from(limit) {
                page.truncate(limit.into());
                let next = page.last().map(|last| last.place.clone());
                return Ok((page, next));
            }
            if is_last {
                return Ok((page, None));
            }
        }
        Ok((page, after))
    }
}

/// After a day of many settled payments a page is short rather than slow.
const MAX_QUERIES: u32 = 10;
