//! Cross-origin requests: which pages of other origins may read what the gate answers (Fetch, section 3.2).

use crate::origin::{AllowlistEntry, Origin};

/// What pages of other origins may do. Credentials that a browser adds by itself are never taken from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    /// Nothing is said to browsers, so they show their pages nothing.
    #[default]
    Unsaid,
    /// Any page may read answers.
    Any,
    /// Pages of these origins may; at least one entry.
    Listed(Vec<AllowlistEntry>),
}

impl Cors {
    /// The most entries.
    pub const MAX_ORIGINS: usize = 64;
    /// The literal that means any origin.
    pub const ANY: &'static str = "*";

    /// What an answer to a request from there says; `origin` is what its `Origin` header says, if that is an origin.
    #[must_use]
    pub fn grant(&self, origin: Option<&Origin>) -> CorsGrant {
        match (self, origin) {
            (Self::Unsaid, _) => CorsGrant::default(),
            (Self::Any, _) => CorsGrant { allowed: Some(Self::ANY.to_owned()), varies: true },
            (Self::Listed(entries), Some(origin)) if entries.iter().any(|entry| entry.admits(origin)) => {
                CorsGrant { allowed: Some(origin.serialized()), varies: true }
            }
            (Self::Listed(_), _) => CorsGrant { allowed: None, varies: true },
        }
    }
}

/// What one answer says to a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsGrant {
    /// `Access-Control-Allow-Origin`; `None` where the page may read nothing.
    pub allowed: Option<String>,
    /// Whether the answer depends on the origin, or could.
    pub varies: bool,
}

impl CorsGrant {
    /// The same, of an answer that a list of origins has decided about: to a page of an origin on it, and to no other.
    #[must_use]
    pub fn narrowed(self, origin: Option<&Origin>, is_admitted: Admitted) -> Self {
        match is_admitted {
            Admitted::Anywhere => self,
            Admitted::There => Self { allowed: self.allowed.and(origin.map(Origin::serialized)), ..self },
            Admitted::Elsewhere => Self { allowed: None, ..self },
        }
    }
}

/// What the list of a key or a session says of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// There is no list.
    Anywhere,
    /// It is on it.
    There,
    /// It is not.
    Elsewhere,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Option<Origin> {
        Origin::parse(text).ok()
    }

    fn listed() -> Cors {
        Cors::Listed(["*.myapp.com", "http://localhost"].map(|text| AllowlistEntry::parse(text).unwrap()).into())
    }

    #[test]
    fn only_what_is_listed_is_answered_and_never_as_it_was_written() {
        let allowed = |text| listed().grant(origin(text).as_ref());
        for (text, wanted) in [
            ("https://a.myapp.com", Some("https://a.myapp.com")),
            ("https://A.MyApp.com:443", Some("https://a.myapp.com")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("https://localhost", None),
            ("https://myapp.com", None),
            ("https://evil-myapp.com", None),
            ("https://a.myapp.com.evil.com", None),
            ("null", None),
            ("*", None),
            ("", None),
        ] {
            let grant = allowed(text);
            assert_eq!((grant.allowed.as_deref(), grant.varies), (wanted, true), "{text}");
        }
    }

    #[test]
    fn any_origin_is_answered_with_a_star_and_nothing_is_said_unasked() {
        for text in ["https://a.com", "null", ""] {
            assert_eq!(Cors::Any.grant(origin(text).as_ref()).allowed.as_deref(), Some("*"));
            assert_eq!(Cors::Unsaid.grant(origin(text).as_ref()), CorsGrant::default());
        }
    }

    #[test]
    fn a_list_of_a_key_narrows_what_the_policy_allows() {
        let there = origin("https://a.com");
        let narrowed = |cors: &Cors, admitted| cors.grant(there.as_ref()).narrowed(there.as_ref(), admitted).allowed;
        assert_eq!(narrowed(&Cors::Any, Admitted::Anywhere).as_deref(), Some("*"));
        assert_eq!(narrowed(&Cors::Any, Admitted::There).as_deref(), Some("https://a.com"));
        assert_eq!(narrowed(&Cors::Any, Admitted::Elsewhere), None);
        for admitted in [Admitted::Anywhere, Admitted::There, Admitted::Elsewhere] {
            assert_eq!(narrowed(&listed(), admitted), None);
            assert_eq!(narrowed(&Cors::Unsaid, admitted), None);
        }
    }
}
