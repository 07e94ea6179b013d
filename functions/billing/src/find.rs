//! `GET /v1/projects` and `GET /v1/projects/{id}`

use faregate_domain::id::{AccountId, ProjectId};
use faregate_edge::{page, problem::Problem};
use faregate_gate::{
    Caller,
    management::{Data, Failure, Page, Refusal, answer},
    project::ProjectState,
};
use lambda_http::{Body, Request, Response};

use crate::{App, PROJECTS_READ, view::ProjectView};

impl App {
    pub(crate) async fn read(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request, PROJECTS_READ).await?;
        let state = self.find(&caller, id).await?;
        answer(200, serde_json::to_string(&Data { data: ProjectView::of(&state) })?)
    }

    pub(crate) async fn list(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request, PROJECTS_READ).await?;
        let limit = page::limit(request)?;
        let after = page::cursor(request, |suffix| ProjectId::from_suffix(suffix).ok())?;
        let (states, next) = match caller.key() {
            // A key knows of one project, and a cursor may stand behind it.
            Some(cell) if after.as_ref().is_none_or(|after| *after < cell.owner.project) => {
                (vec![self.find(&caller, &cell.owner.project.to_string()).await?], None)
            }
            Some(_) => (Vec::new(), None),
            None => self.page(&caller.account, after.as_ref(), limit).await?,
        };
        let data = states.iter().map(ProjectView::of).collect();
        let next_cursor = next.map(|id| page::cursor_of(id.suffix()));
        answer(200, serde_json::to_string(&Page { data, next_cursor })?)
    }

    /// A project that the caller may know of; whatever else the id may be, the answer is the same.
    pub(crate) async fn find(&self, caller: &Caller, id: &str) -> Result<ProjectState, Refusal> {
        let id = ProjectId::parse(id).map_err(|_| Problem::not_found())?;
        if caller.key().is_some_and(|cell| cell.owner.project != id) {
            return Err(Problem::not_found().into());
        }
        Ok(self.gate.find_project(&caller.account, &id).await?.ok_or_else(Problem::not_found)?)
    }

    /// Up to `limit` projects of an account after `after`, and the id to go on after.
    pub(crate) async fn page(
        &self,
        account: &AccountId,
        after: Option<&ProjectId>,
        limit: u16,
    ) -> Result<(Vec<ProjectState>, Option<ProjectId>), Failure> {
        let store = &self.services().store;
        // One more than wanted shows whether there is a next page.
        let mut projects = store.find_projects(account, after, limit + 1).await?;
        let has_more = projects.len() > usize::from(limit);
        projects.truncate(limit.into());
        let next = projects.last().filter(|_| has_more).map(|last| last.id.clone());
        let ids: Vec<ProjectId> = projects.iter().map(|project| project.id.clone()).collect();
        let mut wallets = store.find_wallets(&ids).await?;
        let mut states = Vec::with_capacity(projects.len());
        for project in projects {
            let wallet = wallets.remove(&project.id).ok_or(Failure::Missing { item: "project's wallet" })?;
            states.push(ProjectState { project, wallet });
        }
        Ok((states, next))
    }
}
