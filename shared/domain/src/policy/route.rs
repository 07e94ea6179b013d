//! Routes: which requests exist, what they require and what they cost.

use sha2::{Digest, Sha256};

use crate::{base62, limit::Rate, money::MicroUsd, scope::Scope};

mod pattern;

pub(super) use pattern::Pattern;

/// One route of the API behind the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// As it stands in the policy, `POST /demo/paid`.
    pub template: String,
    /// The scope a credential must hold.
    pub scope: Scope,
    /// The fixed price of one call, or what is reserved for it where it is to be settled.
    pub cost: MicroUsd,
    /// A limit per key and route, beside the key's own.
    pub rate: Option<Rate>,
    /// Seconds for which a call holds its place and its money until it is settled; `None` where the price is fixed.
    pub lease_seconds: Option<u64>,
    /// Who answers a refused call.
    pub refusals: Refusals,
    /// Whether a signed URL may stand for a credential.
    pub signed_urls: SignedUrls,
    /// The environments whose keys may call it; empty means all.
    pub environments: Vec<String>,
    /// Names the route's bucket in a key's item: 4 letters derived from the template.
    pub class: String,
    pub(super) pattern: Pattern,
}

impl Route {
    /// A route open to every environment, free and without a limit of its own.
    ///
    /// # Errors
    /// [`InvalidRoute`] when the template is not `METHOD /path/{parameter}`.
    pub fn new(template: &str, scope: Scope) -> Result<Self, InvalidRoute> {
        let pattern = Pattern::parse(template)?;
        Ok(Self {
            template: template.to_owned(),
            scope,
            cost: MicroUsd::ZERO,
            rate: None,
            lease_seconds: None,
            refusals: Refusals::Gateway,
            signed_urls: SignedUrls::Refused,
            environments: Vec::new(),
            class: class_of(template),
            pattern,
        })
    }

    /// Whether a request belongs to this route's pattern.
    #[must_use]
    pub fn matches(&self, method: &Method, path: &RequestPath) -> bool {
        self.pattern.matches(method, path)
    }

    /// The same route for one call that costs `cost`, or reserves it.
    ///
    /// A price that the policy fixes is a promise to whoever calls, so only two kinds of route let their API name
    /// another: those that are settled, where the policy's amount is what is reserved unless more is known, and those
    /// that are free as far as the policy knows.
    ///
    /// # Errors
    /// [`InvalidCost`] for any other route, unless `cost` is its price, and above [`MAX_CALL_COST`].
    pub fn priced(&self, cost: MicroUsd) -> Result<Self, InvalidCost> {
        let is_open = self.lease_seconds.is_some() || self.cost == MicroUsd::ZERO;
        if cost != self.cost && !is_open {
            return Err(InvalidCost::Fixed);
        }
        if cost > MAX_CALL_COST {
            return Err(InvalidCost::TooMuch);
        }
        Ok(Self { cost, ..self.clone() })
    }

    /// Whether keys of the environment may call it.
    #[must_use]
    pub fn is_open_to(&self, environment: &str) -> bool {
        self.environments.is_empty() || self.environments.iter().any(|name| name == environment)
    }

    /// Whether a signed URL may stand for a credential here: nothing is counted and nothing charged for one, so only where
    /// there is nothing to count or charge.
    #[must_use]
    pub fn takes_signed_urls(&self) -> bool {
        self.signed_urls == SignedUrls::Accepted && self.is_uncounted()
    }

    /// Whether it has no price, no settlement and no limit of its own.
    #[must_use]
    pub fn is_uncounted(&self) -> bool {
        self.cost == MicroUsd::ZERO && self.lease_seconds.is_none() && self.rate.is_none()
    }

    /// Whether some request would match both routes equally well.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.pattern.overlaps(&other.pattern)
    }

    /// Orders patterns that match the same request: literal beats parameter beats rest, from the left;
    /// a named method beats `ANY`.
    #[must_use]
    pub fn specificity(&self) -> Vec<u8> {
        self.pattern.specificity()
    }
}

/// The most that one call may be said to cost: a thousand dollars.
pub const MAX_CALL_COST: MicroUsd = match MicroUsd::new(1_000_000_000) {
    Ok(cost) => cost,
    Err(_) => MicroUsd::ZERO,
};

