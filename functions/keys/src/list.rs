//! `GET /v1/api-keys`

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use faregate_domain::id::KeyId;
use faregate_edge::problem::Problem;
use faregate_gate::Caller;
use faregate_store::KeyDescription;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::Serialize;

use crate::{App, Failure, Refusal, answer, find::authority, view::KeyView};

impl App {
    pub(crate) async fn list(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let limit = limit(request)?;
        let after = cursor(request)?;
        let (descriptions, next) = self.page(&caller, after, limit).await?;
        let ids: Vec<KeyId> = descriptions.iter().map(|description| description.id.clone()).collect();
        let cells = self.services().store.find_cells(&ids).await?;
        let now = self.services().clock.now();
        let mut data = Vec::with_capacity(descriptions.len());
        for description in &descriptions {
            let cell = cells.get(&description.id).ok_or(Failure::Missing { item: "key's cell" })?;
            data.push(KeyView::of(description, cell, now));
        }
        let next_cursor = next.map(|id| URL_SAFE_NO_PAD.encode(id.suffix()));
        answer(200, serde_json::to_string(&Page { data, next_cursor })?)
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

#[derive(Serialize)]
struct Page<'k> {
    data: Vec<KeyView<'k>>,
    next_cursor: Option<String>,
}

fn limit(request: &Request) -> Result<u16, Problem> {
    let invalid = || Problem::invalid_field("limit", "must be a whole number from 1 to 100");
    match parameter(request, "limit")? {
        None => Ok(DEFAULT_LIMIT),
        Some(text) if text.len() > 3 || !text.bytes().all(|byte| byte.is_ascii_digit()) => Err(invalid()),
        Some(text) => text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(invalid),
    }
}

/// Where to go on. Every query is bound to the caller's own account, so a made-up cursor shows nothing of another's.
fn cursor(request: &Request) -> Result<Option<KeyId>, Problem> {
    let Some(text) = parameter(request, "cursor")? else { return Ok(None) };
    let suffix = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let id = suffix.and_then(|suffix| KeyId::from_suffix(&suffix).ok());
    id.map(Some).ok_or_else(|| Problem::invalid_field("cursor", "must be a next_cursor of an earlier answer"))
}

fn parameter(request: &Request, name: &str) -> Result<Option<String>, Problem> {
    let Some(values) = request.query_string_parameters_ref().and_then(|query| query.all(name)) else {
        return Ok(None);
    };
    match values.as_slice() {
        [value] => Ok(Some((*value).to_owned())),
        _ => Err(Problem::invalid_field(name, "is given twice")),
    }
}

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 100;
/// A caller that may see few of many keys gets a short page rather than a long wait.
const MAX_QUERIES: u32 = 10;
