//! How files are named: after what is in them.

/// A file whose name says nothing of what is in it.
pub(crate) fn vague(path: &str) -> Option<String> {
    let segments = || path.split('/').map(|segment| segment.strip_suffix(".rs").unwrap_or(segment));
    let vague = segments().find(|segment| VAGUE.contains(segment))?;
    Some(format!("{path}: `{vague}` names nothing; a module file is `foo.rs` beside `foo/`"))
}

const VAGUE: &[&str] = &["mod", "util", "utils", "common", "helper", "helpers", "misc", "types", "models"];

#[test]
fn a_drawer_for_everything_is_found() {
    for path in ["shared/edge/src/utils.rs", "shared/store/src/cell/mod.rs", "tests/src/common/app.rs"] {
        assert!(vague(path).is_some(), "{path}");
    }
    assert_eq!(vague("shared/domain/src/money.rs"), None);
    assert_eq!(vague("functions/keys/src/model.rs"), None);
}
