//! `GET /v1/api-keys`

use faregate_domain::{
    cell::Cell,
    id::{KeyId, ProjectId},
    policy::Policy,
    time::Timestamp,
};
use faregate_edge::{page, problem::Problem};
use faregate_gate::{
    Caller,
    management::{Failure, Refusal, answer},
};
use faregate_store::KeyDescription;
use lambda_http::{Body, Request, Response};

use crate::{
    App,
    find::authority,
    view::{KeyView, STATUSES, status},
};

impl App {
    pub(crate) async fn list(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let limit = page::limit(request)?;
        let after = page::cursor(request, |suffix| KeyId::from_suffix(suffix).ok())?;
        let wanted = Wanted::of(request, &self.services().config.policy)?;
        let now = self.services().clock.now();
        let (keys, next) = self.page(&caller, &wanted, after, limit, now).await?;
        let data = keys.iter().map(|(description, cell)| KeyView::of(description, cell, now).with_usage(cell, now));
        let next_cursor = next.map(|id| page::cursor_of(id.suffix()));
        answer(200, self.page_text(request, data.collect(), next_cursor)?)
    }

    /// Up to `limit` keys after `after` that the caller wants and may know of, and the id to go on after.
    async fn page(
        &self,
        caller: &Caller,
        wanted: &Wanted,
        mut after: Option<KeyId>,
        limit: u16,
        now: Timestamp,
    ) -> Result<(Vec<(KeyDescription, Cell)>, Option<KeyId>), Refusal> {
        let authority = authority(caller);
        let mut page = Vec::new();
        for _ in 0..MAX_QUERIES {
            // One more than wanted shows whether there is a next page.
            let found = self.services().store.find_keys(&caller.account, after.as_ref(), limit + 1).await?;
            let is_last = found.len() <= usize::from(limit);
            after = found.last().map(|last| last.id.clone());
            let is_known = |one: &KeyDescription| authority.reaches(&one.project, &one.environment);
            let known = found.into_iter().filter(|one| is_known(one) && wanted.is_described_by(one)).collect();
            let keys = self.with_cells(known).await?;
            page.extend(keys.into_iter().filter(|(_, cell)| wanted.is_met_by(cell, now)));
            if page.len() > usize::from(limit) {
                page.truncate(limit.into());
                let last = page.last().map(|(last, _)| last.id.clone());
                return Ok((page, last));
            }
            if is_last {
                return Ok((page, None));
            }
        }
        Ok((page, after))
    }

    async fn with_cells(&self, keys: Vec<KeyDescription>) -> Result<Vec<(KeyDescription, Cell)>, Refusal> {
        let ids: Vec<KeyId> = keys.iter().map(|key| key.id.clone()).collect();
        let mut cells = std::collections::BTreeMap::new();
        for some in ids.chunks(MAX_CELLS_AT_ONCE) {
            cells.extend(self.services().store.find_cells(some).await?);
        }
        let with_cell = |key: KeyDescription| Some((cells.remove(&key.id)?, key)).map(|(cell, key)| (key, cell));
        let found: Option<Vec<_>> = keys.into_iter().map(with_cell).collect();
        Ok(found.ok_or(Failure::Missing { item: "key's cell" })?)
    }
}

/// What a list is narrowed to.
struct Wanted {
    status: Option<String>,
    environment: Option<String>,
    project: Option<ProjectId>,
}

impl Wanted {
    fn of(request: &Request, policy: &Policy) -> Result<Self, Problem> {
        let status = page::parameter(request, "status")?;
        if status.as_ref().is_some_and(|status| !STATUSES.contains(&status.as_str())) {
            return Err(Problem::invalid_field("status", "must be active, frozen, expired or revoked"));
        }
        let environment = page::parameter(request, "environment")?;
        if environment.as_ref().is_some_and(|name| policy.find_environment(name).is_none()) {
            return Err(Problem::invalid_field("environment", "is no environment of this API"));
        }
        let project = page::parameter(request, "project_id")?.map(|text| ProjectId::parse(&text)).transpose();
        let project = project.map_err(|_| Problem::invalid_field("project_id", "must be the id of a project"))?;
        Ok(Self { status, environment, project })
    }

    fn is_described_by(&self, key: &KeyDescription) -> bool {
        self.environment.as_ref().is_none_or(|name| *name == key.environment)
            && self.project.as_ref().is_none_or(|project| *project == key.project)
    }

    fn is_met_by(&self, cell: &Cell, now: Timestamp) -> bool {
        self.status.as_ref().is_none_or(|wanted| wanted == status(cell, now))
    }
}

/// A caller that may see few of many keys gets a short page rather than a long wait.
const MAX_QUERIES: u32 = 10;
const MAX_CELLS_AT_ONCE: usize = 100;
