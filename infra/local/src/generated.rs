//! Files of the tree that are written by a test: it fails when one differs, and writes it when it is told to.

use std::{fs, path::Path};

/// Holds a file against what it should be, `wanted` of what it is; with `FAREGATE_UPDATE` set, writes it first.
pub(crate) fn assert_same(path: &str, wanted: impl Fn(&str) -> Result<String, String>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let found = fs::read_to_string(&file).unwrap_or_default();
    let wanted = wanted(&found).unwrap_or_else(|reason| panic!("{path}: {reason}"));
    if std::env::var_os("FAREGATE_UPDATE").is_some() {
        fs::write(&file, &wanted).unwrap();
        return;
    }
    let differs = found.lines().zip(wanted.lines()).position(|(found, wanted)| found != wanted);
    let line = differs.unwrap_or(found.lines().count().min(wanted.lines().count())) + 1;
    assert!(found == wanted, "{path} differs from infra/openapi.yaml in line {line}; `just api` writes it anew");
}
