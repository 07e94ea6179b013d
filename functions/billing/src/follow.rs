//! Brings a change of a project to its cells: each repeats the project's gallery and rate, so that a decision reads
//! nothing else.

use std::time::Duration;

use faregate_domain::{
    cell::{Cell, CellId, Status},
    funding::TokenSlice,
    id::{AccountId, ProjectId},
    time::Timestamp,
    window::Window,
};
use faregate_gate::{management::Failure, project::ProjectState};
use faregate_store::{Followed, Outcome};

use crate::App;

impl App {
    /// Has every cell of the project follow it: those of its keys, and that of the account's sessions where they act for
    /// this project. Keys that are made meanwhile begin with the project as it is by now.
    pub(crate) async fn bring_to_cells(&self, account: &AccountId, project: &ProjectId) -> Result<(), Failure> {
        let store = &self.services().store;
        // Read after the change: whatever it shows on its way to a cell is all that was granted before.
        let mut state = self.state(account, project).await?;
        let sessions = CellId::Session(account.clone());
        if let Some(cell) = store.find_cell(&sessions).await?.filter(|cell| cell.owner.project == *project) {
            self.follow(account, &mut state, &sessions, cell).await?;
        }
        let mut after = None;
        loop {
            let keys = store.find_keys(account, after.as_ref(), PAGE).await?;
            let own = keys.iter().filter(|key| key.project == *project).map(|key| key.id.clone());
            for (id, cell) in store.find_cells(&own.collect::<Vec<_>>()).await? {
                if cell.status != Status::Revoked {
                    self.follow(account, &mut state, &CellId::Key(id), cell).await?;
                }
            }
            if keys.len() < usize::from(PAGE) {
                return Ok(());
            }
            after = keys.into_iter().last().map(|last| last.id);
        }
    }

    /// Has one cell follow. Its tokens were granted under the rate before: they go back to the wallet, which has taken
    /// the difference between the rates already.
    async fn follow(
        &self,
        account: &AccountId,
        state: &mut ProjectState,
        id: &CellId,
        mut cell: Cell,
    ) -> Result<(), Failure> {
        let store = &self.services().store;
        for attempt in 1..=MAX_ATTEMPTS {
            // Tokens on their way to the cell are given up, so that they do not arrive later.
            if let Some(grant) = state.wallet.pending(id, &cell.purse).filter(|grant| grant.tokens.is_some()) {
                cell = match store.credit(id, &grant).await? {
                    Outcome::Applied(cell) | Outcome::Refused { cell: Some(cell), .. } => *cell,
                    Outcome::Refused { cell: None, .. } => return Ok(()),
                };
            }
            // A key in heavy use may never hold still: in the end its tokens are given up as well.
            let held = held(&cell, state, self.services().clock.now()).filter(|_| attempt <= PATIENT_ATTEMPTS);
            let is_returned = |index: &u64| held.is_some_and(|held| held.index == *index);
            let forgotten: Vec<u64> =
                cell.counters.tokens.keys().copied().filter(|index| !is_returned(index)).collect();
            let returned = held.map(|tokens| (&state.project.id, tokens));
            match store.follow_project(id, &state.settings(account), returned, &forgotten).await? {
                Followed::InForce | Followed::Missing => return Ok(()),
                Followed::Outdated => {}
            }
            tokio::time::sleep(PAUSE * attempt).await;
            *state = self.state(account, &state.project.id).await?;
            let Some(now) = store.find_cell(id).await? else { return Ok(()) };
            cell = now;
        }
        Err(Failure::Contended { item: "project's cell" })
    }

    async fn state(&self, account: &AccountId, project: &ProjectId) -> Result<ProjectState, Failure> {
        self.gate.find_project(account, project).await?.ok_or(Failure::Missing { item: "project" })
    }
}

/// The tokens of the running window that the cell holds, where the wallet still counts that window.
fn held(cell: &Cell, state: &ProjectState, now: Timestamp) -> Option<TokenSlice> {
    let wallet = &state.wallet;
    let index = Window::at(wallet.latest(now), wallet.rate?.window).index;
    let count = cell.counters.tokens.get(&index).copied().filter(|count| *count > 0)?;
    wallet.tokens.contains_key(&index).then_some(TokenSlice { index, count })
}

const PAGE: u16 = 100;
const MAX_ATTEMPTS: u32 = 12;
const PATIENT_ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(3);
