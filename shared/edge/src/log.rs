//! One structured line per event, on standard output, where CloudWatch reads it.

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Starts JSON logging at the level of `FAREGATE_LOG` (`info` when absent); a second call changes nothing.
pub fn start() {
    let filter = filter(&std::env::var("FAREGATE_LOG").unwrap_or_default());
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
    let lines = lines.with_current_span(false).with_span_list(false);
    // Another subscriber is already in place in tests and in the local program; that one stays.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}

/// Libraries say whole events and requests at their lower levels, credentials included, so they get no more than
/// warnings, whatever is asked for.
fn filter(wanted: &str) -> Targets {
    let level = match wanted {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => LevelFilter::INFO,
    };
    Targets::new().with_default(LevelFilter::WARN).with_target("faregate", level)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_never_log_what_they_are_given() {
        for (wanted, own, of_libraries) in [
            ("trace", Level::TRACE, Level::WARN),
            ("", Level::INFO, Level::WARN),
            ("lambda_runtime=trace", Level::INFO, Level::WARN),
        ] {
            let filter = filter(wanted);
            assert!(filter.would_enable("faregate_keys", &own), "{wanted}");
            assert!(filter.would_enable("lambda_runtime", &of_libraries), "{wanted}");
            assert!(!filter.would_enable("lambda_runtime::runtime", &Level::INFO), "{wanted}");
        }
        assert!(!filter("").would_enable("faregate_keys", &Level::DEBUG));
    }
}
