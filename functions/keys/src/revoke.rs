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
        self.gate.clear_key(&description.id, &cell.owner).await?;
        no_content()
    }

    /// Ends the key that asks for it. It cannot ask again, so what fails after its end is left to its account's owner.
    pub(crate) async fn revoke_own(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.gate.authenticate_self(request).await?;
        let CellId::Key(id) = &caller.id else { return Err(Problem::not_found().into()) };
        let cell = self.end(&caller.account, id).await?;
        if let Err(failure) = self.gate.clear_key(id, &cell.owner).await {
            let request_id = input::request_id(request);
            tracing::error!(request_id, account = %caller.account, key = %id, %failure, "a revoked key is not cleared");
        }
        no_content()
    }

    /// From here on every request with the key is refused.
    async fn end(&self, account: &AccountId, id: &KeyId) -> Result<Cell, Refusal> {
        let cell = self.gate.end_key(account, id).await?;
        Ok(cell.ok_or(Failure::Missing { item: "key's cell" })?)
    }
}

fn no_content() -> Result<Response<Body>, Refusal> {
    Ok(Response::builder().status(204).header("cache-control", "no-store").body(Body::Empty)?)
}
