//! Log lines on standard error, quiet by default.

use tracing_subscriber::EnvFilter;

/// Starts logging at the level of `FAREGATE_LOG`, `warn` when absent. A bare level is that of Faregate's own code;
/// `target=level` directives reach its libraries.
///
/// # Errors
/// The text of what is wrong with `FAREGATE_LOG`.
pub(crate) fn start() -> Result<(), String> {
    let wanted = std::env::var("FAREGATE_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(directives(&wanted)).map_err(|error| format!("FAREGATE_LOG: {error}"))?;
    let lines = tracing_subscriber::fmt().compact().with_env_filter(filter).with_writer(std::io::stderr);
    // Another subscriber is already in place in tests; that one stays.
    let _ = lines.try_init();
    Ok(())
}

/// Libraries may log whole requests at their lower levels, credentials included: they get a level only by name.
/// The embedded `DynamoDB` warns of every condition that does not hold, which is how the store says no.
fn directives(wanted: &str) -> String {
    match wanted {
        "" => "warn,dynoxide=error".to_owned(),
        directives if directives.contains(['=', ',']) => directives.to_owned(),
        level => format!("warn,dynoxide=error,faregate={level}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_our_own() {
        for (wanted, directives_of) in [
            ("", "warn,dynoxide=error"),
            ("trace", "warn,dynoxide=error,faregate=trace"),
            ("hyper=debug", "hyper=debug"),
            ("info,a=off", "info,a=off"),
        ] {
            assert_eq!(directives(wanted), directives_of);
        }
    }
}
