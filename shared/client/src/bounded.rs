//! Text of other people's making, as far as it is short and plain.

use std::ops::RangeInclusive;

/// A text within a range of lengths, of allowed bytes only.
pub(crate) fn bounded(text: &str, lengths: RangeInclusive<usize>, is_allowed: impl Fn(u8) -> bool) -> Option<String> {
    (lengths.contains(&text.len()) && text.bytes().all(is_allowed)).then(|| text.to_owned())
}
