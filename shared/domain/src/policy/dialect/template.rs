//! Templates: JSON in which texts stand for the members of an answer.
//!
//! ```text
//! "{status}"            the member's own JSON value: 404
//! "{scopes,}"           a list, joined by commas, as one text: "a,b"
//! "no. {status}: {{"    members put into a text, and a brace: "no. 404: {"
//! "...": "{...}"        in an object: all members that are not the standard ones
//! ```

use super::{super::fault::Fault, Json};

/// A checked template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Node);

impl Template {
    /// Reads a template that may name `known` members, and spread the others where `may_spread`.
    ///
    /// `fault` is told where in the template something is wrong, from the outside in, and what.
    pub(in crate::policy) fn read(json: Json, known: &Known, fault: &mut dyn FnMut(&[Step], Fault)) -> Option<Self> {
        Reader { known, fault, path: Vec::new() }.node(json).map(Self)
    }

    /// Whether every rendering is an object.
    pub(in crate::policy) fn is_object(&self) -> bool {
        matches!(self.0, Node::Object(_))
    }

    /// The template with what `find` tells in place of its placeholders, and `others` in place of its spread.
    #[must_use]
    pub fn render(&self, find: &dyn Fn(&str) -> Json, others: &[(String, Json)]) -> Json {
        self.0.render(find, others)
    }
}

/// What a template may name.
pub(in crate::policy) struct Known {
    /// The members.
    pub(in crate::policy) members: &'static [&'static str],
    /// Whether there are others, which may be spread.
    pub(in crate::policy) may_spread: bool,
}

/// One step into a template.
#[derive(Clone, Debug)]
pub(in crate::policy) enum Step {
    /// Into a member of an object.
    Key(String),
    /// Into an element of a list.
    Item(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Literal(Json),
    Member(String),
    Text(Vec<Part>),
    List(Vec<Node>),
    Object(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Named(String, Node),
    Spread,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Member(String),
}

impl Node {
    fn render(&self, find: &dyn Fn(&str) -> Json, others: &[(String, Json)]) -> Json {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Member(name) => find(name),
            Self::Text(parts) => {
                let text = |part: &Part| match part {
                    Part::Text(text) => text.clone(),
                    Part::Member(name) => plain(&find(name)),
                };
                Json::Text(parts.iter().map(text).collect())
            }
            Self::List(items) => Json::List(items.iter().map(|item| item.render(find, others)).collect()),
            Self::Object(entries) => {
                let is_named = |name: &str| entries.iter().any(|it| matches!(it, Entry::Named(own, _) if own == name));
                let mut members = Vec::new();
                for entry in entries {
                    match entry {
                        Entry::Named(name, node) => members.push((name.clone(), node.render(find, others))),
                        Entry::Spread => members.extend(others.iter().filter(|(name, _)| !is_named(name)).cloned()),
                    }
                }
                Json::Object(members)
            }
        }
    }
}

/// A value as it stands inside a text.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Text(text) => text.clone(),
        Json::List(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

struct Reader<'r> {
    known: &'r Known,
    fault: &'r mut dyn FnMut(&[Step], Fault),
    path: Vec<Step>,
}

impl Reader<'_> {
    fn node(&mut self, json: Json) -> Option<Node> {
        match json {
            Json::Text(text) => self.text(&text),
            Json::List(items) => {
                let items = items.into_iter().enumerate().map(|(at, item)| self.below(Step::Item(at), item));
                // Every fault is told, so the list is read to its end.
                let items: Vec<_> = items.collect();
                items.into_iter().collect::<Option<_>>().map(Node::List)
            }
            Json::Object(members) => {
                let entries: Vec<_> = members.into_iter().map(|(name, value)| self.entry(name, value)).collect();
                entries.into_iter().collect::<Option<_>>().map(Node::Object)
            }
            literal => Some(Node::Literal(literal)),
        }
    }

    fn below(&mut self, step: Step, json: Json) -> Option<Node> {
        self.path.push(step);
        let node = self.node(json);
        self.path.pop();
        node
    }

    fn entry(&mut self, name: String, value: Json) -> Option<Entry> {
        if name != SPREAD_NAME {
            let node = self.below(Step::Key(name.clone()), value)?;
            return Some(Entry::Named(name, node));
        }
        if self.known.may_spread && value == Json::from(SPREAD) {
            return Some(Entry::Spread);
        }
        self.path.push(Step::Key(name));
        (self.fault)(&self.path, Fault::Spread);
        self.path.pop();
        None
    }

