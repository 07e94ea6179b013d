//! The model check: every interleaving of the money and limits protocol, with lost, doubled and late writes and crashes.

#![expect(clippy::expect_used, clippy::panic, reason = "what does not hold fails the test")]

mod admission;
mod audit;
mod bucket;
mod caller;
mod configuration;
mod funding;
mod guard;
mod invariant;
mod message;
mod milestone;
mod necessity;
mod protocol;
mod report;
mod requester;
mod revoker;
mod settler;
mod sweeper;
mod sweeping;
mod table;
mod world;

use stateright::{Checker, Model};

use crate::{
    configuration::{
        ALLOCATION, Configuration, DAY, EXACTLY_ONCE, GRANTS, PROJECT_RATE, RETURNS, RETURNS_OF_CLOSED,
        RETURNS_OF_REVOKED, REVOCATION, SETTLEMENTS, SHORTAGE, WINDOWS,
    },
    protocol::Protocol,
    sweeping::{SWEEPS, SWEEPS_BY_TWO, SWEEPS_OF_RETURNS, SWEEPS_OF_REVOKED},
};

#[test]
fn grants_neither_make_nor_lose_money() {
    check(&GRANTS);
}

#[test]
fn what_was_told_is_what_was_charged() {
    check(&EXACTLY_ONCE);
}

#[test]
fn returns_neither_make_nor_lose_money() {
    check(&RETURNS);
}

#[test]
fn a_revoked_cell_keeps_nothing_that_is_clawed_back_or_refunded() {
    check(&RETURNS_OF_REVOKED);
}

#[test]
fn a_refund_to_a_cell_that_was_recalled_goes_home_whoever_claws_back() {
    check(&RETURNS_OF_CLOSED);
}

#[test]
fn no_request_is_refused_money_that_was_there_all_along() {
    check(&SHORTAGE);
}

#[test]
fn a_charge_is_settled_once_and_with_one_result() {
    check(&SETTLEMENTS);
}

#[test]
fn a_revoked_cell_gives_all_its_money_back() {
    check(&REVOCATION);
}

#[test]
fn a_grant_is_debited_once_whatever_is_swept() {
    check(&SWEEPS);
}

#[test]
fn a_grant_is_debited_once_whoever_sweeps() {
    check(&SWEEPS_BY_TWO);
}

#[test]
fn a_return_arrives_once_whatever_is_swept() {
    check(&SWEEPS_OF_RETURNS);
}

#[test]
fn a_revoked_cell_gives_all_its_money_back_whatever_is_swept() {
    check(&SWEEPS_OF_REVOKED);
}

#[test]
fn windows_admit_their_limits_and_one_burst() {
    check(&WINDOWS);
}

#[test]
fn a_day_admits_its_limit() {
    check(&DAY);
}

#[test]
fn two_cells_keep_to_their_projects_rate() {
    check(&PROJECT_RATE);
}

#[test]
fn an_allocation_and_a_credit_happen_once() {
    check(&ALLOCATION);
}

#[test]
fn what_the_model_forgets_can_never_be_applied() {
    // Between them they send every kind of write.
    for configuration in [GRANTS, RETURNS, SWEEPS_OF_RETURNS, SETTLEMENTS, REVOCATION, ALLOCATION] {
        let protocol = Protocol { keeps_dead: true, timeouts: 1, crashes: 0, ..(configuration.protocol)() };
        report::assert_invariants(&protocol.checker().spawn_bfs().join());
    }
}

/// Every invariant holds in every state, and everything that must be possible is.
fn check(configuration: &Configuration) {
    let protocol = (configuration.protocol)();
    let slack = slack();
    let (timeouts, crashes) = (protocol.timeouts + slack, protocol.crashes + slack);
    let checker = Protocol { timeouts, crashes, ..protocol }.checker().spawn_bfs().join();
    let (states, steps) = (checker.unique_state_count(), checker.state_count());
    println!("{}: {states} states, {steps} steps, {} deep", configuration.name, checker.max_depth());
    report::assert_invariants(&checker);

    let searching = configuration.searching().checker().spawn_bfs().join();
    for milestone in configuration.milestones {
        let sentence = milestone.sentence();
        assert!(searching.discovery(sentence).is_some(), "{}: never: {sentence}", configuration.name);
    }

    let row = format!("| {} | {states} |", configuration.name);
    assert!(slack > 0 || PAGE.contains(&row), "the page should say: {row}");
}

/// How many more silences and deaths than usual: with one more, the runs take minutes.
fn slack() -> u8 {
    std::env::var("MODEL_SLACK").map_or(0, |slack| slack.parse().expect("MODEL_SLACK is a small number"))
}

const PAGE: &str = include_str!("../../../docs/proofs.md");
