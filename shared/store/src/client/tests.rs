//! What each failure of a call says of the write that it was.

use aws_sdk_dynamodb::{error::ErrorMetadata, operation::get_item::GetItemError};

use super::*;

type Failure = SdkError<GetItemError, ()>;

fn told(code: &str) -> Failure {
    Failure::service_error(GetItemError::generic(ErrorMetadata::builder().code(code).build()), ())
}

#[test]
fn silence_may_hide_a_write_and_a_refusal_before_the_try_does_not() {
    for (failure, may_have_been_applied, is_worth_a_retry) in [
        (Failure::timeout_error("late"), true, true),
        (Failure::response_error("not JSON", ()), true, true),
        (Failure::construction_failure("no such member"), false, false),
        (told("InternalServerError"), true, true),
        (told("AccessDeniedException"), true, false),
        (told("ThrottlingException"), false, true),
        (told("ValidationException"), false, false),
    ] {
        let error = StoreError::unanswered("get", &failure);
        let said = (error.may_have_been_applied(), error.is_worth_a_retry());
        assert_eq!(said, (may_have_been_applied, is_worth_a_retry), "{error}");
    }
    let malformed = StoreError::malformed("cell", "bal");
    assert_eq!((malformed.may_have_been_applied(), malformed.is_worth_a_retry()), (false, false));
}

#[test]
fn pauses_grow_up_to_a_bound() {
    for (tries, longest_ms) in [(0, 25), (1, 50), (2, 100), (3, 200), (4, 200), (40, 200)] {
        for _ in 0..100 {
            let pause = backoff(tries);
            let longest = Duration::from_millis(longest_ms);
            assert!((longest / 2..=longest).contains(&pause), "{tries}: {pause:?}");
        }
    }
}

#[test]
fn capacity_comes_in_halves() {
    assert_eq!([0.0, 0.5, 1.0, 12.5].map(tenths), [0, 5, 10, 125]);
}
