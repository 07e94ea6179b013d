//! One request's attempt to pass: what the single write will check and apply, and what a refused write means.

use crate::{
    cell::{Cell, CellId, Status, StoredProof},
    charge::{ChargeId, ChargeNonce},
    client_session::ClientPass,
    counters::Stale,
    denial::{Denial, LimitSource},
    funding::{Grant, Need, TokenSlice},
    id::SessionId,
    key::KeyHash,
    lease::Lease,
    limit::{Opening, Rate},
    money::MicroUsd,
    origin::Origin,
    policy::{Route, cors::Admitted},
    rotation::Secret,
    row::Row,
    scope::Scope,
    standing::Standing,
    time::{Minute, Timestamp},
    window::{Window, WindowLength},
};

mod check;

pub use check::Check;

/// Everything one conditional write needs; plain data, so that the write it becomes is a value too.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The cell that decides.
    pub cell: CellId,
    /// What the caller proved itself with.
    pub proof: Proof,
    /// Which of the key's secrets that is; a session has one only.
    pub secret: Secret,
    /// The instant of the decision, and of every window it counts in: that of the clock, or the beginning of a later
    /// window that another writer has opened.
    pub now: Timestamp,
    /// The lane that writes: one request at a time uses it.
    pub lane: String,
    /// The lane's sequence number; the same for every re-send of one request, higher for the next request.
    pub seq: u64,
    /// The scope the route requires.
    pub scope: Scope,
    /// Where a browser request comes from.
    pub origin: Option<Origin>,
    /// The route's price, or what it reserves.
    pub cost: MicroUsd,
    /// How the key's bucket opens if this is the minute's first request.
    pub opening: Opening,
    /// The route's own bucket.
    pub route: Option<RouteBucket>,
    /// The window of the project's rate, where the cell's project has one.
    pub project_window: Option<WindowLength>,
    /// What the call holds until it is settled; `None` where the price is fixed.
    pub lease: Option<Lease>,
    /// Leases to move out of the way, because their time is over.
    pub over: Vec<(ChargeNonce, Lease)>,
    /// The concurrency cap, which must still be the cell's; known where leases are moved for a new one.
    pub cap: Option<u32>,
    /// What this write adds to the cell: debited from the project before.
    pub grant: Option<Grant>,
    /// The request's row.
    pub row: Row,
    /// Counters to remove in passing.
    pub stale: Vec<Stale>,
}

impl Attempt {
    /// The minute that the key's bucket counts in.
    #[must_use]
    pub fn minute(&self) -> Minute {
        self.now.minute()
    }

    /// The tokens that the grant brings for the window that this write counts in.
    #[must_use]
    pub fn granted_tokens(&self) -> Option<TokenSlice> {
        let window = Window::at(self.now, self.project_window?);
        self.grant?.tokens.filter(|tokens| tokens.index == window.index)
    }

    /// What the write charges for good: a fixed price, and every lease that it moves out of the way.
    #[must_use]
    pub fn captured(&self) -> MicroUsd {
        let price = if self.lease.is_none() { self.cost } else { MicroUsd::ZERO };
        self.over.iter().fold(price, |sum, (_, lease)| sum.plus(lease.amount))
    }

    /// Reads from the state that refused the write what to do next.
    ///
    /// # Errors
    /// The [`Denial`] that this state demands; more permanent ones first.
    pub fn judge(&self, cell: Option<&Cell>) -> Result<Next, Denial> {
        let Some(cell) = cell else {
            return Err(self.proof.denial());
        };
        // The slot shows that this very write was applied and only its answer was lost.
        if self.is_applied(cell) {
            return Ok(Next::Applied);
        }
        Check::OF_KEY.into_iter().try_for_each(|check| self.check(check, cell))?;
        let shortage = self.cost.minus(cell.purse.balance);
        let next = self.fitted(cell);
        // What was in time by this instance's clock may not be by that of whoever wrote last.
        if next.proof.is_over(next.now) {
            return Err(next.proof.denial());
        }
        let exhausted = next.exhausted(cell);
        let need = next.need(cell, shortage);
        if need.is_some() {
            return Ok(Next::Fund { attempt: Box::new(next), exhausted });
        }
        exhausted.map_or(Ok(Next::Again(Box::new(next))), Err)
    }

    /// What the cell lacks for this attempt, its grant included.
    #[must_use]
    pub fn need(&self, cell: &Cell, shortage: MicroUsd) -> Option<Need> {
        let granted = self.grant.map_or(MicroUsd::ZERO, |grant| grant.amount);
        let shortage = if granted >= shortage { MicroUsd::ZERO } else { shortage };
        let window = self.project_window.map(|length| Window::at(self.now, length));
        let is_lacking = |window: &Window| cell.counters.tokens.get(&window.index).copied().unwrap_or(0) == 0;
        let token = window.filter(is_lacking).filter(|_| self.granted_tokens().is_none());
        let lacks = shortage > MicroUsd::ZERO || token.is_some();
        lacks.then_some(Need { cost: self.cost, shortage, token })
    }

