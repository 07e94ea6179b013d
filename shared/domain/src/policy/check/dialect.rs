//! The dialect section: known codes, known headers, templates that name what is there.

use super::super::{
    dialect::{CODES, Dialect, ERROR_MEMBERS, HeaderNames, Json, KeyAnswer, Known, Step, Template},
    fault::{Fault, Findings},
    field::Field,
    shape::{AnswersFile, DialectFile},
};

pub(super) fn checked(file: DialectFile, found: &mut Findings) -> Dialect {
    let section = Field::of("dialect");
    let mut dialect = Dialect::default();
    if let Some(text) = &file.content_type
        && !is_json_type(text)
    {
        found.note(section.key("content_type"), Fault::Malformed(text.clone(), "is no content type of JSON"));
    }
    dialect.content_type = file.content_type;
    for (code, word) in file.codes {
        let here = section.key("codes").key(&code);
        let is_word = super::is_word(&word, 64, |byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if !CODES.contains(&code.as_str()) {
            found.note(here, Fault::UnknownCode(code));
        } else if !is_word {
            found.note(here, Fault::Malformed(word, "is not 1 to 64 letters, digits and signs out of _ . -"));
        } else {
            dialect.codes.insert(code, word);
        }
    }
    dialect.headers = headers(&file.headers, found);
    if let Some(json) = file.error {
        dialect.error = template(json, &section.key("error"), &ERROR, found);
    }
    if let Some(error) = &dialect.error {
        let bytes = longest(&dialect);
        if !error.is_object() {
            found.note(section.key("error"), Fault::NotAnObject);
        } else if bytes > MAX_ERROR_BYTES {
            found.note(section.key("error"), Fault::TooLong(bytes, MAX_ERROR_BYTES));
        }
    }
    for (name, kind, json) in answers(file.answers) {
        let known = Known { members: kind.members(), may_spread: false };
        let template = json.and_then(|json| template(json, &section.key("answers").key(name), &known, found));
        dialect.answers.extend(template.map(|template| (kind, template)));
    }
    dialect
}

fn headers(file: &std::collections::BTreeMap<String, Option<String>>, found: &mut Findings) -> HeaderNames {
    let section = Field::of("dialect").key("headers");
    let mut names = HeaderNames::default();
    for (ours, name) in file {
        let here = section.key(ours);
        if !HeaderNames::RENAMED.contains(&ours.as_str()) {
            found.note(here, Fault::UnknownHeader(ours.clone(), HeaderNames::RENAMED.join(", ")));
        } else if names.rename(ours, name.as_deref()).is_err() {
            let name = name.clone().unwrap_or_default();
            found.note(here, Fault::Malformed(name, "is no name for a header of at most 40 letters, digits and -"));
        }
    }
    if let Some(name) = names.collision() {
        let is_it = |theirs: &Option<String>| theirs.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name));
        let here = file
            .iter()
            .find(|(_, theirs)| is_it(theirs))
            .map_or_else(|| section.clone(), |(ours, _)| section.key(ours));
        found.note(here, Fault::HeaderOverlap(name.to_owned()));
    }
    names
}

fn answers(file: AnswersFile) -> [(&'static str, KeyAnswer, Option<Json>); 5] {
    [
        ("key_created", KeyAnswer::Created, file.key_created),
        ("key", KeyAnswer::Key, file.key),
        ("key_rotated", KeyAnswer::Rotated, file.key_rotated),
        ("keys", KeyAnswer::Page, file.keys),
        ("keys_item", KeyAnswer::Item, file.keys_item),
    ]
}

fn template(json: Json, here: &Field, known: &Known, found: &mut Findings) -> Option<Template> {
    let mut fault = |path: &[Step], fault| {
        let field = path.iter().fold(here.clone(), |field, step| match step {
            Step::Key(name) => field.key(name),
            Step::Item(index) => field.item(*index),
        });
        found.note(field, fault);
    };
    Template::read(json, known, &mut fault)
}

fn is_json_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let (kind, subtype) = essence.split_once('/').unwrap_or_default();
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte))
    };
    let is_json = subtype == "json" || subtype.ends_with("+json");
    text.len() <= 64 && text.bytes().all(is_plain) && is_token(kind) && is_token(subtype) && is_json
}

/// The bytes of the longest refusal inside the authorizer's answer, where it is a text in JSON.
fn longest(dialect: &Dialect) -> usize {
    let longest_word = CODES.iter().map(|code| dialect.word(code)).max_by_key(|word| word.len()).unwrap_or_default();
    let standard = |name: &str| match name {
        "status" => serde_json::Value::from(402).into(),
        "code" => longest_word.into(),
        _ => "x".repeat(LONGEST_TEXT_BYTES).as_str().into(),
    };
    let others = ["limit_source", "reserved_usd", "spent_usd", "limit_usd"];
    let others = others.map(|name| (name.to_owned(), Json::from("999999999.999999")));
    let body = dialect.error(&standard, &others).map(|body| body.to_string()).unwrap_or_default();
    Json::Text(body).to_string().len()
}

const ERROR: Known = Known { members: ERROR_MEMBERS, may_spread: true };
/// No title, detail, type or request id of a refusal is longer.
const LONGEST_TEXT_BYTES: usize = 80;
/// With the longest list of scopes, what remains of the 4 KB of an authorizer's answer is a little more.
const MAX_ERROR_BYTES: usize = 1_024;
