//! What of an attempt follows the state that it meets, and what stays.

use super::*;

fn slots<const N: usize>(slots: [(&str, u64); N]) -> Cell {
    let slots = slots.map(|(lane, seq)| (lane.to_owned(), seq)).into();
    Cell { counters: Counters { slots, ..cell().counters }, ..cell() }
}

#[test]
fn a_number_that_its_lane_has_not_passed_is_kept() {
    for (seen, seq) in [(999, 1_000), (1_000, 1_000), (1_001, 1_002)] {
        assert_eq!(attempt().fitted(&slots([("lane0001", seen)])).seq, seq, "{seen}");
    }
}

#[test]
fn the_lane_that_writes_is_never_removed() {
    let next = attempt().fitted(&slots([("lane0001", 5), ("lane0002", 5)]));
    assert_eq!(next.stale, [Stale::Slot("lane0002".into())]);
}

#[test]
fn the_grant_that_comes_next_is_kept() {
    let grant = |seq| Some(Grant { amount: usd(10), tokens: None, seq });
    for (seq, is_kept) in [(2, false), (3, false), (4, true), (5, false)] {
        let next = Attempt { grant: grant(seq), ..attempt() }.fitted(&cell());
        assert_eq!(next.grant, grant(seq).filter(|_| is_kept), "{seq}");
    }
}

#[test]
fn reserved_money_is_waited_for_only_where_it_would_be_enough() {
    let full = crowded([30, 20, 40, 50, 60]);
    let retry_at = |status, shortage, budget| {
        let purse = Purse { budget: Some(usd(budget)), ..full.purse };
        out_of_credit(&Cell { status, purse, ..full.clone() }, usd(shortage)).retry_at()
    };
    let first = Some(MINUTE.start().plus_s(20));
    // 50 are reserved, 100 were granted: the budget has room for what is above that.
    for (status, shortage, budget, wanted) in [
        (Status::Active, 50, 100, first),
        (Status::Active, 51, 100, None),
        (Status::Active, 51, 101, first),
        (Status::Frozen, 50, 100, None),
    ] {
        assert_eq!(retry_at(status, shortage, budget), wanted, "{status:?} {shortage} {budget}");
    }
}
