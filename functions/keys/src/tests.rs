//! The function before a table of its own: who asks, for what, and what comes back.

mod bench;
mod change;
mod create;
mod delegate;
mod input;
mod limits;
mod lossy;
mod money;
mod plan;
mod read;
mod replay;
mod revoke;
mod rotate;
