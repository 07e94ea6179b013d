//! Puts a tree together from what a YAML parser finds, one thing after the other.

use std::{collections::BTreeMap, rc::Rc};

use granit_parser::{Event, ScalarStyle};

use super::{Member, Node, Value};

/// A tree as far as it has been read.
#[derive(Default)]
pub(super) struct Growth {
    root: Option<Rc<Node>>,
    /// What is open, the outermost first.
    open: Vec<Open>,
    /// Whole values by the number of their anchor.
    anchored: BTreeMap<usize, Rc<Node>>,
}

/// A list or map whose end has not come.
struct Open {
    line: u64,
    anchor: usize,
    size: usize,
    items: Vec<Rc<Node>>,
    is_map: bool,
}

impl Growth {
    /// Takes the next thing, which stands on that line.
    ///
    /// # Errors
    /// Why it has no place in a policy file.
    pub(super) fn take(&mut self, event: Event<'_>, line: u64) -> Result<(), &'static str> {
        match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => Err("a tag: a value's field alone says what it is"),
            Event::Scalar(text, ScalarStyle::Plain, anchor, None) => {
                self.put(Node { line, size: 1, value: Value::Plain(text.into_owned()) }, anchor)
            }
            Event::Scalar(text, _, anchor, None) => {
                self.put(Node { line, size: 1, value: Value::Quoted(text.into_owned()) }, anchor)
            }
            Event::SequenceStart(_, anchor, None) => self.open(line, anchor, false),
            Event::MappingStart(_, anchor, None) => self.open(line, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let node = self.anchored.get(&anchor).map(Rc::clone).ok_or("an alias inside of what it stands for")?;
                self.hang(node)
            }
            _ => Ok(()),
        }
    }

    /// The whole tree; none of a file that has no value.
    pub(super) fn grown(self) -> Option<Rc<Node>> {
        self.root
    }

    fn open(&mut self, line: u64, anchor: usize, is_map: bool) -> Result<(), &'static str> {
        if self.open.len() >= MAX_DEPTH {
            return Err("lists and maps inside one another more than 64 deep");
        }
        self.open.push(Open { line, anchor, size: 1, items: Vec::new(), is_map });
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = if open.is_map { Value::Map(members(&open.items)?) } else { Value::List(open.items) };
        self.put(Node { line: open.line, size: open.size, value }, open.anchor)
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), &'static str> {
        let node = Rc::new(node);
        if anchor != NO_ANCHOR {
            self.anchored.insert(anchor, Rc::clone(&node));
        }
        self.hang(node)
    }

    /// Hangs a whole value where the file has come to.
    fn hang(&mut self, node: Rc<Node>) -> Result<(), &'static str> {
        match self.open.last_mut() {
            Some(open) => {
                open.size = open.size.saturating_add(node.size);
                if open.size > MAX_VALUES {
                    return Err("more than 65536 values, those of aliases counted again");
                }
                open.items.push(node);
            }
            None if self.root.is_some() => return Err("a second document"),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

/// A map's names and values, which come in turn.
fn members(items: &[Rc<Node>]) -> Result<Vec<Member>, &'static str> {
    let member = |pair: &[Rc<Node>]| match pair {
        [name, value] => match &name.value {
            Value::Plain(text) | Value::Quoted(text) => {
                Ok(Member { name: text.clone(), line: name.line, value: Rc::clone(value) })
            }
            Value::List(_) | Value::Map(_) => Err("a name must be a text"),
        },
        _ => Err("a name without a value"),
    };
    items.chunks(2).map(member).collect()
}

/// What the parser says of a value without an anchor.
const NO_ANCHOR: usize = 0;
const MAX_DEPTH: usize = 64;
/// A file of the greatest length has not as many; a few aliases of aliases would.
const MAX_VALUES: usize = 65_536;
