//! A key's secrets as attributes.
//!
//! ```text
//! h                hash of the secret in force
//! rn ro            number of the last rotation, when it was made (epoch s)
//! g gu             hash of the secret that it put out, when that one was last used since (epoch s)
//! gx | gd          end of that one's grace (epoch s) | its length in seconds, while nobody has used the new secret
//! ```

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    key::KeyHash,
    rotation::{Grace, KeySecrets, Rotation, Secret},
    time::Timestamp,
};

use super::{malformed, parse_number};
use crate::{StoreError, client::Item, expression::Builder};

/// The attributes of a key's secrets.
pub(super) fn attributes(secrets: &KeySecrets) -> Vec<(&'static str, AttributeValue)> {
    let number = |value: u64| AttributeValue::N(value.to_string());
    let mut attributes = vec![("h", hash_value(&secrets.current))];
    if let Some(rotation) = &secrets.rotation {
        attributes.push(("rn", number(rotation.number)));
        attributes.push(("ro", number(rotation.at.epoch_s())));
        attributes.push(("g", hash_value(&rotation.old)));
        attributes.push(match rotation.grace {
            Grace::Until(end) => ("gx", number(end.epoch_s())),
            Grace::FromFirstUse { seconds } => ("gd", number(seconds)),
        });
        attributes.extend(rotation.old_used_at.map(|at| ("gu", number(at.epoch_s()))));
    }
    attributes
}

/// Reads a key's secrets.
pub(super) fn parse(item: &Item) -> Result<KeySecrets, StoreError> {
    let time = |name: &str| {
        let read = |value| parse_number(value).map(Timestamp::from_epoch_s).ok_or_else(|| malformed(name));
        item.get(name).map(read).transpose()
    };
    let Some(number) = item.get("rn") else { return Ok(hash(item, "h")?.into()) };
    let grace = match (time("gx")?, item.get("gd")) {
        (Some(end), None) => Grace::Until(end),
        (None, Some(seconds)) => Grace::FromFirstUse { seconds: parse_number(seconds).ok_or_else(|| malformed("gd"))? },
        _ => return Err(malformed("gx")),
    };
    let rotation = Rotation {
        number: parse_number(number).ok_or_else(|| malformed("rn"))?,
        at: time("ro")?.ok_or_else(|| malformed("ro"))?,
        old: hash(item, "g")?,
        grace,
        old_used_at: time("gu")?,
    };
    Ok(KeySecrets { current: hash(item, "h")?, rotation: Some(rotation) })
}

/// Requires that one of `hashes` is the secret that `secret` says, in force, and notes what its use means: the grace of
/// the old one begins, or the old one was used.
///
/// What was recognised by the previous pepper moves on to the current one, each secret in its own place.
pub(crate) fn require(builder: &mut Builder, hashes: &[KeyHash], secret: Secret, now: Timestamp) {
    let mut placeholders = Vec::with_capacity(hashes.len());
    for (number, hash) in hashes.iter().enumerate() {
        let placeholder = format!(":h{number}");
        builder.value(&placeholder, hash_value(hash));
        placeholders.push(placeholder);
    }
    let place = match secret {
        Secret::Current | Secret::Fresh { .. } => "h",
        Secret::Old => "g",
    };
    builder.require(format!("{place} IN ({})", placeholders.join(", ")));
    if hashes.len() > 1 {
        builder.set(format!("{place} = :h0"));
    }
    match secret {
        Secret::Current => builder.require("attribute_not_exists(gd)"),
        Secret::Fresh { grace_seconds } => {
            builder.number(":gd", grace_seconds);
            builder.number(":gx", now.plus_s(grace_seconds).epoch_s());
            builder.require("gd = :gd");
            builder.set("gx = :gx");
            builder.remove("gd");
        }
        Secret::Old => {
            builder.require("NOT gx <= :now");
            builder.set("gu = :now");
        }
    }
}

/// Whether an item's secret in force is that one.
pub(crate) fn is_current(item: &Item, hash: &KeyHash) -> bool {
    item.get("h").and_then(|value| value.as_b().ok()).is_some_and(|stored| stored.as_ref() == hash.as_bytes())
}

pub(crate) fn hash_value(hash: &KeyHash) -> AttributeValue {
    AttributeValue::B(hash.as_bytes().to_vec().into())
}

fn hash(item: &Item, name: &str) -> Result<KeyHash, StoreError> {
    let bytes = item.get(name).and_then(|value| value.as_b().ok()).ok_or_else(|| malformed(name))?;
    bytes.as_ref().try_into().map(KeyHash::from_bytes).map_err(|_| malformed(name))
}
