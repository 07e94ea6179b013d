//! `DELETE /v1/api-keys/{id}` and `DELETE /v1/api-keys/self`

use faregate_domain::{
    cell::{Cell, CellId},
    id::{AccountId, KeyId},
};
use faregate_edge::{input, problem::Problem};
use faregate_gate::management::{Failure, Refusal};
use lambda_http::{Body, Request, Response};

use crate::App;

impl App {
    /// Ends a key; ending it again finishes what an earlier attempt left undone.
    pub(crate) async fn revoke(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request).await?;
        let (description, _) = self.find(&caller, id).await?;
        let cell = self.end(&caller.account, &description.id).await?;
        self.clear(&caller.account, &description.id, cell).await?;
        no_content()
    }

    /// Ends the key that asks for it. It cannot ask again, so what fails after its end is left to its account's owner.
    pub(crate) async fn revoke_own(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.gate.authenticate_self(request).await?;
        let CellId::Key(id) = &caller.id else { return Err(Problem::not_found().into()) };
        let cell = self.end(&caller.account, id).await?;
        if let Err(failure) = self.clear(&caller.account, id, cell).await {
            let request_id = input::request_id(request);
            tracing::error!(request_id, account = %caller.account, key = %id, %failure, "a revoked key is not cleared");
        }
        no_content()
    }

    /// From here on every request with the key is refused.
    async fn end(&self, account: &AccountId, id: &KeyId) -> Result<Cell, Refusal> {
        let cell = self.services().store.revoke_key(account, id).await?;
        let cell = cell.ok_or(Failure::Missing { item: "key's cell" })?;
        tracing::info!(%account, key = %id, "key revoked");
        Ok(cell)
    }

    /// Gives up the key's place and returns its money, each of which may be repeated.
    async fn clear(&self, account: &AccountId, id: &KeyId, cell: Cell) -> Result<(), Failure> {
        self.services().store.release_key(account, id).await?;
        Ok(self.gate.recall(&CellId::Key(id.clone()), cell).await?)
    }
}

fn no_content() -> Result<Response<Body>, Refusal> {
    Ok(Response::builder().status(204).header("cache-control", "no-store").body(Body::Empty)?)
}
