//! Schemas in words: one line for each field.

use std::{collections::BTreeSet, fmt::Write};

use faregate_edge::api::Api;
use serde_json::Value;

use super::{cell, slug, text};

/// The named shapes that a page refers to.
#[derive(Debug, Default)]
pub(super) struct Shapes(BTreeSet<String>);

impl Shapes {
    /// Each with its schema; those that they refer to in turn are among them.
    pub(super) fn resolved<'a>(&self, api: &'a Api) -> Vec<(String, &'a Value)> {
        let schema = |name: &String| &api.document()["components"]["schemas"][name];
        let mut names = self.0.clone();
        loop {
            let mut found = Self(names.clone());
            for name in &names {
                table(&mut String::new(), api, schema(name), &mut found);
            }
            if found.0 == names {
                return names.iter().map(|name| (name.clone(), schema(name))).collect();
            }
            names = found.0;
        }
    }
}

/// A table of an object's fields, or of the objects' that it may be.
pub(super) fn table(out: &mut String, api: &Api, schema: &Value, shapes: &mut Shapes) {
    let schema = api.resolve(schema);
    let variants = schema.get("oneOf").and_then(Value::as_array).filter(|_| schema.get("properties").is_none());
    for (at, variant) in variants.map_or(vec![schema], |variants| variants.iter().collect()).into_iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "\nor\n\n" });
        out.push_str("| field | | |\n|---|---|---|\n");
        rows(out, api, variant, "", shapes);
    }
}

/// What a value may be, in words.
pub(super) fn words(api: &Api, schema: &Value, shapes: &mut Shapes) -> String {
    if let Some(name) = shape_name(api, schema) {
        shapes.0.insert(name.to_owned());
        return format!("[{name}](#{})", slug(name));
    }
    let schema = api.resolve(schema);
    if let Some(constant) = schema.get("const") {
        return format!("`{}`", plain(constant));
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        let mut words: Vec<_> = list.iter().map(|value| format!("`{}`", plain(value))).collect();
        words.dedup();
        return words.join(" or ");
    }
    if let Some(variants) = schema.get("oneOf").and_then(Value::as_array).filter(|_| schema.get("type").is_none()) {
        let variants: Vec<_> = variants.iter().map(|variant| words(api, variant, shapes)).collect();
        return variants.join(" or ");
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => vec![kind.as_str().unwrap_or("anything")],
    };
    let kinds: Vec<_> = kinds.into_iter().map(|kind| kind_words(api, kind, schema, shapes)).collect();
    kinds.join(" or ")
}

fn kind_words(api: &Api, kind: &str, schema: &Value, shapes: &mut Shapes) -> String {
    let number = |name: &str| schema.get(name).filter(|bound| bound.is_number());
    match kind {
        "array" => {
            let of = words(api, &schema["items"], shapes);
            let most = number("maxItems").map(|most| format!(", at most {most},")).unwrap_or_default();
            format!("list{most} of {of}")
        }
        "integer" | "number" => match (number("minimum"), number("exclusiveMinimum"), number("maximum")) {
            (Some(least), _, Some(most)) => format!("{kind}, {least} to {most}"),
            (None, Some(above), Some(most)) => format!("{kind}, above {above}, at most {most}"),
            (Some(least), _, None) => format!("{kind}, at least {least}"),
            _ => kind.to_owned(),
        },
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        "string" => match (number("minLength"), number("maxLength"), schema.get("pattern").and_then(Value::as_str)) {
            (Some(least), Some(most), _) => format!("string, {least} to {most} characters"),
            (_, _, Some(pattern)) => format!("string `{}`", cell(pattern)),
            _ => "string".to_owned(),
        },
        other => other.to_owned(),
    }
}

fn rows(out: &mut String, api: &Api, schema: &Value, prefix: &str, shapes: &mut Shapes) {
    let schema = api.resolve(schema);
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let is_input = schema.get("required").is_none_or(|_| required.len() < fields(schema).count());
    let (first, then): (Vec<_>, Vec<_>) = fields(schema).partition(|(name, _)| required.contains(&name.as_str()));
    for (name, field) in first.into_iter().chain(then) {
        let optional = if is_input && !required.contains(&name.as_str()) { ", optional" } else { "" };
        let about = [text(field, "description"), text(api.resolve(field), "description")];
        let about = about.into_iter().find(|about| !about.is_empty()).unwrap_or_default();
        let kind = words(api, field, shapes);
        let plain = api.resolve(field);
        let (inner, mark) = if plain["type"] == "array" { (&plain["items"], "[].") } else { (plain, ".") };
        let has_rows =
            [field, inner].iter().all(|part| shape_name(api, part).is_none()) && fields(inner).next().is_some();
        // The rows of an object say that it is one.
        if !has_rows || kind != "object" || !optional.is_empty() || !about.is_empty() {
            let _ = writeln!(out, "| `{prefix}{name}` | {kind}{optional} | {} |", cell(about));
        }
        if has_rows {
            rows(out, api, inner, &format!("{prefix}{name}{mark}"), shapes);
        }
    }
}

/// The name of a shape that has a section of its own.
fn shape_name<'a>(api: &Api, schema: &'a Value) -> Option<&'a str> {
    let name = schema.get("$ref").and_then(Value::as_str)?.strip_prefix("#/components/schemas/")?;
    fields(api.resolve(schema)).next().map(|_| name)
}

fn fields(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
