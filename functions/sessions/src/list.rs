//! `GET /v1/client-sessions`

use faregate_domain::{
    cell::{Cell, CellId},
    id::KeyId,
};
use faregate_edge::{page, problem::Problem};
use faregate_gate::{
    Caller,
    management::{Failure, Page, Refusal, answer},
};
use faregate_store::SessionPlace;
use lambda_http::{Body, Request, Response};

use crate::{App, view::SessionView};

impl App {
    /// The sessions of one key, the newest first: of the key that asks, or of one that its owner names.
    pub(crate) async fn list(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        page::only(request, &PARAMETERS)?;
        let limit = page::limit(request)?;
        let after = page::cursor(request, SessionPlace::parse)?;
        let (key, cell) = self.key_of(&caller, page::parameter(request, "key_id")?).await?;
        let now = self.services().clock.now();
        let mut found = self.services().store.find_client_sessions(&key, after.as_ref(), limit).await?;
        // A full page may be the last one; the next is then empty.
        let is_full = found.len() == usize::from(limit);
        let next = found.last().filter(|_| is_full).map(|(place, _)| page::cursor_of(place.as_str()));
        // Newer sessions may have been made meanwhile, none of them older.
        found.retain(|(_, session)| session.as_ref().is_some_and(|session| session.kept_until > now));
        let sessions = found.iter().filter_map(|(_, session)| session.as_ref());
        let data = sessions.map(|session| SessionView::of(session, Some(&cell), now)).collect();
        answer(200, serde_json::to_string(&Page { data, next_cursor: next })?)
    }

    async fn key_of(&self, caller: &Caller, named: Option<String>) -> Result<(KeyId, Cell), Refusal> {
        let parse = |text: String| KeyId::parse(&text).map_err(|_| Problem::not_found());
        let named = named.map(parse).transpose()?;
        let store = &self.services().store;
        match (&caller.id, named) {
            (CellId::Key(own), named) if named.as_ref().is_none_or(|named| named == own) => {
                Ok((own.clone(), caller.cell.clone()))
            }
            (CellId::Key(_), _) => Err(Problem::not_found().into()),
            (CellId::Session(_), None) => {
                Err(Problem::invalid_field("key_id", "is required of somebody who has signed in").into())
            }
            (CellId::Session(_), Some(named)) => {
                store.find_key(&caller.account, &named).await?.ok_or_else(Problem::not_found)?;
                let cell = store.find_cell(&CellId::Key(named.clone())).await?;
                Ok((named, cell.ok_or(Failure::Missing { item: "key's cell" })?))
            }
        }
    }
}

const PARAMETERS: [&str; 3] = ["key_id", "limit", "cursor"];
