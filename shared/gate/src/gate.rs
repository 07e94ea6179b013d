//! The straight line of a decision: request → credential → attempt → admission or denial.

use std::sync::Arc;

use faregate_domain::{
    attempt::{Attempt, Next, Opening, Proof, RouteBucket, out_of_credit, permit, project_is_dry},
    cell::{Cell, CellId, Stale},
    credential::Credential,
    denial::Denial,
    funding::Funding,
    id::ChargeId,
    key::{ApiKey, KeyHash},
    policy::{Method, Policy, Refusals, RequestPath, Route},
    row::{Row, agent_family, network_of},
    secret::{MacSecret, Versions},
    standing::Standing,
    time::{Minute, Timestamp},
};
use faregate_edge::{
    entropy,
    secrets::{SecretName, SecretsError},
    token::Issuance,
};
use faregate_store::{Outcome, StoreError};

use crate::{
    Decision, Request, Services,
    decision::Principal,
    lanes::{LaneGuard, Lanes},
    memory::Memory,
    session::{SessionError, SessionVerifier},
};

/// Decides requests; cheap to clone, clones share lanes and memory.
#[derive(Clone)]
pub struct Gate {
    services: Services,
    sessions: SessionVerifier,
    lanes: Lanes,
    memory: Memory,
}

