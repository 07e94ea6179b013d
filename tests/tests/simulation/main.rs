//! Whole histories, each played from a seed: many instances before one table, and a post that loses, doubles and delays.
//!
//! `FAREGATE_SEED=123` plays one history and prints it; `FAREGATE_SEEDS=10000` plays so many; both together play so many
//! from there on. Without either a few are played, and one guard is taken out; `.ci/run simulation` plays 120,
//! `FAREGATE_GUARDS=all` takes out each guard in turn, and `FAREGATE_GUARDS="a tab has room"` that one.

#![expect(clippy::panic, clippy::unwrap_used, reason = "what does not work in a test fails the test")]

mod calls;
mod dice;
mod image;
mod ledger;
mod post;
mod reports;
mod rules;
mod run;
mod sabotage;
mod script;
mod trace;
mod windows;
mod wishes;
mod world;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use run::{Played, Tally, play};
use sabotage::Sabotage;

#[test]
fn no_history_breaks_a_promise() {
    let (first, count) = (number("FAREGATE_SEED"), number("FAREGATE_SEEDS"));
    if let (Some(seed), None) = (first, count) {
        let played = play(seed, None);
        println!("{}\n{:?}, hash {:016x}", played.trace.lines().join("\n"), played.tally, played.hash);
        return assert_kept(seed, &played);
    }
    let (first, count) = (first.unwrap_or(0), count.unwrap_or(FEW));
    let (next, tally) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    let play_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let played = play(seed, None);
            assert_kept(seed, &played);
            tally.lock().unwrap().add(&played.tally);
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let players: Vec<_> = (0..threads).map(|_| scope.spawn(play_some)).collect();
        for player in players {
            if let Err(panic) = player.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    println!("{count} histories: {:?}", tally.lock().unwrap());
}

#[test]
fn a_seed_plays_the_same_history_again() {
    for seed in 0..2 {
        let (first, second) = (play(seed, None), play(seed, None));
        let differs = first.trace.lines().iter().zip(second.trace.lines()).find(|(one, other)| one != other);
        assert_eq!((differs, first.hash), (None, second.hash), "seed {seed}");
    }
}

#[test]
fn a_guard_that_is_taken_out_is_missed() {
    let most = number("FAREGATE_SEEDS").unwrap_or(40);
    let wanted = std::env::var("FAREGATE_GUARDS").ok();
    let guards: Vec<_> = match wanted.as_deref() {
        None => sabotage::GUARDS[..1].iter().collect(),
        Some("all") => sabotage::GUARDS.iter().collect(),
        Some(purpose) => sabotage::GUARDS.iter().filter(|guard| guard.purpose == purpose).collect(),
    };
    assert!(!guards.is_empty(), "there is no such guard: {wanted:?}");
    let mut unmissed = Vec::new();
    for guard in guards {
        let mut strikes = 0;
        let found = (0..most).find_map(|seed| {
            let played = play(seed, Some(Sabotage::of(*guard)));
            strikes += played.strikes;
            Some((seed, played.violation?))
        });
        match found {
            Some((seed, violation)) => {
                println!("{}: seed {seed}: {}", guard.purpose, violation.lines().next().unwrap_or_default());
            }
            None => unmissed.push((guard.purpose, strikes)),
        }
    }
    assert!(unmissed.is_empty(), "no history of {most} needs these, which were taken out so often: {unmissed:#?}");
}

fn assert_kept(seed: u64, played: &Played) {
    if let Some(violation) = &played.violation {
        let lines = played.trace.lines();
        let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        panic!("{}\nFAREGATE_SEED={seed}: {violation}", last.join("\n"));
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// Enough to notice what is broken; a second or two of processor time each.
const FEW: u64 = 16;
/// The whole history is shown by its seed.
const SHOWN_LINES: usize = 20;
