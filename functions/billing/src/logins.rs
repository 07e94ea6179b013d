//! `GET|DELETE /v1/sessions` and `DELETE /v1/sessions/{id}`: where the account's owner is signed in, and the end of it.

use faregate_domain::{
    cell::StoredProof,
    denial::Denial,
    id::{AccountId, SessionId},
    time::Timestamp,
};
use faregate_edge::{page, problem::Problem, token::TOKEN_LIFETIME_SECONDS};
use faregate_gate::{
    Caller,
    management::{Page, Refusal, answer},
    refusal,
};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::{App, require_session};

impl App {
    /// The logins that hold now, the newest first.
    pub(crate) async fn logins(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let owner = self.owner(request).await?;
        let limit = page::limit(request)?;
        let after = page::cursor(request, Place::parse)?;
        let mut rest = owner.live(self.services().clock.now());
        rest.retain(|place| after.as_ref().is_none_or(|after| place < after));
        let has_more = rest.len() > usize::from(limit);
        rest.truncate(limit.into());
        let next_cursor = rest.last().filter(|_| has_more).map(|last| page::cursor_of(&last.to_string()));
        let data = rest.iter().map(|place| LoginView::of(place, &owner.login)).collect();
        answer(200, serde_json::to_string(&Page { data, next_cursor })?)
    }

    /// Ends one login; its token is refused from the next request on. It may be the one that asks.
    pub(crate) async fn end_login(&self, request: &Request, id: &str) -> Result<Response<Body>, Refusal> {
        let owner = self.owner(request).await?;
        let id = SessionId::parse(id).map_err(|_| Problem::not_found())?;
        // Whatever is not in the account's own cell is not there: another account's, one that is over, one that never was.
        if owner.live(self.services().clock.now()).iter().all(|place| place.id != id) {
            return Err(Problem::not_found().into());
        }
        self.services().store.revoke_session(&owner.account, &id).await?;
        tracing::info!(account = %owner.account, "a login was ended");
        done()
    }

    /// Ends all logins but the one that asks, one that begins at this moment included.
    pub(crate) async fn end_other_logins(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let owner = self.owner(request).await?;
        let now = self.services().clock.now();
        let own = owner.live(now).into_iter().find(|place| place.id == owner.login);
        let is_done = match own {
            Some(own) => self.services().store.keep_only_session(&owner.account, &own.id, own.end).await?,
            None => false,
        };
        if !is_done {
            // It was ended itself after it had been let in.
            return Err(refusal::problem(&Denial::InvalidToken, now).into());
        }
        tracing::info!(account = %owner.account, "all other logins were ended");
        done()
    }

    /// Whoever signed in; a key has no business with logins.
    async fn owner(&self, request: &Request) -> Result<Owner, Refusal> {
        let caller = self.gate.authenticate_self(request).await?;
        require_session(&caller)?;
        match caller {
            Caller { account, login: Some(login), cell, .. } => match cell.proof {
                StoredProof::Sessions(known) => {
                    let known = known.into_iter().map(|(id, end)| Place { end, id }).collect();
                    Ok(Owner { account, login, known })
                }
                StoredProof::Key(_) => Err(Problem::unavailable().into()),
            },
            Caller { login: None, .. } => Err(Problem::unavailable().into()),
        }
    }
}

/// The account's owner, by the login that asks.
struct Owner {
    account: AccountId,
    login: SessionId,
    known: Vec<Place>,
}

impl Owner {
    fn live(&self, now: Timestamp) -> Vec<Place> {
        let mut live: Vec<_> = self.known.iter().filter(|place| place.end > now).cloned().collect();
        live.sort_unstable_by(|one, other| other.cmp(one));
        live
    }
}

/// A login's place in the list: all last equally long, so what ends later began later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    end: Timestamp,
    id: SessionId,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (end, id) = text.split_once('.')?;
        let end = Timestamp::from_epoch_s(end.parse().ok()?);
        Some(Self { end, id: SessionId::from_suffix(id).ok()? })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.end.epoch_s(), self.id.suffix())
    }
}

#[derive(Serialize)]
struct LoginView {
    id: String,
    created_at: String,
    expires_at: String,
    is_current: bool,
}

impl LoginView {
    fn of(place: &Place, current: &SessionId) -> Self {
        Self {
            id: place.id.to_string(),
            // The cell has the end alone, and every login is as long.
            created_at: place.end.minus_s(TOKEN_LIFETIME_SECONDS).to_string(),
            expires_at: place.end.to_string(),
            is_current: place.id == *current,
        }
    }
}

fn done() -> Result<Response<Body>, Refusal> {
    Ok(Response::builder().status(204).header("cache-control", "no-store").body(Body::Empty)?)
}
