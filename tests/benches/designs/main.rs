//! What a decision costs in this design and in the two that one would write first. `cargo bench -p faregate-tests --bench
//! designs` prints it as tables.
//!
//! All is counted on an emulator: calls, DynamoDB's units by its published rules, and what is right at the end. None of it
//! is a latency, and transactions never conflict here as they do on AWS.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_arithmetic,
    reason = "a measurement that fails has nothing to print"
)]

mod design;
mod gate;
mod ledger;
mod read_then_write;
mod table;
mod transaction;
mod workload;

use crate::{
    gate::Gate,
    ledger::{Bill, as_float},
    read_then_write::ReadThenWrite,
    transaction::Transaction,
    workload::{Cost, Findings, measure},
};

const DOLLARS_PER_MILLION_WRITE_UNITS: f64 = 0.625;
const DOLLARS_PER_MILLION_READ_UNITS: f64 = 0.125;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let columns = [
            ("read, then write", measure::<ReadThenWrite>().await),
            ("transaction", measure::<Transaction>().await),
            ("this gate", Box::pin(measure::<Gate>()).await),
        ];
        print(&columns);
    });
}

type Column = (&'static str, Findings);
type Row = (&'static str, fn(&Findings) -> String);
type Amount = fn(Bill) -> f64;

fn print(columns: &[Column]) {
    println!("counted on an emulator; dollars at the list price of us-east-1, on demand, 2025");
    println!();
    let names: Vec<_> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    row("", &names);
    println!("|---|{}", "---:|".repeat(columns.len()));
    cost("admitted", columns, |findings| Some(findings.admitted));
    cost("settled", columns, |findings| findings.settled);
    cost("refused, minute used up", columns, |findings| Some(findings.refused));
    cost("refused, no money left", columns, |findings| Some(findings.penniless));
    let rows: [Row; 7] = [
        ("200 calls at once, limit 50, five rounds: admitted", |findings| findings.race.admitted.clone()),
        ("… over the limit", |findings| findings.race.over.to_string()),
        ("… without a decision (5xx)", |findings| findings.race.failed.to_string()),
        ("… counted and not admitted", |findings| findings.race.counted_in_vain.to_string()),
        ("… DynamoDB calls per request", |findings| format!("{:.2}", findings.race.calls_per_request)),
        ("money for 20 calls, an answer lost in each: admitted", |findings| findings.lost.admitted.to_string()),
        ("… paid for and not admitted", |findings| findings.lost.paid_in_vain.to_string()),
    ];
    for (what, find) in rows {
        row(what, &columns.iter().map(|(_, findings)| find(findings)).collect::<Vec<_>>());
    }
    let crashed = columns.iter().map(|(_, findings)| findings.crashed.clone()).collect::<Vec<_>>();
    row("a process dies between two calls: counted or paid, not admitted", &crashed);

    println!("\nwhere the emulator's own figures differ from the published rules");
    println!("\n| design | call | times | units by the rules | units by the emulator |\n|---|---|---:|---:|---:|");
    for (name, findings) in columns {
        for (call, times, rules, engine) in &findings.differences {
            println!("| {name} | {call} | {times} | {rules} | {engine:.0} |");
        }
    }
}

/// The rows of one kind of request.
fn cost(what: &str, columns: &[Column], find: fn(&Findings) -> Option<Cost>) {
    let rows: [(&str, Amount); 4] = [
        ("DynamoDB calls", |bill| as_float(bill.calls)),
        ("read units", |bill| as_float(bill.read_units)),
        ("write units", |bill| as_float(bill.write_units)),
        ("dollars per million", |bill| {
            as_float(bill.read_units) * DOLLARS_PER_MILLION_READ_UNITS
                + as_float(bill.write_units) * DOLLARS_PER_MILLION_WRITE_UNITS
        }),
    ];
    for (unit, amount) in rows {
        let cells = columns.iter().map(|(_, findings)| match find(findings) {
            Some(cost) => format!("{:.3}", amount(cost.bill) / as_float(cost.requests)),
            None => "–".to_owned(),
        });
        row(&format!("{what}: {unit}"), &cells.collect::<Vec<_>>());
    }
}

fn row(what: &str, cells: &[String]) {
    println!("| {what} | {} |", cells.join(" | "));
}
