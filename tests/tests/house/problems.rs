//! Problem codes in the code and their pages: each has the other.

use std::collections::BTreeSet;

use faregate_edge::problem::title_of;
use serde_json::Value;

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

/// Members that a source file puts into a problem and that the description knows nothing of.
pub(crate) fn undescribed(path: &str, text: &str, description: &str) -> Vec<String> {
    let members = description.split_once("&problem_members").map_or("", |(_, rest)| rest);
    let members = members.split("request_id:").next().unwrap_or_default();
    let named = text.split("with_member(").skip(1).filter_map(literal);
    named
        .filter(|name| !members.contains(&format!("\n          {name}: ")))
        .map(|name| format!("{path}: infra/openapi.yaml describes no problem with `{name}`"))
        .collect()
}

/// Codes without a page and pages without a code.
pub(crate) fn unmatched(codes: &BTreeSet<String>, pages: &BTreeSet<String>) -> Vec<String> {
    let homeless = codes.difference(pages).map(|code| format!("{code}: docs/problems/{code}.md is missing"));
    let unused = pages.difference(codes).map(|page| format!("docs/problems/{page}.md: nothing answers with it"));
    homeless.chain(unused).collect()
}

/// What the page about a code lacks: its status, the reason, what to do, and an example of the very answer.
pub(crate) fn incomplete(code: &str, page: &str) -> Vec<String> {
    let part = |heading: &str| {
        let (_, rest) = page.split_once(&format!("\n## {heading}\n"))?;
        Some(rest.split("\n## ").next().unwrap_or_default().trim()).filter(|text| !text.is_empty())
    };
    let status = page.strip_prefix(&format!("# `{code}`\n\n**Status ")).and_then(|rest| rest.get(..3));
    let cause = page.split("\n## ").next().and_then(|head| head.split_once(".**")).map(|(_, cause)| cause.trim());
    let example = part("Example").unwrap_or_default();
    let body = example.split_once("\n\n{").and_then(|(_, body)| body.rsplit_once('}'));
    let body =
        body.and_then(|(body, _)| serde_json::from_str::<Value>(&format!("{{{body}}}")).ok()).unwrap_or_default();
    let text = |member: &str| body[member].as_str().unwrap_or_default();
    let said = status.and_then(|status| status.parse::<u16>().ok());
    [
        (said.is_none(), "begins with its code and **Status NNN.**"),
        (cause.is_none_or(str::is_empty), "says why"),
        (part("What to do").is_none(), "says what to do"),
        (!example.contains(&format!("\nHTTP/1.1 {} ", status.unwrap_or("?"))), "has an example with that status"),
        (text("type") != format!("/problems/{code}") || text("code") != code, "has an example of that type and code"),
        (text("title") != title_of(code), "has the code's title in its example"),
        (body["status"].as_u64() != said.map(u64::from), "has that status in the example's body"),
        (text("detail").is_empty() || text("request_id").is_empty(), "has a detail and a request's id in its example"),
    ]
    .into_iter()
    .filter(|(is_lacking, _)| *is_lacking)
    .map(|(_, rule)| format!("docs/problems/{code}.md: a page {rule}"))
    .collect()
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
fn what_a_page_lacks_is_named() {
    let page = "# `not_found`\n\n**Status 404.** It is not there.\n\n## What to do\n\nLook elsewhere.\n\n## Example\n\n```http\n\
                HTTP/1.1 404 Not Found\ncontent-type: application/problem+json\n\n{\n  \"type\": \"/problems/not_found\",\n  \
                \"title\": \"Not found\",\n  \"status\": 404,\n  \"detail\": \"x\",\n  \"code\": \"not_found\",\n  \"request_id\": \"r\"\n}\n```\n";
    assert_eq!(incomplete("not_found", page), Vec::<String>::new());
    for (from, to, count) in [
        ("# `not_found`", "# Not found", 3),
        ("It is not there.", "", 1),
        ("Look elsewhere.", "", 1),
        ("HTTP/1.1 404", "HTTP/1.1 400", 1),
        ("/problems/not_found", "/problems/found", 1),
        ("\"Not found\"", "\"Lost\"", 1),
        ("\"status\": 404", "\"status\": 400", 1),
        ("\"detail\": \"x\"", "\"detail\": \"\"", 1),
        ("## Example", "## Other", 5),
    ] {
        let told = incomplete("not_found", &page.replacen(from, to, 1));
        assert_eq!(told.len(), count, "{to}: {told:?}");
    }
}

#[test]
fn a_member_that_is_not_described_is_found() {
    let description = "properties:\n        <<: &problem_members\n          used: { type: integer }\n        request_id: {}\n          left: {}";
    let text = "problem.with_member(\"used\", 1).with_member(\"left\", 2)";
    let told = "functions/keys/src/lib.rs: infra/openapi.yaml describes no problem with `left`";
    assert_eq!(undescribed("functions/keys/src/lib.rs", text, description), [told]);
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
