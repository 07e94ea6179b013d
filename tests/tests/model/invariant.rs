//! What holds in every state, whatever went astray and whoever died.

use stateright::{Model, Property};

use crate::{
    audit::{Refusal, Told},
    bucket::small,
    protocol::{Action, Protocol, State},
    requester::Requester,
    settler::{Answer, Phase},
    table::{CELLS, Money, Status},
};

pub(crate) const MONEY_IS_CONSERVED: &str = "deposits = account + wallet + in flight + balances + leases + spent";
pub(crate) const NOTHING_IS_NEGATIVE: &str = "no balance is negative";
pub(crate) const BUDGET_IS_KEPT: &str = "no cell is granted more than its budget";
pub(crate) const CHARGED_ONCE: &str = "no request is charged twice";
pub(crate) const REFUSED_IS_FREE: &str = "a request that was refused is never charged";
pub(crate) const ADMITTED_IS_CHARGED: &str = "a request that was admitted is charged";
pub(crate) const INACTIVE_IS_CLOSED: &str = "a frozen or revoked cell admits nothing";
pub(crate) const WINDOWS_ARE_KEPT: &str = "n windows admit at most n limits and one burst";
pub(crate) const DAY_IS_KEPT: &str = "a day admits at most its limit";
pub(crate) const PROJECT_RATE_IS_KEPT: &str = "n windows of a project admit at most n limits and one burst";
pub(crate) const CAP_IS_KEPT: &str = "no more leases than the cap";
pub(crate) const SETTLED_ONCE: &str = "no charge is settled twice";
pub(crate) const ONE_RESULT: &str = "a charge has one result, and everybody is told that one";
pub(crate) const NO_CHARGE_IS_LOST: &str = "a charge that was admitted is never unknown to its settler";
pub(crate) const SHORTAGE_IS_REAL: &str = "402 is said only if the money was short while the request was at work";
pub(crate) const NOTHING_IS_STRANDED: &str = "when nobody is at work, a revoked cell holds and awaits no money";
pub(crate) const NOBODY_IS_STUCK: &str = "no request sends a write again that changes nothing";
pub(crate) const PAPERS_MOVE_ONCE: &str = "an allocation or a credit happens once, and only then is it said";

/// Not of the protocol: it lets the model forget copies.
pub(crate) const DEAD_STAYS_DEAD: &str = "a copy that a number has passed is never applied";

/// Every invariant.
pub(crate) fn all() -> Vec<Property<Protocol>> {
    vec![
        always(MONEY_IS_CONSERVED, |_, state| accounted(state) == state.audit.deposits),
        always(NOTHING_IS_NEGATIVE, |_, state| is_never_negative(state)),
        always(BUDGET_IS_KEPT, |_, state| {
            state.table.cells.iter().all(|cell| cell.budget.is_none_or(|budget| cell.granted <= budget))
        }),
        always(CHARGED_ONCE, |_, state| state.audit.charged.values().all(|times| *times <= 1)),
        always(REFUSED_IS_FREE, |_, state| {
            told(state).all(|(request, told)| told == Told::Admitted || state.audit.charges(request) == 0)
        }),
        always(ADMITTED_IS_CHARGED, |_, state| {
            told(state).all(|(request, told)| told != Told::Admitted || state.audit.charges(request) == 1)
        }),
        always(INACTIVE_IS_CLOSED, |_, state| !state.audit.has_admitted_inactive),
        always(WINDOWS_ARE_KEPT, |protocol, state| {
            protocol.quota.is_none_or(|quota| {
                state.audit.admitted.iter().all(|admitted| {
                    is_within(small(quota.limit()), small(quota.burst()), |window| {
                        admitted.get(&window).copied().unwrap_or(0)
                    })
                })
            })
        }),
        always(DAY_IS_KEPT, |protocol, state| {
            let days = state.audit.admitted.iter().map(|admitted| admitted.values().sum::<i8>());
            protocol.per_day.is_none_or(|limit| days.max().unwrap_or(0) <= small(limit.into()))
        }),
        always(PROJECT_RATE_IS_KEPT, |protocol, state| {
            protocol.project_quota.is_none_or(|quota| {
                is_within(small(quota.limit()), small(quota.burst()), |window| {
                    state.audit.admitted.iter().filter_map(|admitted| admitted.get(&window)).sum()
                })
            })
        }),
        always(CAP_IS_KEPT, |protocol, state| state.table.cells.iter().all(|cell| cell.held.len() <= protocol.cap)),
        always(SETTLED_ONCE, |_, state| state.audit.settled.values().all(|(times, _)| *times <= 1)),
        always(ONE_RESULT, |_, state| has_one_result(state)),
        always(NO_CHARGE_IS_LOST, |_, state| settlers(state).all(|(_, _, answer)| answer != Answer::Missing)),
        always(SHORTAGE_IS_REAL, |protocol, state| {
            let is_wrong = |told| told == Told::Refused(Refusal::NoMoney { was_so: false });
            !protocol.claws_back || !told(state).any(|(_, told)| is_wrong(told))
        }),
        always(NOTHING_IS_STRANDED, |_, state| {
            state.requesters.iter().any(Requester::is_moving) || (0..CELLS).all(|cell| !is_stranded(state, cell))
        }),
        always(NOBODY_IS_STUCK, |protocol, state| {
            let mut admitting = (0..state.requesters.len()).filter(|actor| state.requesters[*actor].is_admitting());
            admitting.all(|actor| protocol.next_state(state, Action::Step(actor)).is_some())
        }),
        always(PAPERS_MOVE_ONCE, |_, state| are_papers_right(state)),
        always(DEAD_STAYS_DEAD, |_, state| !state.audit.has_dead_applied),
    ]
}

