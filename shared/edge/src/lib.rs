//! What every function shares at its rim: configuration, problems, strict input, logs, secrets, time and entropy.

pub mod api;
pub mod client_token;
pub mod config;
pub mod cookie;
pub mod entropy;
pub mod input;
pub mod log;
pub mod now;
pub mod page;
pub mod problem;
pub mod seal;
pub mod secrets;
pub mod token;
pub mod wish;
pub mod wording;
