//! Reads a type from the tree, and names the field that does not fit.

use std::{collections::BTreeSet, fmt, slice};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};
use serde_saphyr::Spanned;

use super::{Node, Tree};
use crate::policy::{
    fault::{Fault, Finding},
    field::Step,
};

impl Tree<'_> {
    /// The file as `T`; the first thing that does not fit ends it.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub(in crate::policy) fn read<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Finding> {
        T::deserialize(Reader { node: &self.root, text: self.text }).map_err(|misfit| Finding {
            line: misfit.line.unwrap_or_default().max(1),
            field: misfit.inside_out.into_iter().rev().collect(),
            fault: Fault::Syntax(misfit.message),
        })
    }
}

/// A value that does not fit its type.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Misfit {
    message: String,
    /// The innermost line that is known.
    line: Option<u64>,
    /// The way from the value to the whole file.
    inside_out: Vec<Step>,
}

impl Misfit {
    fn at(mut self, line: u64) -> Self {
        self.line.get_or_insert(line);
        self
    }

    fn inside(mut self, step: Step) -> Self {
        self.inside_out.push(step);
        self
    }
}

impl Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), line: None, inside_out: Vec::new() }
    }
}

/// A value about to be read.
#[derive(Clone, Copy)]
struct Reader<'t> {
    node: &'t Spanned<Node>,
    text: &'t str,
}

impl<'t> Reader<'t> {
    /// A value where a text is wanted. What YAML takes for a number is the text that stands there: `0.10` keeps its zero.
    fn text(self) -> Result<&'t str, Misfit> {
        match &self.node.value {
            Node::Text(text) => Ok(text),
            Node::Bool(_) | Node::Number(_) => self.written().ok_or_else(|| self.unlike("a text")),
            Node::Null | Node::List(_) | Node::Map(_) => Err(self.unlike("a text")),
        }
    }

    fn written(self) -> Option<&'t str> {
        let span = self.node.defined.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        self.text.get(start..start.checked_add(length)?)
    }

    fn whole_number(self) -> Result<u64, Misfit> {
        let number = match &self.node.value {
            Node::Number(number) => number.as_u64(),
            Node::Text(text) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| self.misfit("is no whole number, or too large"))
    }

    fn unlike(self, wanted: &str) -> Misfit {
        let found = match &self.node.value {
            Node::Null => Unexpected::Other("null"),
            Node::Bool(is_true) => Unexpected::Bool(*is_true),
            Node::Number(_) => Unexpected::Other("a number"),
            Node::Text(text) => Unexpected::Str(text),
            Node::List(_) => Unexpected::Seq,
            Node::Map(_) => Unexpected::Map,
        };
        Misfit::invalid_type(found, &wanted).at(self.line())
    }

    /// What was read, or the misfit with this line where it has none.
    fn placed<T>(self, read: Result<T, Misfit>) -> Result<T, Misfit> {
        read.map_err(|misfit| misfit.at(self.line()))
    }

    fn misfit(self, message: &str) -> Misfit {
        Misfit::custom(message).at(self.line())
    }

    fn line(self) -> u64 {
        self.node.referenced.line()
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.placed(match &self.node.value {
            Node::Null => visitor.visit_unit(),
            Node::Bool(is_true) => visitor.visit_bool(*is_true),
            Node::Number(number) => number.deserialize_any(visitor).map_err(Misfit::custom),
            Node::Text(text) => visitor.visit_borrowed_str(text),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Map(_) => self.deserialize_map(visitor),
        })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.placed(visitor.visit_borrowed_str(self.text()?))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let number = u32::try_from(self.whole_number()?);
        visitor.visit_u32(number.map_err(|_| self.misfit("is no whole number, or too large"))?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_u64(self.whole_number()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if matches!(self.node.value, Node::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let name: StrDeserializer<'_, Misfit> = self.text()?.into_deserializer();
        self.placed(visitor.visit_enum(name))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Node::List(items) = &self.node.value else { return Err(self.unlike("a list")) };
        self.placed(visitor.visit_seq(Items { items: items.iter().enumerate(), text: self.text }))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Node::Map(members) = &self.node.value else { return Err(self.unlike("a map")) };
        let members = Members { left: members.iter(), value: None, seen: BTreeSet::new(), text: self.text };
        self.placed(visitor.visit_map(members))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple
        tuple_struct identifier ignored_any
    }
}

struct Items<'t> {
    items: std::iter::Enumerate<slice::Iter<'t, Spanned<Node>>>,
    text: &'t str,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        let read = seed.deserialize(Reader { node, text: self.text });
        read.map(Some).map_err(|misfit| misfit.inside(Step::Item(index)))
    }
}

struct Members<'t> {
    left: slice::Iter<'t, (Spanned<String>, Spanned<Node>)>,
    /// The value of the last name that was read.
    value: Option<(&'t str, &'t Spanned<Node>)>,
    seen: BTreeSet<&'t str>,
    text: &'t str,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Misfit;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some((name, value)) = self.left.next() else { return Ok(None) };
        let line = name.referenced.line();
        let name = name.value.as_str();
        if !self.seen.insert(name) {
            return Err(Misfit::custom(format_args!("{name:?} is there twice")).at(line));
        }
        self.value = Some((name, value));
        let read: Result<_, Misfit> = seed.deserialize(name.into_deserializer());
        read.map(Some).map_err(|misfit| misfit.at(line).inside(Step::Key(name.to_owned())))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let (name, node) = self.value.take().ok_or_else(|| Misfit::custom("a value before its name"))?;
        let read = seed.deserialize(Reader { node, text: self.text });
        read.map_err(|misfit| misfit.inside(Step::Key(name.to_owned())))
    }
}
