//! What callers were told, how long it took, and when.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// What some callers were told.
#[derive(Debug, Default)]
pub struct Tally {
    /// Microseconds of each answer after the warm-up, and whether one was admitted.
    micros: Vec<u32>,
    admitted: u64,
    last_admitted_ms: u128,
    told: BTreeMap<String, u64>,
    /// By the times at which the request was sent and answered, in steps of [`STEP_MS`].
    timeline: BTreeMap<(u128, u128), BTreeMap<String, u64>>,
}

/// One request and what came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Status and code, or what broke.
    pub said: String,
    /// Whether the call may go on.
    pub is_admitted: bool,
    /// When it was sent, from the beginning of the run.
    pub sent: Duration,
    /// How long the answer took; none where there is none.
    pub took: Option<Duration>,
}

impl Tally {
    /// Notes one request; `is_timed` leaves out the warm-up.
    pub fn note(&mut self, outcome: Outcome, is_timed: bool) {
        let step = |at: Duration| at.as_millis() / STEP_MS * STEP_MS;
        let steps = (step(outcome.sent), step(outcome.sent + outcome.took.unwrap_or_default()));
        if outcome.is_admitted {
            self.admitted += 1;
            self.last_admitted_ms = self.last_admitted_ms.max(outcome.sent.as_millis());
        }
        if let (Some(took), true) = (outcome.took, is_timed) {
            self.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
        *self.timeline.entry(steps).or_default().entry(outcome.said.clone()).or_default() += 1;
        *self.told.entry(outcome.said).or_default() += 1;
    }

    /// Adds what other callers were told.
    pub fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.admitted += other.admitted;
        self.last_admitted_ms = self.last_admitted_ms.max(other.last_admitted_ms);
        merge(&mut self.told, other.told);
        for (steps, told) in other.timeline {
            merge(self.timeline.entry(steps).or_default(), told);
        }
    }

    /// All of it as JSON; `timed` is how long the timed part lasted.
    #[must_use]
    pub fn to_json(mut self, timed: Duration) -> String {
        self.micros.sort_unstable();
        let at = |per_mille: usize| {
            let index = (self.micros.len() * per_mille / 1000).min(self.micros.len().saturating_sub(1));
            self.micros.get(index).copied().unwrap_or(0)
        };
        let mut out = format!(
            "{{\"answers\":{},\"timed_ms\":{},\"p50_us\":{},\"p99_us\":{},\"p999_us\":{},\"admitted\":{},\
             \"last_admitted_ms\":{},\"told\":{},\"timeline\":{{",
            self.micros.len(),
            timed.as_millis(),
            at(500),
            at(990),
            at(999),
            self.admitted,
            self.last_admitted_ms,
            object(&self.told)
        );
        for (index, ((sent, answered), told)) in self.timeline.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\"{sent}-{answered}\":{}", object(told));
        }
        out + "}}"
    }
}

/// How fine the timeline is.
pub const STEP_MS: u128 = 20;

/// Names with numbers as JSON; names hold nothing that would need an escape.
#[must_use]
pub fn object(counts: &BTreeMap<String, u64>) -> String {
    let members: Vec<_> = counts.iter().map(|(name, count)| format!("\"{name}\":{count}")).collect();
    format!("{{{}}}", members.join(","))
}

fn merge(into: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>) {
    for (name, count) in from {
        *into.entry(name).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_timed() {
        let mut tally = Tally::default();
        for micros in 1..=1000 {
            let took = Some(Duration::from_micros(micros));
            let said = "200 ok".to_owned();
            tally.note(Outcome { said, is_admitted: true, sent: Duration::from_millis(micros), took }, micros <= 500);
        }
        let json = tally.to_json(Duration::from_secs(1));
        assert!(json.contains("\"answers\":500,\"timed_ms\":1000,\"p50_us\":251,\"p99_us\":496,"), "{json}");
        assert!(json.contains("\"admitted\":1000,\"last_admitted_ms\":1000,\"told\":{\"200 ok\":1000}"), "{json}");
    }
}
