//! The rules of the house: which way dependencies point, how long a file is, who may read the clock.
//!
//! A rule is a function from text to violations, proven on a text that breaks it, then run over the whole tree.

#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::expect_used,
    reason = "names are compared as they are written, and a tree that cannot be read fails the test"
)]

mod arrows;
mod documents;
mod names;
mod problems;
mod source;
mod tree;
mod wirings;

use crate::tree::Tree;

#[test]
fn every_wiring_sets_all_that_the_layer_reads() {
    let members = &faregate_layer::member::MEMBERS;
    assert_clean(wirings::unset(include_str!("../../../template.yaml"), members));
    assert_clean(wirings::unset(include_str!("../../../infra/http-api.yaml"), members));
}

#[test]
fn dependencies_point_down() {
    assert_clean(tree().manifests().flat_map(|file| arrows::upward(&file.path, &file.text)));
}

#[test]
fn the_domain_names_no_io_crate() {
    assert_clean(tree().manifests().flat_map(|file| arrows::impure(&file.path, &file.text)));
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    assert_clean(tree().manifests().filter_map(|file| arrows::unlinted(&file.path, &file.text)));
}

#[test]
fn only_tests_know_entropy_that_repeats_itself() {
    assert_clean(tree().manifests().filter_map(|file| arrows::predictable(&file.path, &file.text)));
}

#[test]
fn no_file_is_too_long() {
    assert_clean(tree().sources().filter_map(|file| source::too_long(&file.path, &file.text)));
}

#[test]
fn the_clock_is_read_in_its_one_room() {
    assert_clean(tree().sources().flat_map(|file| source::clock_readings(&file.path, &file.text)));
}

#[test]
fn nothing_unfinished_is_left_behind() {
    assert_clean(tree().sources().flat_map(|file| source::leftovers(&file.path, &file.text)));
}

#[test]
fn every_file_says_its_purpose() {
    assert_clean(tree().sources().filter_map(|file| source::without_purpose(&file.path, &file.text)));
}

#[test]
fn every_file_has_a_telling_name() {
    assert_clean(tree().sources().filter_map(|file| names::vague(&file.path)));
}

#[test]
fn a_functions_main_is_wiring_only() {
    assert_clean(tree().sources().filter_map(|file| source::thick_main(&file.path, &file.text)));
}

#[test]
fn every_problem_code_has_its_page_and_every_page_its_code() {
    let tree = tree();
    let templates = problems::codes_of_template(include_str!("../../../template.yaml"));
    let codes = tree.sources().flat_map(|file| problems::codes(&file.path, &file.text)).chain(templates).collect();
    let pages = tree.problem_pages().collect();
    assert_clean(problems::unmatched(&codes, &pages));
}

#[test]
fn every_member_of_a_problem_is_described() {
    let description = include_str!("../../../infra/openapi.yaml");
    let tree = tree();
    let shipped = tree.sources().filter(|file| !file.path.starts_with("tests/"));
    assert_clean(shipped.flat_map(|file| problems::undescribed(&file.path, &file.text, description)));
}

#[test]
fn every_problem_page_is_whole() {
    let tree = tree();
    let page = |code: String| {
        let path = format!("docs/problems/{code}.md");
        let found = tree.documents().find(|file| file.path == path).map(|file| file.text.clone()).unwrap_or_default();
        problems::incomplete(&code, &found)
    };
    assert_clean(tree.problem_pages().flat_map(page));
}

#[test]
fn decisions_are_short() {
    assert_clean(tree().decisions().filter_map(|file| documents::too_long_a_decision(&file.path, &file.text)));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let tree = tree();
    assert_clean(
        tree.documents().flat_map(|file| documents::dead_links(&file.path, &file.text, |path| tree.has(path))),
    );
}

fn tree() -> Tree {
    let tree = Tree::read();
    assert!(tree.sources().count() > 20, "the tree was not found");
    tree
}

fn assert_clean(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<_> = violations.into_iter().collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}
