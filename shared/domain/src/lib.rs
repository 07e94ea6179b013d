//! The pure core of Faregate: parses, hashes and decides; no IO, no clock, no randomness of its own.

pub mod amendment;
pub mod attempt;
pub mod base62;
pub mod cell;
pub mod credential;
pub mod delegation;
pub mod denial;
pub mod funding;
pub mod id;
pub mod idempotency;
pub mod key;
pub mod limit;
pub mod money;
pub mod origin;
pub mod policy;
pub mod recall;
pub mod row;
pub mod scope;
pub mod secret;
pub mod standing;
pub mod time;
pub mod wallet;