/// Lets the closures above be written without types.
fn always(name: &'static str, condition: fn(&Protocol, &State) -> bool) -> Property<Protocol> {
    Property::always(name, condition)
}

/// Where all the money is.
fn accounted(state: &State) -> Money {
    let table = &state.table;
    let cells = || table.cells.iter();
    let held = cells().flat_map(|cell| cell.held.values()).map(|lease| lease.amount).sum::<Money>();
    let captured = cells().flat_map(|cell| cell.captured.values()).map(|lease| lease.amount).sum::<Money>();
    let settled = state.audit.settled.values().map(|(_, actual)| *actual).sum::<Money>();
    table.account + table.spendable() + held + captured + settled + state.audit.spent
}

fn is_never_negative(state: &State) -> bool {
    let table = &state.table;
    let is_whole = |amount: Money| amount >= 0;
    is_whole(table.account)
        && is_whole(table.wallet.available)
        && table.cells.iter().all(|cell| is_whole(cell.balance) && is_whole(cell.granted))
}

/// No run of windows admits more than its share.
fn is_within(limit: i8, burst: i8, admitted: impl Fn(u8) -> i8) -> bool {
    (0..WINDOWS).all(|first| {
        let mut admitted_so_far = 0;
        let mut most = burst;
        (first..WINDOWS).all(|window| {
            admitted_so_far += admitted(window);
            most += limit;
            admitted_so_far <= most
        })
    })
}

fn has_one_result(state: &State) -> bool {
    settlers(state).filter(|(_, _, answer)| *answer == Answer::Settled).all(|(charge, said, _)| {
        let applied = state.audit.settled.get(&charge).map(|(_, actual)| *actual);
        let recorded = state.table.records.get(&charge).copied();
        applied == Some(said) && recorded == Some(said)
    })
}

fn is_stranded(state: &State, number: usize) -> bool {
    let table = &state.table;
    let cell = &table.cells[number];
    let is_on_its_way = table.pending_grant(number).is_some() || table.pending_return(number).is_some();
    cell.status == Status::Revoked && (cell.balance > 0 || is_on_its_way)
}

fn are_papers_right(state: &State) -> bool {
    let moved = |paper: &u8| state.audit.moved.get(paper).copied().unwrap_or(0);
    let is_said_rightly = |requester: &Requester| match requester {
        Requester::Bookkeeper(bookkeeper) if bookkeeper.told == Some(true) => moved(&bookkeeper.paper) == 1,
        _ => true,
    };
    state.audit.moved.values().all(|times| *times <= 1) && state.requesters.iter().all(is_said_rightly)
}

fn told(state: &State) -> impl Iterator<Item = (u8, Told)> {
    state.audit.told.iter().map(|(request, told)| (*request, *told))
}

/// Charge, what its settler said, and what it was told.
fn settlers(state: &State) -> impl Iterator<Item = (u8, Money, Answer)> {
    state.requesters.iter().filter_map(|requester| match requester {
        Requester::Settler(settler) => match settler.phase {
            Phase::Told(answer) => Some((settler.charge, settler.actual, answer)),
            _ => None,
        },
        _ => None,
    })
}

/// More windows than any configuration lets pass.
const WINDOWS: u8 = 5;
