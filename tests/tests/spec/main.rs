//! The specification: who knocks, what they ask, what comes back.

#![expect(
    clippy::as_conversions,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what does not work in a test fails the test"
)]

mod cap;
mod differential;
mod faults;
mod grammar;
mod lifecycle;
mod limits;
mod malformed;
mod money;
mod program;
mod refusals;
mod secrecy;
mod standards;
