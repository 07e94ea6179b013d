//! The straight line of a decision: request → credential → attempt → admission or denial.

use faregate_domain::{
    attempt::{Attempt, permit},
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
    decision::Principal,
    lanes::Lanes,
    memory::Memory,
    pass::{Passed, attempt_of},
    session::SessionVerifier,
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
}

impl Gate {
    /// A gate before the given table.
    #[must_use]
    pub fn new(services: Services) -> Self {
        let issuance = Issuance::of(&services.config.public_origin);
        let sessions = SessionVerifier::new(services.store.clone(), issuance);
        Self { services, sessions, lanes: Lanes::default(), memory: Memory::default(), turns: Turns::default() }
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
        let now = self.services.clock.now();
        let policy = &self.services.config.policy;
        let Some(route) = find_route(policy, request) else {
            return Ok(Decision::refused_unread(now, Refusals::Gateway, Denial::UnknownRoute));
        };
        match self.identify(request, now).await? {
            Ok(claim) => self.pass(request, route, claim, now).await,
            Err(denial) => Ok(Decision::refused_unread(now, route.refusals, denial)),
        }
    }

    /// Reads the credential and checks all that can be checked without the cell.
    async fn identify(&self, request: &Request, now: Timestamp) -> Result<Result<Claim, Denial>, GateError> {
        let policy = &self.services.config.policy;
        match Credential::parse(request.header_pairs(), policy.credential_headers()) {
            Ok(Credential::Token(_)) if policy.sessions() == Sessions::Refused => Ok(Err(Denial::MissingCredentials)),
            Ok(credential) => self.claim(&credential, now).await,
            Err(denial) => Ok(Err(denial)),
        }
    }

    async fn pass(
        &self,
        request: &Request,
        route: &Route,
        claim: Claim,
        now: Timestamp,
    ) -> Result<Decision, GateError> {
        let passed = if route.is_open_to(&claim.environment) {
            self.pass_route(request, route, &claim, now).await?
        } else {
            self.refuse_environment(attempt_of(request, route, &claim, now), &claim).await?
        };
        let (standing, is_known) = (passed.standing(), passed.is_known());
        let Passed { attempt, verdict, cell } = passed;
        let principal = cell.as_ref().filter(|_| is_known).map(|cell| Principal::of(&attempt.cell, cell));
        let verdict = match (verdict, &cell) {
            (Ok(()), Some(cell)) => Ok(attempt.admitted(cell)),
            (Ok(()), None) => return Err(GateError::Contended),
            (Err(denial), _) => Err(denial),
        };
        Ok(Decision { now, refusals: route.refusals, verdict, principal, standing })
    }

    /// A closed environment is told to holders of a live key only, so the key is looked up first; nothing is counted.
    async fn refuse_environment(&self, attempt: Attempt, claim: &Claim) -> Result<Passed, GateError> {
        let Some(cell) = self.services.store.find_cell(&attempt.cell).await? else {
            return Ok(Passed { verdict: Err(attempt.proof.denial()), attempt, cell: None });
        };
        let mut verified = attempt.proof.verify(&cell, attempt.now);
        if let (Err(Denial::InvalidApiKey), Some(proof)) = (&verified, self.reproved(claim, attempt.now).await?) {
            verified = proof.verify(&cell, attempt.now);
        }
        let permitted = verified.and_then(|()| permit(&cell, &attempt.scope, attempt.origin.as_ref()));
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

pub(crate) fn find_route<'p>(policy: &'p Policy, request: &Request) -> Option<&'p Route> {
    let method = Method::parse(&request.method).ok()?;
    let path = RequestPath::parse(&request.path).ok()?;
    policy.find_route(&method, &path)
}
