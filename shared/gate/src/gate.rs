//! The straight line of a decision: request → credential → attempt → admission or denial.

use std::borrow::Cow;

use faregate_domain::{
    attempt::{Attempt, Check},
    credential::Credential,
    denial::Denial,
    policy::{Method, Policy, Refusals, RequestPath, Route, Sessions},
    time::Timestamp,
};
use faregate_edge::{secrets::SecretsError, token::Issuance};
use faregate_store::StoreError;

use crate::{
    Decision, Request, Services,
    claim::Claim,
    lanes::Lanes,
    memory::Memory,
    pass::{Passed, Ready, attempt_of},
    session::SessionVerifier,
    sweep::Brooms,
    turns::Turns,
};

/// Decides requests; cheap to clone, clones share lanes and memory.
#[derive(Clone)]
pub struct Gate {
    services: Services,
    sessions: SessionVerifier,
    pub(crate) lanes: Lanes,
    pub(crate) memory: Memory,
    pub(crate) turns: Turns,
    pub(crate) brooms: Brooms,
}

impl Gate {
    /// A gate before the given table.
    #[must_use]
    pub fn new(services: Services) -> Self {
        let issuance = Issuance::of(&services.config.public_origin);
        let sessions = SessionVerifier::new(services.store.clone(), issuance);
        Self {
            services,
            sessions,
            lanes: Lanes::default(),
            memory: Memory::default(),
            turns: Turns::default(),
            brooms: Brooms::default(),
        }
    }

    /// What the gate is built from.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    pub(crate) fn sessions(&self) -> &SessionVerifier {
        &self.sessions
    }

    /// Decides one request, and counts and charges it if it passes.
    ///
    /// # Errors
    /// [`GateError`] when a part that the decision rests on failed: then nothing is admitted and nobody is refused.
    pub async fn decide(&self, request: &Request) -> Result<Decision, GateError> {
        let accepted = self.services.config.policy.credential_headers();
        let credential = Credential::parse(request.header_pairs(), accepted);
        let call = Call { request, route: self.find_route(request), credential };
        // The compiler follows futures within futures only so far.
        Box::pin(self.decide_call(&call)).await
    }

    /// Decides a call whose parts somebody else has told apart, as [`Gate::decide`] does.
    ///
    /// # Errors
    /// As [`Gate::decide`].
    pub async fn decide_call(&self, call: &Call<'_>) -> Result<Decision, GateError> {
        let now = self.services.clock.now();
        let decision = match self.prepare(call, now).await? {
            Prepared::Decided(decision) => *decision,
            Prepared::Ready(ready) => {
                let (passed, _) = self.carry_out(*ready).await?;
                Decision::of(passed, call.refusals(&self.services.config.policy), now)?
            }
        };
        self.count_if_refused(&decision, call).await;
        Ok(self.to_browsers(decision, call))
    }

    /// The decision with what the policy says to the browser that asks, if one does.
    pub(crate) fn to_browsers(&self, decision: Decision, call: &Call<'_>) -> Decision {
        decision.answering(call.request, self.services.config.policy.cors())
    }

    /// The route that a request belongs to. Where a URL is signed, HEAD goes with GET.
    #[must_use]
    pub fn find_route(&self, request: &Request) -> Option<Cow<'_, Route>> {
        let path = RequestPath::parse(&request.path).ok()?;
        let find = |method: &str| self.services.config.policy.find_route(&Method::parse(method).ok()?, &path);
        let stand_in = || (request.is_signed() && request.method == "HEAD").then(|| find("GET")).flatten();
        find(&request.method).or_else(stand_in).map(Cow::Borrowed)
    }

    /// Checks all that can be checked without the one write; what is left to do is that.
    pub(crate) async fn prepare(&self, call: &Call<'_>, now: Timestamp) -> Result<Prepared, GateError> {
        let refusals = call.refusals(&self.services.config.policy);
        let refused = |denial| Ok(Prepared::Decided(Box::new(Decision::refused_unread(now, refusals, denial))));
        let Some(route) = call.route.as_deref() else {
            return refused(Denial::UnknownRoute);
        };
        if call.request.is_signed() {
            return Ok(Prepared::Decided(Box::new(self.decide_signed(call, route, now).await?)));
        }
        let sessions = self.services.config.policy.sessions();
        let claim = match &call.credential {
            Ok(Credential::Token(_)) if sessions == Sessions::Refused => return refused(Denial::MissingCredentials),
            Ok(credential) => match self.claim(credential, now).await? {
                Ok(claim) => claim,
                Err(denial) => return refused(denial),
            },
            Err(denial) => return refused(denial.clone()),
        };
        let attempt = attempt_of(call.request, route, &claim, now);
        let passed = if route.is_open_to(&claim.environment) && attempt.is_within_pass() {
            match self.line_up(call.request, route, claim, now).await {
                Ok(ready) => return Ok(Prepared::Ready(Box::new(ready))),
                Err(passed) => *passed,
            }
        } else {
            self.refuse_unsent(attempt, &claim).await?
        };
        Ok(Prepared::Decided(Box::new(Decision::of(passed, refusals, now)?)))
    }

    /// A closed environment, or what a client session may not, is told to holders of a live key or session only, so the key is
    /// looked up first; nothing is counted.
    async fn refuse_unsent(&self, attempt: Attempt, claim: &Claim) -> Result<Passed, GateError> {
        let Some(cell) = self.services.store.find_cell(&attempt.cell).await? else {
            return Ok(Passed { verdict: Err(attempt.proof.denial()), attempt, cell: None });
        };
        let mut verified = attempt.proof.verify(&cell, attempt.now);
        if let (Err(Denial::InvalidApiKey), Some(proof)) = (&verified, self.reproved(claim, attempt.now).await?) {
            verified = proof.verify(&cell, attempt.now);
        }
        let permitted = verified
            .and_then(|()| attempt.check(Check::Origin, &cell))
            .and_then(|()| attempt.check(Check::Scope, &cell));
        let verdict = Err(permitted.err().unwrap_or(Denial::ForbiddenEnvironment));
        Ok(Passed { attempt, verdict, cell: Some(cell) })
    }
}

/// A part failed that the decision rests on: 503, never an admission and never a denial.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secrets.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// Too many writers at once: the attempt lost every time.
    #[error("the cell changed under every attempt")]
    Contended,
    /// The answer is no JSON.
    #[error("the decision could not be written as json")]
    Render(#[from] serde_json::Error),
    /// A project without a wallet.
    #[error("the project's wallet is missing")]
    NoWallet,
    /// A key without a cell.
    #[error("the key's cell is missing")]
    NoCell,
    /// A counted request in which nobody made room for what is left.
    #[error("the request has no room for its caller's limits")]
    NoTally,
}

/// What is to be decided, its parts told apart.
#[derive(Debug)]
pub struct Call<'c> {
    /// The request itself; a credential among its headers is not looked for.
    pub request: &'c Request,
    /// Its route, at the price of this call; `None` where the policy names none.
    pub route: Option<Cow<'c, Route>>,
    /// What the caller presented.
    pub credential: Result<Credential, Denial>,
}

impl Call<'_> {
    /// Who answers it where it is refused.
    pub(crate) fn refusals(&self, policy: &Policy) -> Refusals {
        self.route.as_ref().map_or_else(|| policy.refusals_of_unnamed(), |route| route.refusals)
    }
}

/// How far a call comes without the one write.
pub(crate) enum Prepared {
    /// To its end.
    Decided(Box<Decision>),
    /// To the write.
    Ready(Box<Ready>),
}
