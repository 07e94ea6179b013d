//! What every design is put through.

use faregate_tests::{Fault, Link};
use tokio::task::JoinSet;

use crate::{
    design::{Books, Design, PRICE_MICRO_USD, Verdict, key_quota},
    ledger::{Bill, Ledger, as_float},
};

/// What a design turned out to cost and to keep.
pub(crate) struct Findings {
    pub(crate) admitted: Cost,
    pub(crate) settled: Option<Cost>,
    pub(crate) refused: Cost,
    pub(crate) penniless: Cost,
    pub(crate) race: Race,
    pub(crate) lost: Lost,
    /// What was counted or paid and not admitted, by the number of calls that the process still made.
    pub(crate) crashed: String,
    /// Where the engine's figures differ from the rules.
    pub(crate) differences: Vec<(String, usize, usize, f64)>,
}

/// A bill for so many requests.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) requests: usize,
    pub(crate) bill: Bill,
}

/// Many calls at once.
pub(crate) struct Race {
    /// Admitted calls of each round.
    pub(crate) admitted: String,
    pub(crate) over: usize,
    pub(crate) failed: usize,
    /// Calls that the books count and nobody was told so.
    pub(crate) counted_in_vain: u64,
    pub(crate) calls_per_request: f64,
}

/// Calls in each of which an answer is lost.
pub(crate) struct Lost {
    pub(crate) admitted: u64,
    pub(crate) paid_in_vain: u64,
}

/// Puts a design through everything, each on a table of its own.
pub(crate) async fn measure<D: Design>() -> Findings {
    let (ledger, link) = Ledger::open().await;
    let design = D::open(link, RICH_MICRO_USD).await;
    let (admitted, settled) = admit_steadily(&design, &ledger).await;
    let refused = flood(&design, &ledger).await;
    let differences = ledger.differences();

    let (ledger, link) = Ledger::open().await;
    let poor = D::open(link, FEW * PRICE_MICRO_USD).await;
    let penniless = flood(&poor, &ledger).await;
    assert_eq!(poor.books().await.spent_micro_usd, FEW * PRICE_MICRO_USD);

    Findings {
        admitted,
        settled,
        refused,
        penniless,
        race: race::<D>().await,
        lost: lose_answers::<D>().await,
        crashed: crash::<D>().await,
        differences,
    }
}

/// Minutes of calls that stay within the limit, each settled as soon as it is admitted.
async fn admit_steadily<D: Design>(design: &D, ledger: &Ledger) -> (Cost, Option<Cost>) {
    let (mut admitted, mut settled) = (Cost::NONE, Cost::NONE);
    for minute in 0..=MINUTES {
        for _ in 0..key_quota().limit() {
            let before = ledger.bill();
            let verdict = design.admit().await;
            let Verdict::Admitted(lease) = verdict else { panic!("{verdict:?} within the limit") };
            let between = ledger.bill();
            if let Some(lease) = &lease {
                design.settle(lease.clone()).await;
            }
            // The first minute is where a design may fetch what it then keeps.
            if minute > 0 {
                admitted.add(between - before);
                if lease.is_some() {
                    settled.add(ledger.bill() - between);
                }
            }
        }
        design.clock().advance_ms(60_000);
    }
    (admitted, (settled.requests > 0).then_some(settled))
}

/// Calls beyond what there is: all of a minute is used up, or all of the money.
async fn flood<D: Design>(design: &D, ledger: &Ledger) -> Cost {
    while let Verdict::Admitted(lease) = design.admit().await {
        if let Some(lease) = lease {
            design.settle(lease).await;
        }
    }
    let mut refused = Cost::NONE;
    for _ in 0..REFUSALS {
        let before = ledger.bill();
        assert_eq!(design.admit().await, Verdict::Refused);
        refused.add(ledger.bill() - before);
    }
    refused
}

async fn race<D: Design>() -> Race {
    let mut found = Race { admitted: String::new(), over: 0, failed: 0, counted_in_vain: 0, calls_per_request: 0.0 };
    let mut calls = 0;
    for round in 0..ROUNDS {
        let link = Link::before_embedded_engine().await.unwrap();
        let design = D::open(link.clone(), RICH_MICRO_USD).await;
        let instances = [design.clone(), design.restarted(), design.restarted()];
        let before = link.requests();
        let mut tasks = JoinSet::new();
        for design in instances.iter().cycle().take(AT_ONCE) {
            let design = design.clone();
            tasks.spawn(async move { design.admit().await });
        }
        let verdicts = tasks.join_all().await;
        calls += usize::try_from(link.requests() - before).unwrap();
        let admitted = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Admitted(_))).count();
        found.admitted += if round == 0 { "" } else { ", " };
        found.admitted += &admitted.to_string();
        found.over += admitted.saturating_sub(key_quota().capacity().try_into().unwrap());
        found.counted_in_vain += design.books().await.calls - u64::try_from(admitted).unwrap();
        found.failed += verdicts.iter().filter(|verdict| **verdict == Verdict::Failed).count();
    }
    found.calls_per_request = as_float(calls) / as_float(ROUNDS * AT_ONCE);
    found
}

/// Loses one answer in every call, of another message each time, until the money is spent.
async fn lose_answers<D: Design>() -> Lost {
    let link = Link::before_embedded_engine().await.unwrap();
    let design = D::open(link.clone(), FEW * PRICE_MICRO_USD).await;
    let (mut admitted, mut calls) = (0, 0);
    for _ in 0..2 {
        let before = link.requests();
        assert!(matches!(design.admit().await, Verdict::Admitted(_)));
        admitted += 1;
        calls = link.requests() - before;
    }
    let mut refusals = 0;
    for number in 0.. {
        let lost = usize::try_from(number % calls).unwrap();
        link.play(vec![Fault::None; lost]);
        link.play([Fault::LoseAnswer]);
        match design.admit().await {
            Verdict::Admitted(_) => admitted += 1,
            _ => refusals += 1,
        }
        link.clear_faults();
        // Refused whichever answer is lost, and twice: there is no more.
        if refusals > 2 * calls {
            break;
        }
    }
    let Books { spent_micro_usd, .. } = design.books().await;
    Lost { admitted, paid_in_vain: spent_micro_usd / PRICE_MICRO_USD - admitted }
}

/// Lets a process die after each of the calls that a decision makes.
async fn crash<D: Design>() -> String {
    let mut found = Vec::new();
    for calls in 0..MAX_CALLS {
        let link = Link::before_embedded_engine().await.unwrap();
        let design = D::open(link.clone(), RICH_MICRO_USD).await;
        link.play(vec![Fault::None; calls]);
        link.keep_playing(Some(Fault::LoseRequest));
        let verdict = design.admit().await;
        link.clear_faults();
        if verdict != Verdict::Failed {
            break;
        }
        let books = design.books().await;
        found.push(match (books.calls, books.spent_micro_usd) {
            (0, 0) => "nothing",
            (_, 0) => "counted",
            _ => "counted and paid",
        });
    }
    found.join(", ")
}

impl Cost {
    const NONE: Self = Self { requests: 0, bill: Bill { calls: 0, read_units: 0, write_units: 0 } };

    fn add(&mut self, bill: Bill) {
        self.requests += 1;
        self.bill.calls += bill.calls;
        self.bill.read_units += bill.read_units;
        self.bill.write_units += bill.write_units;
    }
}

const RICH_MICRO_USD: u64 = 50_000_000;
const FEW: u64 = 20;
const MINUTES: u32 = 10;
const REFUSALS: usize = 200;
const ROUNDS: usize = 5;
const AT_ONCE: usize = 200;
const MAX_CALLS: usize = 8;