    /// Whether what its token says lets it pass, as far as that goes without the cell: only then may it be sent.
    #[must_use]
    pub fn is_within_pass(&self) -> bool {
        self.proof.client().is_none_or(|pass| {
            pass.permit_origin(self.origin.as_ref()).and_then(|()| pass.permit_scope(&self.scope)).is_ok()
        })
    }

    /// What the lists of the key and of its session say of where the request comes from.
    #[must_use]
    pub fn listed(&self, cell: &Cell) -> Admitted {
        let of_session = self.proof.client().and_then(|pass| pass.allowlist.as_ref());
        let mut admitted = Admitted::Anywhere;
        for list in cell.allowlist.iter().chain(of_session) {
            if !list.admits(self.origin.as_ref()) {
                return Admitted::Elsewhere;
            }
            admitted = Admitted::There;
        }
        admitted
    }

    /// Whether the state was written by this very attempt.
    #[must_use]
    pub fn is_applied(&self, cell: &Cell) -> bool {
        cell.counters.slots.get(&self.lane) == Some(&self.seq)
    }

    /// This attempt, admitted: `cell` is the state after its write.
    #[must_use]
    pub fn admitted(self, cell: &Cell) -> Admission {
        let standing = Standing::of(cell, cell.counters.latest(self.now), self.route.as_ref());
        let expires_in_seconds = cell.expires_in_seconds(self.secret, self.now);
        let charge = ChargeId { cell: self.cell, nonce: self.row.charge };
        Admission { charge, cost: self.cost, lease: self.lease, standing, expires_in_seconds }
    }

    /// The same request, fitted to a state of the cell.
    #[must_use]
    pub fn fitted(&self, cell: &Cell) -> Self {
        let mut next = self.clone();
        // An instance whose clock is behind must not admit what has ended by then.
        next.now = cell.counters.latest(self.now);
        if let Some(slot) = cell.counters.slots.get(&self.lane).filter(|slot| **slot > self.seq) {
            next.seq = slot + 1;
        }
        if let Some(secret) = next.proof.secret(cell, next.now) {
            next.secret = secret;
        }
        let minute = next.minute();
        let left = |minute| cell.counters.minutes.get(&minute).copied();
        next.opening = Opening::of(left(minute), left(minute.previous()), cell.limits.per_minute);
        if let Some(route) = &mut next.route {
            let window = route.window(next.now);
            let left = |window| cell.counters.routes.get(&(route.class.clone(), window)).copied();
            route.opening = Opening::of(left(window), left(window.previous()), route.rate.quota);
        }
        next.project_window = cell.project_window;
        next.over = cell.leases.over(next.now);
        next.cap = (!next.over.is_empty()).then_some(cell.limits.concurrent);
        if next.grant.as_ref().is_some_and(|grant| grant.seq != cell.purse.grant_seq + 1) {
            next.grant = None;
        }
        let is_other = |stale: &Stale| !matches!(stale, Stale::Slot(lane) if *lane == self.lane);
        next.stale = cell.counters.stale(next.now, cell.project_window).into_iter().filter(is_other).collect();
        next.stale.extend(cell.tabs.over(next.now).into_iter().map(Stale::Tab));
        next
    }
}

/// What a caller proved itself with.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// The key's hash under each pepper version.
    Key(Vec<KeyHash>),
    /// The login of a verified access token.
    Session(SessionId),
    /// What a client session's token says; the key's secret is not presented.
    Client(Box<ClientPass>),
}

impl Proof {
    /// Whether the cell knows this caller and still serves it.
    ///
    /// # Errors
    /// One and the same 401 for unknown, wrong, revoked and expired.
    pub fn verify(&self, cell: &Cell, now: Timestamp) -> Result<(), Denial> {
        let is_known = match (self, &cell.proof) {
            (Self::Key(_), StoredProof::Key(_)) => self.secret(cell, now).is_some(),
            (Self::Session(id), StoredProof::Sessions(live)) => live.get(id).is_some_and(|end| *end > now),
            (Self::Client(pass), StoredProof::Key(_)) => pass.is_live(cell, now),
            _ => false,
        };
        if is_known && !cell.is_over(now) { Ok(()) } else { Err(self.denial()) }
    }

    /// Which secret of the cell's key this is, if it is one that still works.
    #[must_use]
    pub fn secret(&self, cell: &Cell, now: Timestamp) -> Option<Secret> {
        match (self, &cell.proof) {
            (Self::Key(hashes), StoredProof::Key(secrets)) => secrets.find(hashes, now),
            _ => None,
        }
    }

    /// The 401 of this kind of credential.
    #[must_use]
    pub fn denial(&self) -> Denial {
        match self {
            Self::Key(_) => Denial::InvalidApiKey,
            Self::Session(_) | Self::Client(_) => Denial::InvalidToken,
        }
    }

