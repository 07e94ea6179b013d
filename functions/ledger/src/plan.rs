//! What of a cell's facts is new to its books, and what each of them adds up to.

use faregate_domain::{
    books::{Durations, Fact, Hole, Numbers, Part, Place, Position, Sequence, SettledCharge, Slot},
    money::MicroUsd,
    time::Timestamp,
};

/// The next facts that are not in the books, and the position once they are.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The position with what is missing noted, before anything beyond it is entered.
    pub(crate) noted: Position,
    /// What is missing, and was not known to be.
    pub(crate) holes: Vec<Hole>,
    /// The facts to enter, by the place of their write, and whether they are late.
    pub(crate) fresh: Vec<(usize, Fact, bool)>,
    /// The position afterwards.
    pub(crate) after: Position,
    /// Whether more facts follow, after a gap that must not be noted before these are entered.
    pub(crate) has_more: bool,
}

impl Plan {
    /// Compares the facts of a cell's writes, in their order, with how far its books are.
    pub(crate) fn of(position: &Position, facts: impl IntoIterator<Item = (usize, Fact)>) -> Self {
        let (mut noted, mut after) = (position.clone(), position.clone());
        let (mut holes, mut fresh) = (Vec::new(), Vec::new());
        for (place, fact) in facts {
            let (sequence, previous, seq) = number(&fact);
            let is_late = match after.place(sequence, previous, seq) {
                Place::Known => continue,
                Place::Next => false,
                Place::Late => true,
                Place::Beyond(_) if !fresh.is_empty() => {
                    return Self { noted, holes, fresh, after, has_more: true };
                }
                Place::Beyond(hole) => {
                    noted.note(hole);
                    after.note(hole);
                    holes.push(hole);
                    false
                }
            };
            after.enter(sequence, previous, seq);
            fresh.push((place, fact, is_late));
        }
        Self { noted, holes, fresh, after, has_more: false }
    }
}

/// A fact's sequence, the number before it there, and its own.
fn number(fact: &Fact) -> (Sequence, u64, u64) {
    match fact {
        Fact::Admitted { seq, .. } => (Sequence::Requests, seq.saturating_sub(1), *seq),
        Fact::Settled { seq, .. } => (Sequence::Settlements, seq.saturating_sub(1), *seq),
        Fact::Granted { previous, seq, .. } => (Sequence::Grants, *previous, *seq),
        Fact::Returned { seq, .. } => (Sequence::Returns, seq.saturating_sub(1), *seq),
    }
}

/// What an admitted request adds.
pub(crate) fn admitted(seq: u64, at: Timestamp, route: &str, amount: MicroUsd) -> Part {
    let adds = vec![(Slot::admitted(route), Numbers::unsettled(1, amount.signed()))];
    Part { sequence: Sequence::Requests, seq, at, adds }
}

/// What a settlement changes about a request that was admitted at `at`.
pub(crate) fn settled(seq: u64, at: Timestamp, route: &str, reserved: MicroUsd, charge: &SettledCharge) -> Part {
    Part { sequence: Sequence::Settlements, seq, at, adds: correction(at, route, reserved, charge) }
}

/// The difference between a request as it was admitted at `at` and as it was settled.
pub(crate) fn correction(
    at: Timestamp,
    route: &str,
    reserved: MicroUsd,
    charge: &SettledCharge,
) -> Vec<(Slot, Numbers)> {
    let took = Durations::of(at.ms_until(charge.at));
    let (reserved, actual) = (reserved.signed(), charge.settlement.actual.signed());
    let admitted = Slot::admitted(route);
    let now = Slot { route: route.to_owned(), code: charge.code().to_owned() };
    if now == admitted {
        return vec![(admitted, Numbers { calls: 0, micro_usd: actual.saturating_sub(reserved), took })];
    }
    let gone = Numbers::unsettled(-1, reserved.saturating_neg());
    vec![(admitted, gone), (now, Numbers { calls: 1, micro_usd: actual, took })]
}

#[cfg(test)]
mod tests {
    use faregate_domain::{charge::ChargeNonce, row::Row};

    use super::*;

    fn fact(seq: u64) -> Fact {
        let row = Row {
            charge: ChargeNonce::mint(&mut |pool| pool.fill(3)),
            at: Timestamp::from_epoch_ms(7),
            cost: MicroUsd::ZERO,
            class: "kRtz".into(),
            network: "-".into(),
            agent: "-".into(),
        };
        Fact::Admitted { seq, row, is_leased: false, session: None }
    }

    fn plan(position: &Position, seqs: &[u64]) -> Plan {
        Plan::of(position, seqs.iter().map(|seq| fact(*seq)).enumerate())
    }

    fn fresh(plan: &Plan) -> Vec<(u64, bool)> {
        plan.fresh.iter().map(|(_, fact, is_late)| (number(fact).2, *is_late)).collect()
    }

    #[test]
    fn what_is_in_the_books_is_left_out() {
        let position = Position::new([(Sequence::Requests, 4)], []);
        let plan = plan(&position, &[3, 4, 5, 5, 6]);
        assert_eq!(fresh(&plan), [(5, false), (6, false)]);
        assert!(plan.holes.is_empty() && !plan.has_more);
        assert_eq!(plan.after.last(Sequence::Requests), 6);
    }

    #[test]
    fn a_gap_is_noted_before_what_follows_and_after_what_comes_before() {
        let position = Position::new([(Sequence::Requests, 4)], []);
        let first = plan(&position, &[5, 8, 9]);
        assert_eq!((fresh(&first), first.has_more), (vec![(5, false)], true));
        assert_eq!(first.noted, position);
        let second = plan(&first.after, &[5, 8, 9]);
        assert_eq!(fresh(&second), [(8, false), (9, false)]);
        let hole = Hole { sequence: Sequence::Requests, first: 6, last: 7 };
        assert_eq!(second.holes, [hole]);
        assert_eq!((second.noted.last(Sequence::Requests), second.noted.holes().count()), (7, 1));
        let late = plan(&second.after, &[7]);
        assert_eq!(fresh(&late), [(7, true)]);
    }

    #[test]
    fn a_failed_call_changes_its_slot() {
        let charge = |text: &str| SettledCharge::parse(&format!("{} 1509 10 {text}", "3".repeat(22))).unwrap();
        let usd = |amount| MicroUsd::new(amount).unwrap();
        let slot = |code: &str| Slot { route: "GET /x".into(), code: code.into() };
        let numbers = |calls, micro_usd, took| Numbers { calls, micro_usd, took };
        let (at, took) = (Timestamp::from_epoch_ms(9), Durations::of(1_500));
        let changes = correction(at, "GET /x", usd(10), &charge("4 S"));
        assert_eq!(changes, [(slot("ok"), numbers(0, -6, took))]);
        let changes = correction(at, "GET /x", usd(10), &charge("0 F timeout"));
        assert_eq!(changes, [(slot("ok"), Numbers::unsettled(-1, -10)), (slot("timeout"), numbers(1, 0, took))]);
        let changes = correction(Timestamp::from_epoch_ms(2_000), "GET /x", usd(10), &charge("10 S"));
        assert_eq!(changes, [(slot("ok"), numbers(0, 0, Durations::of(0)))]);
    }
}
