//! What drives the peers of the comparison, and what counts their calls to a store; the standard library alone.

pub mod message;
pub mod tally;
