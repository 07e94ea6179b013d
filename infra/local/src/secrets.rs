//! The secrets of a local bundle: made at the first start, kept in a file, rotated on demand.

use std::path::Path;

use faregate_domain::time::Timestamp;
use faregate_edge::{
    entropy,
    secrets::{MAX_STALE_S, SecretName, stripe_secret},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::data::{self, DataError};

/// Makes sure that there is a secrets file with every secret in it.
///
/// # Errors
/// [`DataError`] when it cannot be read or written, or is no secrets file.
pub(crate) fn ensure(path: &Path) -> Result<(), DataError> {
    if data::find(path)?.is_none() {
        data::write_private(path, generate().as_bytes())?;
    }
    let text = Zeroizing::new(data::find(path)?.unwrap_or_default());
    let malformed = || DataError::Malformed(path.to_owned(), "not a secrets file");
    let mut file: Value = serde_json::from_str(&text).map_err(|_| malformed())?;
    let has = |file: &Value, name: &SecretName| file.get(name.as_str()).is_some_and(Value::is_object);
    if !FIRST_NAMES.iter().all(|name| has(&file, name)) {
        return Err(malformed());
    }
    let missing: Vec<_> = LATER_NAMES.iter().filter(|name| !has(&file, name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for name in missing {
        file[name.as_str()] = json!({"current": *digits(), "previous": null});
    }
    let text = Zeroizing::new(format!("{file}\n"));
    data::replace_private(path, text.as_bytes())
}

/// Puts a new version of a secret into the file; the one that was current is still recognised. Programs that run on the
/// file read it anew within five minutes, and at once for a credential that fits none of what they know.
///
/// # Errors
/// [`RotationError`] when the file cannot be read or written, or the last rotation is too recent.
pub(crate) fn rotate(path: &Path, name: SecretName, now: Timestamp) -> Result<(), RotationError> {
    ensure(path)?;
    let malformed = || DataError::Malformed(path.to_owned(), "not a secrets file");
    let text = Zeroizing::new(data::find(path)?.unwrap_or_default());
    let mut file: Value = serde_json::from_str(&text).map_err(|_| malformed())?;
    let secret = file.get_mut(name.as_str()).ok_or_else(malformed)?;
    let last = secret["rotated_at"].as_str().and_then(|text| Timestamp::parse_rfc3339(text).ok());
    // A signing secret that has leaked is replaced twice at once, so that nothing holds on to it.
    let last = last.filter(|_| name != SecretName::Signing);
    if let Some(free_at) = last.map(|last| last.plus_s(MAX_STALE_S)).filter(|free_at| *free_at > now) {
        return Err(RotationError::TooSoon { name: name.as_str(), free_at });
    }
    let current = secret["current"].take();
    *secret = json!({"current": *digits(), "previous": current, "rotated_at": now.to_string()});
    let text = Zeroizing::new(format!("{file}\n"));
    Ok(data::replace_private(path, text.as_bytes())?)
}

/// Puts Stripe's signing secret into the file, where nobody but Stripe could make one. The one before is still recognised,
/// until the same one is put again.
///
/// # Errors
/// [`PutError`] when the text is no such secret, or the file cannot be read or written.
pub(crate) fn put_stripe(path: &Path, text: &str) -> Result<(), PutError> {
    let text = text.trim();
    stripe_secret(text).ok_or(PutError::Form)?;
    ensure(path)?;
    let malformed = || DataError::Malformed(path.to_owned(), "not a secrets file");
    let before = Zeroizing::new(data::find(path)?.unwrap_or_default());
    let mut file: Value = serde_json::from_str(&before).map_err(|_| malformed())?;
    let secrets = file.as_object_mut().ok_or_else(malformed)?;
    let last = secrets.get(SecretName::Stripe.as_str()).map(|secret| secret["current"].clone());
    let previous = last.filter(|last| last != text);
    secrets.insert(SecretName::Stripe.as_str().to_owned(), json!({"current": text, "previous": previous}));
    let after = Zeroizing::new(format!("{file}\n"));
    Ok(data::replace_private(path, after.as_bytes())?)
}

/// Why a secret from elsewhere is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The file.
    #[error(transparent)]
    Data(#[from] DataError),
    /// It is no signing secret of Stripe's.
    #[error("this is no signing secret of Stripe's: whsec_…, 32 to 256 characters")]
    Form,
}

/// Why a secret is not rotated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotationError {
    /// The file.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A program may still work with the version before the current one, and would be left with neither.
    #[error("the {name} was rotated less than an hour ago; wait until {free_at}")]
    TooSoon {
        /// Which secret.
        name: &'static str,
        /// From when on it can be rotated again.
        free_at: Timestamp,
    },
}

/// `{"pepper":{"current":"<64 hex digits>","previous":null}, …}`
fn generate() -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_BYTES));
    for (at, name) in FIRST_NAMES.iter().chain(&LATER_NAMES).enumerate() {
        let digits = digits();
        for part in [if at == 0 { "{\"" } else { ",\n \"" }, name.as_str(), "\":{\"current\":\"", &digits] {
            text.push_str(part);
        }
        text.push_str("\",\"previous\":null}");
    }
    text.push_str("}\n");
    text
}

