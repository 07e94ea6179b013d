//! Finds one key, as far as it exists for the caller.

use faregate_domain::{
    cell::{Cell, CellId},
    delegation::Authority,
    id::KeyId,
    policy::dialect::KeyAnswer,
};
use faregate_edge::problem::Problem;
use faregate_gate::{
    Caller,
    management::{Failure, Refusal, answer},
};
use faregate_store::KeyDescription;
use lambda_http::{Body, Request, Response};

use crate::{App, view::KeyView};

impl App {
    /// `GET /v1/api-keys/{id}`
    pub(crate) async fn read(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let (description, cell) = self.find(&caller, id).await?;
        let now = self.services().clock.now();
        let view = KeyView::of(&description, &cell, now).with_usage(&cell, now);
        answer(200, self.key_text(request, KeyAnswer::Key, view)?)
    }

    /// A key of the caller's account that the caller may know of; whatever else the id may be, the answer is the same.
    pub(crate) async fn find(&self, caller: &Caller, id: &str) -> Result<(KeyDescription, Cell), Refusal> {
        let id = KeyId::parse(id).map_err(|_| Problem::not_found())?;
        let description = self.services().store.find_key(&caller.account, &id).await?.ok_or_else(Problem::not_found)?;
        if !authority(caller).reaches(&description.project, &description.environment) {
            return Err(Problem::not_found().into());
        }
        let cell = self.services().store.find_cell(&CellId::Key(id)).await?;
        Ok((description, cell.ok_or(Failure::Missing { item: "key's cell" })?))
    }
}

/// On whose authority the caller acts.
pub(crate) fn authority(caller: &Caller) -> Authority<'_> {
    match caller.key() {
        Some(cell) => Authority::Key(cell),
        None if caller.is_operator => Authority::Operator,
        None => Authority::Owner,
    }
}
