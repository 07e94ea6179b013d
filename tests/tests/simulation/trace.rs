//! What happened in a run, line by line, under names that are the same in every run of a seed.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// The lines, and a hash of them.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    names: BTreeMap<String, String>,
    lines: Vec<String>,
    prefix: String,
    hasher: DefaultHasher,
}

impl Trace {
    pub(crate) fn new(names: BTreeMap<String, String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// What a part of an item's key is called here: of an id that nobody named, only its kind.
    pub(crate) fn name(&self, part: &str) -> String {
        self.names.get(part).cloned().unwrap_or_else(|| part.split('_').next().unwrap_or_default().to_owned())
    }

    /// Under which moment the next lines stand.
    pub(crate) fn begin(&mut self, moment: u64, elapsed: Duration) {
        self.prefix = format!("{moment:>6} {:>7} ms  ", elapsed.as_millis());
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        let line = format!("{}{}", self.prefix, line());
        line.hash(&mut self.hasher);
        self.lines.push(line);
    }

    /// The same for the same run.
    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }
}
