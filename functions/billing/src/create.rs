//! `POST /v1/projects`

use faregate_domain::{funding::Wallet, id::ProjectId, project::GalleryMode, time::Timestamp};
use faregate_edge::{entropy, input, problem::Problem};
use faregate_gate::{
    Caller,
    management::{Data, Failure, Refusal, answer},
    project::ProjectState,
    replay::Ticket,
};
use faregate_store::{NewProject, Project, ProjectInsertion};
use lambda_http::{Body, Request, Response};

use crate::{
    App, PROJECTS_WRITE,
    body::{CreateBody, Wish},
    require_session,
    view::ProjectView,
};

impl App {
    pub(crate) async fn create(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request, PROJECTS_WRITE).await?;
        require_session(&caller)?;
        let ticket = Ticket::of(request, &caller.id, OPERATION)?;
        for _ in 0..MAX_ATTEMPTS {
            let now = self.services().clock.now();
            if let Some(ticket) = &ticket
                && let Some(first) = self.gate.replay(ticket, now).await?
            {
                return answer(201, first);
            }
            let wish = input::json::<CreateBody>(request)?.wish()?;
            if let Some(answer) = self.insert(&caller, wish, ticket.as_ref(), now).await? {
                return Ok(answer);
            }
        }
        Err(Failure::Contended { item: "record of the request" }.into())
    }

    /// Inserts the project; `None` when an equal request was faster.
    async fn insert(
        &self,
        caller: &Caller,
        wish: Wish,
        ticket: Option<&Ticket>,
        now: Timestamp,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let project = Project {
            id: ProjectId::mint(&mut entropy::fill),
            name: wish.name.unwrap_or_default(),
            gallery_mode: wish.gallery_mode.unwrap_or(GalleryMode::Isolated),
            created_at: Timestamp::from_epoch_s(now.epoch_s()),
        };
        let rate = wish.rate.and_then(|rate| rate.find().copied());
        let state = ProjectState { project, wallet: Wallet { rate, ..Wallet::default() } };
        let text = serde_json::to_string(&Data { data: ProjectView::of(&state) })?;
        let record = match ticket {
            Some(ticket) => Some(self.gate.record(ticket, &text, now).await?),
            None => None,
        };
        let new = NewProject {
            account: &caller.account,
            project: &state.project,
            rate,
            max_projects: MAX_PROJECTS,
            record: record.as_ref(),
        };
        match self.services().store.insert_project(&new).await? {
            ProjectInsertion::Inserted => {
                tracing::info!(account = %caller.account, project = %state.project.id, "project created");
                answer(201, text).map(Some)
            }
            ProjectInsertion::Recorded => Ok(None),
            ProjectInsertion::Full => {
                let detail = "The account has as many projects as it may have.";
                Err(Problem::new(409, "too_many_projects", detail).with_member("max_projects", MAX_PROJECTS).into())
            }
        }
    }
}

const OPERATION: &str = "POST /v1/projects";
const MAX_ATTEMPTS: u32 = 4;
/// Of one account, the default one among them.
const MAX_PROJECTS: u32 = 100;
