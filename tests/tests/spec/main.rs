//! The specification: who knocks, what they ask, what comes back.

#![expect(
    clippy::as_conversions,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what does not work in a test fails the test"
)]

mod billing;
mod cap;
mod client;
mod credits;
mod differential;
mod engines;
mod faults;
mod flood;
mod grammar;
mod layer;
mod leases;
mod lifecycle;
mod limits;
mod malformed;
mod management;
mod money;
mod movements;
mod once;
mod plans;
mod program;
mod projects;
mod rates;
mod refusals;
mod secrecy;
mod settle;
mod sharing;
mod standards;
mod verify;
