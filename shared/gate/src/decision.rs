//! What the gate decided about one request, before any wiring renders it.

use faregate_domain::{
    attempt::{Admission, RouteBucket},
    cell::{Cell, CellId, Owner},
    charge::ChargeId,
    client_session::ClientPass,
    denial::Denial,
    id::ClientSessionId,
    origin::Origin,
    passage::Pledge,
    policy::{
        Cors, Refusals, Route,
        cors::{Admitted, CorsGrant},
    },
    refused::Whose,
    rotation::Secret,
    standing::Standing,
    time::Timestamp,
};

use crate::{GateError, Request, pass::Passed};

/// A decision and what it was based on.
#[derive(Clone, Debug)]
pub struct Decision {
    /// When it was taken.
    pub now: Timestamp,
    /// Who renders a refusal.
    pub refusals: Refusals,
    /// The verdict.
    pub verdict: Result<Permit, Denial>,
    /// Who asked, once that is known.
    pub principal: Option<Principal>,
    /// What is left of each limit, once that is known.
    pub standing: Option<Standing>,
    /// What the answer says to a browser.
    pub cors: CorsGrant,
    /// What the list of the key, or of its session, says of where the request comes from.
    listed: Admitted,
    /// Whose refusal it is counted as.
    pub(crate) whose: Whose,
}

impl Decision {
    /// A refusal before anything was read.
    pub(crate) fn refused_unread(now: Timestamp, refusals: Refusals, denial: Denial) -> Self {
        Self {
            now,
            refusals,
            verdict: Err(denial),
            principal: None,
            standing: None,
            cors: CorsGrant::default(),
            listed: Admitted::Anywhere,
            whose: Whose::Nobody,
        }
    }

    /// An admission by the signature in a request's URL.
    pub(crate) fn signed(now: Timestamp, refusals: Refusals, principal: Principal) -> Self {
        let unread = Self::refused_unread(now, refusals, Denial::InvalidSignedUrl);
        Self { verdict: Ok(Permit::Signed), principal: Some(principal), ..unread }
    }

    /// What an attempt came to.
    ///
    /// # Errors
    /// [`GateError::Contended`] for an admission without the state that it left.
    pub(crate) fn of(passed: Passed, refusals: Refusals, now: Timestamp) -> Result<Self, GateError> {
        // Somebody who failed to prove who they are learns nothing of the cell.
        let (standing, is_known, whose) = (passed.standing(), passed.is_known(), passed.whose());
        let Passed { attempt, verdict, cell } = passed;
        let known = cell.as_ref().filter(|_| is_known);
        let listed = known.map_or(Admitted::Anywhere, |cell| attempt.listed(cell));
        let principal = known.map(|cell| Principal::of(&attempt.cell, cell, attempt.proof.client()));
        let verdict = match (verdict, &cell) {
            (Ok(()), Some(cell)) => Ok(Permit::Counted(Box::new(attempt.admitted(cell)))),
            (Ok(()), None) => return Err(GateError::Contended),
            (Err(denial), _) => Err(denial),
        };
        Ok(Self { now, refusals, verdict, principal, standing, cors: CorsGrant::default(), listed, whose })
    }

    /// What a pledged attempt came to that its cell shows as applied, and whose answer nobody has.
    pub(crate) fn recovered(
        pledge: &Pledge,
        cell: &Cell,
        route: &Route,
        pass: Option<&ClientPass>,
        now: Timestamp,
    ) -> Self {
        let bucket = RouteBucket::of(route);
        let standing = Standing::of(cell, cell.counters.latest(now), bucket.as_ref());
        let admission = Admission {
            charge: pledge.charge.clone(),
            cost: pledge.cost,
            lease: pledge.lease,
            standing: standing.clone(),
            // Which of two secrets was presented is not known any more.
            expires_in_seconds: cell.expires_in_seconds(Secret::Current, now),
        };
        Self {
            now,
            refusals: route.refusals,
            verdict: Ok(Permit::Counted(Box::new(admission))),
            principal: Some(Principal::of(&pledge.charge.cell, cell, pass)),
            standing: Some(standing),
            cors: CorsGrant::default(),
            // Where there is a list, a call from elsewhere was not admitted.
            listed: match cell.allowlist.as_ref().or(pass.and_then(|pass| pass.allowlist.as_ref())) {
                Some(_) => Admitted::There,
                None => Admitted::Anywhere,
            },
            whose: Whose::Nobody,
        }
    }

    /// The same with what it says to the browser that sent `request`, if one did.
    #[must_use]
    pub(crate) fn answering(self, request: &Request, cors: &Cors) -> Self {
        // A referer is no origin that a browser compares with.
        let origin = request.header("origin").and_then(|text| Origin::parse(text).ok());
        let granted = cors.grant(origin.as_ref()).narrowed(origin.as_ref(), self.listed);
        Self { cors: granted, ..self }
    }

    /// One line of the log about it.
    pub fn log(&self, request_id: &str) {
        let principal = self.principal.as_ref();
        let key_id = principal.map(Principal::key_id).unwrap_or_default();
        let account_id = principal.map(|principal| principal.owner.account.to_string()).unwrap_or_default();
        let (status, code, charge_id) = match &self.verdict {
            Ok(permit) => (200, "ok", permit.charge().map(ToString::to_string).unwrap_or_default()),
            Err(denial) => (denial.status(), denial.code(), String::new()),
        };
        tracing::info!(request_id, status, code, key_id, account_id, charge_id, "decided");
    }
}

/// How a request was let through.
#[derive(Clone, Debug, PartialEq)]
pub enum Permit {
    /// Counted, and paid or reserved.
    Counted(Box<Admission>),
    /// By the signature in its URL, which counts and costs nothing.
    Signed,
}

impl Permit {
    /// The charge that it made, unless it came by a signature.
    #[must_use]
    pub fn charge(&self) -> Option<&ChargeId> {
        self.admission().map(|admission| &admission.charge)
    }

    /// What was counted, and paid or reserved.
    #[must_use]
    pub fn admission(&self) -> Option<&Admission> {
        match self {
            Self::Counted(admission) => Some(admission),
            Self::Signed => None,
        }
    }
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The cell that counts.
    pub cell: CellId,
    /// Whom it acts for.
    pub owner: Owner,
    /// What it may do, space-separated (RFC 6749, section 3.3).
    pub scopes: String,
    /// The client session in whose name it calls.
    pub session: Option<ClientSessionId>,
}

impl Principal {
    pub(crate) fn of(id: &CellId, cell: &Cell, pass: Option<&ClientPass>) -> Self {
        let grants = match pass {
            Some(pass) => pass.scopes_under(&cell.grants),
            None => cell.grants.iter().cloned().collect(),
        };
        let scopes: Vec<_> = grants.iter().map(faregate_domain::scope::Grant::as_str).collect();
        let session = pass.map(|pass| pass.session.clone());
        Self { cell: id.clone(), owner: cell.owner.clone(), scopes: scopes.join(" "), session }
    }

    /// The key's public id; empty for a session.
    #[must_use]
    pub fn key_id(&self) -> String {
        match &self.cell {
            CellId::Key(id) => id.to_string(),
            CellId::Session(_) => String::new(),
        }
    }
}
