//! What an item looks like, whatever its ids are.

use serde_json::Value;

/// Which kind of item it is, by its keys.
pub(crate) fn kind(item: &Value) -> String {
    let text = |name: &str| item[name]["S"].as_str().unwrap();
    let prefix = |text: &str| text.split_once('_').map_or(text.to_owned(), |(prefix, _)| format!("{prefix}_"));
    format!("{} · {}", prefix(text("pk")), prefix(text("sk")))
}

/// An item with everything in it that was drawn at random blotted out, as text: two that were written by the same code in
/// the same story look the same.
pub(crate) fn shape(item: &Value, url: &str) -> String {
    let host = url.strip_prefix("http://").unwrap();
    let attributes = item.as_object().unwrap().iter();
    // How often something was written depends on the batches that the stream came in.
    let attributes = attributes.map(|(name, value)| match name.as_str() {
        "ve" => "ve".to_owned(),
        _ => format!("{}={}", blotted(name), of_value(value, host)),
    });
    let text = sorted(attributes);
    // The ledger goes by the stream's clock, which no test moves.
    let is_of_books = item["pk"]["S"].as_str().is_some_and(|partition| partition.starts_with("book_"));
    if is_of_books { without_times(&text) } else { text }
}

/// A text without the numbers that are as long as an instant's.
fn without_times(text: &str) -> String {
    let (mut out, mut digits) = (String::new(), String::new());
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        out.push_str(if digits.len() >= LONG_NUMBER { "#" } else { &digits });
        digits.clear();
        out.push(letter);
    }
    out.pop();
    out
}

fn of_value(value: &Value, host: &str) -> String {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    let inside = match (kind.as_str(), value) {
        ("M", Value::Object(map)) => {
            sorted(map.iter().map(|(name, value)| format!("{}={}", blotted(name), of_value(value, host))))
        }
        // What is random here is random in every bit; its length is what was chosen.
        ("B", Value::String(text)) => text.len().to_string(),
        ("SS", Value::Array(texts)) => sorted(texts.iter().map(|text| blotted(text.as_str().unwrap()))),
        (_, Value::String(text)) => blotted(&text.replace(host, "HOST")),
        (_, other) => other.to_string(),
    };
    format!("{kind}({inside})")
}

fn sorted(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<_> = parts.collect();
    parts.sort();
    parts.join(" ")
}

/// Long words say only how long they are, unless they are numbers.
fn blotted(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
            continue;
        }
        if word.len() >= LONG_WORD && !is_number(&word) && !names_a_window(&word) {
            out.push('~');
            out.push_str(&word.len().to_string());
        } else {
            out.push_str(&word);
        }
        word.clear();
        out.push(letter);
    }
    out.pop();
    out
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `m29875680`, or a route's class before the number of its window.
fn names_a_window(word: &str) -> bool {
    let digits = word.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let letters = word.len() - digits.len();
    is_number(digits) && digits.len() >= 5 && (letters == 1 || (word.starts_with('e') && letters <= 6))
}

/// An instant in seconds.
const LONG_NUMBER: usize = 10;
/// Whatever is drawn at random is at least as long.
const LONG_WORD: usize = 8;

#[test]
fn ids_are_blotted_out_and_nothing_else() {
    let item = |id: &str, balance: &str| serde_json::json!({"pk": {"S": format!("key_{id}")}, "bal": {"N": balance}, "m29875680": {"N": "9"}, "l": {"M": {id: {"N": "4"}}}});
    let url = "http://h:1";
    assert_eq!(shape(&item("0123456789abcdef", "5"), url), shape(&item("fedcba9876543210", "5"), url));
    assert_ne!(shape(&item("0123456789abcdef", "5"), url), shape(&item("0123456789abcdef", "6"), url));
    assert_ne!(shape(&item("0123456789abcdef", "5"), url), shape(&item("0123456789abcde", "5"), url));
}
