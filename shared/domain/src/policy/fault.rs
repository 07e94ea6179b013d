//! What is wrong with a policy file: every fault with the line and the field it stands in.

use std::fmt;

use super::{environment::InvalidLimits, field::Field, route::InvalidRoute, tree::Tree};
use crate::{limit::InvalidQuota, money::InvalidAmount};

/// Why a policy cannot be used: everything that was found, at least one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError(Vec<Finding>);

impl PolicyError {
    pub(super) fn new(finding: Finding) -> Self {
        Self(vec![finding])
    }

    /// What was found, in the order of the lines.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }

    /// The faults as lines of text, each with the name of the file in front: `file:line: field: what is wrong`.
    #[must_use]
    pub fn lines(&self, file: &str) -> Vec<String> {
        self.0.iter().map(|finding| format!("{file}:{finding}")).collect()
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, finding) in self.0.iter().enumerate() {
            write!(out, "{}{finding}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

/// A fault and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {field}: {fault}")]
pub struct Finding {
    /// The line in the file, from 1.
    pub line: u64,
    /// The field.
    pub field: Field,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not YAML of the policy's shape.
    #[error("{0}")]
    Syntax(String),
    /// Longer than 256 KiB.
    #[error("a policy file may have at most 262144 bytes")]
    TooLarge,
    /// A list that must not be empty.
    #[error("must not be empty")]
    Empty,
    /// A text or number that the field does not take.
    #[error("{0:?} {1}")]
    Malformed(String, &'static str),
    /// The same name twice.
    #[error("{0:?} is named twice")]
    Duplicate(String),
    /// One environment's prefix begins another's.
    #[error("prefix {0:?} and prefix {1:?}: one begins the other")]
    PrefixOverlap(String, String),
    /// A scope that is malformed or not in the catalogue.
    #[error("scope {0:?} is not in the catalogue")]
    UnknownScope(String),
    /// A scope that is not two to four words.
    #[error("{0:?} is no scope: one to four words of a-z, 0-9, - and _, with colons between them")]
    InvalidScope(String),
    /// Too many grants in one preset.
    #[error("a preset has 1 to 24 scopes")]
    Preset,
    /// A preset that does not exist.
    #[error("preset {0:?} does not exist")]
    UnknownPreset(String),
    /// A plan that does not exist.
    #[error("plan {0:?} does not exist")]
    UnknownPlan(String),
    /// An environment that does not exist.
    #[error("environment {0:?} does not exist")]
    UnknownEnvironment(String),
    /// A malformed route.
    #[error("route {0:?}: {1}")]
    Route(String, InvalidRoute),
    /// Two routes that match the same requests equally well.
    #[error("routes {0:?} and {1:?} overlap: a request can match both equally well")]
    RouteOverlap(String, String),
    /// Two routes that would be counted in one bucket.
    #[error("routes {0:?} and {1:?} happen to get the same bucket; rename a parameter of one")]
    ClassOverlap(String, String),
    /// A route of the gate that no request would reach.
    #[error("route {0:?} is a management path, which the gate is never asked about")]
    Managed(String),
    /// A limit on something that is no management call, or one that is not counted.
    #[error("route {0:?} is no management path whose calls can be counted")]
    NotManaged(String),
    /// A malformed amount.
    #[error("{0}")]
    Amount(#[from] InvalidAmount),
    /// A malformed quota of a route.
    #[error("{0}")]
    Quota(#[from] InvalidQuota),
    /// A route's limit without a window, or with several.
    #[error("name one of per_second, per_10_seconds and per_minute")]
    Windows,
    /// Malformed limits of an environment or plan.
    #[error("{0}")]
    Limits(#[from] InvalidLimits),
    /// A problem code that nothing answers with.
    #[error("{0:?} is no problem code")]
    UnknownCode(String),
    /// A header that the gate does not send, or whose name is not the product's to choose.
    #[error("{0:?} is none of the headers that can be renamed: {1}")]
    UnknownHeader(String, String),
    /// Two headers under one name.
    #[error("{0:?} is the name of another header as well")]
    HeaderOverlap(String),
    /// A placeholder for something that the answer does not have.
    #[error("placeholder {{{0}}} is unknown here; there are {1}")]
    UnknownPlaceholder(String, String),
    /// A brace that opens no placeholder.
    #[error("{0:?}: write {{{{ for a brace that opens no placeholder")]
    OpenBrace(String),
    /// A spread that does not stand for members, or stands where there are none.
    #[error("\"...\": \"{{...}}\" is the only form of a spread, and only errors have one")]
    Spread,
    /// An error's body that is no object.
    #[error("the body of errors must be an object")]
    NotAnObject,
    /// An error's body that would not fit through the authorizer.
    #[error("the longest error would have {0} bytes, escaped; at most {1} fit through the authorizer")]
    TooLong(usize, usize),
}

/// What has been found so far.
#[derive(Default)]
pub(super) struct Findings(Vec<(Field, Fault)>);

impl Findings {
    /// Notes a fault.
    pub(super) fn note(&mut self, field: Field, fault: Fault) {
        if self.0.len() < MAX_FINDINGS {
            self.0.push((field, fault));
        }
    }

    /// The value, or none and a note of what is wrong with it.
    pub(super) fn keep<T, E: Into<Fault>>(&mut self, field: &Field, checked: Result<T, E>) -> Option<T> {
        checked.map_err(|fault| self.note(field.clone(), fault.into())).ok()
    }

    /// Nothing was found, or an error with everything that was.
    pub(super) fn conclude(self, tree: &Tree) -> Result<(), PolicyError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut findings: Vec<_> =
            self.0.into_iter().map(|(field, fault)| Finding { line: tree.line_of(&field), field, fault }).collect();
        findings.sort_by_key(|finding| finding.line);
        Err(PolicyError(findings))
    }
}

/// Whoever has so many mistakes wants to see the first ones.
const MAX_FINDINGS: usize = 64;
