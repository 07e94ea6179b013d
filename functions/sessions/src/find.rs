//! `GET /v1/client-sessions/{id}`

use faregate_domain::{
    cell::{Cell, CellId},
    client_session::ClientSession,
    id::ClientSessionId,
    time::Timestamp,
};
use faregate_edge::problem::Problem;
use faregate_gate::{
    Caller,
    management::{Data, Failure, Refusal, answer},
};
use lambda_http::{Body, Request, Response};

use crate::{App, view::SessionView};

impl App {
    pub(crate) async fn read(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let now = self.services().clock.now();
        let session = self.find(&caller, id, now).await?;
        let cell = self.cell_of(&caller, &session).await?;
        answer(200, serde_json::to_string(&Data { data: SessionView::of(&session, Some(&cell), now) })?)
    }

    /// A session that the caller may know of: a key's own, or one of the account's for its owner. Whatever else the id may
    /// be, the answer is the same.
    pub(crate) async fn find(&self, caller: &Caller, id: &str, now: Timestamp) -> Result<ClientSession, Refusal> {
        let id = ClientSessionId::parse(id).map_err(|_| Problem::not_found())?;
        let found = self.services().store.find_client_session(&id).await?.map(|stored| stored.session);
        let is_own = |session: &ClientSession| match &caller.id {
            CellId::Key(key) => session.key == *key,
            CellId::Session(_) => session.account == caller.account,
        };
        let shown = found.filter(|session| is_own(session) && session.kept_until > now);
        Ok(shown.ok_or_else(Problem::not_found)?)
    }

    /// The cell of the session's key, which a key that asks has shown already.
    pub(crate) async fn cell_of(&self, caller: &Caller, session: &ClientSession) -> Result<Cell, Refusal> {
        let key = CellId::Key(session.key.clone());
        if caller.id == key {
            return Ok(caller.cell.clone());
        }
        let cell = self.services().store.find_cell(&key).await?;
        Ok(cell.ok_or(Failure::Missing { item: "key's cell" })?)
    }
}
