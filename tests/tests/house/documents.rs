//! What a page for people may hold.

/// A decision that takes longer to read than to make.
pub(crate) fn too_long_a_decision(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MAX_DECISION_LINES).then(|| format!("{path}: {lines} lines, at most {MAX_DECISION_LINES}"))
}

/// Relative links of a page whose target is not in the tree.
pub(crate) fn dead_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let relative = targets.map(|target| target.split('#').next().unwrap_or_default());
    let relative = relative.filter(|target| !target.is_empty() && !target.contains(':'));
    let dead = relative.filter(|target| !exists(format!("{folder}/{target}").trim_start_matches('/')));
    dead.map(|target| format!("{path}: links to {target}, which is not there")).collect()
}

const MAX_DECISION_LINES: usize = 100;

#[test]
fn a_long_decision_is_found() {
    assert!(too_long_a_decision("docs/adr/0001-a.md", &"line\n".repeat(101)).is_some());
    assert_eq!(too_long_a_decision("docs/adr/0001-a.md", &"line\n".repeat(100)), None);
}

#[test]
fn a_dead_link_is_found() {
    let text = "[here](page.md#part), [there](https://example.com/x.md), [in](#part), [gone](../gone.md)";
    let dead = dead_links("docs/adr/a.md", text, |path| path == "docs/adr/page.md");
    assert_eq!(dead, ["docs/adr/a.md: links to ../gone.md, which is not there"]);
}
