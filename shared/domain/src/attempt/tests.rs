//! What each refused state means.

use std::collections::BTreeMap;

use super::*;
use crate::{
    cell::{Owner, Purse},
    client_session::Tabs,
    counters::Counters,
    id::{AccountId, KeyId, ProjectId},
    lease::Leases,
    limit::QuotaPolicy,
    origin::{Allowlist, AllowlistEntry},
    policy::Limits,
    rotation::{Grace, KeySecrets},
    scope::{Grant as ScopeGrant, GrantSet},
    time::Day,
};

mod client;
mod fitting;

const MINUTE: Minute = Minute(29_000_000);

pub(crate) fn cell() -> Cell {
    Cell {
        owner: Owner {
            account: AccountId::mint(&mut |pool| pool.fill(1)),
            project: ProjectId::mint(&mut |pool| pool.fill(2)),
            environment: "sandbox".into(),
            gallery: "g".into(),
        },
        status: Status::Active,
        proof: StoredProof::Key(KeyHash::from_bytes([1; 32]).into()),
        expires_at: None,
        grants: GrantSet::new([ScopeGrant::parse("demo:*").unwrap()]).unwrap(),
        allowlist: None,
        limits: Limits::new(10, 4, 100, 5).unwrap(),
        purse: Purse { balance: usd(50), granted: usd(100), grant_seq: 3, ..Purse::empty(Some(usd(100))) },
        leases: Leases::default(),
        tabs: Tabs::default(),
        project_window: None,
        counters: Counters { highest: [(WindowLength::Minute, MINUTE.0)].into(), ..Counters::default() },
    }
}

fn window(minute: Minute) -> Window {
    Window { length: WindowLength::Minute, index: minute.0 }
}

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn attempt() -> Attempt {
    let now = MINUTE.start().plus_s(10);
    Attempt {
        cell: CellId::Key(KeyId::mint(&mut |pool| pool.fill(3))),
        proof: Proof::Key(vec![KeyHash::from_bytes([1; 32])]),
        secret: Secret::Current,
        now,
        lane: "lane0001".into(),
        seq: 1_000,
        scope: Scope::parse("demo:read").unwrap(),
        origin: None,
        cost: usd(10),
        opening: Opening::Full,
        route: Some(RouteBucket {
            class: "abcd".into(),
            rate: Rate { quota: QuotaPolicy::new(5, 2).unwrap(), window: WindowLength::Minute },
            opening: Opening::Full,
        }),
        project_window: None,
        lease: None,
        over: Vec::new(),
        cap: None,
        grant: None,
        row: Row {
            charge: ChargeNonce::mint(&mut |pool| pool.fill(4)),
            at: now,
            cost: usd(10),
            class: "abcd".into(),
            network: "-".into(),
            agent: "-".into(),
        },
        stale: Vec::new(),
    }
}

/// The verdict on a cell that `change` has altered.
fn verdict(change: impl FnOnce(&mut Cell)) -> Result<Next, Denial> {
    let mut state = cell();
    change(&mut state);
    attempt().judge(Some(&state))
}

fn again(verdict: Result<Next, Denial>) -> Attempt {
    match verdict {
        Ok(Next::Again(next)) => *next,
        other => panic!("expected another attempt, got {other:?}"),
    }
}

#[test]
fn unknown_wrong_revoked_and_expired_look_the_same() {
    assert_eq!(attempt().judge(None), Err(Denial::InvalidApiKey));
    let changes: [fn(&mut Cell); 5] = [
        |cell| cell.proof = StoredProof::Key(KeyHash::from_bytes([2; 32]).into()),
        |cell| cell.proof = StoredProof::Sessions(BTreeMap::new()),
        |cell| cell.status = Status::Revoked,
        |cell| cell.expires_at = Some(MINUTE.start().plus_s(10)),
        |cell| cell.expires_at = Some(MINUTE.start()),
    ];
    for change in changes {
        assert_eq!(verdict(change), Err(Denial::InvalidApiKey));
    }
}

