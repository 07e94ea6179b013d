//! A report of GitHub's secret scanning, and what proves that it is GitHub's.
//!
//! ```text
//! Github-Public-Key-Identifier: bcb53661…           which of the published keys
//! Github-Public-Key-Signature: MEQCIQDaMKqr…        base64 of the DER form of ECDSA P-256 with SHA-256 over the raw body
//!
//! [{"token":"sk_prod_…","type":"faregate_api_key","url":"https://github.com/…","source":"commit"}, …]
//! ```

use base64::{Engine as _, prelude::BASE64_STANDARD};
use faregate_edge::problem::Problem;
use http::HeaderMap;
use p256::ecdsa::{DerSignature, VerifyingKey, signature::Verifier as _};
use secrecy::SecretString;
use serde::Deserialize;

/// What the headers of a report say of its signature.
pub(crate) struct Seal {
    /// The name of the key that made it.
    pub(crate) key_id: String,
    signature: DerSignature,
}

impl Seal {
    /// Reads the headers; `None` where one of them is missing, repeated or not of this form.
    pub(crate) fn find(headers: &HeaderMap) -> Option<Self> {
        let one = |name: &str| {
            let mut lines = headers.get_all(name).iter();
            let line = lines.next()?.to_str().ok()?;
            (lines.next().is_none() && line.len() <= MAX_HEADER_BYTES).then_some(line)
        };
        let key_id = one("github-public-key-identifier").filter(|id| !id.is_empty())?;
        let signature = BASE64_STANDARD.decode(one("github-public-key-signature")?).ok()?;
        Some(Self { key_id: key_id.to_owned(), signature: DerSignature::from_bytes(&signature).ok()? })
    }

    /// Whether it is of this body, under that key.
    pub(crate) fn is_of(&self, body: &[u8], key: &VerifyingKey) -> bool {
        key.verify(body, &self.signature).is_ok()
    }
}

/// What was found.
pub(crate) struct Report(pub(crate) Vec<Match>);

/// One text that looks like a key.
#[derive(Deserialize)]
pub(crate) struct Match {
    /// The text itself.
    pub(crate) token: SecretString,
    /// GitHub's name for keys of this form.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Where it stands; GitHub does not always say.
    #[serde(default)]
    pub(crate) url: Option<String>,
    /// In what it was found, `commit` or `gist_content`.
    #[serde(default)]
    pub(crate) source: Option<String>,
}

impl Report {
    /// Reads a body. Members that are new to this code are left alone, as they are GitHub's to add.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        // The reader's own words could repeat what it read.
        let invalid = |detail| Problem::new(400, "invalid_request", detail);
        let matches: Vec<Match> =
            serde_json::from_slice(body).map_err(|_| invalid("This is no report of leaked keys."))?;
        if matches.len() > MAX_MATCHES {
            return Err(invalid("A report may have at most 100 matches."));
        }
        Ok(Self(matches))
    }
}

/// An id has 64 digits, a signature some 96.
const MAX_HEADER_BYTES: usize = 256;
const MAX_MATCHES: usize = 100;

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use p256::pkcs8::DecodePublicKey as _;

    use super::*;

    /// What GitHub itself gives as an example of a signed report, and the key of that name.
    const KEY_ID: &str = "f9525bf080f75b3506ca1ead061add62b8633a346606dc5fe544e29231c6ee0d";
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsz9ugWDj5jK5ELBK42ynytbo38gP\nHzZFI03Exwz8Lh/tCfL3YxwMdLjB+bMznsanlhK0RwcGP3IDb34kQDIo3Q==\n-----END PUBLIC KEY-----\n";
    const BODY: &[u8] = br#"[{"token":"some_token","type":"some_type","url":"some_url","source":"some_source"}]"#;
    const SIGNATURE: &str =
        "MEUCIFLZzeK++IhS+y276SRk2Pe5LfDrfvTXu6iwKKcFGCrvAiEAhHN2kDOhy2I6eGkOFmxNkOJ+L2y8oQ9A2T9GGJo6WJY=";

    fn headers(key_id: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [("github-public-key-identifier", key_id), ("github-public-key-signature", signature)] {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn githubs_own_example_is_signed_and_no_other_body_is() {
        let seal = Seal::find(&headers(KEY_ID, SIGNATURE)).unwrap();
        let key = VerifyingKey::from_public_key_pem(KEY).unwrap();
        assert_eq!(seal.key_id, KEY_ID);
        assert!(seal.is_of(BODY, &key));
        for at in 0..BODY.len() {
            let mut other = BODY.to_vec();
            other[at] ^= 1;
            assert!(!seal.is_of(&other, &key), "{at}");
        }
        assert!(!seal.is_of(&[BODY, b"\n"].concat(), &key));
    }

    #[test]
    fn headers_of_another_form_are_no_seal() {
        for (key_id, signature) in [
            ("", SIGNATURE),
            (KEY_ID, ""),
            (KEY_ID, "MEU"),
            (KEY_ID, "AAAA"),
            (KEY_ID, &SIGNATURE.repeat(3)),
            (&KEY_ID.repeat(5), SIGNATURE),
        ] {
            assert!(Seal::find(&headers(key_id, signature)).is_none(), "{key_id} {signature}");
        }
        let mut twice = headers(KEY_ID, SIGNATURE);
        twice.append("github-public-key-signature", HeaderValue::from_static(SIGNATURE));
        assert!(Seal::find(&twice).is_none());
        assert!(Seal::find(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_report_is_a_bounded_array() {
        let one = r#"{"token":"t","type":"y","url":"","new":1}"#;
        let many = |count: usize| format!("[{}]", vec![one; count].join(","));
        assert_eq!(Report::parse(many(100).as_bytes()).unwrap().0.len(), 100);
        assert!(Report::parse(b"[]").unwrap().0.is_empty());
        for text in [&many(101), "{}", "", "[1]", r#"[{"type":"y"}]"#, r#"[{"token":1,"type":"y"}]"#, "[[]]"] {
            assert_eq!(Report::parse(text.as_bytes()).err().unwrap().status, 400, "{text}");
        }
    }
}