impl Gate {
    /// What the gate is built from.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// A gate before the given table.
    #[must_use]
    pub fn new(services: Services) -> Self {
        let issuance = Issuance::of(&services.config.public_origin);
        let sessions = SessionVerifier::new(services.store.clone(), issuance);
        Self { services, sessions, lanes: Lanes::default(), memory: Memory::default() }
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
            Ok(credential) => self.claim(&credential, now).await,
            Err(denial) => Ok(Err(denial)),
        }
    }

    /// Turns a credential's text into a claim on a cell.
    pub(crate) async fn claim(
        &self,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<Result<Claim, Denial>, GateError> {
        match credential {
            Credential::Key(_) => self.claim_of_key(credential.expose(), now).await,
            Credential::Token(_) => self.claim_of_session(credential.expose(), now).await,
        }
    }

    async fn claim_of_session(&self, token: &str, now: Timestamp) -> Result<Result<Claim, Denial>, GateError> {
        let policy = &self.services.config.policy;
        match self.sessions.verify(token, now).await {
            Ok(session) => Ok(Ok(Claim {
                cell: CellId::Session(session.account),
                proof: Proof::Session(session.session),
                environment: policy.default_environment().name.clone(),
                is_operator: policy.is_operator(&session.address),
                key: None,
            })),
            Err(SessionError::InvalidToken(_) | SessionError::Ended) => Ok(Err(Denial::InvalidToken)),
            Err(SessionError::Store(error)) => Err(error.into()),
        }
    }

    async fn claim_of_key(&self, text: &str, now: Timestamp) -> Result<Result<Claim, Denial>, GateError> {
        let policy = &self.services.config.policy;
        let prefixes = || policy.environments().iter().map(|environment| environment.prefix.as_str());
        let tag = self.services.secrets.find(SecretName::Tag, now).await?;
        let parsed = match ApiKey::parse(text, prefixes(), &tag) {
            // The tag secret may just have been rotated; asking again is bounded in the secrets' own cache.
            Err(faregate_domain::key::InvalidKey::Tag) => {
                let tag = self.services.secrets.find_fresh(SecretName::Tag, now).await?;
                ApiKey::parse(text, prefixes(), &tag)
            }
            other => other,
        };
        let Ok(key) = parsed else {
            return Ok(Err(Denial::InvalidApiKey));
        };
        let Some(environment) = policy.find_environment_by_prefix(key.environment_prefix()) else {
            return Ok(Err(Denial::InvalidApiKey));
        };
        let pepper = self.services.secrets.find(SecretName::Pepper, now).await?;
        Ok(Ok(Claim {
            cell: CellId::Key(key.id()),
            proof: Proof::Key(hashes(&key, &pepper)),
            environment: environment.name.clone(),
            is_operator: false,
            key: Some(Arc::new(key)),
        }))
    }

    async fn pass(
        &self,
        request: &Request,
        route: &Route,
        claim: Claim,
        now: Timestamp,
    ) -> Result<Decision, GateError> {
        let mut lane = self.lanes.enter();
        let mut attempt = self.attempt(request, route, &claim, now, &mut lane);
        let decided = if route.is_open_to(&claim.environment) {
            self.settle_attempt(&mut attempt, &claim).await
        } else {
            self.refuse_environment(&attempt, &claim).await
        };
        lane.used(attempt.seq);
        let (verdict, cell) = decided?;
        let attempt_minute = attempt.minute;
        let standing = cell.as_ref().map(|cell| Standing::of(cell, attempt.minute, attempt.route.as_ref()));
        let principal = cell.as_ref().map(|cell| Principal::of(&attempt.cell, cell));
        let verdict = match (verdict, &cell) {
            (Ok(()), Some(cell)) => Ok(attempt.admitted(cell)),
            (Ok(()), None) => return Err(GateError::Contended),
            (Err(denial), _) => Err(denial),
        };
        if let Ok(admission) = &verdict {
            self.tidy(&claim.cell, admission.stale.clone(), attempt_minute).await;
        }
        // Somebody who failed to prove who they are learns nothing of the cell.
        let is_known = !matches!(verdict, Err(Denial::InvalidApiKey | Denial::InvalidToken));
        Ok(Decision {
            now,
            refusals: route.refusals,
            verdict,
            principal: principal.filter(|_| is_known),
            standing: standing.filter(|_| is_known),
        })
    }

    fn attempt(
        &self,
        request: &Request,
        route: &Route,
        claim: &Claim,
        now: Timestamp,
        lane: &mut LaneGuard,
    ) -> Attempt {
        let row = Row {
            charge: ChargeId::mint(&mut entropy::fill),
            at: now,
            cost: route.cost,
            class: route.class.clone(),
            network: network_of(request.source_ip),
            agent: agent_family(request.header("user-agent")),
        };
        let mut stale = self.memory.take(&claim.cell);
        stale.retain(|stale| stale.is_removable(now.minute(), lane.name()));
        let bucket = |quota| RouteBucket { class: route.class.clone(), quota, opening: Opening::Full };
        Attempt {
            cell: claim.cell.clone(),
            proof: claim.proof.clone(),
            now,
            minute: now.minute(),
            seq: lane.next_seq(now),
            lane: lane.name().to_owned(),
            scope: route.scope.clone(),
            origin: request.origin(),
            cost: route.cost,
            opening: Opening::Full,
            route: route.quota.map(bucket),
            grant: None,
            row,
            stale,
        }
    }

    /// Sends the attempt until it is applied or refused for good.
    async fn settle_attempt(&self, attempt: &mut Attempt, claim: &Claim) -> Result<Settled, GateError> {
        let (mut has_fresh_pepper, mut has_strays) = (false, false);
        for _ in 0..MAX_WRITES {
            let cell = match self.services.store.admit(attempt).await? {
                Outcome::Applied(cell) => return Ok((Ok(()), Some(*cell))),
                Outcome::Refused { cell, has_unanswered } => {
                    has_strays |= has_unanswered;
                    cell.map(|cell| *cell)
                }
            };
            let next = match attempt.judge(cell.as_ref()) {
                Ok(next) => next,
                Err(Denial::InvalidApiKey) if !has_fresh_pepper => {
                    has_fresh_pepper = true;
                    match self.reproved(claim, attempt.now).await? {
                        Some(proof) => {
                            attempt.proof = proof;
                            continue;
                        }
                        None => return self.refuse(attempt, Denial::InvalidApiKey, cell, has_strays).await,
                    }
                }
                Err(denial) => return self.refuse(attempt, denial, cell, has_strays).await,
            };
            match next {
                Next::Applied => return Ok((Ok(()), cell)),
                Next::Again(next) => *attempt = *next,
                Next::Fund { attempt: next, exhausted } => {
                    // `judge` asks for funds only of a cell that exists.
                    let Some(cell) = cell else { return Err(GateError::Contended) };
                    *attempt = *next;
                    if let Some(denial) = self.fund(attempt, &cell, exhausted).await? {
                        return self.refuse(attempt, denial, Some(cell), has_strays).await;
                    }
                }
            }
        }
        Err(GateError::Contended)
    }

    /// A refusal that stays one: where a copy of the attempt may still be on its way, the lane is closed to it first,
    /// because a top-up a moment later would otherwise let it take what the caller was refused.
    async fn refuse(
        &self,
        attempt: &Attempt,
        denial: Denial,
        cell: Option<Cell>,
        has_strays: bool,
    ) -> Result<Settled, GateError> {
        if !has_strays || cell.is_none() {
            return Ok((Err(denial), cell));
        }
        match self.services.store.fence(attempt).await? {
            Outcome::Refused { cell: Some(cell), .. } if attempt.is_applied(&cell) => Ok((Ok(()), Some(*cell))),
            _ => Ok((Err(denial), cell)),
        }
    }

    /// Fetches a slice of the project's money for the attempt; a denial when there is none, or when a window refuses
    /// the call in any case.
    async fn fund(
        &self,
        attempt: &mut Attempt,
        cell: &Cell,
        mut exhausted: Option<Denial>,
    ) -> Result<Option<Denial>, GateError> {
        let mut purse = cell.purse;
        for _ in 0..MAX_WRITES {
            let shortage = attempt.cost.minus(purse.balance);
            let wallet = self.services.store.find_wallet(&cell.owner.project, &attempt.cell).await?;
            let Some(wallet) = wallet else { return Err(GateError::NoWallet) };
            let funding = wallet.fund(&purse, attempt.cost, shortage);
            if funding != Funding::Dry && exhausted.is_some() {
                return Ok(exhausted.take());
            }
            match funding {
                Funding::Reread => return Ok(None),
                Funding::Credit(grant) if grant.amount < shortage => {
                    let Outcome::Applied(credited) = self.services.store.credit(&attempt.cell, &grant).await? else {
                        return Ok(None);
                    };
                    purse = credited.purse;
                }
                Funding::Credit(grant) => {
                    attempt.grant = Some(grant);
                    return Ok(None);
                }
                Funding::Debit(grant) => {
                    if self.services.store.debit_wallet(&cell.owner.project, &attempt.cell, &grant).await? {
                        attempt.grant = Some(grant);
                        return Ok(None);
                    }
                }
                Funding::Dry => {
                    let is_own_budget = purse.room() < shortage;
                    return Ok(Some(if is_own_budget { out_of_credit(&purse) } else { project_is_dry(&purse) }));
                }
            }
        }
        Err(GateError::Contended)
    }

    /// The proof under a pepper read anew, if it differs: a rotation may just have happened.
    pub(crate) async fn reproved(&self, claim: &Claim, now: Timestamp) -> Result<Option<Proof>, GateError> {
        let Some(key) = &claim.key else { return Ok(None) };
        let pepper = self.services.secrets.find_fresh(SecretName::Pepper, now).await?;
        let proof = Proof::Key(hashes(key, &pepper));
        Ok((proof != claim.proof).then_some(proof))
    }

    /// A closed environment is told to holders of a live key only, so the key is looked up first; nothing is counted.
    async fn refuse_environment(&self, attempt: &Attempt, claim: &Claim) -> Result<Settled, GateError> {
        let Some(cell) = self.services.store.find_cell(&attempt.cell).await? else {
            return Ok((Err(attempt.proof.denial()), None));
        };
        let mut verified = attempt.proof.verify(&cell, attempt.now);
        if let (Err(Denial::InvalidApiKey), Some(proof)) = (&verified, self.reproved(claim, attempt.now).await?) {
            verified = proof.verify(&cell, attempt.now);
        }
        let permitted = verified.and_then(|()| permit(&cell, &attempt.scope, attempt.origin.as_ref()));
        Ok((Err(permitted.err().unwrap_or(Denial::ForbiddenEnvironment)), Some(cell)))
    }

    /// Remembers what the next write may remove, or removes it now when too much has gathered.
    async fn tidy(&self, cell: &CellId, stale: Vec<Stale>, minute: Minute) {
        if stale.len() < SWEEP_AT {
            self.memory.put(cell, stale);
        } else if let Err(error) = self.services.store.sweep(cell, &stale, minute).await {
            tracing::warn!(%error, "stale counters stay for now");
        }
    }
}

/// A caller's claim on a cell, proven as far as that goes without reading it.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) cell: CellId,
    pub(crate) proof: Proof,
    pub(crate) environment: String,
    /// Whether an operator's wallet signed in; a key never acts as one.
    pub(crate) is_operator: bool,
    key: Option<Arc<ApiKey>>,
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
}

type Settled = (Result<(), Denial>, Option<Cell>);

fn find_route<'p>(policy: &'p Policy, request: &Request) -> Option<&'p Route> {
    let method = Method::parse(&request.method).ok()?;
    let path = RequestPath::parse(&request.path).ok()?;
    policy.find_route(&method, &path)
}

fn hashes(key: &ApiKey, pepper: &Versions<MacSecret>) -> Vec<KeyHash> {
    pepper.iter().map(|pepper| key.hash(pepper)).collect()
}

/// Attempts to pass one request before the gate gives up: each lost one means that another request got through.
const MAX_WRITES: usize = 16;
/// Stale counters that are worth a write of their own: only cells whose every request starts a new process get there.
const SWEEP_AT: usize = 12;
