//! Scopes: colon-separated words, granted whole or by a trailing wildcard.

use std::{collections::BTreeSet, fmt};

/// A permission as a route requires it: `videos:create:batch`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

impl Scope {
    /// Reads a required scope: 1 to 4 words of `a-z 0-9 - _`, joined by colons, at most 64 bytes.
    ///
    /// # Errors
    /// [`InvalidScope`] for any other text, wildcards included.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if is_words(text) { Ok(Self(text.to_owned())) } else { Err(InvalidScope) }
    }

    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Every grant that covers this scope: itself, each family's wildcard, and `*`.
    #[must_use]
    pub fn covering_grants(&self) -> Vec<String> {
        let families = self.0.match_indices(':').map(|(at, _)| format!("{}:*", &self.0[..at]));
        std::iter::once(self.0.clone()).chain(families).chain(std::iter::once("*".to_owned())).collect()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What a key holds: a scope, a family (`videos:*`) or everything (`*`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant(String);

impl Grant {
    /// Reads a grant: a scope, `family:*`, or `*`; at most 64 bytes.
    ///
    /// # Errors
    /// [`InvalidScope`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let words = text.strip_suffix(":*").unwrap_or(text);
        if text == "*" || (text.len() <= MAX_SCOPE_BYTES && is_words(words)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidScope)
        }
    }

    /// The grant as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether everything that `other` grants is granted by this.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match self.0.strip_suffix('*') {
            Some(family) => other.0.starts_with(family) && (family.is_empty() || other.0.len() > family.len()),
            None => self == other,
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Everything a key may do; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantSet(BTreeSet<Grant>);

impl GrantSet {
    /// The most grants one key may hold.
    pub const MAX: usize = 24;

    /// A set of 1 to [`GrantSet::MAX`] grants.
    ///
    /// # Errors
    /// [`InvalidScope`] when there are none or too many.
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Result<Self, InvalidScope> {
        let grants: BTreeSet<_> = grants.into_iter().collect();
        if grants.is_empty() || grants.len() > Self::MAX { Err(InvalidScope) } else { Ok(Self(grants)) }
    }

    /// Whether a route that requires `scope` is open to this set.
    #[must_use]
    pub fn permits(&self, scope: &Scope) -> bool {
        scope.covering_grants().into_iter().any(|grant| self.0.contains(&Grant(grant)))
    }

    /// Whether every grant of `other` is covered by one of these.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|wanted| self.0.iter().any(|held| held.covers(wanted)))
    }

    /// What both sets grant: of each the grants that the other covers.
    #[must_use]
    pub fn common(&self, other: &Self) -> Vec<Grant> {
        let covered = |one: &Self, by: &Self| {
            let is_covered = |grant: &&Grant| by.0.iter().any(|held| held.covers(grant));
            one.0.iter().filter(is_covered).cloned().collect::<BTreeSet<_>>()
        };
        covered(self, other).union(&covered(other, self)).cloned().collect()
    }

    /// The grants in order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }
}

/// A text that is not a scope or grant, or a set that is empty or too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a scope")]
pub struct InvalidScope;

fn is_words(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    text.len() <= MAX_SCOPE_BYTES && text.split(':').count() <= MAX_WORDS && text.split(':').all(is_word)
}

const MAX_SCOPE_BYTES: usize = 64;
const MAX_WORDS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn set(grants: &[&str]) -> GrantSet {
        GrantSet::new(grants.iter().map(|grant| Grant::parse(grant).unwrap())).unwrap()
    }

    #[test]
    fn a_family_covers_its_members_and_nothing_beside_it() {
        let scope = Scope::parse("videos:create:batch").unwrap();
        assert_eq!(scope.covering_grants(), ["videos:create:batch", "videos:*", "videos:create:*", "*"]);
        for (grants, is_permitted) in [
            (&["videos:create:batch"][..], true),
            (&["videos:create:*"], true),
            (&["videos:*"], true),
            (&["*"], true),
            (&["videos:create"], false),
            (&["videos:create:batches", "video:*"], false),
        ] {
            assert_eq!(set(grants).permits(&scope), is_permitted, "{grants:?}");
        }
    }

    #[test]
    fn a_wildcard_covers_narrower_grants_only() {
        assert!(set(&["demo:*"]).covers(&set(&["demo:read", "demo:write"])));
        assert!(set(&["*"]).covers(&set(&["demo:*", "*"])));
        assert!(!set(&["demo:*"]).covers(&set(&["*"])));
        assert!(!set(&["demo:read"]).covers(&set(&["demo:*"])));
        assert!(!set(&["demo:*"]).covers(&set(&["demo"])));
        assert!(!set(&["demo:*"]).covers(&set(&["demos:read"])));
    }

    #[test]
    fn two_sets_have_in_common_what_both_grant() {
        for (one, other, common) in [
            (&["demo:*"][..], &["demo:read", "keys:manage"][..], &["demo:read"][..]),
            (&["demo:read", "demo:write"], &["*"], &["demo:read", "demo:write"]),
            (&["demo:read"], &["demo:write"], &[]),
            (&["demo:*", "a:b"], &["demo:*", "a:*"], &["a:b", "demo:*"]),
        ] {
            let found = |one: &[&str], other: &[&str]| {
                set(one).common(&set(other)).iter().map(|grant| grant.as_str().to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(found(one, other), common, "{one:?} {other:?}");
            assert_eq!(found(other, one), common, "{other:?} {one:?}");
        }
    }

    #[test]
    fn odd_texts_are_no_scopes() {
        for text in ["", ":", "a:", ":a", "A:b", "a b", "a:*", "*", "a:b:c:d:e", "é"] {
            assert_eq!(Scope::parse(text), Err(InvalidScope), "{text}");
        }
        for text in ["", "**", "a*", "a:**", "*:a", ":*"] {
            assert_eq!(Grant::parse(text), Err(InvalidScope), "{text}");
        }
    }
}
