//! The credential a request carries: exactly one, wherever it stands.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::{denial::Denial, policy::CredentialHeader};

/// Who the caller claims to be, before anything is checked.
pub enum Credential {
    /// Text that should be an API key.
    Key(SecretString),
    /// Text that should be an access token (RFC 7519 compact form).
    Token(SecretString),
    /// Text that should be the token of a client session.
    Client(SecretString),
}

impl Credential {
    /// The longest credential, in bytes.
    pub const MAX_BYTES: usize = 4_096;

    /// Finds the one credential among a request's headers.
    ///
    /// Names are compared without case. The same credential may stand in several places; two different ones may
    /// not. `Authorization` counts only under the `Bearer` scheme (RFC 6750, section 2.1).
    ///
    /// # Errors
    /// [`Denial::MissingCredentials`] when there is none, [`Denial::AmbiguousCredentials`] when there are two,
    /// [`Denial::InvalidApiKey`] when the one is longer than [`Credential::MAX_BYTES`].
    pub fn parse<'h>(
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        accepted: &[CredentialHeader],
    ) -> Result<Self, Denial> {
        let mut found: Option<(CredentialHeader, &str)> = None;
        for (name, value) in headers {
            let Some(header) = accepted.iter().find(|header| header.name().eq_ignore_ascii_case(name)) else {
                continue;
            };
            let text = match header {
                CredentialHeader::Authorization => bearer(value),
                CredentialHeader::XApiKey => Some(value.trim()).filter(|text| !text.is_empty()),
            };
            match (text, found) {
                (None, _) => {}
                (Some(text), None) => found = Some((*header, text)),
                // The same text as a bearer credential may be a token; in the other header it can only be a key.
                (Some(text), Some((_, earlier))) if text == earlier => {
                    if *header == CredentialHeader::Authorization {
                        found = Some((*header, text));
                    }
                }
                (Some(_), Some(_)) => return Err(Denial::AmbiguousCredentials),
            }
        }
        let (header, text) = found.ok_or(Denial::MissingCredentials)?;
        match header {
            CredentialHeader::Authorization => Self::of_bearer(text),
            CredentialHeader::XApiKey if text.len() > Self::MAX_BYTES => Err(Denial::InvalidApiKey),
            CredentialHeader::XApiKey if is_client(text) => Ok(Self::Client(text.into())),
            CredentialHeader::XApiKey => Ok(Self::Key(text.into())),
        }
    }

    /// Reads what somebody presented as a bearer credential: a key, an access token or a client session's.
    ///
    /// # Errors
    /// [`Denial::MissingCredentials`] when it is empty, [`Denial::InvalidApiKey`] when it is longer than
    /// [`Credential::MAX_BYTES`].
    pub fn of_bearer(text: &str) -> Result<Self, Denial> {
        match text.len() {
            0 => Err(Denial::MissingCredentials),
            1..=Self::MAX_BYTES if is_client(text) => Ok(Self::Client(text.into())),
            1..=Self::MAX_BYTES if text.matches('.').count() == 2 => Ok(Self::Token(text.into())),
            1..=Self::MAX_BYTES => Ok(Self::Key(text.into())),
            _ => Err(Denial::InvalidApiKey),
        }
    }

    /// The text, for the one parser that checks it.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Key(text) | Self::Token(text) | Self::Client(text) => text.expose_secret(),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Key(_) => "Credential::Key",
            Self::Token(_) => "Credential::Token",
            Self::Client(_) => "Credential::Client",
        })
    }
}

/// What the token of every client session begins with; one point follows, and no key has any.
pub const CLIENT_TOKEN_PREFIX: &str = "cst_";

fn is_client(text: &str) -> bool {
    text.starts_with(CLIENT_TOKEN_PREFIX) && text.matches('.').count() == 1
}