    fn text(&mut self, text: &str) -> Option<Node> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            push_text(&mut parts, before);
            if let Some(after) = after.strip_prefix('{') {
                push_text(&mut parts, "{");
                rest = after;
                continue;
            }
            let Some((name, after)) = after.split_once('}') else {
                (self.fault)(&self.path, Fault::OpenBrace(text.to_owned()));
                return None;
            };
            let (member, is_joined) = name.strip_suffix(',').map_or((name, false), |member| (member, true));
            if !self.known.members.contains(&member) {
                (self.fault)(&self.path, Fault::UnknownPlaceholder(name.to_owned(), self.known.members.join(", ")));
                return None;
            }
            let is_whole = before.is_empty() && parts.is_empty() && after.is_empty();
            if is_whole && !is_joined {
                return Some(Node::Member(member.to_owned()));
            }
            parts.push(Part::Member(member.to_owned()));
            rest = after;
        }
        push_text(&mut parts, rest);
        Some(match parts.as_slice() {
            [] => Node::Literal("".into()),
            [Part::Text(text)] => Node::Literal(text.as_str().into()),
            _ => Node::Text(parts),
        })
    }
}

fn push_text(parts: &mut Vec<Part>, more: &str) {
    match parts.last_mut() {
        Some(Part::Text(text)) => text.push_str(more),
        _ if more.is_empty() => {}
        _ => parts.push(Part::Text(more.to_owned())),
    }
}

const SPREAD_NAME: &str = "...";
const SPREAD: &str = "{...}";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KNOWN: Known = Known { members: &["status", "code", "list", "nothing"], may_spread: true };

    fn read(json: serde_json::Value) -> Result<Template, String> {
        let mut faults = Vec::new();
        let read = Template::read(json.into(), &KNOWN, &mut |path, fault| faults.push(format!("{path:?} {fault}")));
        read.ok_or_else(|| faults.join("\n"))
    }

    fn rendered(json: serde_json::Value) -> String {
        let find = |name: &str| match name {
            "status" => json!(404).into(),
            "code" => "a\"b".into(),
            "list" => json!(["x", "y"]).into(),
            _ => Json::Null,
        };
        let others = [("limit".to_owned(), json!(5).into()), ("code".to_owned(), json!("other").into())];
        read(json).unwrap().render(&find, &others).to_string()
    }

    #[test]
    fn a_placeholder_alone_is_the_members_value() {
        assert_eq!(rendered(json!("{status}")), "404");
        assert_eq!(rendered(json!("{list}")), r#"["x","y"]"#);
        assert_eq!(rendered(json!("{nothing}")), "null");
        assert_eq!(rendered(json!("{list,}")), r#""x,y""#);
        assert_eq!(rendered(json!("{nothing,}")), r#""""#);
    }

    #[test]
    fn a_placeholder_in_a_text_is_put_in_and_escaped() {
        assert_eq!(rendered(json!("no. {status}: {code}{nothing}")), r#""no. 404: a\"b""#);
        assert_eq!(rendered(json!("{{status} is {status}")), r#""{status} is 404""#);
        assert_eq!(rendered(json!("}{{")), r#""}{""#);
        assert_eq!(rendered(json!(" {status}")), r#"" 404""#);
    }

    #[test]
    fn what_is_no_text_stays_as_it_is() {
        assert_eq!(rendered(json!([true, null, 1, 1.5, "a", ""])), r#"[true,null,1,1.5,"a",""]"#);
    }

    #[test]
    fn a_spread_gives_way_to_what_is_named() {
        assert_eq!(rendered(json!({"...": "{...}", "code": "mine"})), r#"{"limit":5,"code":"mine"}"#);
        assert_eq!(rendered(json!({"in": {"...": "{...}"}})), r#"{"in":{"limit":5,"code":"other"}}"#);
    }

    #[test]
    fn whatever_is_wrong_is_told_with_its_place() {
        for (template, words) in [
            (json!({"a": ["{oops}"]}), &["Key(\"a\"), Item(0)", "{oops}", "status, code"][..]),
            (json!("{status"), &["[]", "{{"]),
            (json!({"...": "all"}), &["Key(\"...\")", "spread"]),
            (json!({"...": {"a": 1}}), &["spread"]),
            (json!("{...}"), &["{...}"]),
            (json!("{}"), &["{}"]),
            (json!({"a": "{x}", "b": "{y}"}), &["{x}", "{y}"]),
        ] {
            let told = read(template.clone()).unwrap_err();
            assert!(words.iter().all(|word| told.contains(word)), "{template}: {told}");
        }
    }
}
