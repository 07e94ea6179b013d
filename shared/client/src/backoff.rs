//! Whether a failed attempt is made again, and after which pause.

use std::time::Duration;

use http::StatusCode;

use crate::CallError;

/// How long a client pauses between its attempts, of which it makes at most 3.
///
/// Full jitter: anything from nothing to a bound that doubles each time, so that backends which failed together do not
/// come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The bound of the first pause.
    pub first_bound: Duration,
    /// The longest `Retry-After` that is waited for; where the gate names a longer one, its answer is final.
    pub longest_wait: Duration,
}

impl Backoff {
    /// What callers of the gate are asked to do: pauses of up to 1 second, then 2, then 4.
    pub const DOCUMENTED: Self = Self { first_bound: Duration::from_secs(1), longest_wait: Duration::from_secs(5) };

    /// The pause before the next attempt, after `failures` that ended with `error`; `None` when there is no next one.
    pub(crate) fn pause(&self, failures: u32, error: &CallError, random: u64) -> Option<Duration> {
        if failures >= ATTEMPTS {
            return None;
        }
        let at_least = match error {
            CallError::Unreachable(_) | CallError::TimedOut => Duration::ZERO,
            CallError::Refused { status, retry_after, .. } if status.is_server_error() => {
                retry_after.unwrap_or(Duration::ZERO)
            }
            CallError::Refused { status: StatusCode::TOO_MANY_REQUESTS, retry_after, .. } => (*retry_after)?,
            // The attempt before is still under way, or its process has died: the same key finds out which.
            CallError::Refused { status: StatusCode::CONFLICT, code, retry_after } if code == IN_FLIGHT => {
                (*retry_after)?
            }
            CallError::Refused { .. } | CallError::Malformed(_) | CallError::Entropy => return None,
        };
        let bound = self.first_bound.saturating_mul(1 << (failures - 1));
        let bound_ms = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX - 1);
        (at_least <= self.longest_wait).then(|| at_least + Duration::from_millis(random % (bound_ms + 1)))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DOCUMENTED
    }
}

const ATTEMPTS: u32 = 3;
const IN_FLIGHT: &str = "request_in_flight";

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Backoff = Backoff { first_bound: Duration::from_millis(200), longest_wait: Duration::from_secs(5) };

    fn refused(status: u16, retry_after_s: Option<u64>) -> CallError {
        coded(status, "", retry_after_s)
    }

    fn coded(status: u16, code: &str, retry_after_s: Option<u64>) -> CallError {
        let status = StatusCode::from_u16(status).unwrap();
        CallError::Refused { status, code: code.to_owned(), retry_after: retry_after_s.map(Duration::from_secs) }
    }

    fn milliseconds(failures: u32, error: &CallError, random: u64) -> Option<u128> {
        SHORT.pause(failures, error, random).map(|pause| pause.as_millis())
    }

    #[test]
    fn what_may_pass_is_tried_three_times() {
        for error in [
            CallError::Unreachable("reset".into()),
            CallError::TimedOut,
            refused(500, None),
            refused(599, None),
            refused(429, Some(1)),
        ] {
            assert!(SHORT.pause(1, &error, 0).is_some() && SHORT.pause(2, &error, 0).is_some(), "{error}");
            assert_eq!(SHORT.pause(3, &error, 0), None, "{error}");
        }
    }

    #[test]
    fn what_the_gate_refuses_is_not_tried_again() {
        for status in [100, 302, 400, 401, 402, 403, 404, 408, 409, 422, 499] {
            assert_eq!(SHORT.pause(1, &refused(status, Some(0)), 0), None, "{status}");
        }
        assert_eq!(SHORT.pause(1, &refused(429, None), 0), None, "nobody said when");
        assert_eq!(SHORT.pause(1, &CallError::Malformed("no json".into()), 0), None);
    }

    #[test]
    fn what_is_still_under_way_is_waited_for() {
        let in_flight = |seconds| coded(409, IN_FLIGHT, seconds);
        assert_eq!(milliseconds(1, &in_flight(Some(4)), 7), Some(4_007));
        assert_eq!(milliseconds(2, &in_flight(Some(5)), 0), Some(5_000));
        assert_eq!(milliseconds(3, &in_flight(Some(1)), 0), None);
        assert_eq!(milliseconds(1, &in_flight(Some(6)), 0), None);
        assert_eq!(milliseconds(1, &in_flight(None), 0), None, "nobody said when");
        assert_eq!(milliseconds(1, &coded(409, "already_settled", Some(1)), 0), None);
        assert_eq!(milliseconds(1, &coded(422, IN_FLIGHT, Some(1)), 0), None);
    }

    #[test]
    fn pauses_are_random_and_their_bound_doubles() {
        let error = CallError::TimedOut;
        assert_eq!(milliseconds(1, &error, 0), Some(0));
        assert_eq!(milliseconds(1, &error, 200), Some(200));
        assert_eq!(milliseconds(1, &error, 201), Some(0));
        assert_eq!(milliseconds(2, &error, 400), Some(400));
        assert_eq!(milliseconds(2, &error, 401), Some(0));
        assert!(SHORT.pause(2, &error, u64::MAX).unwrap() <= Duration::from_millis(400));
        assert_eq!(Backoff::DOCUMENTED.pause(1, &error, 1_000), Some(Duration::from_secs(1)));
        assert_eq!(Backoff::DOCUMENTED.pause(2, &error, 2_000), Some(Duration::from_secs(2)));
        let endless = Backoff { first_bound: Duration::MAX, ..SHORT };
        assert!(endless.pause(2, &error, u64::MAX).is_some());
    }

    #[test]
    fn the_gates_wish_is_respected_or_there_is_no_further_attempt() {
        for status in [429, 503] {
            assert_eq!(milliseconds(1, &refused(status, Some(2)), 7), Some(2_007));
            assert_eq!(milliseconds(2, &refused(status, Some(5)), 0), Some(5_000));
            assert_eq!(milliseconds(1, &refused(status, Some(6)), 0), None);
        }
    }
}
