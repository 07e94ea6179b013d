//! The table: states facts, decides nothing.

mod account;
mod admit;
mod cell;
mod client;
mod expression;
#[cfg(test)]
mod fresh;
mod funding;
mod jwks;
mod nonce;
mod schema;
mod session;

pub use account::Account;
pub use admit::{Outcome, admission};
pub use client::{Meter, Patience, Store, StoreError};
pub use expression::Write;
pub use jwks::PublishedKey;
pub use nonce::IssuedNonce;
