//! What the documentation shows is what is compiled.

#[test]
fn the_page_shows_the_examples_as_they_stand() {
    let page = include_str!("../../../../docs/layer.md");
    for example in [include_str!("../../examples/axum.rs"), include_str!("../../examples/lambda.rs")] {
        assert!(example.contains("fn main()"), "{example}");
        assert!(
            page.contains(&format!("```rust\n{example}```")),
            "docs/layer.md shows another example than\n{example}"
        );
    }
}
