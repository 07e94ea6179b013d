//! What is asked of a program, in words that hold for every version: names stand for the keys and ids of a story.

use std::collections::BTreeMap;

use faregate_tests::{Answer, Caller, ask_over_http};
use serde_json::{Value, json};

use crate::door::{Door, wallet};

/// A request of a story, or a question about what it left.
#[derive(Clone, Copy)]
pub(crate) struct Ask {
    /// A name of the story: a key's, or the session of `owner` or `operator`; `-` is nobody.
    pub(crate) who: &'static str,
    /// Method and path.
    pub(crate) what: &'static str,
    /// The JSON body, or nothing.
    pub(crate) body: &'static str,
    /// A header, `name: value`, or nothing.
    pub(crate) header: &'static str,
}

/// A request without a header.
pub(crate) const fn ask(who: &'static str, what: &'static str, body: &'static str) -> Ask {
    Ask { who, what, body, header: "" }
}

impl Ask {
    /// The same with a header.
    pub(crate) const fn with(self, header: &'static str) -> Self {
        Self { header, ..self }
    }

    /// The request's words.
    pub(crate) fn words(&self) -> String {
        [self.who, self.what, self.body, self.header]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" · ")
    }

    /// Whether everything that it names is known.
    pub(crate) fn is_told(&self, names: &BTreeMap<String, String>) -> bool {
        let left = [self.what, self.body].map(|text| filled(text, names));
        (self.who == "-" || names.contains_key(self.who)) && left.iter().all(|text| !has_name(text))
    }
}

/// Whoever asks a program, and what they have learnt to name.
pub(crate) struct Asker<'d> {
    pub(crate) door: &'d Door,
    pub(crate) names: BTreeMap<String, String>,
}

impl Asker<'_> {
    /// Signs a wallet in; its name is its session's from then on.
    pub(crate) async fn sign_in(&mut self, name: &str) {
        self.ask_for_nonce(name, name).await;
        let proof = json!({
            "address": self.names[&format!("{name}_address")], "nonce": self.names[&format!("{name}_nonce")],
            "signature": self.names[&format!("{name}_signature")],
        });
        let answer = ask_over_http(&self.door.url, "POST", "/auth/verify", &Caller::Anonymous, Some(&proof)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.keep(name, answer.data("access_token"));
        self.keep(&format!("{name}_account"), answer.data("account_id"));
    }

    /// Has a nonce handed out and its message signed, and keeps both.
    pub(crate) async fn ask_for_nonce(&mut self, who: &str, name: &str) {
        let wallet = wallet(who);
        let address = wallet.address().to_string();
        let path = format!("/auth/nonce/{address}");
        let answer = ask_over_http(&self.door.url, "GET", &path, &Caller::Anonymous, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.keep(&format!("{who}_address"), &address);
        self.keep(&format!("{name}_nonce"), answer.data("nonce"));
        self.keep(&format!("{name}_signature"), &wallet.sign(answer.data("message")));
    }

    pub(crate) fn keep(&mut self, name: &str, value: &str) {
        self.names.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) async fn send(&self, ask: &Ask) -> Answer {
        let (method, path) = ask.what.split_once(' ').unwrap();
        let mut headers = match ask.who {
            "-" => Vec::new(),
            who => Caller::Bearer(self.names[who].clone()).headers(),
        };
        if !ask.body.is_empty() {
            headers.push(("content-type".into(), "application/json".into()));
        }
        headers.extend(ask.header.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())));
        self.door.ask(method, &filled(path, &self.names), &headers, &filled(ask.body, &self.names)).await
    }
}

/// A text with the story's names in place: `{plain_id}` is what the story calls so.
fn filled(text: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Whether a name is left: a brace that no quotation mark follows.
fn has_name(text: &str) -> bool {
    text.match_indices('{').any(|(at, _)| text[at + 1..].starts_with(|next: char| next.is_ascii_lowercase()))
}

/// A member of an answer, where it has one.
pub(crate) fn member(answer: &Answer, pointer: &str) -> Option<Value> {
    answer.body.pointer(pointer).filter(|value| !value.is_null()).cloned()
}
