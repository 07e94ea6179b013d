//! The function before a table of its own: what it serves, and what becomes of money when answers are lost.

mod bench;
mod lossy;
mod money;
mod paths;
