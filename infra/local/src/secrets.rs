//! The secrets of a local bundle: made at the first start, kept in a file.

use std::path::Path;

use faregate_edge::{entropy, secrets::SecretName};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::data::{self, DataError};

/// Makes sure that there is a secrets file.
///
/// # Errors
/// [`DataError`] when it cannot be read or written, or is no secrets file.
pub(crate) fn ensure(path: &Path) -> Result<(), DataError> {
    if data::find(path)?.is_none() {
        data::write_private(path, generate().as_bytes())?;
    }
    let text = Zeroizing::new(data::find(path)?.unwrap_or_default());
    let is_whole = serde_json::from_str::<Value>(&text)
        .is_ok_and(|file| NAMES.iter().all(|name| file.get(name.as_str()).is_some_and(Value::is_object)));
    if is_whole { Ok(()) } else { Err(DataError::Malformed(path.to_owned(), "not a secrets file")) }
}

/// `{"pepper":{"current":"<64 hex digits>","previous":null}, …}`
fn generate() -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_BYTES));
    for (at, name) in NAMES.iter().enumerate() {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy::fill(bytes.as_mut());
        let digits = Zeroizing::new(hex::encode(bytes.as_ref()));
        for part in [if at == 0 { "{\"" } else { ",\n \"" }, name.as_str(), "\":{\"current\":\"", &digits] {
            text.push_str(part);
        }
        text.push_str("\",\"previous\":null}");
    }
    text.push_str("}\n");
    text
}

const NAMES: [SecretName; 4] = [SecretName::Pepper, SecretName::Tag, SecretName::Signing, SecretName::Seal];
/// Large enough that the text is never moved while it grows, which would leave copies behind.
const MAX_FILE_BYTES: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_differ() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.json");
        ensure(&path).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        ensure(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        let file: Value = serde_json::from_str(&first).unwrap();
        let mut secrets: Vec<_> = NAMES.iter().map(|name| file[name.as_str()]["current"].as_str().unwrap()).collect();
        assert!(secrets.iter().all(|secret| secret.len() == 64));
        secrets.sort_unstable();
        secrets.dedup();
        assert_eq!(secrets.len(), NAMES.len());
    }

    #[test]
    fn a_broken_file_is_refused_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.json");
        for text in ["", "{", "{}", "[]", r#"{"pepper":{}}"#] {
            fs::write(&path, text).unwrap();
            assert!(matches!(ensure(&path), Err(DataError::Malformed(..))), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
