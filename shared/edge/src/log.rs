//! One structured line per event, on standard output, where CloudWatch reads it.

use tracing_subscriber::EnvFilter;

/// Starts JSON logging at the level of `FAREGATE_LOG` (`info` when absent); a second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env("FAREGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // Another subscriber is already in place in tests and in the local program; that one stays.
    let _ = lines.with_env_filter(filter).try_init();
}
