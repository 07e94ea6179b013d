//! What the gate is told of a charge in the end.

use faregate_domain::{money::MicroUsd, settlement::ErrorCode};
use serde_json::{Value, json};

/// What the gate is told about a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The request succeeded.
    Succeeded {
        /// What is charged; `None` is the whole reserved amount.
        actual: Option<MicroUsd>,
    },
    /// The request failed, and costs nothing.
    Failed {
        /// Why, in the backend's own word.
        code: Option<ErrorCode>,
    },
}

impl Settlement {
    /// The body that says so.
    pub(crate) fn body(&self) -> Value {
        match self {
            Self::Succeeded { actual: None } => json!({"outcome": "succeeded"}),
            Self::Succeeded { actual: Some(actual) } => {
                json!({"outcome": "succeeded", "actual_usd": actual.to_string()})
            }
            Self::Failed { code: None } => json!({"outcome": "failed"}),
            Self::Failed { code: Some(code) } => json!({"outcome": "failed", "error_code": code.as_str()}),
        }
    }
}