/// Why a call cannot be said to cost that much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCost {
    /// The policy fixes another price.
    #[error("this route has a fixed price")]
    Fixed,
    /// Above [`MAX_CALL_COST`].
    #[error("must be at most {MAX_CALL_COST}")]
    TooMuch,
}

/// Who turns a refusal into an HTTP answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusals {
    /// API Gateway's gateway responses; the backend is never called.
    Gateway,
    /// A layer in front of the backend, which reads the decision from the request context.
    Backend,
}

/// Whether signed URLs open a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedUrls {
    /// Whoever holds one may come without a credential.
    Accepted,
    /// Every call needs a credential.
    Refused,
}

/// An HTTP method token, upper case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Method(String);

impl Method {
    /// Reads a method of 1 to 16 upper-case letters.
    ///
    /// # Errors
    /// [`InvalidRoute::Method`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidRoute> {
        let is_token = (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_token { Ok(Self(text.to_owned())) } else { Err(InvalidRoute::Method) }
    }

    /// The method as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request's path as every server will read it: no empty, dot or encoded-slash segments, no parameters behind a `;`. A
/// slash at its end is kept and means nothing: many servers answer `/a/` as they answer `/a`, so both are one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath(String);

impl RequestPath {
    /// The longest path, in bytes.
    pub const MAX_BYTES: usize = 2_048;

    /// Reads a path that begins with `/`; a query string is not part of it.
    ///
    /// # Errors
    /// [`InvalidRoute::Path`] when another server could read the path as a different one.
    pub fn parse(text: &str) -> Result<Self, InvalidRoute> {
        let rest = text.strip_prefix('/').ok_or(InvalidRoute::Path)?;
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\\?#;".contains(&byte);
        if text.len() > Self::MAX_BYTES || !text.bytes().all(is_plain) {
            return Err(InvalidRoute::Path);
        }
        let hides_something = rest.split('%').skip(1).any(|after| !is_plain_escape(after));
        let segments = || rest.split('/');
        let is_ambiguous = !rest.is_empty() && segments().any(|segment| matches!(segment, "" | "." | ".."));
        let is_trailing =
            rest.ends_with('/') && segments().rev().skip(1).all(|segment| !matches!(segment, "" | "." | ".."));
        if hides_something || (is_ambiguous && !is_trailing) {
            return Err(InvalidRoute::Path);
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn segments(&self) -> Vec<&str> {
        let rest = &self.0[1..];
        rest.strip_suffix('/').unwrap_or(rest).split('/').collect()
    }
}

/// Why a text is no route, method or path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    /// Not `METHOD /path`.
    #[error("a route is written METHOD /path")]
    Template,
    /// Not an upper-case method or ANY.
    #[error("a method is upper-case letters, or ANY")]
    Method,
    /// Not a plain absolute path.
    #[error("a path must begin with / and have no empty, dot or encoded-slash segment")]
    Path,
    /// Braces around anything but a name.
    #[error("a parameter is a whole segment, {{name}} or {{name+}}, of letters, digits and _")]
    Parameter,
    /// `{name+}` stands anywhere but last.
    #[error("a {{name+}} segment must be the last one")]
    Rest,
}

/// Whether a `%` is followed by the escape of a byte that means nothing to a router: not of a separator or a dot, nor of
/// a letter, digit or sign that needs no escape (RFC 3986, section 2.3), because some servers decode those first.
fn is_plain_escape(after: &str) -> bool {
    let Some(byte) = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
        return false;
    };
    !byte.is_ascii_alphanumeric() && !b"-._~/\\%\0+".contains(&byte)
}

pub(super) fn class_of(template: &str) -> String {
    let digest = Sha256::digest(template.as_bytes());
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = digest.into();
    let text = base62::fixed_width(u64::from_be_bytes([a, b, c, d, e, f, g, h]).into(), 11);
    let letters: String =
        text.chars().filter(char::is_ascii_alphabetic).chain("aaaa".chars()).take(CLASS_LETTERS).collect();
    letters
}

const CLASS_LETTERS: usize = 4;

#[cfg(test)]
mod tests;
