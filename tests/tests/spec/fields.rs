//! The header fields of answers as their standards have them, read by parsers from elsewhere: `RateLimit` (RFC 9651 and the
//! IETF draft on it), `WWW-Authenticate` (RFC 9110 and RFC 6750), and where a problem's `type` leads (RFC 9457).

use std::{collections::BTreeMap, sync::Arc};

use faregate::{Options, Running, Wallet, start_at};
use faregate_domain::time::Timestamp;
use faregate_edge::{api::Api, now::Clock};
use faregate_tests::{Answer, Caller, ask_over_http};
use serde_json::{Value, json};
use sfv::{BareItem, Item, List, ListEntry, Parser};

/// A running program, and somebody who signed in there.
struct World {
    running: Running,
    clock: Clock,
    session: Caller,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Arc::new(Wallet::open(&folder.path().join("wallet.hex")).unwrap());
        let clock = Clock::standing_at(Timestamp::from_epoch_s(1_792_540_817));
        let running = start_at(Options::throw_away(), clock.clone()).await.unwrap();
        let (url, address) = (running.url.clone(), wallet.address().to_string());
        let nonce = ask_over_http(&url, "GET", &format!("/auth/nonce/{address}"), &Caller::Anonymous, None).await;
        let signature = wallet.sign(nonce.data("message"));
        let proof = json!({"address": address, "signature": signature, "nonce": nonce.data("nonce")});
        let answer = ask_over_http(&url, "POST", "/auth/verify", &Caller::Anonymous, Some(&proof)).await;
        Self { running, clock, session: Caller::Bearer(answer.data("access_token").to_owned()) }
    }

    async fn ask(&self, caller: &Caller, method: &str, path: &str, body: Option<&Value>) -> Answer {
        ask_over_http(&self.running.url, method, path, caller, body).await
    }

    async fn key(&self, body: Value) -> Caller {
        let answer = self.ask(&self.session, "POST", "/v1/api-keys", Some(&body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        Caller::Key(answer.data("key").to_owned())
    }

    /// An answer of each kind, by the code that it is known by.
    async fn answers(&self) -> BTreeMap<String, Answer> {
        let plain = self.key(json!({"name": "plain"})).await;
        let daily = self.key(json!({"name": "daily", "limits": {"per_day": 1}})).await;
        let minute = self.key(json!({"name": "minute", "limits": {"per_minute": 2, "burst": 1}})).await;
        let lanes = self.key(json!({"name": "lanes", "limits": {"concurrent": 1}})).await;
        let poor = self.key(json!({"name": "poor", "budget_usd": 0})).await;
        let reader = self.key(json!({"name": "reader", "scopes": "read-only"})).await;
        let listed = self.key(json!({"name": "listed", "allowlist": ["app.example.com"]})).await;
        let limits = json!({"name": "slow", "limits": {"per_second": 1}});
        let slow = self.ask(&self.session, "POST", "/v1/projects", Some(&limits)).await;
        let slow = self.key(json!({"name": "slow", "project_id": slow.data("id")})).await;
        let (junk, token) = (Caller::Key("junk".into()), Caller::Bearer("a.b.c".into()));
        let mut answers = BTreeMap::new();
        for (caller, method, path, times) in [
            (&plain, "GET", "/demo/free", 1),
            (&plain, "GET", "/demo/limited", 8),
            (&daily, "GET", "/demo/free", 2),
            (&minute, "GET", "/demo/free", 4),
            (&lanes, "POST", "/demo/metered", 2),
            (&slow, "GET", "/demo/free", 2),
            (&poor, "POST", "/demo/paid", 1),
            (&reader, "POST", "/demo/paid", 1),
            (&reader, "GET", "/v1/api-keys", 1),
            (&listed, "GET", "/demo/free", 1),
            (&self.session, "GET", "/demo/free", 1),
            (&Caller::Anonymous, "GET", "/demo/free", 1),
            (&Caller::Anonymous, "GET", "/v1/me", 1),
            (&junk, "GET", "/demo/free", 1),
            (&junk, "GET", "/v1/me", 1),
            (&token, "GET", "/demo/free", 1),
            (&token, "GET", "/v1/me", 1),
            (&plain, "GET", "/nowhere", 1),
            (&Caller::Anonymous, "GET", "/demo/media/a?faregate-signature=0", 1),
            (&plain, "GET", "/demo/media/a?faregate-signature=0", 1),
            (&plain, "PATCH", "/v1/accounts/acc_0000000000000000000000", 1),
        ] {
            for _ in 0..times {
                let answer = self.ask(caller, method, path, None).await;
                let code = if answer.status < 300 { "ok" } else { answer.code() };
                let name = format!("{code} {method} {path} {}", answers.len());
                assert!(answer.status < 500, "{name}: {}", answer.text);
                answers.insert(name, answer);
            }
        }
        let sign_in =
            json!({"address": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "signature": "0x00", "nonce": "0"});
        answers.insert("sign-in".into(), self.ask(&Caller::Anonymous, "POST", "/auth/verify", Some(&sign_in)).await);
        let many = json!({"name": "a", "scopes": ["*"]});
        let manager = self.key(json!({"name": "manager", "scopes": ["keys:manage"]})).await;
        answers.insert("overreach".into(), self.ask(&manager, "POST", "/v1/api-keys", Some(&many)).await);
        answers
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate_limit_fields_are_structured_and_agree_with_the_answer() {
    let world = World::start().await;
    let answers = world.answers().await;
    let mut limits = Vec::new();
    for (name, answer) in &answers {
        let field = |name: &str| answer.headers.get(name).map(String::as_str);
        let Some(policy) = field("ratelimit-policy") else {
            assert!(field("ratelimit").is_none() && field("x-ratelimit-limit").is_none(), "{name}");
            continue;
        };
        let (policy, state) = (list(policy), list(field("ratelimit").unwrap()));
        assert!(!policy.is_empty() && policy.len() == state.len(), "{name}");
        let mut tightest = None;
        for (quota, level) in policy.iter().zip(&state) {
            assert_eq!(label(quota), label(level), "{name}: a level without its quota");
            let (limit, window) = (number(quota, "q").unwrap(), number(quota, "w").unwrap());
            let (left, resets) = (number(level, "r").unwrap(), number(level, "t").unwrap());
            assert!(
                limit > 0 && window > 0 && left >= 0 && (0..=window).contains(&resets),
                "{name}: {quota:?} {level:?}"
            );
            let burst = if label(quota) == "route" { 2 } else { 1 };
            assert!(left <= limit + burst, "{name}: {quota:?} {level:?}");
            let is_tighter = tightest.is_none_or(|(_, least)| left < least);
            tightest = if is_tighter { Some((limit, left)) } else { tightest };
            limits.push(label(quota));
        }
        let told: (i64, i64) = (
            field("x-ratelimit-limit").unwrap().parse().unwrap(),
            field("x-ratelimit-remaining").unwrap().parse().unwrap(),
        );
        assert_eq!(Some(told.1), tightest.map(|(_, left)| left), "{name}: the tightest is told in the older fields");
        if answer.status == 429 {
            let retry: i64 = field("retry-after").unwrap().parse().unwrap();
            assert!(retry > 0, "{name}");
            let is_empty = state.iter().any(|level| number(level, "r") == Some(0) && number(level, "t") == Some(retry));
            // Places of running calls and the project's rate are no window of the key's.
            let has_window = !["rate_limited_concurrent", "rate_limited_project"].contains(&answer.code());
            assert!(is_empty || !has_window, "{name}: nothing is left of what is to be waited for");
        }
    }
    limits.sort_unstable();
    limits.dedup();
    assert!(
        ["day", "minute"].iter().all(|label| limits.iter().any(|own| own == label)) && limits.len() >= 3,
        "{limits:?}"
    );
    for code in ["ok", "rate_limited ", "rate_limited_daily", "rate_limited_concurrent", "rate_limited_project"] {
        let counted = answers.iter().find(|(name, _)| name.starts_with(code)).unwrap_or_else(|| panic!("{code}"));
        assert!(counted.1.headers.contains_key("ratelimit"), "{code}");
    }
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn challenges_are_those_of_rfc_6750() {
    let world = World::start().await;
    let (mut bare, mut told) = (0, Vec::new());
    for (name, answer) in &world.answers().await {
        let Some(field) = answer.headers.get("www-authenticate") else {
            assert_ne!(answer.status, 401, "{name}: every 401 has a challenge (RFC 9110, section 11.6.1)");
            assert_ne!(answer.code(), "insufficient_scope", "{name}");
            continue;
        };
        assert!([401, 403].contains(&answer.status), "{name}");
        let challenge = challenge(field).unwrap_or_else(|| panic!("{name}: {field}"));
        assert_eq!(challenge.get("realm").map(String::as_str), Some("faregate"), "{name}");
        let error = challenge.get("error").map(String::as_str);
        let wanted = match (answer.status, answer.code()) {
            // No bearer credential was presented, so nothing is said to be wrong with it (section 3.1).
            (401, "missing_credentials" | "invalid_signature") => None,
            (401, _) => Some("invalid_token"),
            _ => Some("insufficient_scope"),
        };
        assert_eq!(error, wanted, "{name}: {field}");
        bare += u32::from(error.is_none());
        let scope = challenge.get("scope").map(String::as_str);
        assert_eq!(scope, answer.body["required_scope"].as_str(), "{name}");
        assert_eq!(scope.is_some(), answer.status == 403, "{name}");
        let is_scope = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(scope.is_none_or(|scope| scope.bytes().all(is_scope)), "{name}: {field}");
        assert!(challenge.keys().all(|key| ["realm", "error", "scope"].contains(&key.as_str())), "{name}: {field}");
        told.push(answer.code().to_owned());
    }
    told.sort_unstable();
    told.dedup();
    assert!(bare >= 2, "a challenge without an error");
    let all = ["insufficient_scope", "invalid_api_key", "invalid_signature", "invalid_token", "missing_credentials"];
    assert!(all.iter().all(|code| told.iter().any(|own| own == code)), "{told:?}");
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_problems_type_leads_to_its_page() {
    let world = World::start().await;
    world.clock.advance_ms(1);
    let mut seen = Vec::new();
    for (name, answer) in &world.answers().await {
        if answer.status < 400 {
            continue;
        }
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{name}");
        let page = world.ask(&Caller::Anonymous, "GET", answer.body["type"].as_str().unwrap(), None).await;
        assert_eq!(page.status, 200, "{name}: {}", answer.body["type"]);
        assert!(page.text.starts_with(&format!("# `{}`\n", answer.code())), "{name}");
        assert!(page.text.contains(&format!("**Status {}", answer.status)), "{name}");
        assert_eq!(answer.body["status"], json!(answer.status), "{name}");
        seen.push(answer.code().to_owned());
    }
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() >= 12, "{seen:?}");
    // And so does every type that the description knows of.
    let document = Value::Object(Api::shipped().unwrap().document().clone()).to_string();
    let codes = faregate_domain::policy::dialect::CODES;
    for code in codes.iter().filter(|code| document.contains(&format!("\"{code}\""))) {
        let page = world.ask(&Caller::Anonymous, "GET", &format!("/problems/{code}"), None).await;
        assert_eq!(page.status, 200, "{code}");
    }
    world.running.stop().await;
}

/// A list of items and nothing else (RFC 9651, section 3.1).
fn list(field: &str) -> Vec<Item> {
    let list: List = Parser::new(field).parse().unwrap_or_else(|error| panic!("{field}: {error}"));
    let item = |entry| match entry {
        ListEntry::Item(item) => item,
        ListEntry::InnerList(_) => panic!("an inner list in {field}"),
    };
    list.into_iter().map(item).collect()
}

fn label(item: &Item) -> String {
    let BareItem::String(text) = &item.bare_item else { panic!("{item:?} is no string") };
    text.as_str().to_owned()
}

fn number(item: &Item, parameter: &str) -> Option<i64> {
    let known = |(name, _): (&sfv::Key, &BareItem)| ["q", "w", "r", "t", "pk", "qu"].contains(&name.as_str());
    assert!(item.params.iter().all(known), "{item:?}");
    let (_, value) = item.params.iter().find(|(name, _)| name.as_str() == parameter)?;
    let BareItem::Integer(number) = value else { panic!("{item:?}") };
    Some(i64::from(*number))
}

/// The parameters of one `Bearer` challenge (RFC 9110, section 11.6.1), each a token and a quoted string, none twice.
fn challenge(field: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    let mut rest = field.strip_prefix("Bearer ")?;
    loop {
        let (name, value) = rest.split_once("=\"")?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            return None;
        }
        let (value, after) = value.split_once('"')?;
        let is_plain = value.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'\\');
        if !is_plain || parameters.insert(name.to_owned(), value.to_owned()).is_some() {
            return None;
        }
        match after {
            "" => return Some(parameters),
            _ => rest = after.strip_prefix(", ")?,
        }
    }
}
