//! `DELETE /v1/client-sessions/{id}`

use faregate_domain::{
    cell::{Cell, CellId},
    client_session::{ClientSession, SessionStatus, Tabs},
    time::Timestamp,
};
use faregate_edge::problem::Problem;
use faregate_gate::management::{Failure, Refusal};
use lambda_http::{Body, Request, Response};

use crate::App;

impl App {
    /// Ends a session: from here on its secret is refused, and every request with its token. Ending it again changes nothing.
    pub(crate) async fn end(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        for _ in 0..MAX_ROUNDS {
            let now = self.services().clock.now();
            let session = self.find(&caller, id, now).await?;
            let cell = self.services().store.find_cell(&CellId::Key(session.key.clone())).await?;
            let cell = cell.ok_or(Failure::Missing { item: "key's cell" })?;
            if self.end_once(&session, &cell, now).await? {
                return Ok(Response::builder().status(204).header("cache-control", "no-store").body(Body::Empty)?);
            }
        }
        Err(Failure::Contended { item: "session" }.into())
    }

    /// Whether the session is over now; false where it or its key has changed since they were read.
    async fn end_once(&self, session: &ClientSession, cell: &Cell, now: Timestamp) -> Result<bool, Refusal> {
        let store = &self.services().store;
        let is_ended = match session.status(Some(cell), now) {
            SessionStatus::Ended | SessionStatus::Expired => return Ok(true),
            SessionStatus::Created => store.end_unused_session(session, now).await?,
            SessionStatus::Redeemed => {
                let full_until = cell.tabs.full_until(Tabs::MAX, now);
                if let Some(retry_at) = full_until.filter(|_| session.ceiling.is_none()) {
                    let detail =
                        "As many sessions of this key were ended as it can remember; revoke or freeze the key.";
                    return Err(too_many(detail, retry_at, now).into());
                }
                store.end_client_session(session, &cell.tabs, now).await?
            }
        };
        if is_ended {
            tracing::info!(key = %session.key, session = %session.id, "client session ended");
        }
        Ok(is_ended)
    }
}

/// 429: the key's item has room for so many sessions that must be known, and not for one more.
pub(crate) fn too_many(detail: &str, retry_at: Timestamp, now: Timestamp) -> Problem {
    Problem::new(429, "too_many_sessions", detail)
        .with_header("retry-after", now.seconds_until(retry_at).max(1).to_string())
}

const MAX_ROUNDS: u32 = 8;
