//! Who manages: the session or key behind a management request, looked up as it is now.

use std::sync::Arc;

use faregate_domain::{
    attempt::{Proof, out_of_credit, permit},
    cell::{Cell, CellId, Status},
    credential::Credential,
    denial::Denial,
    id::{AccountId, SessionId},
    key::ApiKey,
    money::MicroUsd,
    origin::Origin,
    policy::Route,
    query::Query,
    refused::Whose,
    rotation::Secret,
    scope::Scope,
    time::Timestamp,
};
use faregate_edge::{cookie, input, problem::Problem};
use lambda_http::{
    Request as HttpRequest,
    http::{HeaderMap, Method},
};

use crate::{Gate, GateError, Request, Tally, claim::Claim};

/// A live session or key, and the account it speaks for.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The caller's own cell.
    pub id: CellId,
    /// What that cell holds now.
    pub cell: Cell,
    /// Which of a key's secrets was presented; the current one of somebody who signed in.
    pub secret: Secret,
    /// The login that was presented; `None` for a key.
    pub login: Option<SessionId>,
    /// Whether an operator's wallet signed in.
    pub is_operator: bool,
}

impl Caller {
    /// Whether the caller is a service: a key that was given this very scope, not a wildcard that covers it.
    #[must_use]
    pub fn is_service(&self, scope: &Scope) -> bool {
        self.key().is_some_and(|cell| cell.grants.iter().any(|grant| grant.as_str() == scope.as_str()))
    }

    /// The caller's key, unless it is a session.
    #[must_use]
    pub fn key(&self) -> Option<&Cell> {
        matches!(self.id, CellId::Key(_)).then_some(&self.cell)
    }
}

impl Gate {
    /// Finds out who sends a management request; charges nothing, and counts it where the policy limits such requests.
    ///
    /// A credential stands in a header, or it is the session cookie; a cookie request that changes something must come
    /// from our own origin. A key needs `scope` and a permitted origin; a session acts for its whole account.
    ///
    /// # Errors
    /// The problem to answer with: a refusal, or 503 when a part failed (which is logged).
    pub async fn authenticate(&self, request: &HttpRequest, scope: &Scope) -> Result<Caller, Problem> {
        answer(self.find_caller(request, Some(scope)).await)
    }

    /// As [`Gate::authenticate`], for what every credential may do to itself: no scope, no origin and no money needed, and
    /// never counted.
    ///
    /// # Errors
    /// As [`Gate::authenticate`].
    pub async fn authenticate_self(&self, request: &HttpRequest) -> Result<Caller, Problem> {
        answer(self.find_caller(request, None).await)
    }

    /// As [`Gate::authenticate`], for services alone: keys that were given `gate:check` by that very name. A wildcard
    /// opens what its owner may do, not this.
    ///
    /// # Errors
    /// As [`Gate::authenticate`].
    pub async fn authenticate_service(&self, request: &HttpRequest) -> Result<Caller, Problem> {
        let Ok(scope) = Scope::parse(SERVICE_SCOPE) else { return Err(Problem::unavailable()) };
        let caller = self.authenticate(request, &scope).await?;
        if caller.is_service(&scope) {
            return Ok(caller);
        }
        let denial = Denial::InsufficientScope { required: scope.to_string() };
        let whose = Whose::of(&caller.id, &caller.cell.owner);
        Err(self.turn_away(whose, None, &denial, self.services().clock.now()).await)
    }

    /// As [`Gate::authenticate_self`], for operators alone.
    ///
    /// # Errors
    /// As [`Gate::authenticate`], and 403 `operator_required` for anybody else.
    pub async fn authenticate_operator(&self, request: &HttpRequest) -> Result<Caller, Problem> {
        // Seldom asked, and one step more than the compiler follows into a caller's own future.
        let caller = Box::pin(self.authenticate_self(request)).await?;
        if caller.is_operator {
            return Ok(caller);
        }
        Err(Problem::new(403, "operator_required", "Only an operator can do this."))
    }

    /// The key that a request presents, for one whose caller was found to hold it: what follows from the key's text.
    ///
    /// # Errors
    /// [`GateError`] when a part failed.
    pub async fn presented_key(&self, request: &HttpRequest, now: Timestamp) -> Result<Option<Arc<ApiKey>>, GateError> {
        let Ok(Ok(credential)) = self.find_credential(request.method(), request.headers()) else { return Ok(None) };
        Ok(self.claim(&credential, now).await?.ok().and_then(Claim::into_key))
    }