    /// Whether its own time is over, whatever a cell says; a key and a login have theirs in the cell.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.client().is_some_and(|pass| pass.is_over(now))
    }

    /// The login of a verified access token, where this is one.
    #[must_use]
    pub fn login(&self) -> Option<&SessionId> {
        match self {
            Self::Session(id) => Some(id),
            Self::Key(_) | Self::Client(_) => None,
        }
    }

    /// What a client session's token says, where this is one.
    #[must_use]
    pub fn client(&self) -> Option<&ClientPass> {
        match self {
            Self::Client(pass) => Some(pass),
            Self::Key(_) | Self::Session(_) => None,
        }
    }
}

/// The bucket that one route keeps per key.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteBucket {
    /// The route's class, part of the counter's name.
    pub class: String,
    /// Its limit, burst and window.
    pub rate: Rate,
    /// How it opens if this is the window's first request.
    pub opening: Opening,
}

impl RouteBucket {
    /// The bucket of a route, if it has one, as it opens with a window's first request.
    #[must_use]
    pub fn of(route: &Route) -> Option<Self> {
        route.rate.map(|rate| Self { class: route.class.clone(), rate, opening: Opening::Full })
    }

    /// The window of an instant.
    #[must_use]
    pub fn window(&self, now: Timestamp) -> Window {
        Window::at(now, self.rate.window)
    }
}

/// What to do after a refused write that is no denial.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing: the write had been applied before.
    Applied,
    /// Send this one.
    Again(Box<Attempt>),
    /// Fetch money or tokens from the project first.
    Fund {
        /// The attempt to fund.
        attempt: Box<Attempt>,
        /// What refuses it even when the project can pay.
        exhausted: Option<Denial>,
    },
}

/// A request that was let through: counted, and paid or reserved.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// The charge's id.
    pub charge: ChargeId,
    /// What it cost, or what is reserved for it.
    pub cost: MicroUsd,
    /// Until when it is to be settled, where its price is not fixed.
    pub lease: Option<Lease>,
    /// What is left of each limit.
    pub standing: Standing,
    /// In how many seconds the key, or the old secret of a rotated one, stops working; in the last week only.
    pub expires_in_seconds: Option<u64>,
}

/// Whether a cell may do something from somewhere.
///
/// # Errors
/// [`Denial::OriginNotAllowed`], then [`Denial::InsufficientScope`].
pub fn permit(cell: &Cell, scope: &Scope, origin: Option<&Origin>) -> Result<(), Denial> {
    permit_origin(cell, origin)?;
    permit_scope(cell, scope)
}

fn permit_origin(cell: &Cell, origin: Option<&Origin>) -> Result<(), Denial> {
    let is_elsewhere = cell.allowlist.as_ref().is_some_and(|list| !list.admits(origin));
    if is_elsewhere { Err(Denial::OriginNotAllowed) } else { Ok(()) }
}

fn permit_scope(cell: &Cell, scope: &Scope) -> Result<(), Denial> {
    if cell.grants.permits(scope) { Ok(()) } else { Err(Denial::InsufficientScope { required: scope.to_string() }) }
}

/// The 402 of a cell that lacks `shortage`, or is frozen.
#[must_use]
pub fn out_of_credit(cell: &Cell, shortage: MicroUsd) -> Denial {
    let purse = &cell.purse;
    let is_frozen = cell.status == Status::Frozen;
    // What is reserved may come back by a settlement, and after the lease's end it will not.
    let may_return = !is_frozen && purse.reserved > MicroUsd::ZERO && purse.reserved.plus(purse.room()) >= shortage;
    Denial::InsufficientCredits {
        source: LimitSource::Key,
        spent: purse.spent(),
        reserved: purse.reserved,
        limit: purse.budget,
        retry_at: cell.leases.first_end().filter(|_| may_return),
    }
}

/// The 402 of a call that would take a client session over its ceiling, where it has one.
#[must_use]
pub fn over_ceiling(cell: &Cell, pass: &ClientPass, cost: MicroUsd) -> Option<Denial> {
    let ceiling = pass.ceiling?;
    let run_up = cell.tabs.open.get(&pass.session).map_or(MicroUsd::ZERO, |tab| tab.spent);
    if run_up.plus(cost) <= ceiling {
        return None;
    }
    let is_own = |charge: &ChargeNonce| cell.tabs.calls.get(charge) == Some(&pass.session);
    let held = || cell.leases.held.iter().filter(|(charge, _)| is_own(charge)).map(|(_, lease)| lease);
    let reserved = held().fold(MicroUsd::ZERO, |sum, lease| sum.plus(lease.amount));
    let may_return = reserved > MicroUsd::ZERO && run_up.minus(reserved).plus(cost) <= ceiling;
    Some(Denial::InsufficientCredits {
        source: LimitSource::Session,
        spent: run_up.minus(reserved),
        reserved,
        limit: Some(ceiling),
        retry_at: held().map(|lease| lease.end).min().filter(|_| may_return),
    })
}

#[cfg(test)]
pub(crate) mod tests;
