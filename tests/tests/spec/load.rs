//! What `just load` does for ten minutes, for a few hundred calls.

use std::time::Duration;

use faregate_tests::load::{End, Load};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_are_whole_however_often_the_ledger_is_killed_under_load() {
    let load = Load { callers: 6, end: End::Calls(600), life: 60, pause: Duration::from_millis(2) };
    let outcome = load.run().await;
    assert_eq!(outcome.differences, [""; 0], "{outcome}");
    assert_eq!(outcome.rows, outcome.admitted);
    assert!(outcome.admitted > 300 && outcome.settled > 0 && outcome.crashes > 3 && outcome.micro_usd > 0, "{outcome}");
}