    async fn find_caller(
        &self,
        request: &HttpRequest,
        scope: Option<&Scope>,
    ) -> Result<Result<Caller, Problem>, GateError> {
        let now = self.services().clock.now();
        let headers = request.headers();
        let credential = match self.find_credential(request.method(), headers) {
            Ok(Ok(credential)) => credential,
            Ok(Err(denial)) => return Ok(Err(self.turn_away(Whose::Nobody, None, &denial, now).await)),
            Err(problem) => return Ok(Err(problem)),
        };
        // What a frontend holds opens the gate and manages nothing.
        if let Credential::Client(_) = credential {
            return Ok(Err(self.turn_away(Whose::Nobody, None, &Denial::InvalidToken, now).await));
        }
        let claim = match self.claim(&credential, now).await? {
            Ok(claim) => claim,
            Err(denial) => return Ok(Err(self.turn_away(Whose::Nobody, None, &denial, now).await)),
        };
        let management = self.services().config.policy.management();
        if let Some(scope) = scope
            && let Some(limit) = management.find_limit(request.method().as_str(), input::path(request))
        {
            // Most calls are not counted, and need no room for the way through the gate.
            return Box::pin(self.count_caller(request, &limit.route(scope), claim, now)).await;
        }
        let Some(cell) = self.services().store.find_cell(&claim.cell).await? else {
            return Ok(Err(self.turn_away(Whose::Nobody, None, &claim.proof.denial(), now).await));
        };
        let (mut proof, mut verified) = (claim.proof.clone(), claim.proof.verify(&cell, now));
        if verified == Err(Denial::InvalidApiKey)
            && let Some(newer) = self.reproved(&claim, now).await?
        {
            (verified, proof) = (newer.verify(&cell, now), newer);
        }
        let verified = verified.and_then(|()| match (&claim.cell, scope) {
            (CellId::Key(_), Some(scope)) => permit_key(&cell, scope, headers),
            _ => Ok(()),
        });
        if let Err(denial) = verified {
            return Ok(Err(self.turn_away(Whose::of(&claim.cell, &cell.owner), None, &denial, now).await));
        }
        self.note_use(&claim.cell, &cell, &proof, now).await?;
        let account = cell.owner.account.clone();
        let secret = proof.secret(&cell, now).unwrap_or(Secret::Current);
        let login = proof.login().cloned();
        Ok(Ok(Caller { account, id: claim.cell, cell, secret, login, is_operator: claim.is_operator }))
    }

    /// Notes what the use of one of two secrets means, as the admitting write does for a request of the gate's.
    async fn note_use(&self, id: &CellId, cell: &Cell, proof: &Proof, now: Timestamp) -> Result<(), GateError> {
        match (proof, proof.secret(cell, now)) {
            (Proof::Key(hashes), Some(secret @ (Secret::Fresh { .. } | Secret::Old))) => {
                Ok(self.services().store.note_use(id, hashes, secret, now).await?)
            }
            _ => Ok(()),
        }
    }

    /// As [`Gate::find_caller`], by the gate's own write: it checks all that is checked there, and counts.
    async fn count_caller(
        &self,
        request: &HttpRequest,
        route: &Route,
        claim: Claim,
        now: Timestamp,
    ) -> Result<Result<Caller, Problem>, GateError> {
        let Some(tally) = Tally::find(request) else { return Err(GateError::NoTally) };
        let seen = Request {
            method: request.method().to_string(),
            path: input::path(request).to_owned(),
            query: Query::default(),
            headers: lines(request.headers()),
            source_ip: input::source_ip(request),
            request_id: input::request_id(request),
        };
        let (id, is_operator) = (claim.cell.clone(), claim.is_operator);
        let passed = match self.line_up(&seen, route, claim, now).await {
            Ok(ready) => self.carry_out(ready).await?.0,
            Err(remembered) => *remembered,
        };
        if let Some(standing) = passed.standing() {
            tally.note(standing, now);
        }
        let whose = passed.whose();
        match (passed.verdict, passed.cell) {
            (Ok(()), Some(cell)) => {
                let (account, secret) = (cell.owner.account.clone(), passed.attempt.secret);
                let login = passed.attempt.proof.login().cloned();
                Ok(Ok(Caller { account, id, cell, secret, login, is_operator }))
            }
            (Ok(()), None) => Err(GateError::Contended),
            (Err(denial), _) => Ok(Err(self.turn_away(whose, Some(route), &denial, now).await)),
        }
    }

    fn find_credential(&self, method: &Method, headers: &HeaderMap) -> Result<Result<Credential, Denial>, Problem> {
        let config = &self.services().config;
        let lines = lines(headers);
        let pairs = lines.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let in_cookie = cookie::find_session(headers)?;
        let token = match (Credential::parse(pairs, &config.policy.management_headers()), in_cookie) {
            (Ok(credential), Some(token)) if credential.expose() != token => {
                return Ok(Err(Denial::AmbiguousCredentials));
            }
            (Err(Denial::MissingCredentials), Some(token)) => token,
            (found, _) => return Ok(found),
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            let rule = config.policy.management().cookie_without_origin();
            cookie::check_own_origin(headers, &config.public_origin, rule)?;
        }
        Ok(Ok(Credential::Token(token.into())))
    }
}

fn answer(found: Result<Result<Caller, Problem>, GateError>) -> Result<Caller, Problem> {
    found.unwrap_or_else(|error| {
        tracing::error!(%error, "a caller could not be identified");
        Err(Problem::unavailable())
    })
}

/// Where a management request comes from.
pub(crate) fn origin(request: &HttpRequest) -> Option<Origin> {
    Request { headers: lines(request.headers()), ..Request::default() }.origin()
}

/// What a key needs beside a secret: the scope, a permitted origin, and not to be frozen.
fn permit_key(cell: &Cell, scope: &Scope, headers: &HeaderMap) -> Result<(), Denial> {
    let request = Request { headers: lines(headers), ..Request::default() };
    permit(cell, scope, request.origin().as_ref())?;
    match cell.status {
        Status::Frozen => Err(out_of_credit(cell, MicroUsd::ZERO)),
        Status::Active | Status::Revoked => Ok(()),
    }
}

/// Header lines as text; bytes that are no text become a character that no credential contains.
fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let line = |(name, value): (&lambda_http::http::HeaderName, &lambda_http::http::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(line).collect()
}

const SERVICE_SCOPE: &str = "gate:check";
