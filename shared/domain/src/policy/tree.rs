//! A policy file as a tree of values, each with its line. Whatever is said about a field later is looked up here.
//!
//! The types of the file are read from the tree (`tree/read.rs`) and not from the text: a YAML reader made out for each
//! of them would be a tenth of a function's size.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::{
    fault::{Fault, Finding},
    field::{Field, Step},
};

mod read;

/// A policy file that is YAML; whether it is a policy is another question.
pub(super) struct Tree<'t> {
    root: Spanned<Node>,
    text: &'t str,
}

impl<'t> Tree<'t> {
    /// The tree of a text.
    ///
    /// # Errors
    /// Where the text stops being YAML.
    pub(super) fn parse(text: &'t str) -> Result<Self, Finding> {
        // A name that stands twice is refused where the types are read: there its field is known.
        let options = serde_saphyr::options! { with_snippet: false, duplicate_keys: DuplicateKeyPolicy::PassThrough };
        let root = serde_saphyr::from_str_with_options(text, options).map_err(|error| Finding {
            line: error.location().map_or(1, |location| location.line()),
            field: Field::default(),
            fault: Fault::Syntax(said(&error)),
        })?;
        Ok(Self { root, text })
    }

    /// The line of a field, or of the nearest one around it that is there; from 1.
    pub(super) fn line_of(&self, field: &Field) -> u64 {
        let mut node = &self.root;
        for step in field.steps() {
            let below = match (&node.value, step) {
                (Node::Map(members), Step::Key(name)) => {
                    members.iter().find(|(own, _)| own.value == *name).map(|(_, it)| it)
                }
                (Node::List(items), Step::Item(index)) => items.get(*index),
                _ => None,
            };
            let Some(below) = below else { break };
            node = below;
        }
        node.referenced.line().max(1)
    }
}

/// A value as YAML understands it where nobody says what it should be.
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Node>>),
    /// In the order of the file; a name may be there twice.
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, is_true: bool) -> Result<Node, E> {
        Ok(Node::Bool(is_true))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Node, E> {
        Number::from_f64(number).map(Node::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Map(members))
    }
}

/// What a parser says is wrong, without the place, which is told in another form.
fn said(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let message = text.split_once(": ").filter(|(start, _)| start.starts_with("error: line "));
    let message = message.map_or(text.as_str(), |(_, message)| message);
    message.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
