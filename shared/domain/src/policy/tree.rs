//! A policy file as a tree of values, each with its line. Whatever is said about a field later is looked up here.
//!
//! The types of the file are read from the tree (`tree/read.rs`) and not from the text: a YAML reader made out for each
//! of them was a fifth of a function's size. What stands in the file without quotes stays text until a type asks for
//! something else, so that a price of `0.10` keeps its zero.

use std::rc::Rc;

use granit_parser::Parser;

use super::{
    fault::{Fault, Finding},
    field::{Field, Step},
};

use grow::Growth;

mod grow;
mod read;

/// A policy file that is YAML; whether it is a policy is another question.
pub(super) struct Tree(Rc<Node>);

impl Tree {
    /// The tree of a text: one document of YAML 1.2, with anchors and without tags.
    ///
    /// # Errors
    /// Where the text stops being that.
    pub(super) fn parse(text: &str) -> Result<Self, Finding> {
        let mut growth = Growth::default();
        for event in Parser::new_from_str(text) {
            let (event, span) =
                event.map_err(|error| unreadable(line(error.marker().line()), &error.kind().to_string()))?;
            let line = line(span.start.line());
            growth.take(event, line).map_err(|message| unreadable(line, message))?;
        }
        let nothing = || Rc::new(Node { line: 1, size: 1, value: Value::Plain(String::new()) });
        Ok(Self(growth.grown().unwrap_or_else(nothing)))
    }

    /// The line of a field, or of the nearest one around it that is there; from 1.
    pub(super) fn line_of(&self, field: &Field) -> u64 {
        let mut node = &self.0;
        for step in field.steps() {
            let below = match (&node.value, step) {
                (Value::Map(members), Step::Key(name)) => {
                    members.iter().find(|member| member.name == *name).map(|member| &member.value)
                }
                (Value::List(items), Step::Item(index)) => items.get(*index),
                _ => None,
            };
            let Some(below) = below else { break };
            node = below;
        }
        node.line
    }
}

/// A value and where it stands. Whatever an alias repeats is there once.
struct Node {
    line: u64,
    /// How many values it is, with all those inside it.
    size: usize,
    value: Value,
}

enum Value {
    /// Without quotes: a text, a number, true, false or nothing, as whoever reads it wants.
    Plain(String),
    /// In quotes or as a block: a text.
    Quoted(String),
    List(Vec<Rc<Node>>),
    /// In the order of the file; a name may be there twice.
    Map(Vec<Member>),
}

struct Member {
    name: String,
    /// The name's line.
    line: u64,
    value: Rc<Node>,
}

fn line(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX).max(1)
}

fn unreadable(line: u64, message: &str) -> Finding {
    Finding { line, field: Field::default(), fault: Fault::Syntax(message.to_owned()) }
}

#[cfg(test)]
mod tests;
