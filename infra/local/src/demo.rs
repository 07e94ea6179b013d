//! The demo account of a fresh store, made through the gateway's own doors, and what the program says of it.

use std::{fmt, net::Ipv4Addr};

use faregate_domain::{
    id::KeyId,
    policy::{CredentialHeader, Policy, Route},
    scope::Grant,
};
use http_body_util::{BodyExt, Collected};
use hyper::{
    Method,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    call::{Call, CallOrigin},
    gateway::Gateway,
    wallet::Wallet,
};

/// An account with credit and one key; made once for each store.
pub struct Demo {
    /// The account's id.
    pub account_id: String,
    /// The key's public id.
    pub key_id: String,
    key: Zeroizing<String>,
}

impl Demo {
    /// Logs the development wallet in and makes a key, as any caller would.
    pub(crate) async fn make(
        gateway: &Gateway,
        host: &str,
        wallet: &Wallet,
        policy: &Policy,
    ) -> Result<Self, DemoError> {
        let caller = Caller { gateway, host };
        let nonce =
            caller.ask(Method::GET, &format!("/auth/nonce/{}", wallet.address()), None, None).await?["data"].take();
        let (nonce, message) = (text(&nonce, "nonce")?, text(&nonce, "message")?);
        let signature = wallet.sign(&message);
        let login = json!({"address": wallet.address().to_string(), "signature": signature, "nonce": nonce});
        let session = caller.ask(Method::POST, "/auth/verify", None, Some(&login)).await?["data"].take();
        let token = Zeroizing::new(text(&session, "access_token")?);
        let wanted = json!({"name": "demo", "scopes": scopes(policy)});
        let made = caller.ask(Method::POST, policy.management().keys(), Some(&token), Some(&wanted)).await?;
        let (id, key) = find_key(&made, policy).ok_or(DemoError::Malformed("key"))?;
        Ok(Self { account_id: text(&session, "account_id")?, key_id: id.to_string(), key: Zeroizing::new(key) })
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the program prints for a new store: the account, the key, and commands that work as they stand.
    pub(crate) fn greeting(&self, url: &str, policy: &Policy) -> String {
        let header = match policy.credential_headers().first() {
            Some(CredentialHeader::XApiKey) => format!("X-Api-Key: {}", self.key()),
            _ => format!("Authorization: Bearer {}", self.key()),
        };
        let mut lines = vec![
            format!("A demo account with ${} of credit: {}", policy.sign_up().credit, self.account_id),
            format!("Its key, shown this once:          {}", self.key()),
            String::new(),
            "Try".to_owned(),
        ];
        let commands = [
            policy.routes().iter().find(|route| is_callable(route) && route.cost.micro_usd() == 0),
            policy.routes().iter().find(|route| is_callable(route) && route.cost.micro_usd() > 0),
        ];
        for route in commands.into_iter().flatten() {
            lines.push(curl(url, route, &header));
        }
        if scopes(policy).iter().any(|scope| scope == MANAGE) {
            lines.push(format!("  curl -i {url}{}/{} -H '{header}'", policy.management().keys(), self.key_id));
        }
        lines.join("\n")
    }
}

impl fmt::Debug for Demo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Demo")
            .field("account_id", &self.account_id)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// Why there is no demo account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A function refused.
    #[error("{path} answered {status}: {detail}")]
    Refused { path: String, status: u16, detail: String },
    /// An answer without a member that it must have.
    #[error("an answer has no {0}")]
    Malformed(&'static str),
}

/// Calls the gateway without a socket.
struct Caller<'a> {
    gateway: &'a Gateway,
    host: &'a str,
}

impl Caller<'_> {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Value, DemoError> {
        let origin = CallOrigin::new(Ipv4Addr::LOCALHOST.into(), self.gateway.clock.now());
        let mut headers = HeaderMap::new();
        let mut insert = |name: HeaderName, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        };
        insert(HOST, self.host);
        insert(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            insert(AUTHORIZATION, &format!("Bearer {token}"));
        }
        let call = Call {
            method,
            path: path.to_owned(),
            query: None,
            headers,
            body: body.map_or_else(Bytes::new, |body| body.to_string().into()),
            source_ip: origin.source_ip,
            request_id: origin.request_id,
            received_at: origin.received_at,
        };
        let answer = self.gateway.answer_call(call).await;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map(Collected::to_bytes).unwrap_or_default();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        // A product may word its errors otherwise; whatever it says is told.
        let detail = body["detail"].as_str().map_or_else(|| body.to_string(), str::to_owned);
        Err(DemoError::Refused { path: path.to_owned(), status: status.as_u16(), detail })
    }
}

fn text(data: &Value, member: &'static str) -> Result<String, DemoError> {
    data.get(member).and_then(Value::as_str).map(ToOwned::to_owned).ok_or(DemoError::Malformed(member))
}

/// The key in an answer, wherever the product's dialect has it, and its public id, which is a part of it.
fn find_key(answer: &Value, policy: &Policy) -> Option<(KeyId, String)> {
    match answer {
        Value::String(text) => {
            let of = |prefix: &str| KeyId::from_suffix(text.strip_prefix(prefix)?.get(..KeyId::LENGTH)?).ok();
            let id = policy.environments().iter().find_map(|environment| of(&environment.prefix))?;
            Some((id, text.clone()))
        }
        Value::Array(items) => items.iter().find_map(|item| find_key(item, policy)),
        Value::Object(members) => members.values().find_map(|value| find_key(value, policy)),
        _ => None,
    }
}

/// What a key may do by default, and look at itself.
fn scopes(policy: &Policy) -> Vec<String> {
    let mut scopes: Vec<_> = policy.default_grants().iter().map(ToString::to_string).collect();
    if Grant::parse(MANAGE).is_ok_and(|grant| policy.is_known_grant(&grant)) {
        scopes.push(MANAGE.to_owned());
    }
    scopes
}

/// Whether a route can be called as it is written: one method, no parameters, open to a new key.
fn is_callable(route: &Route) -> bool {
    !route.template.contains('{') && !route.template.starts_with("ANY ") && route.environments.is_empty()
}

fn curl(url: &str, route: &Route, header: &str) -> String {
    match route.template.split_once(' ') {
        Some(("GET", path)) => format!("  curl -i {url}{path} -H '{header}'"),
        Some((method, path)) => {
            format!("  curl -i -X {method} {url}{path} -H '{header}' -H 'Content-Type: application/json' -d '{{}}'")
        }
        None => String::new(),
    }
}

const MANAGE: &str = "keys:manage";

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Demo {
        Demo { account_id: "acc_1".into(), key_id: "key_1".into(), key: Zeroizing::new("sk_test_secret".into()) }
    }

    #[test]
    fn the_greeting_has_three_commands_and_the_key() {
        let policy = Policy::parse(Policy::DEFAULT_TEXT).unwrap();
        let text = demo().greeting("http://127.0.0.1:8080", &policy);
        for wanted in [
            "$5",
            "acc_1",
            "curl -i http://127.0.0.1:8080/demo/free -H 'Authorization: Bearer sk_test_secret'\n",
            "curl -i -X POST http://127.0.0.1:8080/demo/paid -H",
            "curl -i http://127.0.0.1:8080/v1/api-keys/key_1 -H",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert_eq!(text.matches("curl").count(), 3);
    }

    #[test]
    fn the_key_is_not_in_the_debug_output() {
        assert!(!format!("{:?}", demo()).contains("secret"));
    }
}
