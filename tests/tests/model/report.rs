//! What a check found, in words: which invariant fell, and the shortest way there.

use std::fmt::Write;

use stateright::{Checker, Expectation, Model, Path};

use crate::protocol::{Action, Protocol, State};

/// Fails with the shortest trace when an invariant has fallen.
pub(crate) fn assert_invariants(checker: &impl Checker<Protocol>) {
    for property in checker.model().properties() {
        assert!(property.expectation == Expectation::Always, "{} is no invariant", property.name);
        if let Some(path) = checker.discovery(property.name) {
            panic!("not so: {}\n{}", property.name, trace(path));
        }
    }
}

/// The steps of a path, each with the requester as it was before.
fn trace(path: Path<State, Action>) -> String {
    let mut text = String::new();
    let last = path.last_state().clone();
    for (state, action) in path.into_vec() {
        let actor = match action {
            Some(Action::Step(actor) | Action::Timeout(actor) | Action::GiveUp(actor) | Action::Crash(actor)) => {
                Some(&state.requesters[actor])
            }
            Some(Action::Arrive(_) | Action::Tick) | None => None,
        };
        let _ = writeln!(text, "{action:?} {actor:?}");
    }
    let _ = writeln!(text, "{:?}\n{:?}", last.table, last.audit);
    text
}
