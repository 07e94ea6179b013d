//! A request at the gate: admit, and if the cell is short, fetch the project's money; told yes, told no, or told nothing.

use crate::{
    admission::Admit,
    audit::{Milestone, Refusal, Told},
    bucket::Opening,
    funding::Look,
    guard::{Guard, Guards},
    message::Message,
    table::{Cell, Grant, Money, Request, Status},
    world::World,
};

/// A process that serves requests one after another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    pub(crate) plan: Plan,
    /// The request at hand; the following ones have the following numbers.
    pub(crate) request: Request,
    requests_left: u8,
    /// New with every process.
    lane: Request,
    seq: u8,
    /// Whether a copy of the request's write went unanswered.
    has_strays: bool,
    /// How often the wallet was swept, as far as the process knew before it read its cell.
    pub(crate) sweeps: u8,
    /// Whether, since its first refusal, the project ever had less than the request costs.
    pub(crate) was_short: bool,
    pub(crate) phase: Phase,
}

/// What a caller wants; it stays the same for all its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    pub(crate) cell: usize,
    pub(crate) cost: Money,
    /// A route that is settled later.
    pub(crate) is_held: bool,
    /// The grant it asks for where there is plenty.
    pub(crate) slice: Money,
    /// How many windows its clock is behind.
    pub(crate) lag: u8,
}

/// Where a request stands: which write it waits for, or what it reads next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Ready,
    Admitting(Admit),
    /// Reads the wallet next, on behalf of the cell as it was returned.
    Funding(Admit, Cell),
    Debiting(Admit, Cell, Grant, Opening),
    /// Searches the project for money; reads on.
    Looking(Admit, Look),
    /// Moves somebody's money on, and begins again at the wallet.
    Moving(Admit, Cell, Message),
    Fencing(Refusal),
    Over,
}

impl Caller {
    /// A caller with a number of requests to make.
    pub(crate) fn new(plan: Plan, first_request: Request, requests: u8) -> Self {
        Self {
            plan,
            request: first_request,
            requests_left: requests - 1,
            lane: first_request,
            seq: 1,
            has_strays: false,
            sweeps: 0,
            was_short: false,
            phase: Phase::Ready,
        }
    }

    /// The write it waits for.
    pub(crate) fn awaited(&self, guards: &Guards) -> Option<Message> {
        match &self.phase {
            Phase::Ready | Phase::Funding(..) | Phase::Looking(..) | Phase::Over => None,
            Phase::Admitting(admit) => Some(Message::Admit(admit.clone())),
            Phase::Debiting(_, _, grant, opening) => Some(self.debit(*grant, *opening)),
            Phase::Moving(_, _, message) => Some(message.clone()),
            Phase::Fencing(_) => Some(self.fence(guards)),
        }
    }

    /// Goes without an answer: the copy is on its way, another is sent.
    pub(crate) fn wait_longer(&mut self) {
        self.has_strays |= matches!(self.phase, Phase::Admitting(_));
    }

    /// Answers nothing, 503, and turns to the next request on the same lane.
    pub(crate) fn give_up(&mut self, guards: &Guards) {
        self.turn_to_next(guards);
    }

    /// Dies; another process, with a lane of its own, serves the next request.
    pub(crate) fn crash(&mut self, guards: &Guards) {
        self.turn_to_next(guards);
        if self.phase != Phase::Over {
            self.seq = 1;
            // It takes the wallet for one that was never swept, as every wallet was at first.
            self.sweeps = 0;
            if guards.keep(Guard::LaneIsNew) {
                self.lane = self.request;
            }
        }
    }

    /// Whether it is at work on a request that has been refused once.
    pub(crate) fn is_searching(&self) -> bool {
        !matches!(self.phase, Phase::Ready | Phase::Over)
    }

    /// Takes the next step and learns its answer.
    pub(crate) fn step(&mut self, world: &mut World<'_>) {
        match self.phase.clone() {
            Phase::Ready => self.phase = Phase::Admitting(self.first_attempt(world)),
            Phase::Admitting(admit) => {
                if world.deliver(&Message::Admit(admit.clone())) {
                    self.tell(world, Told::Admitted);
                } else {
                    self.judge(&admit, world);
                }
            }
            Phase::Funding(admit, own) => self.fund(admit, own, world),
            Phase::Debiting(admit, own, grant, opening) => {
                let is_debited = world.deliver(&self.debit(grant, opening));
                self.phase = if world.guards().pass(Guard::GrantShownByWallet, is_debited) {
                    Phase::Admitting(Admit { grant: Some(grant), ..admit })
                } else {
                    Phase::Funding(admit, own)
                };
            }
            Phase::Looking(admit, look) => self.look(admit, look, world),
            Phase::Moving(admit, own, message) => {
                world.deliver(&message);
                self.phase = match message {
                    Message::TakeBack { cell, back } if !world.guards().keep(Guard::ReturnShownByCell) => {
                        Phase::Moving(admit, own, Message::HandIn { cell, back, sweeps: self.sweeps })
                    }
                    _ => Phase::Funding(admit, own),
                };
            }
            Phase::Fencing(refusal) => self.close(refusal, world),
            Phase::Over => {}
        }
    }

