//! The API's description as Markdown: docs/api.md, and what `GET /docs` shows.

mod shape;

use std::{collections::BTreeMap, fmt::Write};

use faregate_edge::api::{Api, Operation};
use serde_json::Value;

use shape::{Shapes, words};

/// docs/api.md, whole.
#[cfg_attr(not(test), expect(dead_code, reason = "written by the test that compares it with the tree"))]
pub(crate) fn markdown(api: &Api) -> String {
    let mut contents = String::new();
    for (tag, operations) in by_tag(api) {
        let _ = writeln!(contents, "\n**{tag}**\n\n| | |\n|---|---|");
        for operation in operations {
            let title = title(operation);
            let _ =
                writeln!(contents, "| [`{title}`](#{}) | {} |", slug(&title), text(member(api, operation), "summary"));
        }
    }
    let body = body(api);
    let (head, rest) = body.split_once("\n## ").unwrap_or((&body, ""));
    format!("<!-- Generated from infra/openapi.yaml by `just api`. -->\n\n{head}{contents}\n## {rest}")
}

/// The same without the list of contents.
pub(crate) fn body(api: &Api) -> String {
    let everywhere = everywhere(api);
    let mut out = format!("# The API\n\n{}\n", text(&api.document()["info"], "description"));
    let mut shapes = Shapes::default();
    for (tag, operations) in by_tag(api) {
        let _ = writeln!(out, "\n## {tag}\n\n{}", tag_description(api, tag));
        for operation in operations {
            section(&mut out, api, operation, &everywhere, &mut shapes);
        }
    }
    out.push_str("\n## What any path may answer\n\n");
    answers(&mut out, api, everywhere.iter().map(|(status, answer)| (status.as_str(), *answer)));
    let _ = writeln!(
        out,
        "| 405 | [`method_not_allowed`](problems/method_not_allowed.md) | The path has no such method. | `Allow` |"
    );
    out.push_str("\n## Shapes\n");
    for (name, schema) in shapes.resolved(api) {
        let _ = writeln!(out, "\n### {name}\n");
        lead(&mut out, text(schema, "description"));
        shape::table(&mut out, api, schema, &mut Shapes::default());
    }
    out
}

/// The description's operations under its own headings.
pub(crate) fn by_tag(api: &Api) -> Vec<(&str, Vec<&Operation>)> {
    let tags = api.document().get("tags").and_then(Value::as_array).into_iter().flatten();
    let of = |tag: &str| {
        let is_of = |operation: &&Operation| member(api, operation)["tags"][0] == tag;
        api.operations().iter().filter(is_of).collect()
    };
    tags.filter_map(|tag| tag["name"].as_str()).map(|tag| (tag, of(tag))).collect()
}

/// `GET /v1/me`
pub(crate) fn title(operation: &Operation) -> String {
    format!("{} {}", operation.method, operation.path)
}

/// The anchor of a heading, as GitHub makes it.
pub(crate) fn slug(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(kept).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn section(
    out: &mut String,
    api: &Api,
    operation: &Operation,
    everywhere: &BTreeMap<String, &Value>,
    shapes: &mut Shapes,
) {
    let about = member(api, operation);
    let _ = writeln!(out, "\n### `{}`\n\n**{}.**", title(operation), text(about, "summary"));
    lead(out, text(about, "description"));
    let _ = writeln!(out, "\nCredential: {}.", credentials(about));
    let parameters = parameters(api, operation);
    if !parameters.is_empty() {
        out.push_str("\n| input | | |\n|---|---|---|\n");
        for parameter in parameters {
            let (name, place) = (text(parameter, "name"), text(parameter, "in"));
            let is_optional = parameter.get("required").is_none();
            let wanted = if is_optional { ", optional" } else { "" };
            let kind = words(api, &parameter["schema"], shapes);
            let _ = writeln!(out, "| `{name}` | {place}{wanted}; {kind} | {} |", cell(text(parameter, "description")));
        }
    }
    let content = &about["requestBody"]["content"]["application/json"];
    if content.is_object() {
        out.push_str("\nBody:\n\n");
        shape::table(out, api, &content["schema"], shapes);
    }
    if let Some(example) = content.get("example") {
        let _ = writeln!(out, "\n```json\n{example}\n```");
    }
    let own = about["responses"].as_object().into_iter().flatten();
    let own: Vec<_> = own.filter(|(status, answer)| everywhere.get(*status) != Some(answer)).collect();
    out.push_str("\nAnswers:\n\n");
    answers(out, api, own.iter().map(|(status, answer)| (status.as_str(), *answer)));
    for (_, answer) in own.iter().filter(|(status, _)| status.starts_with('2')) {
        let schema = &api.resolve(answer)["content"]["application/json"]["schema"];
        if schema.get("properties").is_some() {
            out.push('\n');
            shape::table(out, api, schema, shapes);
        }
    }
}

fn answers<'a>(out: &mut String, api: &Api, answers: impl Iterator<Item = (&'a str, &'a Value)>) {
    out.push_str("| status | code | when | headers |\n|---|---|---|---|\n");
    for (status, answer) in answers {
        let answer = api.resolve(answer);
        let codes = codes(answer).map(|code| format!("[`{code}`](problems/{code}.md)")).collect::<Vec<_>>().join(" · ");
        let headers = answer.get("headers").and_then(Value::as_object).into_iter().flatten();
        let headers = headers.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" · ");
        let _ = writeln!(out, "| {status} | {codes} | {} | {headers} |", cell(text(answer, "description")));
    }
}

