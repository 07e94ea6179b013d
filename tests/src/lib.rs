//! Callers who knock at the gate: a whole bundle per test, a clock that the test moves, a link that it can break.

#![expect(clippy::panic, clippy::missing_panics_doc, reason = "what does not work in a test fails the test")]

mod books;
mod bundle;
mod call;
mod capacity;
pub mod engine;
mod functions;
pub mod github;
mod hooks;
mod knock;
mod link;
pub mod load;
mod receiver;
pub mod stripe;
mod web;
pub mod wire;

pub use books::Books;
pub use bundle::Bundle;
pub use call::Answer;
pub use capacity::{item_bytes, read_units, write_units};
pub use faregate::Wallet;
pub use functions::{Functions, Session};
pub use hooks::{Hooks, signing_secret};
pub use knock::{Caller, Knock, knock_event};
pub use link::{Fault, Link, read_message};
pub use receiver::{Received, Receiver, status as receiver_status};
pub use web::{ask_over_http, send_over_http};