/// The token of a `Bearer` authorization header; `None` for other schemes and for no token.
#[must_use]
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.trim().split_once(' ')?;
    let token = rest.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: [CredentialHeader; 2] = [CredentialHeader::Authorization, CredentialHeader::XApiKey];

    fn parse(headers: &[(&str, &str)]) -> Result<String, Denial> {
        Credential::parse(headers.iter().copied(), &BOTH)
            .map(|credential| format!("{credential:?} {}", credential.expose()))
    }

    #[test]
    fn a_credential_is_found_in_either_header() {
        assert_eq!(parse(&[("Authorization", "Bearer abc")]).unwrap(), "Credential::Key abc");
        assert_eq!(parse(&[("authorization", "bEaReR  abc ")]).unwrap(), "Credential::Key abc");
        assert_eq!(parse(&[("X-API-KEY", " abc ")]).unwrap(), "Credential::Key abc");
        assert_eq!(parse(&[("authorization", "Bearer a.b.c")]).unwrap(), "Credential::Token a.b.c");
        assert_eq!(parse(&[("x-api-key", "a.b.c")]).unwrap(), "Credential::Key a.b.c");
        assert_eq!(parse(&[("authorization", "Bearer abc"), ("x-api-key", "abc")]).unwrap(), "Credential::Key abc");
        for headers in [("authorization", "Bearer cst_a.b"), ("x-api-key", "cst_a.b")] {
            assert_eq!(parse(&[headers]).unwrap(), "Credential::Client cst_a.b");
        }
        assert_eq!(parse(&[("x-api-key", "cst_ab")]).unwrap(), "Credential::Key cst_ab");
        for headers in [
            [("authorization", "Bearer a.b.c"), ("x-api-key", "a.b.c")],
            [("x-api-key", "a.b.c"), ("authorization", "Bearer a.b.c")],
        ] {
            assert_eq!(parse(&headers).unwrap(), "Credential::Token a.b.c");
        }
    }

    #[test]
    fn absent_and_ambiguous_are_told_apart() {
        for headers in [
            &[][..],
            &[("authorization", "Basic abc")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Bearer")],
            &[("x-api-key", "")],
            &[("cookie", "abc")],
        ] {
            assert_eq!(parse(headers), Err(Denial::MissingCredentials), "{headers:?}");
        }
        for headers in [
            [("authorization", "Bearer a"), ("x-api-key", "b")],
            [("x-api-key", "a"), ("x-api-key", "b")],
            [("authorization", "Bearer a"), ("authorization", "Bearer b")],
        ] {
            assert_eq!(parse(&headers), Err(Denial::AmbiguousCredentials), "{headers:?}");
        }
    }

    #[test]
    fn an_endless_credential_is_refused() {
        let text = "x".repeat(Credential::MAX_BYTES + 1);
        assert_eq!(parse(&[("x-api-key", &text)]), Err(Denial::InvalidApiKey));
        assert!(parse(&[("x-api-key", &text[1..])]).is_ok());
    }

    #[test]
    fn a_bearer_credential_needs_no_header() {
        let read = |text: &str| Credential::of_bearer(text).map(|credential| format!("{credential:?}"));
        assert_eq!(read("abc").unwrap(), "Credential::Key");
        assert_eq!(read("a.b.c").unwrap(), "Credential::Token");
        assert_eq!(read("cst_a.b").unwrap(), "Credential::Client");
        assert_eq!(read("cst_a.b.c").unwrap(), "Credential::Token");
        assert_eq!(read(""), Err(Denial::MissingCredentials));
        assert_eq!(read(&"x".repeat(Credential::MAX_BYTES + 1)), Err(Denial::InvalidApiKey));
    }

    #[test]
    fn a_header_that_the_policy_does_not_accept_is_no_credential() {
        let parsed = Credential::parse([("authorization", "Bearer a")], &[CredentialHeader::XApiKey]);
        assert_eq!(parsed.err(), Some(Denial::MissingCredentials));
    }

    proptest! {
        #[test]
        fn no_header_panics(name in "authorization|x-api-key|.{0,9}", value in ".{0,80}") {
            let _ = parse(&[(&name, &value)]);
        }
    }
}
