//! What a backend calls a session, and what it notes with it: its own words, kept and given back and never acted on.

use std::collections::BTreeMap;

/// A backend's own name for a session: 1 to 200 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientReference(String);

impl ClientReference {
    /// The most characters.
    pub const MAX_CHARS: usize = 200;

    /// Reads a reference; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_whole = (1..=Self::MAX_CHARS).contains(&text.chars().count());
        (is_whole && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Notes of a backend: at most 50, names of 1 to 64 characters, 4,096 bytes in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// The most notes.
    pub const MAX_NOTES: usize = 50;
    /// The most bytes of all names and texts together.
    pub const MAX_BYTES: usize = 4_096;

    /// Takes notes.
    ///
    /// # Errors
    /// [`InvalidMetadata`] says which rule they break.
    pub fn new(notes: BTreeMap<String, String>) -> Result<Self, InvalidMetadata> {
        let is_name =
            |name: &String| (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if notes.len() > Self::MAX_NOTES {
            return Err(InvalidMetadata::TooMany);
        }
        if !notes.keys().all(is_name) {
            return Err(InvalidMetadata::Name);
        }
        let bytes: usize = notes.iter().map(|(name, text)| name.len() + text.len()).sum();
        if bytes > Self::MAX_BYTES { Err(InvalidMetadata::TooLong) } else { Ok(Self(notes)) }
    }

    /// The notes by name.
    #[must_use]
    pub fn notes(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// Which rule some notes break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// Too many of them.
    #[error("must have at most 50 members")]
    TooMany,
    /// A name that is none.
    #[error("a member's name must have 1 to 64 characters and no control characters")]
    Name,
    /// Too much text.
    #[error("names and texts must have at most 4096 bytes in all")]
    TooLong,
}

const MAX_NAME_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_bounded() {
        assert_eq!(ClientReference::parse("user 42 é").map(|it| it.as_str().to_owned()).as_deref(), Some("user 42 é"));
        assert!(ClientReference::parse(&"é".repeat(200)).is_some());
        for text in ["", "a\nb", &"a".repeat(201)] {
            assert_eq!(ClientReference::parse(text), None);
        }
    }

    #[test]
    fn notes_are_few_and_short() {
        let notes = |count: usize, bytes: usize| {
            Metadata::new((0..count).map(|number| (format!("n{number}"), "x".repeat(bytes))).collect()).err()
        };
        assert_eq!(notes(50, 70), None);
        assert_eq!(notes(51, 1), Some(InvalidMetadata::TooMany));
        assert_eq!(notes(1, 4_094), None);
        assert_eq!(notes(1, 4_095), Some(InvalidMetadata::TooLong));
        assert_eq!(Metadata::new([("é".repeat(64), String::new())].into()).err(), None);
        for name in ["", "a\u{0}", &"n".repeat(65)] {
            assert_eq!(Metadata::new([(name.to_owned(), String::new())].into()), Err(InvalidMetadata::Name));
        }
    }
}
