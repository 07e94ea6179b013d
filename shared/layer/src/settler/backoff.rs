//! Whether a failed attempt is made again, and after which pause.

use std::time::Duration;

use super::SettleError;

/// The pause before the next attempt, after `failures` that ended with `error`; `None` when there is no next one.
///
/// Full jitter: anything from nothing to a bound that doubles each time, so that backends which failed together do not
/// come back together.
pub(super) fn pause(failures: u32, error: &SettleError, random: u64) -> Option<Duration> {
    if failures >= ATTEMPTS {
        return None;
    }
    let at_least = match error {
        SettleError::Unreachable(_) | SettleError::TimedOut => Duration::ZERO,
        SettleError::Refused { status, retry_after, .. } if status.is_server_error() => {
            retry_after.unwrap_or(Duration::ZERO)
        }
        SettleError::Refused { .. } => return None,
    };
    let bound_ms = FIRST_BOUND_MS << (failures - 1);
    (at_least <= LONGEST_WAIT).then(|| at_least + Duration::from_millis(random % (bound_ms + 1)))
}

const ATTEMPTS: u32 = 3;
const FIRST_BOUND_MS: u64 = 200;
/// A response may be waiting for the settlement, and no gateway waits for long.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn refused(status: u16, retry_after_s: Option<u64>) -> SettleError {
        let status = StatusCode::from_u16(status).unwrap();
        SettleError::Refused { status, code: String::new(), retry_after: retry_after_s.map(Duration::from_secs) }
    }

    fn milliseconds(failures: u32, error: &SettleError, random: u64) -> Option<u128> {
        pause(failures, error, random).map(|pause| pause.as_millis())
    }

    #[test]
    fn what_may_pass_is_tried_three_times() {
        for error in
            [SettleError::Unreachable("reset".into()), SettleError::TimedOut, refused(500, None), refused(599, None)]
        {
            assert!(pause(1, &error, 0).is_some() && pause(2, &error, 0).is_some(), "{error}");
            assert_eq!(pause(3, &error, 0), None, "{error}");
        }
    }

    #[test]
    fn what_the_gate_refuses_is_not_tried_again() {
        for status in [100, 302, 400, 401, 403, 404, 408, 409, 422, 429, 499] {
            assert_eq!(pause(1, &refused(status, Some(0)), 0), None, "{status}");
        }
    }

    #[test]
    fn pauses_are_random_and_their_bound_doubles() {
        let error = SettleError::TimedOut;
        assert_eq!(milliseconds(1, &error, 0), Some(0));
        assert_eq!(milliseconds(1, &error, 200), Some(200));
        assert_eq!(milliseconds(1, &error, 201), Some(0));
        assert_eq!(milliseconds(2, &error, 400), Some(400));
        assert_eq!(milliseconds(2, &error, 401), Some(0));
        assert!(pause(2, &error, u64::MAX).unwrap() <= Duration::from_millis(400));
    }

    #[test]
    fn the_gates_wish_is_respected_or_there_is_no_further_attempt() {
        assert_eq!(milliseconds(1, &refused(503, Some(2)), 7), Some(2_007));
        assert_eq!(milliseconds(2, &refused(503, Some(5)), 0), Some(5_000));
        assert_eq!(milliseconds(1, &refused(503, Some(6)), 0), None);
    }
}
