//! The function before a table of its own: who signs in, how, and what comes back.

mod bench;
mod documents;
mod login;
mod logout;