#[test]
fn a_secret_that_a_rotation_put_out_is_known_until_its_grace_ends() {
    let (old, new) = (KeyHash::from_bytes([1; 32]), KeyHash::from_bytes([2; 32]));
    let verdict_under = |grace, hash| {
        let attempt = Attempt { proof: Proof::Key(vec![hash]), ..attempt() };
        let secrets = KeySecrets::from(old).rotated(new, grace, MINUTE.start());
        attempt.judge(Some(&Cell { proof: StoredProof::Key(secrets), ..cell() }))
    };
    let at = |seconds| Grace::Until(MINUTE.start().plus_s(seconds));
    assert_eq!(again(verdict_under(at(11), old)).secret, Secret::Old);
    assert_eq!(again(verdict_under(at(11), new)).secret, Secret::Current);
    assert_eq!(again(verdict_under(at(10), new)).secret, Secret::Current);
    assert_eq!(verdict_under(at(10), old), Err(Denial::InvalidApiKey));
    let waiting = Grace::FromFirstUse { seconds: 60 };
    assert_eq!(again(verdict_under(waiting, old)).secret, Secret::Old);
    assert_eq!(again(verdict_under(waiting, new)).secret, Secret::Fresh { grace_seconds: 60 });
}

#[test]
fn a_caller_is_warned_in_the_last_week_of_what_it_presents() {
    let (old, new) = (KeyHash::from_bytes([1; 32]), KeyHash::from_bytes([2; 32]));
    let now = attempt().now;
    let warned = |secret, grace, expires_at: Option<u64>| {
        let proof = StoredProof::Key(KeySecrets::from(old).rotated(new, grace, now));
        let state = Cell { proof, expires_at: expires_at.map(|seconds| now.plus_s(seconds)), ..cell() };
        Attempt { secret, ..attempt() }.admitted(&state).expires_in_seconds
    };
    let (soon, waiting) = (Grace::Until(now.plus_s(60)), Grace::FromFirstUse { seconds: 60 });
    assert_eq!(warned(Secret::Current, soon, None), None);
    assert_eq!(warned(Secret::Old, soon, None), Some(60));
    assert_eq!(warned(Secret::Old, waiting, None), None);
    assert_eq!(warned(Secret::Old, soon, Some(50)), Some(50));
    assert_eq!(warned(Secret::Old, soon, Some(70)), Some(60));
    assert_eq!(warned(Secret::Current, soon, Some(604_800)), Some(604_800));
    assert_eq!(warned(Secret::Current, soon, Some(604_801)), None);
}

#[test]
fn an_ended_session_is_an_invalid_token() {
    let id = SessionId::mint(&mut |pool| pool.fill(5));
    let mut state = cell();
    let try_with = |state: &Cell| Attempt { proof: Proof::Session(id.clone()), ..attempt() }.judge(Some(state));
    state.proof = StoredProof::Sessions(BTreeMap::from([(id.clone(), attempt().now.plus_s(1))]));
    assert!(try_with(&state).is_ok());
    state.proof = StoredProof::Sessions(BTreeMap::from([(id.clone(), attempt().now)]));
    assert_eq!(try_with(&state), Err(Denial::InvalidToken));
    state.proof = StoredProof::Sessions(BTreeMap::new());
    assert_eq!(try_with(&state), Err(Denial::InvalidToken));
}

#[test]
fn a_write_that_was_applied_is_recognised_even_when_the_key_has_ended_since() {
    let applied = |cell: &mut Cell| {
        cell.counters.slots.insert("lane0001".into(), 1_000);
        cell.status = Status::Revoked;
    };
    assert_eq!(verdict(applied), Ok(Next::Applied));
    let other = |cell: &mut Cell| {
        cell.counters.slots.insert("lane0002".into(), 1_000);
        cell.status = Status::Revoked;
    };
    assert_eq!(verdict(other), Err(Denial::InvalidApiKey));
}

