//! What the documentation shows is what is compiled.

#[test]
fn the_page_shows_the_example_as_it_stands() {
    let page = include_str!("../../../docs/verify.md");
    let example = include_str!("../examples/backend.rs");
    assert!(page.contains(&format!("```rust\n{example}```")), "docs/verify.md shows another example");
}
