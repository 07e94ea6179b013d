//! The protocol as a transition system: requesters step, copies go astray and arrive, processes die, time passes.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use faregate_domain::limit::QuotaPolicy;
use stateright::{Model, Property};

use crate::{
    audit::{Audit, Milestone},
    guard::{Guard, Guards},
    invariant,
    message::Message,
    milestone,
    requester::Requester,
    table::{CELLS, Cell, Money, Table, Wallet},
    world::World,
};

/// One configuration of the protocol: who is there, what the table holds at first, and how much may go wrong.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) guards: Guards,
    /// What the run looks for; empty in runs that check the invariants.
    pub(crate) milestones: BTreeSet<Milestone>,
    pub(crate) account: Money,
    pub(crate) wallet: Wallet,
    pub(crate) cells: [Cell; CELLS],
    pub(crate) requesters: Vec<Requester>,
    /// The key's rate, and the project's.
    pub(crate) quota: Option<QuotaPolicy>,
    pub(crate) project_quota: Option<QuotaPolicy>,
    pub(crate) per_day: Option<u8>,
    /// `lc`.
    pub(crate) cap: usize,
    /// Whether a request that finds the wallet empty searches the sibling.
    pub(crate) claws_back: bool,
    /// Whether it matters when a request begins: otherwise the first ones have begun already.
    pub(crate) begins_late: bool,
    /// Windows that pass.
    pub(crate) last_tick: u8,
    /// How often a write may go unanswered, and a requester die.
    pub(crate) timeouts: u8,
    pub(crate) crashes: u8,
    /// Whether copies that can never be applied are kept on their way, to see that they never are.
    pub(crate) keeps_dead: bool,
    /// Grants and returns are numbered up to here; beyond it a run would never end.
    pub(crate) last_number: u8,
}

/// Everything there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) table: Table,
    pub(crate) audit: Audit,
    pub(crate) requesters: Vec<Requester>,
    /// Copies of writes on their way: each may arrive at any time, any number of times, or never.
    pub(crate) strays: BTreeSet<Message>,
    pub(crate) now: u8,
    timeouts_left: u8,
    crashes_left: u8,
}

/// What may happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A requester takes its next step and learns the answer.
    Step(usize),
    /// A requester hears nothing, and sends its write again.
    Timeout(usize),
    /// A caller answers 503 and serves the next request on the same lane.
    GiveUp(usize),
    /// A requester dies; what it was sending may still arrive.
    Crash(usize),
    /// A copy arrives, and nobody learns the answer.
    Arrive(Message),
    /// A window passes.
    Tick,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            guards: Guards::all(),
            milestones: BTreeSet::new(),
            account: 0,
            wallet: Wallet::default(),
            cells: <[Cell; CELLS]>::default(),
            requesters: Vec::new(),
            quota: None,
            project_quota: None,
            per_day: None,
            cap: 1,
            claws_back: false,
            begins_late: false,
            last_tick: 0,
            timeouts: 0,
            crashes: 0,
            keeps_dead: false,
            last_number: 4,
        }
    }
}

impl Protocol {
    /// The first state.
    fn beginning(&self) -> State {
        let table = Table {
            account: self.account,
            wallet: self.wallet.clone(),
            cells: self.cells.clone(),
            records: BTreeMap::new(),
            papers: BTreeMap::new(),
        };
        let held = self.cells.iter().flat_map(|cell| cell.held.values()).map(|lease| lease.amount).sum::<Money>();
        let audit = Audit { deposits: table.account + table.spendable() + held, ..Audit::default() };
        let mut state = State {
            table,
            audit,
            requesters: self.requesters.clone(),
            strays: BTreeSet::new(),
            now: 0,
            timeouts_left: self.timeouts,
            crashes_left: self.crashes,
        };
        let is_waiting = |requester: &Requester| matches!(requester, Requester::Caller(_)) && !self.begins_late;
        for actor in (0..self.requesters.len()).filter(|actor| is_waiting(&self.requesters[*actor])) {
            self.step(&mut state, actor);
        }
        state
    }

