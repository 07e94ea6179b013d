//! What cargo-mutants lists (`cargo mutants --list --json`).

use serde::Deserialize;

/// The mutants of one file, each with its number.
pub type Mutants = Vec<(u32, Mutant)>;

#[derive(Deserialize)]
pub struct Mutant {
    pub file: String,
    pub genre: Genre,
    pub replacement: String,
    pub span: Span,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
pub enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArmGuard,
    MatchArm,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
pub struct Span {
    pub start: Position,
}

/// Line and column, both from 1.
#[derive(Deserialize)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}
