//! Reads a type from the tree, and names the field that does not fit.

use std::{collections::BTreeSet, fmt, iter::Enumerate, rc::Rc, slice};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};

use super::{Member, Node, Tree, Value};
use crate::policy::{
    fault::{Fault, Finding},
    field::Step,
};

impl Tree {
    /// The file as `T`; the first thing that does not fit ends it.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub(in crate::policy) fn read<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Finding> {
        T::deserialize(Reader(&self.0)).map_err(|misfit| Finding {
            line: misfit.line.unwrap_or(1),
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
struct Reader<'t>(&'t Node);

impl<'t> Reader<'t> {
    fn text(self) -> Result<&'t str, Misfit> {
        match &self.0.value {
            Value::Plain(text) if !is_null(text) => Ok(text),
            Value::Quoted(text) => Ok(text),
            _ => Err(self.unlike("a text")),
        }
    }

    fn whole_number(self) -> Result<u64, Misfit> {
        let number = match &self.0.value {
            Value::Plain(text) | Value::Quoted(text) => whole(text),
            Value::List(_) | Value::Map(_) => None,
        };
        number.ok_or_else(|| self.misfit(NO_WHOLE_NUMBER))
    }

    fn unlike(self, wanted: &str) -> Misfit {
        let found = match &self.0.value {
            Value::Plain(text) if is_null(text) => Unexpected::Other("nothing"),
            Value::Plain(text) | Value::Quoted(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Other("a list"),
            Value::Map(_) => Unexpected::Other("a map"),
        };
        Misfit::invalid_type(found, &wanted).at(self.0.line)
    }

    fn misfit(self, message: &str) -> Misfit {
        Misfit::custom(message).at(self.0.line)
    }

    /// What was read, or the misfit with this line where it has none.
    fn placed<T>(self, read: Result<T, Misfit>) -> Result<T, Misfit> {
        read.map_err(|misfit| misfit.at(self.0.line))
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Misfit;

    /// For whoever takes whatever is there: the core schema of YAML 1.2 (section 10.3) says what it is.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.placed(match &self.0.value {
            Value::Plain(text) if is_null(text) => visitor.visit_unit(),
            Value::Plain(text) => match text.as_str() {
                "true" | "True" | "TRUE" => visitor.visit_bool(true),
                "false" | "False" | "FALSE" => visitor.visit_bool(false),
                text => match (whole(text), text.parse::<i64>(), real(text)) {
                    (Some(number), _, _) => visitor.visit_u64(number),
                    (None, Ok(number), _) => visitor.visit_i64(number),
                    (None, Err(_), Some(number)) => visitor.visit_f64(number),
                    (None, Err(_), None) => visitor.visit_borrowed_str(text),
                },
            },
            Value::Quoted(text) => visitor.visit_borrowed_str(text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.placed(visitor.visit_borrowed_str(self.text()?))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_u32(u32::try_from(self.whole_number()?).map_err(|_| self.misfit(NO_WHOLE_NUMBER))?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_u64(self.whole_number()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.value {
            Value::Plain(text) if is_null(text) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
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
        let Value::List(items) = &self.0.value else { return Err(self.unlike("a list")) };
        self.placed(visitor.visit_seq(Items(items.iter().enumerate())))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Value::Map(members) = &self.0.value else { return Err(self.unlike("a map")) };
        self.placed(visitor.visit_map(Members { left: members.iter(), named: None, seen: BTreeSet::new() }))
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

struct Items<'t>(Enumerate<slice::Iter<'t, Rc<Node>>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some((index, node)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(node)).map(Some).map_err(|misfit| misfit.inside(Step::Item(index)))
    }
}

struct Members<'t> {
    left: slice::Iter<'t, Member>,
    /// The one whose name was read last.
    named: Option<&'t Member>,
    seen: BTreeSet<&'t str>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Misfit;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some(member) = self.left.next() else { return Ok(None) };
        let name = member.name.as_str();
        if !self.seen.insert(name) {
            return Err(Misfit::custom(format_args!("{name:?} is there twice")).at(member.line));
        }
        self.named = Some(member);
        let read: Result<_, Misfit> = seed.deserialize(name.into_deserializer());
        read.map(Some).map_err(|misfit| misfit.at(member.line).inside(Step::Key(name.to_owned())))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let member = self.named.take().ok_or_else(|| Misfit::custom("a value before its name"))?;
        seed.deserialize(Reader(&member.value)).map_err(|misfit| misfit.inside(Step::Key(member.name.clone())))
    }
}

fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

fn whole(text: &str) -> Option<u64> {
    match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(hex), _) => u64::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) => u64::from_str_radix(octal, 8).ok(),
        (None, None) => text.parse().ok(),
    }
}

/// A number with a point or an exponent; what else Rust calls a number is a word here.
fn real(text: &str) -> Option<f64> {
    let is_written_so = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    is_written_so.then(|| text.parse().ok()).flatten()
}

const NO_WHOLE_NUMBER: &str = "is no whole number, or too large";
