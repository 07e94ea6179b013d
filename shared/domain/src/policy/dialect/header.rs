//! The names under which a product sends our headers.

use std::{collections::BTreeMap, fmt};

/// Our header names and the product's, as far as they differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderNames(BTreeMap<&'static str, Option<String>>);

impl HeaderNames {
    /// The headers that a product may name itself, in lower case.
    pub const RENAMED: [&'static str; 7] = [
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "x-key-expires-in",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ];

    /// The name under which a header of ours is sent; `None` where it is not sent.
    #[must_use]
    pub fn sent<'n>(&'n self, name: &'n str) -> Option<&'n str> {
        self.0.get(name).map_or(Some(name), Option::as_deref)
    }

    /// Takes up one of our headers under a product's name; `None` where it is not sent.
    ///
    /// # Errors
    /// [`InvalidHeaderNames`] where it is not one that can be renamed, or the new name is none.
    pub(in crate::policy) fn rename(&mut self, ours: &str, name: Option<&str>) -> Result<(), InvalidHeaderNames> {
        let ours = Self::RENAMED.into_iter().find(|own| *own == ours).ok_or(InvalidHeaderNames)?;
        if name.is_some_and(|name| !is_free_name(name)) {
            return Err(InvalidHeaderNames);
        }
        self.0.insert(ours, name.map(str::to_owned));
        Ok(())
    }

    /// A name under which two headers would be sent.
    pub(in crate::policy) fn collision(&self) -> Option<&str> {
        let sent: Vec<_> = Self::RENAMED.iter().filter_map(|name| self.sent(name)).collect();
        let is_taken = |at: usize, name: &str| sent[..at].iter().any(|other| other.eq_ignore_ascii_case(name));
        sent.iter().enumerate().find(|(at, name)| is_taken(*at, name)).map(|(_, name)| *name)
    }

    /// Reads what [`HeaderNames`] are written as: `ours=Theirs,ours=`.
    ///
    /// # Errors
    /// [`InvalidHeaderNames`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidHeaderNames> {
        let mut names = Self::default();
        for pair in text.split(',').filter(|_| !text.is_empty()) {
            let (ours, name) = pair.split_once('=').ok_or(InvalidHeaderNames)?;
            names.rename(ours, Some(name).filter(|name| !name.is_empty()))?;
        }
        Ok(names)
    }
}

/// As the authorizer tells a backend: `ours=Theirs,ours=`, the second where a header is not sent.
impl fmt::Display for HeaderNames {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (ours, name)) in self.0.iter().enumerate() {
            write!(out, "{}{ours}={}", if at == 0 { "" } else { "," }, name.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// A name that is no header's, or not a product's to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the names of headers")]
pub struct InvalidHeaderNames;

/// Whether a product may send something under this name: a short token that means nothing to whatever handles answers.
fn is_free_name(name: &str) -> bool {
    let is_token = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let lower = name.to_ascii_lowercase();
    is_token && !lower.starts_with("x-faregate-") && !TAKEN.contains(&lower.as_str())
}

const MAX_NAME_BYTES: usize = 40;

const TAKEN: [&str; 14] = [
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "location",
    "server",
    "set-cookie",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_being_told() {
        let mut names = HeaderNames::default();
        assert_eq!(names.to_string(), "");
        assert_eq!(names.sent("x-ratelimit-limit"), Some("x-ratelimit-limit"));
        names.rename("x-ratelimit-limit", Some("X-RateLimit-Limit")).unwrap();
        names.rename("ratelimit", None).unwrap();
        assert_eq!(names.to_string(), "ratelimit=,x-ratelimit-limit=X-RateLimit-Limit");
        let told = HeaderNames::parse(&names.to_string()).unwrap();
        assert_eq!(told, names);
        assert_eq!((told.sent("x-ratelimit-limit"), told.sent("ratelimit")), (Some("X-RateLimit-Limit"), None));
        assert_eq!(HeaderNames::parse("").unwrap(), HeaderNames::default());
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for text in [
            "etag=X-Tag",
            "ratelimit",
            "ratelimit=a b",
            "ratelimit=a:b",
            "ratelimit=Content-Length",
            "ratelimit=X-Faregate-Status",
            ",",
            "ratelimit=\r\n",
        ] {
            assert_eq!(HeaderNames::parse(text), Err(InvalidHeaderNames), "{text:?}");
        }
    }

    #[test]
    fn two_headers_under_one_name_are_found() {
        let names = |text: &str| HeaderNames::parse(text).unwrap().collision().map(str::to_owned);
        assert_eq!(names("ratelimit=X-Limit,x-ratelimit-limit=x-limit").as_deref(), Some("x-limit"));
        assert_eq!(names("ratelimit=Retry-After").as_deref(), Some("retry-after"));
        assert_eq!(names("ratelimit=Retry-After,retry-after=Ratelimit"), None);
        assert_eq!(names("ratelimit=Retry-After,retry-after="), None);
    }
}
