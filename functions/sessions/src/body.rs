//! What callers write.

use std::{collections::BTreeMap, fmt};

use faregate_edge::{
    input::{Nullable, Usd, present},
    wish::ScopesBody,
};
use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

/// `POST /v1/client-sessions`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateBody {
    pub(crate) client_reference_id: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) metadata: Option<Notes>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) scopes: Option<ScopesBody>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) ttl_seconds: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) allowlist: Option<Nullable<Vec<String>>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) max_cost_usd: Option<Nullable<Usd>>,
}

/// `POST /v1/client-sessions/redeem`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedeemBody {
    pub(crate) client_secret: SecretString,
}

/// `metadata`: texts under names, each name once.
#[derive(Debug, Default)]
pub(crate) struct Notes(pub(crate) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Notes;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Notes, A::Error> {
                let mut notes = BTreeMap::new();
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    if notes.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    notes.insert(name, text);
                }
                Ok(Notes(notes))
            }
        }
        deserializer.deserialize_map(Texts)
    }
}
