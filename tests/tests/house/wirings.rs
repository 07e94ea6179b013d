//! Templates and what the layer reads: a header that a gateway does not set is the caller's.

/// Members of a decision that a template sets not at all, more than once, or from something else.
pub(crate) fn unset(template: &str, members: &[(&str, &str)]) -> Vec<String> {
    let faults = members.iter().filter_map(|(header, member)| {
        let set: Vec<_> = template.lines().filter_map(|line| source_of(line, header)).collect();
        let is_set =
            matches!(set[..], [source] if source.trim_start_matches('$') == format!("context.authorizer.{member}"));
        (!is_set).then(|| format!("{header}: {set:?} in place of context.authorizer.{member}"))
    });
    faults.collect()
}

/// What a line sets the header to: `integration.request.header.NAME: …` or `overwrite:header.NAME: …`.
fn source_of<'t>(line: &'t str, header: &str) -> Option<&'t str> {
    let (target, source) = line.trim_start().split_once(": ")?;
    let name =
        target.strip_prefix("integration.request.header.").or_else(|| target.strip_prefix("overwrite:header."))?;
    (name == header).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_doubled_or_wrong_is_named() {
        let members = [("x-faregate-a", "a")];
        let set = "  overwrite:header.x-faregate-a: $context.authorizer.a\n";
        assert!(unset(set, &members).is_empty());
        assert!(unset("integration.request.header.x-faregate-a: context.authorizer.a", &members).is_empty());
        for template in ["", &set.repeat(2), "overwrite:header.x-faregate-a: $context.authorizer.b"] {
            assert_eq!(unset(template, &members).len(), 1, "{template}");
        }
    }
}