#[test]
fn permanent_refusals_come_before_passing_ones() {
    let everything_wrong = |cell: &mut Cell| {
        cell.allowlist = Allowlist::new([AllowlistEntry::parse("a.com").unwrap()]).unwrap();
        cell.grants = GrantSet::new([ScopeGrant::parse("other:read").unwrap()]).unwrap();
        cell.purse.balance = MicroUsd::ZERO;
        cell.counters.days.insert(MINUTE.day(), 100);
        cell.counters.minutes.insert(MINUTE, 0);
        cell.counters.routes.insert(("abcd".into(), window(MINUTE)), 0);
    };
    let mut state = cell();
    everything_wrong(&mut state);
    let mut codes = Vec::new();
    // One more than there are, so that a fault shows and does not go on for ever.
    for _ in 0..7 {
        let Err(denial) = attempt().judge(Some(&state)) else { break };
        codes.push(denial.code());
        match codes.len() {
            1 => state.allowlist = None,
            2 => state.grants = cell().grants,
            3 => state.purse = cell().purse,
            4 => state.counters.days = BTreeMap::from([(Day(MINUTE.day().0 - 1), 100)]),
            5 => state.counters.minutes = BTreeMap::new(),
            _ => state.counters.routes = BTreeMap::new(),
        }
    }
    let wanted = [
        "origin_not_allowed",
        "insufficient_scope",
        "insufficient_credits",
        "rate_limited_daily",
        "rate_limited",
        "rate_limited",
    ];
    assert_eq!(codes, wanted);
}

#[test]
fn a_frozen_key_cannot_pay() {
    let denial = verdict(|cell| cell.status = Status::Frozen).unwrap_err();
    let wanted = Denial::InsufficientCredits {
        source: LimitSource::Key,
        spent: usd(50),
        reserved: MicroUsd::ZERO,
        limit: Some(usd(100)),
        retry_at: None,
    };
    assert_eq!(denial, wanted);
}

#[test]
fn a_clock_that_is_behind_follows_the_window() {
    let next = again(verdict(|cell| _ = cell.counters.highest.insert(WindowLength::Minute, MINUTE.0 + 1)));
    assert_eq!(next.minute(), Minute(MINUTE.0 + 1));
}

#[test]
fn a_heavy_minute_is_carried_into_the_next() {
    let previous = MINUTE.previous();
    for (left, opening) in [
        (3, Opening::Carried { limit: 10 }),
        (0, Opening::Carried { limit: 10 }),
        (4, Opening::Full),
        (-1, Opening::Drained { limit: 10 }),
    ] {
        let next = again(verdict(|cell| {
            cell.counters.minutes.insert(previous, left);
        }));
        assert_eq!(next.opening, opening, "{left}");
    }
    let next = again(verdict(|cell| {
        cell.counters.routes.insert(("abcd".into(), window(previous)), 1);
    }));
    assert_eq!(next.route.unwrap().opening, Opening::Carried { limit: 5 });
}

#[test]
fn a_minute_that_is_open_already_is_not_opened_again() {
    let next = again(verdict(|cell| {
        cell.counters.minutes.insert(MINUTE.previous(), 0);
        cell.counters.minutes.insert(MINUTE, 5);
        cell.counters.routes.insert(("abcd".into(), window(MINUTE.previous())), 0);
        cell.counters.routes.insert(("abcd".into(), window(MINUTE)), 5);
    }));
    assert_eq!((next.opening, next.route.unwrap().opening), (Opening::Full, Opening::Full));
}

#[test]
fn a_lane_that_fell_behind_moves_on() {
    let next = again(verdict(|cell| {
        cell.counters.slots.insert("lane0001".into(), 2_000);
    }));
    assert_eq!(next.seq, 2_001);
}

#[test]
fn missing_money_is_fetched_while_the_budget_has_room() {
    let verdict = verdict(|cell| {
        cell.purse = Purse { balance: usd(4), granted: usd(90), ..cell.purse };
    });
    assert!(matches!(verdict, Ok(Next::Fund { exhausted: None, .. })), "{verdict:?}");
}

#[test]
fn a_grant_that_another_request_credited_is_dropped() {
    let mut funded = attempt();
    funded.grant = Some(Grant { amount: usd(10), tokens: None, seq: 3 });
    assert_eq!(again(funded.judge(Some(&cell()))).grant, None);
}

#[test]
fn refusals_say_when_to_come_back() {
    let denial = verdict(|cell| {
        cell.counters.minutes.insert(MINUTE, 0);
    })
    .unwrap_err();
    assert_eq!(denial.retry_at(), Some(MINUTE.end()));
    let denial = verdict(|cell| {
        cell.counters.days.insert(MINUTE.day(), 100);
    })
    .unwrap_err();
    assert_eq!(denial.retry_at(), Some(MINUTE.day().end()));
}

