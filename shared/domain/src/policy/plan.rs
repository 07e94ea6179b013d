//! Plans: whether an account may hold keys, how many, and how fast they may be at most.

use super::environment::Limits;
use crate::money::MicroUsd;

/// What an account has bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Live keys the account may hold; 0 means the plan has no API access.
    pub max_keys: u32,
    /// No key of the account may have a limit above these.
    pub ceiling: Limits,
    /// The limits of the account's sessions: the ceiling, with no burst that the plan does not name.
    pub sessions: Limits,
}

/// What an account starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignUp {
    /// The plan's name.
    pub plan: String,
    /// Credit, all of it allocated to the `default` project.
    pub credit: MicroUsd,
}
