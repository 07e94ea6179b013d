//! Limits as their owner understands them: a count for every window, and rules about counts.

use std::collections::BTreeMap;

use crate::ledger::Violation;

/// How many requests were counted in which window of which limit.
#[derive(Debug, Default)]
pub(crate) struct Windows(BTreeMap<String, BTreeMap<i64, Window>>);

/// One window of a limit.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    admitted: i64,
    /// The highest limit and burst that were in force in it.
    limit: i64,
    burst: i64,
}

impl Windows {
    /// Counts a request.
    ///
    /// # Errors
    /// When it is one more than the window admits.
    pub(crate) fn count(&mut self, subject: &str, index: i64, (limit, burst): (i64, i64)) -> Result<(), Violation> {
        let window = self.0.entry(subject.to_owned()).or_default().entry(index).or_default();
        window.admitted += 1;
        window.limit = window.limit.max(limit);
        window.burst = window.burst.max(burst);
        if window.admitted > limit + burst {
            return Err(format!("{subject}: number {} of a window that admits {limit} + {burst}", window.admitted));
        }
        Ok(())
    }

    /// Any `n` windows in a row admit at most `n` times the limit and one burst.
    ///
    /// # Errors
    /// The limit whose windows admitted more.
    pub(crate) fn check(&self) -> Result<(), Violation> {
        for (subject, windows) in &self.0 {
            let burst = windows.values().map(|window| window.burst).max().unwrap_or_default();
            let (mut above, mut last) = (0, None);
            for (index, window) in windows {
                let quiet = last.map_or(0, |last| index - last - 1);
                above = (above - quiet * window.limit).max(0) + window.admitted - window.limit;
                if above > burst {
                    return Err(format!("{subject}: {above} above the limit up to window {index}, burst {burst}"));
                }
                last = Some(*index);
            }
        }
        Ok(())
    }
}