fn nonce(digit: u8) -> ChargeNonce {
    ChargeNonce::mint(&mut |pool| pool.fill(digit))
}

/// A cell whose five places are taken; each lease ends as many seconds after the minute began.
fn crowded(ends: [u64; 5]) -> Cell {
    let lease = |end: u64| Lease { amount: usd(10), end: MINUTE.start().plus_s(end) };
    let held = (1..).zip(ends).map(|(digit, end)| (nonce(digit), lease(end))).collect();
    let purse = Purse { reserved: usd(50), ..cell().purse };
    Cell { leases: Leases { held, ..Leases::default() }, purse, ..cell() }
}

fn metered() -> Attempt {
    Attempt { lease: Some(Lease::starting(attempt().now, 60, usd(10))), ..attempt() }
}

#[test]
fn a_call_that_needs_a_place_waits_for_the_first_lease_to_end() {
    let denial = metered().judge(Some(&crowded([30, 20, 40, 50, 60]))).unwrap_err();
    assert_eq!((denial.code(), denial.retry_at()), ("rate_limited_concurrent", Some(MINUTE.start().plus_s(20))));
    let exhausted = denial.exhausted().unwrap();
    assert_eq!((exhausted.used, exhausted.limit), (5, 5));
    assert!(attempt().judge(Some(&crowded([30, 20, 40, 50, 60]))).is_ok());
}

#[test]
fn leases_that_are_over_make_room_and_are_charged() {
    let next = again(metered().judge(Some(&crowded([10, 5, 40, 50, 60]))));
    assert_eq!(next.over.iter().map(|(it, _)| it.clone()).collect::<Vec<_>>(), [nonce(2), nonce(1)]);
    assert_eq!((next.cap, next.captured()), (Some(5), usd(20)));
    let next = again(attempt().judge(Some(&crowded([10, 5, 40, 50, 60]))));
    assert_eq!(next.captured(), usd(30));
}

#[test]
fn reserved_money_may_come_back_until_its_lease_ends() {
    let mut state = crowded([30, 20, 40, 50, 60]);
    state.purse.balance = MicroUsd::ZERO;
    state.purse.reserved = usd(50);
    let denial = attempt().judge(Some(&state)).unwrap_err();
    assert_eq!(denial.retry_at(), Some(MINUTE.start().plus_s(20)));
    let Denial::InsufficientCredits { spent, reserved, .. } = denial else { panic!("402") };
    assert_eq!((spent, reserved), (usd(50), usd(50)));
}

#[test]
fn a_rated_project_gives_its_tokens_out() {
    let mut state = cell();
    state.project_window = Some(WindowLength::Second);
    let Ok(Next::Fund { attempt: next, exhausted: None }) = attempt().judge(Some(&state)) else { panic!("fund") };
    let second = Window::at(next.now, WindowLength::Second);
    let need = next.need(&state, MicroUsd::ZERO).unwrap();
    assert_eq!((need.token, need.shortage), (Some(second), MicroUsd::ZERO));
    let tokens = |index| Some(Grant { amount: MicroUsd::ZERO, tokens: Some(TokenSlice { index, count: 3 }), seq: 4 });
    let funded = Attempt { grant: tokens(second.index), ..(*next).clone() };
    assert_eq!(funded.need(&state, MicroUsd::ZERO), None);
    // Tokens of a window that is over serve nobody.
    let late = Attempt { grant: tokens(second.index - 1), ..*next };
    assert!(late.need(&state, MicroUsd::ZERO).is_some());
    state.counters.tokens.insert(second.index, 1);
    assert!(matches!(attempt().judge(Some(&state)), Ok(Next::Again(_))));
}

#[test]
fn a_short_window_moves_the_whole_attempt_on() {
    let ahead = Window::at(attempt().now.plus_s(55), WindowLength::Second);
    let next = again(verdict(|cell| _ = cell.counters.highest.insert(ahead.length, ahead.index)));
    assert_eq!((next.now, next.minute()), (ahead.start(), Minute(MINUTE.0 + 1)));
}
