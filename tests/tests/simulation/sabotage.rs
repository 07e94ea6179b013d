//! Takes one guard out of the store's expressions on their way to the table, to see that a history then goes wrong.

/// One guard of the store's writes, and what is left where it is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    /// What it is there for.
    pub(crate) purpose: &'static str,
    /// Only requests that hold this text are touched.
    of: &'static str,
    from: &'static str,
    to: &'static str,
}

/// A guard that is taken out, and how often it was.
#[derive(Clone, Debug)]
pub(crate) struct Sabotage {
    guard: Guard,
    pub(crate) strikes: u64,
}

impl Sabotage {
    pub(crate) fn of(guard: Guard) -> Self {
        Self { guard, strikes: 0 }
    }

    pub(crate) fn strike(&mut self, body: &mut String) {
        let Guard { of, from, to, .. } = self.guard;
        if body.contains(of) && body.contains(from) {
            *body = body.replace(from, to);
            self.strikes += 1;
        }
    }
}

const fn guard(purpose: &'static str, of: &'static str, from: &'static str, to: &'static str) -> Guard {
    Guard { purpose, of, from, to }
}

/// The guards, each with a text that takes its place and always holds. Placeholders stay in use, because DynamoDB refuses
/// a request with one too many.
pub(crate) const GUARDS: &[Guard] = &[
    guard("an attempt is applied once", ":row", " AND NOT q.#i >= :seq", ""),
    guard("a refusal closes its lane", ":passed", "q.#i = :passed", "zz = :passed"),
    guard("a closed lane is no applied attempt", ":passed", "q.#i = :passed", "q.#i = :seq, zz = :passed"),
    guard("a lane in use is not swept", ":idle", "NOT q.#x", "NOT zz.#x"),
    guard("nothing is counted in a window left behind", ":row", "NOT w > :k AND ", ""),
    guard("only an active key is admitted", ":row", "st = :active", "(st = :active OR attribute_exists(st))"),
    guard("a minute has tokens", ":row", "(#t >= :one OR ", "(attribute_exists(pk) OR #t >= :one OR "),
    guard("a minute is opened once", ":tr", "attribute_not_exists(#t) AND #tp", "attribute_exists(pk) AND #tp"),
    guard("a minute opens with its limit", ":tr", "tl = :tl", "(tl = :tl OR attribute_exists(tl))"),
    guard("a route has tokens", ":row", "(#e >= :one OR ", "(attribute_exists(pk) OR #e >= :one OR "),
    guard("a day has room", ":row", "NOT #d >= dl", "attribute_exists(dl)"),
    guard("a new limit closes the minutes before", ":tl_new", ", w = :minute", ""),
    guard("a balance pays", ":pay", "bal >= :pay", "attribute_exists(bal)"),
    guard("a grant is received in its turn", ":gs_before", "gs = :gs_before", "gs >= :gs_before"),
    guard("a grant is debited once", "av - :a", "NOT gs.#c >= :n", "attribute_exists(pk)"),
    guard("a grant is debited once of a swept wallet", "av - :a", "NOT hs.#c >= :n", "attribute_exists(pk)"),
    guard("a debit knows of every sweep", "av - :a", "sw = :sw", "sw >= :sw"),
    guard("a wallet has what it grants", "av - :a", "av >= :a", "attribute_exists(av)"),
    guard("a project's window has tokens", ":s", "(#t >= :s OR ", "(attribute_exists(pk) OR #t >= :s OR "),
    guard("a cell has the project's tokens", ":row", "#p >= :one", "#p >= :zero"),
    guard("a return leaves once", "rs = :n", "rs = :before", "rs >= :before"),
    guard("a return has its money", "rs = :n", "bal >= :a", "attribute_exists(bal)"),
    guard("a return arrives once", "rr.#c = :n", "NOT rr.#c >= :n", "attribute_exists(pk)"),
    guard("a return arrives once at a swept wallet", "hr.#c = :n", "NOT hr.#c >= :n", "attribute_exists(pk)"),
    guard("an entry is removed as it was seen", "sw = sw + :one", "hs.#c0 = :g0", "hs.#c0 >= :g0"),
    guard("a place is free", ":lease", "size(l) < lc", "attribute_exists(lc)"),
    guard("a tab has room", ":ceiling", "c.#c <= :ceiling", "(c.#c <= :ceiling OR attribute_exists(c))"),
    guard("a lease lapses once", ":v0", "l.#v0 = :v0", "(l.#v0 = :v0 OR attribute_exists(l))"),
    guard("a held lease ends once", ":refund", "l.#r = :lease", "(l.#r = :lease OR attribute_exists(l))"),
    guard("a lapsed lease ends once", ":refund", "x.#r = :lease", "(x.#r = :lease OR attribute_exists(x))"),
    guard(
        "a charge is settled once",
        ":outcome",
        "attribute_not_exists(pk)",
        "(attribute_not_exists(pk) OR attribute_exists(pk))",
    ),
    guard("money goes back from the grant that was seen", ":gs_old", "gs = :gs_old", "gs >= :gs_old"),
    guard(
        "money goes back to the debit that was seen",
        ":next",
        "gs.#c = :last",
        "(gs.#c = :last OR attribute_exists(pk))",
    ),
];
