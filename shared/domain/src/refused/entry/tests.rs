//! What becomes of an entry that a sheet has refused.

use super::*;
use crate::{refused::Whose, time::Timestamp};

const SEQ: u64 = 1_760_000_000_000;

fn reason(route: &str) -> Reason {
    Reason { route: Some(format!("GET /{route}")), code: "rate_limited".into() }
}

fn bare() -> Reason {
    Reason { route: None, code: "rate_limited".into() }
}

fn entry() -> Entry {
    let place = Place::at(Timestamp::from_epoch_ms(SEQ), Whose::Nobody);
    let reasons = [(reason("0"), 2), (reason("new"), 3), (reason("newer"), 4)].into();
    Entry { place, reasons, writer: "writer01".into(), seq: SEQ }
}

fn day(reasons: usize) -> RefusedDay {
    let Entry { place, .. } = entry();
    let reasons = (0..reasons).map(|number| (reason(&number.to_string()), 1)).collect();
    RefusedDay {
        sheet: place.sheet,
        hours: [(place.hour, reasons)].into(),
        newest: SEQ,
        writers: [("writer02".to_owned(), SEQ)].into(),
    }
}

#[test]
fn an_entry_opens_its_hour_once() {
    assert_eq!(entry().next(None), Next::Send(Form::Open));
    assert_eq!(entry().next(Some(&RefusedDay { hours: BTreeMap::new(), ..day(0) })), Next::Send(Form::Open));
    assert_eq!(entry().next(Some(&day(1))), Next::Send(Form::Add));
}

#[test]
fn an_entry_that_stands_there_is_not_added_again() {
    for (last, next) in [(SEQ - 1, Next::Send(Form::Add)), (SEQ, Next::Done), (SEQ + 1, Next::Done)] {
        let day = RefusedDay { writers: [("writer01".to_owned(), last)].into(), ..day(1) };
        let mut entry = entry();
        assert_eq!((entry.next(Some(&day)), entry.seq), (next, SEQ), "{last}");
    }
}

#[test]
fn a_clock_that_is_behind_takes_the_sheets_number() {
    for (newest, seq) in [(SEQ + AHEAD_MS, SEQ), (SEQ + AHEAD_MS + 1, SEQ + AHEAD_MS + 1)] {
        let mut entry = entry();
        assert_eq!(entry.next(Some(&RefusedDay { newest, ..day(1) })), Next::Send(Form::Add));
        assert_eq!(entry.seq, seq);
        assert!(entry.ahead() >= newest);
    }
}

#[test]
fn an_hour_that_is_full_takes_new_routes_without_their_names() {
    let mut fits = entry();
    assert_eq!(fits.next(Some(&day(31))), Next::Send(Form::Add));
    assert_eq!(fits.reasons, entry().reasons);
    let mut folded = entry();
    assert_eq!(folded.next(Some(&day(32))), Next::Send(Form::Fold));
    assert_eq!(folded.reasons, [(reason("0"), 2), (bare(), 7)].into());
}

#[test]
fn writers_are_swept_when_they_are_many_and_long_silent() {
    let writers = |silent: usize| {
        let named = |number: usize, last| (format!("writer{number:02}"), last);
        let old = (0..silent).map(|number| named(number, SEQ - STALE_MS - 1));
        old.chain([named(90, SEQ - STALE_MS), named(91, SEQ)]).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(RefusedDay { writers: writers(15), ..day(1) }.stale(), None);
    let (swept, horizon) = RefusedDay { writers: writers(16), ..day(1) }.stale().unwrap();
    assert_eq!((swept.len(), horizon), (16, SEQ - STALE_MS));
    assert!(!swept.iter().any(|name| name == "writer90" || name == "writer91"));
    assert_eq!(RefusedDay { writers: writers(80), ..day(1) }.stale().unwrap().0.len(), MAX_SWEPT);
}
