//! The running program under as many calls as it answers, while its ledger is killed over and over; then the audit.
//! `just load` prints how it went; `LOAD_SECONDS` says how long, `LOAD_CALLERS` by how many.

use std::{process::ExitCode, time::Duration};

use faregate_tests::load::{End, Load, Place};

fn main() -> ExitCode {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let load = Load {
        callers: usize::try_from(number("LOAD_CALLERS", 8)).unwrap_or(8),
        end: End::After(Duration::from_secs(number("LOAD_SECONDS", 20))),
        life: 1_500,
        place: Place::Disk,
        pause: Duration::from_millis(100),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no threads: {error}");
            return ExitCode::from(2);
        }
    };
    let outcome = runtime.block_on(load.run());
    println!("{outcome}");
    for difference in outcome.differences.iter().take(50) {
        eprintln!("{difference}");
    }
    if outcome.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
