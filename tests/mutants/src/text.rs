//! From lines and columns to bytes.

use std::ops::Range;

use proc_macro2::{LineColumn, Span};

pub struct Text<'t> {
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'t> Text<'t> {
    pub fn new(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, lines: std::iter::once(0).chain(ends).collect() }
    }

    /// The byte of a line, from 1, and a column, from 0, in characters.
    pub fn byte(&self, line: usize, column: usize) -> usize {
        let start = self.lines[line - 1];
        self.text[start..].char_indices().nth(column).map_or(self.text.len(), |(at, _)| start + at)
    }

    pub fn range(&self, span: Span) -> Range<usize> {
        let byte = |LineColumn { line, column }| self.byte(line, column);
        byte(span.start())..byte(span.end())
    }
}
