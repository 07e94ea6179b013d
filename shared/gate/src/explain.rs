//! What the gate would say to a request with a key, without anything being taken.

use std::borrow::Cow;

use faregate_domain::{
    cell::{Cell, CellId},
    explanation::Explanation,
    funding::Wallet,
    id::{KeyId, ProjectId},
    money::MicroUsd,
    policy::Route,
    support::Household,
};

use crate::{Gate, GateError, Request, claim::Claim, pass::attempt_of};

/// An explanation and what it was read from.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Step by step.
    pub explanation: Explanation,
    /// The route that the request belongs to, at the price that was asked about.
    pub route: Option<Route>,
    /// The key's cell.
    pub cell: Cell,
    /// Its project's wallet.
    pub wallet: Wallet,
}

impl Gate {
    /// Explains what a request with the key would meet, at another price than the route's where one is given. Only reads.
    ///
    /// # Errors
    /// [`GateError`] when a part failed that the answer rests on.
    pub async fn explain(
        &self,
        id: &KeyId,
        project: &ProjectId,
        request: &Request,
        cost: Option<MicroUsd>,
    ) -> Result<Explained, GateError> {
        let services = self.services();
        let mut route = self.find_route(request).map(Cow::into_owned);
        if let (Some(route), Some(cost)) = (&mut route, cost) {
            route.cost = cost;
        }
        let own = CellId::Key(id.clone());
        for _ in 0..MAX_ROUNDS {
            // The wallet first: then no cell that is read after it has missed what it shows.
            let wallet = services.store.find_wallet(project).await?.ok_or(GateError::NoWallet)?;
            let cell = services.store.find_cell(&own).await?.ok_or(GateError::NoCell)?;
            let siblings = self.siblings(&own, &cell, &wallet).await?;
            let household = Household { siblings, wallet: wallet.clone() };
            let now = services.clock.now();
            let claim = Claim::of_holder(id, &cell).ok_or(GateError::NoCell)?;
            let explanation = match &route {
                None => Some(Explanation::without_route(now, household.grantable(&own, &cell, now))),
                Some(route) => {
                    let attempt = attempt_of(request, route, &claim, now);
                    Explanation::of(&attempt, route.is_open_to(&claim.environment), &cell, household)
                }
            };
            if let Some(explanation) = explanation {
                return Ok(Explained { explanation, route, cell, wallet });
            }
        }
        Err(GateError::Contended)
    }

    /// The cells, other than `own`, that may have money of its project.
    async fn siblings(&self, own: &CellId, cell: &Cell, wallet: &Wallet) -> Result<Vec<(CellId, Cell)>, GateError> {
        let named = wallet.children.keys().cloned();
        let ids: Vec<CellId> = named.chain(self.unnamed_kin(&cell.owner, wallet).await?).collect();
        Ok(self.cells_of(&cell.owner, &ids).await?.into_iter().filter(|(id, _)| id != own).collect())
    }
}

const MAX_ROUNDS: u32 = 8;