    fn first_attempt(&self, world: &World<'_>) -> Admit {
        Admit {
            request: self.request,
            cell: self.plan.cell,
            lane: self.lane,
            seq: self.seq,
            cost: self.plan.cost,
            lease_end: self.plan.is_held.then_some(world.now + 1),
            window: world.now.saturating_sub(self.plan.lag),
            opening: Opening::Full,
            grant: None,
            expired: None,
        }
    }

    /// Reads from the item that refused the write what to do next.
    fn judge(&mut self, admit: &Admit, world: &mut World<'_>) {
        let cell = world.table.cells[self.plan.cell].clone();
        if cell.lanes.get(&self.lane) == Some(&self.seq) && world.guards().keep(Guard::AppliedIsAdmitted) {
            return self.tell(world, Told::Admitted);
        }
        if cell.status != Status::Active {
            return self.refuse(Refusal::Inactive, world);
        }
        let next = Self::fitted(admit, &cell, world);
        let used_up = world.protocol.quota.is_some_and(|quota| cell.bucket.tokens(quota, next.window) < 1);
        if used_up || world.protocol.per_day.is_some_and(|limit| cell.day >= limit) {
            return self.refuse(Refusal::RateLimited, world);
        }
        let leaves = usize::from(next.expired.is_some());
        if self.plan.is_held && cell.held.len() >= world.protocol.cap + leaves {
            return self.refuse(Refusal::Busy, world);
        }
        let granted = next.grant.unwrap_or_default();
        let tokens = cell.tokens.get(&next.window).copied().unwrap_or(0);
        let tokens_granted = if granted.window == next.window { granted.tokens } else { 0 };
        let lacks_token = world.protocol.project_quota.is_some() && tokens + tokens_granted < 1;
        let is_short = cell.balance + granted.amount < self.plan.cost;
        self.phase = if is_short || lacks_token {
            let own = if world.protocol.claws_back { cell } else { cell.purse() };
            Phase::Funding(Admit { grant: None, ..next }, own)
        } else {
            Phase::Admitting(next)
        };
    }

    /// The same request, fitted to the item that refused it.
    fn fitted(admit: &Admit, cell: &Cell, world: &mut World<'_>) -> Admit {
        let window = admit.window.max(cell.bucket.window);
        if window > admit.window {
            world.reach(Milestone::ClockCorrected);
        }
        let opening = world.protocol.quota.map_or(Opening::Full, |quota| cell.bucket.opening(quota, window));
        let expired = cell.expired(world.now).map(|charge| (charge, cell.held[&charge]));
        let grant = admit.grant.filter(|grant| grant.number == cell.grant_number + 1);
        Admit { window, opening, grant, expired, ..admit.clone() }
    }

    /// A refusal that stays one: no copy on its way may be applied afterwards.
    pub(crate) fn refuse(&mut self, refusal: Refusal, world: &mut World<'_>) {
        if self.has_strays && world.guards().keep(Guard::FenceBeforeRefusal) {
            self.phase = Phase::Fencing(refusal);
        } else {
            self.tell(world, Told::Refused(refusal));
        }
    }

    fn debit(&self, grant: Grant, opening: Opening) -> Message {
        Message::Debit { cell: self.plan.cell, grant, opening, sweeps: self.sweeps }
    }

    fn fence(&self, guards: &Guards) -> Message {
        let own_number = u8::from(guards.keep(Guard::FenceNumber));
        Message::Fence { cell: self.plan.cell, lane: self.lane, seq: self.seq, takes: self.seq + own_number }
    }

    fn close(&mut self, refusal: Refusal, world: &mut World<'_>) {
        let fence = self.fence(world.guards());
        let is_closed = world.deliver(&fence);
        let is_applied = world.table.cells[self.plan.cell].lanes.get(&self.lane) == Some(&self.seq);
        if !is_closed && is_applied {
            world.reach(Milestone::FenceFindsAdmission);
            self.tell(world, Told::Admitted);
        } else {
            self.tell(world, Told::Refused(refusal));
        }
    }

    fn tell(&mut self, world: &mut World<'_>, told: Told) {
        let milestone = match told {
            Told::Refused(Refusal::NoMoney { .. }) => Some(Milestone::RefusedForMoney),
            Told::Refused(Refusal::Budget) => Some(Milestone::RefusedForBudget),
            Told::Refused(Refusal::Busy) => Some(Milestone::RefusedBusy),
            Told::Refused(Refusal::RateLimited) => Some(Milestone::RateLimited),
            Told::Refused(Refusal::Inactive) | Told::Admitted => None,
        };
        if let Some(milestone) = milestone {
            world.reach(milestone);
        }
        world.audit.told.insert(self.request, told);
        self.turn_to_next(world.guards());
    }

    fn turn_to_next(&mut self, guards: &Guards) {
        self.has_strays = false;
        self.was_short = false;
        if self.requests_left == 0 {
            self.phase = Phase::Over;
            self.seq = 0;
            self.sweeps = 0;
            return;
        }
        self.requests_left -= 1;
        self.request += 1;
        if guards.keep(Guard::NumberIsNew) {
            // A fence may have taken the number after the last.
            self.seq += 2;
        }
        self.phase = Phase::Ready;
    }
}
