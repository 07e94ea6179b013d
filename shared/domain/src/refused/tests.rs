//! Counts stay few, and no refusal is lost for that.

use proptest::prelude::*;

use super::*;
use crate::{denial::Denial, id::KeyId, scope::Scope};

const NOW: Timestamp = Timestamp::MAX;

fn owner(digit: u8) -> Owner {
    Owner {
        account: AccountId::mint(&mut |pool| pool.fill(digit)),
        project: ProjectId::mint(&mut |pool| pool.fill(digit)),
        environment: "sandbox".into(),
        gallery: "g".into(),
    }
}

fn cell(account: u8, key: u16) -> Whose {
    let id = KeyId::from_suffix(&format!("{key:016}")).unwrap();
    Whose::of(&CellId::Key(id), &owner(account))
}

fn reason(route: u16, code: &str) -> Reason {
    Reason { route: Some(format!("GET /{route}")), code: code.to_owned() }
}

fn place(whose: Whose) -> Place {
    Place::at(NOW, whose)
}

/// As full as it gets without folding, with one kind of the first account's without a route among it.
fn full() -> Counts {
    let mut counts = Counts::default();
    for key in 0..1_000 {
        counts.note(place(cell(1, key)), reason(1, "rate_limited"));
    }
    counts
}

fn find(counts: &Counts, whose: &Whose, reason: &Reason) -> Option<u64> {
    counts.places.get(&place(whose.clone()))?.get(reason).copied()
}

#[test]
fn an_hour_is_that_of_the_day() {
    let at = |text: &str| Place::at(Timestamp::parse_rfc3339(text).unwrap(), Whose::Nobody);
    let (last, first) = (at("2026-11-25T23:59:59Z"), at("2026-11-26T00:00:00Z"));
    assert_eq!((last.hour, first.hour), (23, 0));
    assert_eq!(last.sheet.day.0 + 1, first.sheet.day.0);
}

#[test]
fn a_reason_prints_and_reads_as_itself() {
    let route = Route::new("GET /demo/free", Scope::parse("demo:read").unwrap()).unwrap();
    for (route, text) in [(Some(&route), "GET /demo/free|missing_credentials"), (None, "-|missing_credentials")] {
        let reason = Reason::of(route, &Denial::MissingCredentials);
        assert_eq!(reason.to_string(), text);
        assert_eq!(Reason::parse(text), Some(reason));
    }
    for text in ["", "|", "GET /|", "|ok", "GET /", "GET /|a b", "GET /|É"] {
        assert_eq!(Reason::parse(text), None, "{text}");
    }
}

#[test]
fn a_long_route_is_told_by_its_class() {
    let template = format!("GET /{}", "a".repeat(80));
    let route = Route::new(&template, Scope::parse("demo:read").unwrap()).unwrap();
    assert_eq!(Reason::of(Some(&route), &Denial::UnknownRoute).route, Some(route.class));
}

#[test]
fn without_room_the_route_goes_first_and_then_the_cell() {
    let mut counts = full();
    counts.note(place(cell(1, 7)), reason(1, "rate_limited"));
    assert_eq!(find(&counts, &cell(1, 7), &reason(1, "rate_limited")), Some(2), "what is counted already has room");

    let bare = Reason { route: None, code: "rate_limited".into() };
    counts.note(place(cell(1, 7)), reason(2, "rate_limited"));
    assert_eq!(find(&counts, &Whose::Nobody, &bare), Some(1));
    for whose in [Whose::Account(owner(1).account), cell(1, 7)] {
        counts.places.entry(place(whose.clone())).or_default().insert(bare.clone(), 0);
        counts.note(place(cell(1, 7)), reason(2, "rate_limited"));
        assert_eq!(find(&counts, &whose, &bare), Some(1), "the finest that there is");
    }
}

#[test]
fn the_oldest_hour_is_written_first_and_of_an_hour_the_largest() {
    let mut counts = Counts::default();
    let earlier = NOW.minus_s(3_600);
    for (at, whose, times) in
        [(NOW, cell(1, 1), 1), (NOW, cell(1, 2), 3), (earlier, cell(1, 3), 1), (earlier, cell(1, 2), 1)]
    {
        (0..times).for_each(|_| counts.note(Place::at(at, whose.clone()), reason(1, "rate_limited")));
    }
    let taken = counts.take(2, |sheet| sheet.whose == cell(1, 3));
    let order: Vec<_> = taken.iter().map(|(place, reasons)| (place.clone(), total(reasons))).collect();
    // The second key's later hour waits until the earlier one is written.
    assert_eq!(order, [(Place::at(earlier, cell(1, 2)), 1), (Place::at(NOW, cell(1, 1)), 1)]);
    assert_eq!(counts.take(8, |_| false).len(), 2);
    assert_eq!(counts.total(), 0);
}

#[test]
fn one_write_takes_so_many_reasons_and_the_rest_stays() {
    let mut counts = Counts::default();
    for route in 0..40 {
        (0..=route).for_each(|_| counts.note(place(cell(1, 1)), reason(route, "rate_limited")));
    }
    let all = counts.total();
    let mut taken = Vec::new();
    while counts.total() > 0 {
        let [(_, reasons)] = counts.take(8, |_| false).try_into().unwrap();
        taken.push(reasons);
    }
    assert_eq!(taken.iter().map(BTreeMap::len).collect::<Vec<_>>(), [16, 16, 8]);
    assert!(taken[0].contains_key(&reason(39, "rate_limited")));
    assert_eq!(taken.iter().map(total).sum::<u64>(), all);
}

proptest! {
    #[test]
    fn counts_stay_few_and_lose_nothing(
        notes in prop::collection::vec((0_u8..3, 0_u16..60, 0_u16..30, 0_u64..3, prop::bool::ANY), 0..3_000),
    ) {
        let mut counts = Counts::default();
        let hours: BTreeSet<u64> = notes.iter().map(|note| note.3).collect();
        let mut taken = 0;
        for (number, (account, key, route, hour, is_known)) in notes.iter().enumerate() {
            let whose = if *is_known { cell(*account, *key) } else { Whose::Nobody };
            let reason = reason(*route, ["rate_limited", "invalid_api_key"][number % 2]);
            counts.note(Place::at(NOW.minus_s(3_600 * hour), whose), reason);
            if number % 977 == 0 {
                taken += counts.take(4, |_| false).iter().map(|(_, reasons)| total(reasons)).sum::<u64>();
            }
        }
        let distinct: usize = counts.places.values().map(BTreeMap::len).sum();
        prop_assert_eq!(distinct, counts.distinct);
        prop_assert!(distinct <= MAX_DISTINCT + 2 * hours.len(), "{}", distinct);
        prop_assert_eq!(taken + counts.total(), u64::try_from(notes.len()).unwrap());
    }
}
