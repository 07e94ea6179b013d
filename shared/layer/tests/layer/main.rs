//! The layer in front of real servers: who gets through, what comes back, and what the gate is told afterwards.

#![expect(clippy::panic, clippy::unwrap_used, reason = "what does not work in a test fails the test")]

mod admitting;
mod backend;
mod documents;
mod ending;
mod gate;
#[cfg(feature = "lambda")]
mod lambda;
mod refusing;
mod secrecy;
mod settling;
