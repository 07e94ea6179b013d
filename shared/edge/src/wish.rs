//! What callers wish for a key or a session, as they write it; each mistake names its field and never repeats its value.

use std::fmt;

use faregate_domain::{
    origin::{Allowlist, AllowlistEntry},
    policy::Policy,
    scope::{Grant, GrantSet},
};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

use crate::problem::Problem;

/// Scopes of the policy's catalogue, or wildcards that cover some of it.
///
/// # Errors
/// 400 `invalid_request` about `scopes`.
pub fn grants(body: &ScopesBody, policy: &Policy) -> Result<GrantSet, Problem> {
    let texts: Vec<&str> = match body {
        ScopesBody::List(texts) => texts.iter().map(String::as_str).collect(),
        ScopesBody::Text(text) => match policy.find_preset(text) {
            Some(preset) => return Ok(preset.clone()),
            None => text.split(',').map(str::trim).collect(),
        },
    };
    let read = |text: &&str| Grant::parse(text).ok().filter(|grant| policy.is_known_grant(grant));
    let grants: Option<Vec<Grant>> = texts.iter().map(read).collect();
    let grants =
        grants.ok_or_else(|| Problem::invalid_field("scopes", "names a scope or preset that does not exist"))?;
    GrantSet::new(grants).map_err(|_| Problem::invalid_field("scopes", "must name 1 to 24 scopes"))
}

/// An allowlist; an empty one is none.
///
/// # Errors
/// 400 `invalid_request` about `allowlist`.
pub fn allowlist(texts: Option<Vec<String>>) -> Result<Option<Allowlist>, Problem> {
    let entries: Result<Vec<_>, _> = texts.unwrap_or_default().iter().map(|text| AllowlistEntry::parse(text)).collect();
    let entries = entries.map_err(|_| {
        Problem::invalid_field("allowlist", "each entry must be [scheme://]host[:port], where the host may be *.parent")
    })?;
    Allowlist::new(entries).map_err(|_| Problem::invalid_field("allowlist", "must have at most 16 entries"))
}

/// `scopes`: a list, a comma-separated text, or a preset's name.
#[derive(Debug)]
pub enum ScopesBody {
    /// `["demo:read"]`
    List(Vec<String>),
    /// `"demo:read,demo:write"` or `"read-only"`
    Text(String),
}

impl<'de> Deserialize<'de> for ScopesBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrText;
        impl<'de> Visitor<'de> for ListOrText {
            type Value = ScopesBody;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of scopes, a comma-separated text or a preset's name")
            }

            fn visit_str<E>(self, text: &str) -> Result<ScopesBody, E> {
                Ok(ScopesBody::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ScopesBody, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(ScopesBody::List(texts))
            }
        }
        deserializer.deserialize_any(ListOrText)
    }
}
