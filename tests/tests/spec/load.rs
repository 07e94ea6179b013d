//! What `just load` does for ten minutes, for two hundred and fifty calls.

use std::time::Duration;

use faregate_tests::load::{End, Load, Place};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_are_whole_however_often_the_ledger_is_killed_under_load() {
    let (place, pause) = (Place::Memory, Duration::from_millis(20));
    let load = Load { callers: 6, end: End::Calls(250), life: 40, place, pause };
    let outcome = load.run().await;
    assert_eq!(outcome.differences, [""; 0], "{outcome}");
    assert_eq!(outcome.rows, outcome.admitted);
    let is_eventful = outcome.crashes > 3 && outcome.settled > 0 && outcome.micro_usd > 0;
    assert!(outcome.admitted > 120 && is_eventful, "{outcome}");
}
