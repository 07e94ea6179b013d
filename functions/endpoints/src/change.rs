//! `PATCH /v1/webhooks/{id}`

use faregate_domain::{
    cell::CellId,
    time::Timestamp,
    webhook::{Endpoint, Reason, Wish},
};
use faregate_edge::{input, problem::Problem};
use faregate_gate::management::{Failure, Refusal};
use lambda_http::{Body, Request, Response};

use crate::{
    App,
    body::{self, ChangeBody},
    create::key_revoked,
    require_current_secret, secret,
};

impl App {
    pub(crate) async fn change(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let now = self.services().clock.now();
        let caller = self.authenticate(request).await?;
        require_current_secret(&caller)?;
        let mut before = self.find(&caller, id).await?;
        let change = Change::of(input::json(request)?, self.services().config.reach)?;
        if change.is_enabled == Some(true) {
            self.keep_own_secret(request, &caller, now).await?;
            self.permit_deliveries(&before, now).await?;
        }
        for _ in 0..MAX_ATTEMPTS {
            let after = change.applied(&before, now);
            if after == before || self.services().store.change_endpoint(&before, &after).await? {
                return self.answer_with(&after).await;
            }
            before = self.find(&caller, id).await?;
        }
        Err(Failure::Contended { item: "endpoint" }.into())
    }

    /// Whether anything could be delivered: the key is in force, and what deliveries are signed under is known.
    async fn permit_deliveries(&self, endpoint: &Endpoint, now: Timestamp) -> Result<(), Refusal> {
        let cell = self.services().store.find_cell(&CellId::Key(endpoint.key.clone())).await?;
        let cell = cell.ok_or(Failure::Missing { item: "key's cell" })?;
        if cell.is_over(now) {
            return Err(key_revoked().into());
        }
        if self.is_known(&endpoint.account, &endpoint.key, &cell, now).await? {
            Ok(())
        } else {
            Err(secret::unknown().into())
        }
    }
}

/// What shall be otherwise.
struct Change {
    url: Option<String>,
    wish: Option<Wish>,
    description: Option<Described>,
    is_enabled: Option<bool>,
}

/// What the owner calls it, or that it is called nothing.
struct Described(Option<String>);

impl Change {
    fn of(body: ChangeBody, reach: faregate_domain::outbound::Reach) -> Result<Self, Problem> {
        Ok(Self {
            url: body.url.map(|url| body::url(&url, reach)).transpose()?,
            wish: body.events.as_deref().map(body::wish).transpose()?,
            description: body.description.map(body::description).transpose()?.map(Described),
            is_enabled: body.enabled,
        })
    }

    /// The endpoint as it shall be. One that is enabled again, or called elsewhere, has its days counted anew.
    fn applied(&self, before: &Endpoint, now: Timestamp) -> Endpoint {
        let mut after = before.clone();
        if let Some(url) = &self.url
            && *url != after.url
        {
            after.url.clone_from(url);
            after.failing_since = None;
        }
        if let Some(wish) = &self.wish {
            after.wish = wish.clone();
        }
        if let Some(Described(description)) = &self.description {
            after.description.clone_from(description);
        }
        match self.is_enabled {
            Some(true) if after.disabled.is_some() => {
                after.disabled = None;
                after.failing_since = None;
                after
            }
            Some(false) => after.disabled_for(Reason::ByOwner, now),
            _ => after,
        }
    }
}

const MAX_ATTEMPTS: u32 = 8;