    /// Lets one requester take its next step.
    fn step(&self, state: &mut State, actor: usize) {
        let mut requester = state.requesters[actor].clone();
        requester.step(&mut self.world(state, Some(actor)));
        state.requesters[actor] = requester;
    }

    fn world<'a>(&'a self, state: &'a mut State, actor: Option<usize>) -> World<'a> {
        World { protocol: self, table: &mut state.table, audit: &mut state.audit, now: state.now, actor }
    }

    /// What a requester has sent may be applied whenever it likes.
    fn send_astray(&self, state: &mut State, actor: usize) {
        if let Some(message) = state.requesters[actor].awaited(&self.guards) {
            state.strays.insert(message);
        }
    }

    fn arrive(&self, state: &mut State, message: &Message) {
        let mut world = self.world(state, None);
        if !world.deliver(message) {
            return;
        }
        world.audit.has_dead_applied |= world.audit.dead.contains(message);
        if matches!(message, Message::Admit(_)) {
            world.reach(Milestone::StrayAdmits);
        }
    }

    /// Forgets copies that can never be applied any more: the same world with fewer names.
    fn forget_dead(&self, state: &mut State) {
        let is_dead = |message: &Message| message.is_dead(&state.table, &self.guards);
        let (dead, strays) = mem::take(&mut state.strays).into_iter().partition(is_dead);
        state.strays = strays;
        if self.keeps_dead {
            state.audit.dead.append(&mut { dead });
        }
    }

    /// Notes for every request at work whether the project could pay for it at this moment.
    fn note_shortage(&self, state: &mut State) {
        if !self.claws_back {
            return;
        }
        let spendable = state.table.spendable();
        for requester in &mut state.requesters {
            if let Requester::Caller(caller) = requester {
                caller.was_short |= caller.is_searching() && spendable < caller.plan.cost;
            }
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.beginning()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, requester) in state.requesters.iter().enumerate() {
            if !requester.is_at_work() {
                continue;
            }
            actions.push(Action::Step(number));
            if state.timeouts_left > 0 {
                actions.push(Action::Timeout(number));
                if matches!(requester, Requester::Caller(_)) {
                    actions.push(Action::GiveUp(number));
                }
            }
            if state.crashes_left > 0 {
                actions.push(Action::Crash(number));
            }
        }
        actions.extend(state.strays.iter().chain(&state.audit.dead).cloned().map(Action::Arrive));
        if state.now < self.last_tick {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        match action {
            Action::Step(actor) => {
                if !self.guards.keep(Guard::AnsweredIsGone) {
                    self.send_astray(&mut next, actor);
                }
                self.step(&mut next, actor);
            }
            Action::Timeout(actor) => {
                self.send_astray(&mut next, actor);
                if next.strays == last.strays {
                    return None;
                }
                next.timeouts_left -= 1;
                next.requesters[actor].wait_longer();
            }
            Action::GiveUp(actor) => {
                self.send_astray(&mut next, actor);
                next.timeouts_left -= 1;
                if let Requester::Caller(caller) = &mut next.requesters[actor] {
                    caller.give_up(&self.guards);
                }
            }
            Action::Crash(actor) => {
                self.send_astray(&mut next, actor);
                next.crashes_left -= 1;
                next.requesters[actor].crash(&self.guards);
            }
            Action::Arrive(message) => self.arrive(&mut next, &message),
            Action::Tick => next.now += 1,
        }
        self.note_shortage(&mut next);
        self.forget_dead(&mut next);
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        if self.milestones.is_empty() { invariant::all() } else { milestone::properties(&self.milestones) }
    }

    fn within_boundary(&self, state: &State) -> bool {
        let has_room = |cell: &Cell| {
            let is_closed = cell.status == crate::table::Status::Revoked;
            is_closed || cell.grant_number <= self.last_number && cell.returned.number <= self.last_number
        };
        state.table.cells.iter().all(has_room)
    }
}
