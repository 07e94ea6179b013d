//! Browser origins (RFC 6454) and the allowlist entries they are compared with, whole.

use std::{collections::BTreeSet, fmt};

use url::{Host, Url};

/// Where a browser request comes from: scheme, host and effective port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
    is_domain: bool,
}

impl Origin {
    /// Reads an `Origin` header; `null` and anything but http(s) is no origin.
    ///
    /// # Errors
    /// [`InvalidOrigin`] when the text is not `scheme://host[:port]`.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let origin = Self::parse_referer(text)?;
        let has_path = text.matches('/').count() > 2 || text.contains(['?', '#', '@', '\\']);
        if has_path { Err(InvalidOrigin) } else { Ok(origin) }
    }

    /// Reads the origin of a `Referer` header, which is a whole URL.
    ///
    /// # Errors
    /// [`InvalidOrigin`] when the text is not an http(s) URL with a host.
    pub fn parse_referer(text: &str) -> Result<Self, InvalidOrigin> {
        if text.len() > MAX_HEADER_BYTES {
            return Err(InvalidOrigin);
        }
        let url = Url::parse(text).map_err(|_| InvalidOrigin)?;
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(InvalidOrigin);
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidOrigin);
        }
        let is_domain = matches!(host, Host::Domain(_));
        let host = host.to_string();
        if host.len() > MAX_ENTRY_BYTES {
            return Err(InvalidOrigin);
        }
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host: host.strip_suffix('.').unwrap_or(&host).to_owned(),
            port,
            is_domain,
        })
    }

    /// The origin as browsers write it (RFC 6454, section 6.2): without the port that its scheme stands for.
    #[must_use]
    pub fn serialized(&self) -> String {
        match (self.scheme.as_str(), self.port) {
            ("http", 80) | ("https", 443) => format!("{}://{}", self.scheme, self.host),
            _ => format!("{}://{}:{}", self.scheme, self.host, self.port),
        }
    }

    /// Every canonical allowlist entry that would admit this origin; an entry admits nothing else.
    #[must_use]
    pub fn admitting_entries(&self) -> Vec<String> {
        let mut hosts = vec![self.host.clone()];
        if self.is_domain {
            let ancestors = self.host.match_indices('.').map(|(at, _)| format!("*{}", &self.host[at..]));
            let nearest_first: Vec<_> = ancestors.filter(|entry| entry.matches('.').count() > 1).collect();
            hosts.extend(nearest_first.into_iter().rev().take(MAX_WILDCARD_LEVELS));
        }
        let mut entries = Vec::with_capacity(hosts.len() * 4);
        for host in hosts {
            entries.push(format!("{}://{host}:{}", self.scheme, self.port));
            entries.push(format!("{}://{host}", self.scheme));
            entries.push(format!("{host}:{}", self.port));
            entries.push(host);
        }
        entries
    }
}

