//! Trying again after somebody else was first.

use std::time::Duration;

use faregate_edge::entropy;

/// How long one who came second waits; by chance, so that those who met do not meet again.
#[must_use]
pub fn pause(attempt: u32) -> Duration {
    let mut byte = [0];
    entropy::fill(&mut byte);
    PAUSE * attempt.min(LONGEST_PAUSE) * u32::from(byte[0]) / 256
}

/// Each lost attempt means that another movement of the same account was made.
pub const MAX_ATTEMPTS: u32 = 48;
const PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: u32 = 16;
