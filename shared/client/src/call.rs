//! What a backend asks about.

use std::{fmt, net::IpAddr};

use faregate_domain::{idempotency::IdempotencyKey, money::MicroUsd};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// One call of somebody to the backend; it prints without the credential.
#[derive(Clone)]
pub struct Call {
    credential: SecretString,
    query: Option<SecretString>,
    members: Map<String, Value>,
    idempotency_key: Option<HeaderValue>,
}

impl Call {
    /// A call with this credential, a key or an access token, to a route of the policy: the method in upper case and the
    /// path without its query. A caller without any credential has an empty one.
    #[must_use]
    pub fn new(credential: &str, method: &str, path: &str) -> Self {
        let members = [("method", method), ("path", path)].map(|(name, text)| (name.to_owned(), text.into()));
        Self { credential: credential.into(), query: None, members: Map::from_iter(members), idempotency_key: None }
    }

    /// The same call with its query, as it is written and without the question mark. The gate reads a signature in it, by
    /// which a caller without a credential may come.
    #[must_use]
    pub fn with_query(self, query: &str) -> Self {
        Self { query: Some(query.into()), ..self }
    }

    /// The same call from a browser: the value of its `Origin`, or else of its `Referer` up to the path. Keys may be
    /// bound to origins, and a call that names none is refused where they are.
    #[must_use]
    pub fn with_origin(self, origin: &str) -> Self {
        self.with("origin", origin)
    }

    /// The same call from this address.
    #[must_use]
    pub fn with_ip(self, ip: IpAddr) -> Self {
        self.with("ip", ip.to_string())
    }

    /// The same call at this price, on routes whose price the policy leaves open: fixed where nothing is to settle, and
    /// reserved where the route is settled.
    #[must_use]
    pub fn with_cost(self, cost: MicroUsd) -> Self {
        self.with("cost_usd", cost.to_string())
    }

    /// The same call under an `Idempotency-Key` of the backend's own, which outlives this process: whoever asks again
    /// with an equal call under it within ten minutes gets the first verdict. Without one, each
    /// [`Client::verify`](crate::Client::verify) makes its own.
    ///
    /// # Errors
    /// [`InvalidIdempotencyKey`] unless it has 1 to 255 visible ASCII characters.
    pub fn with_idempotency_key(mut self, key: &str) -> Result<Self, InvalidIdempotencyKey> {
        IdempotencyKey::parse(key.as_bytes()).map_err(|_| InvalidIdempotencyKey)?;
        self.idempotency_key = Some(HeaderValue::from_str(key).map_err(|_| InvalidIdempotencyKey)?);
        Ok(self)
    }

    pub(crate) fn idempotency_key(&self) -> Option<HeaderValue> {
        self.idempotency_key.clone()
    }

    /// The body that asks about it.
    pub(crate) fn body(&self) -> Value {
        let mut body = self.members.clone();
        body.insert("key".to_owned(), self.credential.expose_secret().into());
        body.extend(self.query.as_ref().map(|query| ("query".to_owned(), query.expose_secret().into())));
        Value::Object(body)
    }

    fn with(mut self, member: &str, text: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), text.into());
        self
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Call").field("members", &self.members).finish_non_exhaustive()
    }
}

/// A text that no `Idempotency-Key` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to 255 visible ascii characters")]
pub struct InvalidIdempotencyKey;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_says_what_it_knows_and_prints_no_credential() {
        let call = Call::new("sk_test_secret", "POST", "/videos");
        assert_eq!(call.body(), json!({"key": "sk_test_secret", "method": "POST", "path": "/videos"}));
        let cost = MicroUsd::new(1).unwrap();
        let call = call.with_origin("https://a.com").with_ip("203.0.113.7".parse().unwrap()).with_cost(cost);
        let body = call.body();
        assert_eq!(
            (&body["origin"], &body["ip"], &body["cost_usd"]),
            (&json!("https://a.com"), &json!("203.0.113.7"), &json!("0.000001"))
        );
        let call = call.with_query("faregate-signature=secret");
        assert_eq!(call.body()["query"], "faregate-signature=secret");
        let shown = format!("{call:?}");
        assert!(shown.contains("/videos") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn an_idempotency_key_is_one_that_the_gate_takes() {
        let call = || Call::new("k", "GET", "/");
        assert!(call().with_idempotency_key("order-7").unwrap().idempotency_key().is_some());
        for key in ["", "a b", "é", &"a".repeat(256)] {
            assert_eq!(call().with_idempotency_key(key).err(), Some(InvalidIdempotencyKey), "{key}");
        }
    }
}