impl fmt::Display for Origin {
    /// `scheme://host:port`, the port always there.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// One entry of a key's allowlist: `[scheme://]host[:port]`, where the host may be `*.parent`.
///
/// Without a scheme both http and https match; without a port every port does; `*.myapp.com` matches
/// any depth below `myapp.com` and not `myapp.com` itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AllowlistEntry(String);

impl AllowlistEntry {
    /// Reads and canonicalises an entry of at most 253 bytes.
    ///
    /// # Errors
    /// [`InvalidOrigin`] when the text is not such an entry.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        if text.is_empty() || text.len() > MAX_ENTRY_BYTES {
            return Err(InvalidOrigin);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return Err(InvalidOrigin),
            None => (None, text),
        };
        let (is_wildcard, rest) = match rest.strip_prefix("*.") {
            Some(parent) => (true, parent),
            None => (false, rest),
        };
        if rest.contains(['/', '?', '#', '@', '\\', '*', ' ', '%', '\t', '\n', '\r']) {
            return Err(InvalidOrigin);
        }
        // A scheme without a default port keeps the port that was written, 443 included.
        let url = Url::parse(&format!("ws-any://{rest}")).map_err(|_| InvalidOrigin)?;
        let port = url.port();
        let host_text = url.host_str().ok_or(InvalidOrigin)?;
        let host = Host::parse(host_text).map_err(|_| InvalidOrigin)?;
        let is_domain = matches!(host, Host::Domain(_));
        let host = host.to_string();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let has_empty_label = is_domain && host.split('.').any(str::is_empty);
        if has_empty_label || (is_wildcard && !(is_domain && host.contains('.'))) {
            return Err(InvalidOrigin);
        }
        let scheme = scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
        let star = if is_wildcard { "*." } else { "" };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let canonical = format!("{scheme}{star}{host}{port}");
        if canonical.len() > MAX_ENTRY_BYTES { Err(InvalidOrigin) } else { Ok(Self(canonical)) }
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether every origin that `other` admits is admitted by this entry.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let (own, other) = (Parts::of(&self.0), Parts::of(&other.0));
        let host_is_covered = match own.host.strip_prefix('*') {
            // `*.a.b` covers `x.a.b` and `*.x.a.b`, and of `a.b` nothing.
            Some(parent) => other.host.ends_with(parent),
            None => own.host == other.host,
        };
        let is_covered = |own: Option<&str>, other| own.is_none() || own == other;
        host_is_covered && is_covered(own.scheme, other.scheme) && is_covered(own.port, other.port)
    }

    /// Whether this entry admits `origin`.
    #[must_use]
    pub fn admits(&self, origin: &Origin) -> bool {
        origin.admitting_entries().contains(&self.0)
    }
}

impl fmt::Display for AllowlistEntry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The parts of a canonical entry.
struct Parts<'e> {
    scheme: Option<&'e str>,
    host: &'e str,
    port: Option<&'e str>,
}

impl<'e> Parts<'e> {
    fn of(entry: &'e str) -> Self {
        let (scheme, rest) = entry.split_once("://").map_or((None, entry), |(scheme, rest)| (Some(scheme), rest));
        // The colons of an IPv6 address stand in brackets.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (rest, None),
        };
        Self { scheme, host, port }
    }
}

/// Which origins may use a key; never empty (a key without an allowlist has none at all).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowlist(BTreeSet<AllowlistEntry>);

impl Allowlist {
    /// The most entries of one key.
    pub const MAX: usize = 16;

    /// A list of 1 to [`Allowlist::MAX`] entries; `None` when there are none, which means no restriction.
    ///
    /// # Errors
    /// [`InvalidOrigin`] when there are too many.
    pub fn new(entries: impl IntoIterator<Item = AllowlistEntry>) -> Result<Option<Self>, InvalidOrigin> {
        let entries: BTreeSet<_> = entries.into_iter().collect();
        if entries.len() > Self::MAX {
            return Err(InvalidOrigin);
        }
        Ok(if entries.is_empty() { None } else { Some(Self(entries)) })
    }

    /// Whether an entry admits `origin`; a request without one is never admitted.
    #[must_use]
    pub fn admits(&self, origin: Option<&Origin>) -> bool {
        origin.is_some_and(|origin| {
            origin.admitting_entries().into_iter().any(|entry| self.0.contains(&AllowlistEntry(entry)))
        })
    }

    /// Whether every origin that `other` admits is admitted by one of these entries.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|wanted| self.0.iter().any(|held| held.covers(wanted)))
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = &AllowlistEntry> {
        self.0.iter()
    }
}

/// A text that is neither an origin nor an allowlist entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an origin")]
pub struct InvalidOrigin;

const MAX_HEADER_BYTES: usize = 2_048;
const MAX_ENTRY_BYTES: usize = 253;
const MAX_WILDCARD_LEVELS: usize = 6;

#[cfg(test)]
mod tests;