fn digits() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy::fill(bytes.as_mut());
    Zeroizing::new(hex::encode(bytes.as_ref()))
}

/// What every secrets file has.
const FIRST_NAMES: [SecretName; 4] = [SecretName::Pepper, SecretName::Tag, SecretName::Signing, SecretName::Seal];
/// What a file of an earlier version lacks, and is given.
const LATER_NAMES: [SecretName; 1] = [SecretName::Link];
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
        let names: Vec<_> = FIRST_NAMES.iter().chain(&LATER_NAMES).collect();
        let mut secrets: Vec<_> = names.iter().map(|name| file[name.as_str()]["current"].as_str().unwrap()).collect();
        assert!(secrets.iter().all(|secret| secret.len() == 64));
        secrets.sort_unstable();
        secrets.dedup();
        assert_eq!(secrets.len(), names.len());
    }

    #[test]
    fn a_file_of_an_earlier_version_is_given_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.json");
        ensure(&path).unwrap();
        let read = || serde_json::from_str::<Value>(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut earlier = read();
        earlier.as_object_mut().unwrap().remove("link");
        fs::write(&path, earlier.to_string()).unwrap();
        ensure(&path).unwrap();
        let later = read();
        assert_eq!(later["link"]["current"].as_str().unwrap().len(), 64);
        assert!(FIRST_NAMES.iter().all(|name| later[name.as_str()] == earlier[name.as_str()]));
    }

    #[test]
    fn a_rotated_secret_keeps_the_version_before_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.json");
        ensure(&path).unwrap();
        let read = || serde_json::from_str::<Value>(&fs::read_to_string(&path).unwrap()).unwrap();
        let (first, began) = (read(), Timestamp::from_epoch_s(1_000_000));
        rotate(&path, SecretName::Pepper, began).unwrap();
        let second = read();
        assert_eq!(second["pepper"]["previous"], first["pepper"]["current"]);
        assert_ne!(second["pepper"]["current"], first["pepper"]["current"]);
        assert_eq!(second["pepper"]["current"].as_str().unwrap().len(), 64);
        let others = ["tag", "signing", "seal", "link"];
        assert!(others.iter().all(|name| second[name] == first[name]));
        let soon = rotate(&path, SecretName::Pepper, began.plus_s(3_599)).unwrap_err().to_string();
        assert!(soon.contains(&began.plus_s(3_600).to_string()), "{soon}");
        assert_eq!(read(), second);
        rotate(&path, SecretName::Tag, began.plus_s(3_599)).unwrap();
        for _ in 0..2 {
            rotate(&path, SecretName::Signing, began).unwrap();
        }
        rotate(&path, SecretName::Pepper, began.plus_s(3_600)).unwrap();
        assert_eq!(read()["pepper"]["previous"], second["pepper"]["current"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn stripes_secret_comes_from_outside_and_the_one_before_is_still_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.json");
        let read = || serde_json::from_str::<Value>(&fs::read_to_string(&path).unwrap()).unwrap();
        for text in ["", "whsec_", "sk_live_0123456789abcdef0123456789"] {
            assert!(matches!(put_stripe(&path, text), Err(PutError::Form)), "{text}");
        }
        assert!(!path.exists());
        let [first, second] = ["0", "1"].map(|digit| format!("whsec_{}", digit.repeat(32)));
        put_stripe(&path, &format!("{first}\n")).unwrap();
        assert_eq!(read()["stripe"], json!({"current": first, "previous": null}));
        let others = read()["pepper"].clone();
        // Said twice, it is the only one: the one before may have leaked.
        for previous in [json!(first), json!(null)] {
            put_stripe(&path, &second).unwrap();
            assert_eq!(read()["stripe"], json!({"current": second, "previous": previous}));
        }
        ensure(&path).unwrap();
        rotate(&path, SecretName::Tag, Timestamp::from_epoch_s(1)).unwrap();
        assert_eq!((&read()["stripe"]["current"], &read()["pepper"]), (&json!(second), &others));
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
