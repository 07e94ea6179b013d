//! Old data before new code, and new data before old code: tables as versions of this code left them, read by this one.
//!
//! `tests/layouts/v<layout>/*.json` holds tables, each written by the program that it names, and what that program
//! answered when it was asked about them. A fixture is never changed: what a version wrote stays what it wrote. When this
//! code writes a kind of item differently, one is added:
//!
//! ```text
//! FAREGATE_RECORD=NAME FAREGATE_VERSION=TEXT cargo test -p faregate-tests --test layouts    this code's, as NAME.json
//! FAREGATE_PROGRAM=FILE and the same                                    another version's, by its local program
//! ```

#![expect(clippy::panic, clippy::unwrap_used, reason = "what does not work in a test fails the test")]

mod door;
mod fixture;
mod matrix;
mod questions;
mod script;
mod shape;
mod story;
mod strangers;