/// The codes of a problem among the answers.
fn codes(answer: &Value) -> impl Iterator<Item = &str> {
    let parts = answer["content"]["application/problem+json"]["schema"]["allOf"].as_array().into_iter().flatten();
    let listed = parts.filter_map(|part| part["properties"]["code"]["enum"].as_array()).flatten();
    listed.filter_map(Value::as_str)
}

/// The answers that every function's operation has.
fn everywhere(api: &Api) -> BTreeMap<String, &Value> {
    let mut served = api.operations().iter().filter(|operation| operation.function != Operation::GATEWAY);
    let answers = |operation| member(api, operation)["responses"].as_object();
    let first = served.next().and_then(answers).into_iter().flatten();
    let mut shared: BTreeMap<String, &Value> = first.map(|(status, answer)| (status.clone(), answer)).collect();
    for operation in served {
        shared.retain(|status, answer| answers(operation).and_then(|own| own.get(status)) == Some(*answer));
    }
    shared
}

fn parameters<'a>(api: &'a Api, operation: &Operation) -> Vec<&'a Value> {
    let item = &api.document()["paths"][&operation.path];
    let lists = [&item["parameters"], &member(api, operation)["parameters"]];
    lists.into_iter().filter_map(Value::as_array).flatten().map(|parameter| api.resolve(parameter)).collect()
}

fn credentials(about: &Value) -> String {
    let schemes = about["security"].as_array().into_iter().flatten().filter_map(Value::as_object);
    let words = schemes.flat_map(|scheme| scheme.keys()).map(|name| match name.as_str() {
        "token" => "an access token",
        "key" => "an API key",
        "headerKey" => "`X-Api-Key`",
        "session" => "the session cookie",
        other => other,
    });
    match words.collect::<Vec<_>>().as_slice() {
        [] => "none".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn member<'a>(api: &'a Api, operation: &Operation) -> &'a Value {
    &api.document()["paths"][&operation.path][operation.method.to_lowercase()]
}

fn tag_description<'a>(api: &'a Api, name: &str) -> &'a str {
    let tags = api.document().get("tags").and_then(Value::as_array).into_iter().flatten();
    tags.into_iter().find(|tag| tag["name"] == name).map_or("", |tag| text(tag, "description"))
}

fn lead(out: &mut String, text: &str) {
    if !text.is_empty() {
        let _ = writeln!(out, "{text}");
    }
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default().trim_end()
}

/// A text that may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated;

    #[test]
    fn the_page_in_docs_is_the_descriptions() {
        let page = markdown(&Api::shipped().unwrap());
        generated::assert_same("docs/api.md", |_| Ok(page.clone()));
    }

    #[test]
    fn every_operation_has_its_section() {
        let api = Api::shipped().unwrap();
        let page = markdown(&api);
        for operation in api.operations() {
            assert_eq!(page.matches(&format!("\n### `{}`\n", title(operation))).count(), 1, "{operation:?}");
        }
        assert_eq!(slug("GET /v1/api-keys/{id}"), "get-v1api-keysid");
    }
}
