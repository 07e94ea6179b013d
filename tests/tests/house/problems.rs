//! Problem codes in the code and their pages: each has the other.

use std::collections::BTreeSet;

/// The problem codes that a source file answers with; what its tests make up is not counted.
pub(crate) fn codes(path: &str, text: &str) -> BTreeSet<String> {
    let is_test = path.starts_with("tests/") || path.starts_with("fuzz/") || path.ends_with("/tests.rs");
    if is_test || path.contains("/tests/") {
        return BTreeSet::new();
    }
    let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
    let constructor = if path.ends_with("/problem.rs") { "Self::new(" } else { "Problem::new(" };
    let constructed = shipped.split(constructor).skip(1).filter_map(second_argument);
    let listed = table(shipped).split("=>").skip(1).filter_map(|arm| literal(arm.trim_start()));
    // The 401s of a failed sign-in share a constructor, which takes the code first.
    let challenged = shipped.split(" challenge(").skip(1).filter_map(literal);
    constructed.chain(listed).chain(challenged).filter(|word| is_code(word)).map(str::to_owned).collect()
}

/// The problem codes that a template has API Gateway answer with.
pub(crate) fn codes_of_template(template: &str) -> BTreeSet<String> {
    template.split("\"code\":").skip(1).filter_map(literal).filter(|word| is_code(word)).map(str::to_owned).collect()
}

/// Codes without a page and pages without a code.
pub(crate) fn unmatched(codes: &BTreeSet<String>, pages: &BTreeSet<String>) -> Vec<String> {
    let homeless = codes.difference(pages).map(|code| format!("{code}: docs/problems/{code}.md is missing"));
    let unused = pages.difference(codes).map(|page| format!("docs/problems/{page}.md: nothing answers with it"));
    homeless.chain(unused).collect()
}

/// The body of a type's `code` method, where it has one.
fn table(text: &str) -> &str {
    let body = text.split_once("fn code(&self)").map_or("", |(_, body)| body);
    body.split("\n    }\n").next().unwrap_or_default()
}

fn second_argument(rest: &str) -> Option<&str> {
    let (_, second) = rest.split_once(',')?;
    literal(second.trim_start())
}

fn literal(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.split('"').next()
}

fn is_code(word: &str) -> bool {
    word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn codes_are_found_where_they_are_written() {
    let text = "Problem::new(404, \"not_found\", \"x\")\nProblem::new(\n    401,\n    \"invalid_token\",\n    detail)\n\
                #[cfg(test)]\nmod tests { Problem::new(400, \"made_up\", \"\") }";
    assert_eq!(codes("functions/keys/src/lib.rs", text), BTreeSet::from(["invalid_token".into(), "not_found".into()]));
    assert!(codes("tests/tests/spec/main.rs", text).is_empty());
}

#[test]
fn the_problems_own_constructors_count() {
    let text = "pub fn not_found() -> Self {\n        Self::new(404, \"not_found\", \"x\")\n    }";
    assert_eq!(codes("shared/edge/src/problem.rs", text), BTreeSet::from(["not_found".into()]));
}

#[test]
fn a_templates_codes_count() {
    let template =
        "A:\n  body: >-\n    {\"status\":502,\n    \"code\":\"bad_gateway\",\"a\":1}\nB: $context.authorizer.problem\n";
    assert_eq!(codes_of_template(template), BTreeSet::from(["bad_gateway".into()]));
}

#[test]
fn a_denials_codes_are_found_in_its_table() {
    let text = "impl Denial {\n    pub fn code(&self) -> &'static str {\n        match self {\n            \
                Self::None => \"missing_credentials\",\n        }\n    }\n    fn source(&self) -> &'static str { \
                match self { Self::Key => \"project\" } }\n}";
    assert_eq!(codes("shared/domain/src/denial.rs", text), BTreeSet::from(["missing_credentials".into()]));
}

#[test]
fn a_code_without_a_page_and_a_page_without_a_code_are_found() {
    let (codes, pages) =
        (BTreeSet::from(["here".into(), "homeless".into()]), BTreeSet::from(["here".into(), "unused".into()]));
    assert_eq!(unmatched(&codes, &pages).len(), 2);
    assert!(unmatched(&codes, &codes).is_empty());
}
