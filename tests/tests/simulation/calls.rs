//! What callers asked and what they were told.

use std::collections::BTreeMap;

use faregate_tests::Knock;

use crate::{
    image::{CellImage, Lease},
    ledger::{Ledger, Violation},
    script::Route,
    world::{CEILING_MICRO_USD, MAX_SKEW_MS},
};

/// One request through the gate.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) partition: String,
    /// The client session that it is made under, as the cell calls it.
    pub(crate) session: Option<String>,
    pub(crate) route: &'static Route,
    /// The moment in which it began.
    pub(crate) began: u64,
    /// The moment in which it was told, and what; nothing where nobody heard it.
    pub(crate) told: Option<(u64, Told)>,
}

/// What a caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Admitted { charge: String },
    Refused { code: String },
    Failed,
}

impl Told {
    pub(crate) fn by(knock: &Knock) -> Self {
        match knock.status {
            200 => Self::Admitted { charge: knock.text("chargeId").to_owned() },
            503 => Self::Failed,
            _ => Self::Refused { code: knock.code.clone() },
        }
    }

    /// What was told, in a word.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Admitted { .. } => "ok",
            Self::Refused { code } => code,
            Self::Failed => "failed",
        }
    }
}

/// Checks every call against the ledger: counted exactly once, or not at all, and no refusal without its reason.
///
/// # Errors
/// The first promise that was broken.
pub(crate) fn check(calls: &BTreeMap<u64, Call>, ledger: &Ledger) -> Result<(), Violation> {
    let mut charges: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for (id, charge) in &ledger.charges {
        charges.entry(charge.call).or_default().push((id, charge));
    }
    for (number, call) in calls {
        let charges = charges.get(number).map(Vec::as_slice).unwrap_or_default();
        let is_kept = match (&call.told, charges) {
            (Some((told, Told::Admitted { charge })), [(id, only)]) => *id == charge && only.moment <= *told,
            (Some((_, Told::Admitted { .. })), _) => false,
            (Some((_, Told::Refused { .. })), charges) => charges.is_empty(),
            (Some((_, Told::Failed)) | None, charges) => charges.len() <= 1,
        };
        if !is_kept {
            return Err(format!("call {number} was told one thing and charged another:\n{call:?}\n{charges:?}"));
        }
        if let Some((told, Told::Refused { code })) = &call.told
            && !is_justified(call, code, *told, ledger)
        {
            return Err(format!(
                "call {number} was refused without a reason:\n{call:?}\n{}",
                states(call, *told, ledger)
            ));
        }
    }
    Ok(())
}

/// Whether a refusal was true at some moment between the question and the answer, or, where memory may refuse, a little
/// before.
fn is_justified(call: &Call, code: &str, told: u64, ledger: &Ledger) -> bool {
    let cells = |first| ledger.cells[&call.partition].during(first, told).map(|(_, cell)| cell);
    let first = ledger.moment_before(call.began, BELIEVED_MS);
    let cost = call.route.cost_micro_usd;
    let is_used_up = |left: Option<i64>| left.is_some_and(|left| left <= 0);
    match code {
        "invalid_api_key" => cells(first).any(|cell| cell.status == "R"),
        "invalid_token" => cells(first).any(|cell| cell.status == "R") || is_over(call, told, ledger),
        "insufficient_credits" => {
            let is_beyond_budget = |cell: &CellImage| {
                let room = cell.budget.map_or(i64::MAX, |budget| (budget - cell.granted).max(0));
                cost - cell.balance > room
            };
            cells(call.began).any(|cell| cell.status == "F")
                || cells(first).any(is_beyond_budget)
                || cells(first).any(|cell| tab(call, cell).is_some_and(|tab| tab.amount + cost > CEILING_MICRO_USD))
                || was_dry(cost, first_look(call, ledger), told, ledger)
        }
        "rate_limited" => cells(first).any(|cell| {
            let mut routes = cell.counters.iter().filter(|(name, _)| name.starts_with('e'));
            is_used_up(cell.counter("m", cell.minute()))
                || (call.route.is_limited && routes.any(|(_, left)| is_used_up(Some(*left))))
        }),
        "rate_limited_daily" => {
            let is_spent = |cell: &CellImage| {
                let mut days = cell.counters.iter().filter(|(name, _)| name.starts_with('d'));
                days.any(|(_, count)| *count >= cell.per_day)
            };
            cells(first).any(is_spent)
        }
        "rate_limited_concurrent" => {
            let is_crowded = |cell: &CellImage| i64::try_from(cell.held.len()).unwrap() >= cell.concurrent;
            call.route.is_leased && cells(first).any(is_crowded)
        }
        "rate_limited_project" => {
            ledger.wallet.during(first, told).any(|(_, wallet)| wallet.tokens.values().any(|left| *left <= 0))
        }
        _ => false,
    }
}

/// From when on a look at all cells may be the reason: of a wallet that is swept somebody else's may be, by their clock.
fn first_look(call: &Call, ledger: &Ledger) -> u64 {
    let is_swept = ledger.wallet.last().sweeps.is_some();
    ledger.moment_before(call.began, BELIEVED_MS + if is_swept { MAX_SKEW_MS } else { 0 })
}

/// The tab of the client session that a call is made under.
fn tab(call: &Call, cell: &CellImage) -> Option<Lease> {
    call.session.as_ref().and_then(|session| cell.tabs.get(session)).copied()
}

/// Whether the client session's time was over on some clock.
fn is_over(call: &Call, told: u64, ledger: &Ledger) -> bool {
    let first = ledger.cells[&call.partition].during(0, 0).next();
    let tab = first.and_then(|(_, cell)| tab(call, cell));
    let latest_ms = ledger.time_ms(told) + MAX_SKEW_MS;
    tab.is_some_and(|tab| latest_ms >= u64::try_from(tab.end_s).unwrap() * 1_000)
}

/// Whether the project's money was short at some moment: wallet, cells and what was on its way between them together came to
/// less than the price.
fn was_dry(cost: i64, first: u64, told: u64, ledger: &Ledger) -> bool {
    let of_wallet = ledger.wallet.during(first, told).map(|(since, _)| since);
    let of_cells = ledger.cells.values().flat_map(|cell| cell.during(first, told).map(|(since, _)| since));
    of_wallet.chain(of_cells).map(|since| since.max(first)).any(|moment| ledger.money(moment) < cost)
}

/// What a reader needs to see who was right.
fn states(call: &Call, told: u64, ledger: &Ledger) -> String {
    let first = ledger.moment_before(call.began, BELIEVED_MS);
    let wallet = ledger.wallet.during(first, told);
    let wallet = wallet.map(|(since, wallet)| format!("{since:>6} wallet {}, {:?}", wallet.available, wallet.tokens));
    let cells = ledger.cells.iter().flat_map(|(partition, cell)| {
        cell.during(first, told).map(move |(since, cell)| format!("{since:>6} {partition} {}", cell.summary()))
    });
    wallet.chain(cells).collect::<Vec<_>>().join("\n")
}

/// How long an instance may refuse by what it remembers.
const BELIEVED_MS: u64 = 1_800;
