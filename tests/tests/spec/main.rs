//! The specification: who knocks, what they ask, what comes back.

#![expect(
    clippy::as_conversions,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what does not work in a test fails the test"
)]

mod access;
mod analytics;
mod audit;
mod billing;
mod books;
mod books_grammar;
mod cap;
mod catalogue;
mod client;
mod client_sessions;
mod credits;
mod dialect;
mod differential;
mod engines;
mod explain;
mod faults;
mod fields;
mod flood;
mod grammar;
mod layer;
mod leaks;
mod leases;
mod lifecycle;
mod limits;
mod load;
mod logins;
mod malformed;
mod management;
mod management_limits;
mod money;
mod movements;
mod oddities;
mod once;
mod operators;
mod patterns;
mod payments;
mod plans;
mod policies;
mod program;
mod projects;
mod rates;
mod refusals;
mod refused;
mod requests;
mod rotation;
mod secrecy;
mod settle;
mod sharing;
mod signed_urls;
mod standards;
mod sweeps;
mod verify;
mod wiring;
