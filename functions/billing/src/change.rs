//! `PATCH /v1/projects/{id}`

use std::time::Duration;

use faregate_domain::{project::RateShift, time::Timestamp};
use faregate_edge::input;
use faregate_gate::{
    management::{Data, Failure, Refusal, answer},
    project::ProjectState,
};
use faregate_store::{ProjectAmendment, RateChange, SettingsChange};
use lambda_http::{Body, Request, Response};

use crate::{
    App, PROJECTS_WRITE,
    body::{ChangeBody, Wish},
    view::ProjectView,
};

impl App {
    /// Changes a project: at the project first, so that whatever is granted or made from then on follows the change, and
    /// then at each of its cells. It is answered when all of them follow; sending it again finishes what was left.
    pub(crate) async fn change(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request, PROJECTS_WRITE).await?;
        let mut state = self.find(&caller, id).await?;
        let wish = input::json::<ChangeBody>(request)?.wish()?;
        for attempt in 1..=MAX_ATTEMPTS {
            let amendment = amendment(&wish, &state, self.services().clock.now());
            if self.services().store.amend_project(&caller.account, &state.project.id, &amendment).await? {
                if wish.gallery_mode.is_some() || wish.rate.is_some() {
                    self.bring_to_cells(&caller.account, &state.project.id).await?;
                }
                let state = self.find(&caller, id).await?;
                return answer(200, serde_json::to_string(&Data { data: ProjectView::of(&state) })?);
            }
            // Somebody else changed it, or a window began: from its new state again.
            tokio::time::sleep(PAUSE * attempt).await;
            state = self.find(&caller, id).await?;
        }
        Err(Failure::Contended { item: "project" }.into())
    }
}

/// What the wish means for the project as it is now.
fn amendment(wish: &Wish, state: &ProjectState, now: Timestamp) -> ProjectAmendment {
    let ProjectState { project, wallet } = state;
    let gallery_mode = wish.gallery_mode.filter(|mode| *mode != project.gallery_mode);
    let rate = wish.rate.map(|rate| rate.find().copied()).filter(|new| *new != wallet.rate);
    let shift = |new| wallet.rate.map(|old| RateShift::of(wallet, old, new, now));
    let rate = rate.map(|new| RateChange { new, shift: shift(new) });
    let is_changed = gallery_mode.is_some() || rate.is_some();
    ProjectAmendment {
        name: wish.name.clone().filter(|name| *name != project.name),
        settings: is_changed.then_some(SettingsChange { version: wallet.version, gallery_mode, rate }),
    }
}

const MAX_ATTEMPTS: u32 = 24;
const PAUSE: Duration = Duration::from_millis(2);
