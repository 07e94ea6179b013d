//! What the bundle serves: the operations of `infra/openapi.yaml`, the one place where they are written down.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// The description, and the operations in it.
#[derive(Clone, Debug)]
pub struct Api {
    document: Map<String, Value>,
    paths: Vec<String>,
    operations: Vec<Operation>,
}

impl Api {
    /// The description that ships with the bundle, in YAML.
    pub const TEXT: &'static str = include_str!("../../../infra/openapi.yaml");
    /// Where the description has the collection of keys.
    pub const KEYS_PATH: &'static str = "/v1/api-keys";

    /// Reads the description that ships with the bundle.
    ///
    /// # Errors
    /// [`ApiError`] as for [`Api::parse`]; a test sees that there is none.
    pub fn shipped() -> Result<Self, ApiError> {
        Self::parse(Self::TEXT)
    }

    /// Reads a description.
    ///
    /// # Errors
    /// [`ApiError`] where it is not YAML, has no paths, or an operation does not name its function.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let syntax = |error: serde_saphyr::Error| ApiError::Syntax(error.to_string());
        let mut document: Map<String, Value> = serde_saphyr::from_str(text).map_err(syntax)?;
        // What operations share is merged into them by now.
        document.retain(|name, _| !name.starts_with("x-"));
        let Outline { paths: Names(paths) } = serde_saphyr::from_str(text).map_err(syntax)?;
        let operations = operations(&document, &paths)?;
        Ok(Self { document, paths, operations })
    }

    /// The same with the collection of keys, and all below it, at another path.
    ///
    /// # Errors
    /// [`ApiError::Clash`] where another path is there already.
    pub fn with_keys_at(mut self, path: &str) -> Result<Self, ApiError> {
        let moved = |old: &str| match old.strip_prefix(Self::KEYS_PATH) {
            // Services ask there whatever the product calls its keys.
            Some("/verify") => old.to_owned(),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{path}{rest}"),
            _ => old.to_owned(),
        };
        self.paths = self.paths.iter().map(|old| moved(old)).collect();
        if let Some(Value::Object(paths)) = self.document.get_mut("paths") {
            *paths = std::mem::take(paths).into_iter().map(|(old, item)| (moved(&old), item)).collect();
            if paths.len() != self.paths.len() {
                return Err(ApiError::Clash { path: path.to_owned() });
            }
        }
        self.operations = operations(&self.document, &self.paths)?;
        Ok(self)
    }

    /// Every operation: paths as they stand in the file, methods as they are usually told: reading, making, changing, ending.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The whole description as JSON.
    #[must_use]
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// What a part stands for: itself, or what its `$ref` into this description leads to.
    #[must_use]
    pub fn resolve<'v>(&'v self, part: &'v Value) -> &'v Value {
        let Some(pointer) = part.get("$ref").and_then(Value::as_str) else { return part };
        let mut names = pointer.trim_start_matches("#/").split('/');
        let first = names.next().and_then(|name| self.document.get(name));
        names.fold(first, |found, name| found?.get(name)).unwrap_or(part)
    }
}

/// One method on one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// `GET`
    pub method: &'static str,
    /// `/v1/api-keys/{id}`
    pub path: String,
    /// Which function serves it; [`Operation::GATEWAY`] where none does.
    pub function: String,
}

impl Operation {
    /// The name that stands for the gateway of the local program.
    pub const GATEWAY: &'static str = "gateway";
}

/// What is wrong with a description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// It is not YAML.
    #[error("the api's description is not yaml: {0}")]
    Syntax(String),
    /// It has no paths.
    #[error("the api's description has no paths")]
    NoPaths,
    /// An operation that nobody serves.
    #[error("{method} {path} does not say which function serves it")]
    NoFunction {
        /// Its method.
        method: &'static str,
        /// Its path.
        path: String,
    },
    /// Two operations would stand on one path.
    #[error("{path} is taken by another path of the api")]
    Clash {
        /// Where keys were to be.
        path: String,
    },
}

/// The paths in the order of the file, which a JSON object here does not keep.
#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    paths: Names,
}

#[derive(Default)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Names;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("paths")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

fn operations(document: &Map<String, Value>, paths: &[String]) -> Result<Vec<Operation>, ApiError> {
    let items = document.get("paths").and_then(Value::as_object).ok_or(ApiError::NoPaths)?;
    let mut operations = Vec::new();
    for (path, item) in paths.iter().filter_map(|path| Some((path, items.get(path)?))) {
        for (method, member) in METHODS {
            let Some(operation) = item.get(member) else { continue };
            let function = operation.get("x-faregate-function").and_then(Value::as_str);
            let function = function.ok_or_else(|| ApiError::NoFunction { method, path: path.clone() })?.to_owned();
            operations.push(Operation { method, path: path.clone(), function });
        }
    }
    Ok(operations)
}

/// Each method, and what it is called in a description.
const METHODS: [(&str, &str); 5] =
    [("GET", "get"), ("POST", "post"), ("PUT", "put"), ("PATCH", "patch"), ("DELETE", "delete")];

#[cfg(test)]
mod tests {
    use super::*;

    fn served(api: &Api) -> Vec<String> {
        let line = |one: &Operation| format!("{} {} {}", one.method, one.path, one.function);
        api.operations().iter().map(line).collect()
    }

    #[test]
    fn the_shipped_description_can_be_read() {
        let api = Api::shipped().unwrap();
        let served = served(&api);
        assert_eq!(served[0], "GET /auth/nonce/{address} nonce", "in the order of the file");
        assert!(served.contains(&"PATCH /v1/api-keys/{id} keys".to_owned()), "{served:?}");
        assert!(api.document().keys().all(|name| !name.starts_with("x-")));
        let created = &api.document()["paths"]["/v1/api-keys"]["post"]["responses"];
        assert_eq!(api.resolve(&created["404"])["content"].as_object().unwrap().len(), 1);
        assert_eq!(created["431"]["$ref"], "#/components/responses/LongHead", "what operations share is in each");
    }

    /// Where a comma in a flow mapping cut a sentence in two, YAML finds a member without a value.
    #[test]
    fn nothing_is_null_but_in_examples() {
        fn nulls(value: &Value, place: &str) -> Vec<String> {
            match value {
                Value::Null => vec![place.to_owned()],
                Value::Object(members) => {
                    let inner = members.iter().filter(|(name, _)| *name != "example");
                    inner.flat_map(|(name, value)| nulls(value, &format!("{place}/{name}"))).collect()
                }
                Value::Array(list) => list.iter().flat_map(|value| nulls(value, place)).collect(),
                _ => Vec::new(),
            }
        }
        let document = Value::Object(Api::shipped().unwrap().document().clone());
        assert_eq!(nulls(&document, ""), Vec::<String>::new());
    }

    #[test]
    fn the_collection_of_keys_moves_as_a_whole() {
        let text = "paths: {/v1/api-keys: {get: {x-faregate-function: keys}}, \
                    '/v1/api-keys/{id}': {get: {x-faregate-function: keys}}, \
                    /v1/api-keyset: {get: {x-faregate-function: verify}}}";
        let moved = Api::parse(text).unwrap().with_keys_at("/api/keys").unwrap();
        assert_eq!(served(&moved), ["GET /api/keys keys", "GET /api/keys/{id} keys", "GET /v1/api-keyset verify"]);
        assert_eq!(moved.document()["paths"].as_object().unwrap().len(), 3);
        let clash = Api::parse(text).unwrap().with_keys_at("/v1/api-keyset");
        assert_eq!(clash.unwrap_err(), ApiError::Clash { path: "/v1/api-keyset".into() });
    }

    #[test]
    fn an_operation_that_nobody_serves_is_an_error() {
        let error = Api::parse("paths: {/a: {get: {summary: a}}}").unwrap_err();
        assert_eq!(error, ApiError::NoFunction { method: "GET", path: "/a".into() });
        assert_eq!(Api::parse("info: {}").unwrap_err(), ApiError::NoPaths);
        assert!(matches!(Api::parse("paths: [").unwrap_err(), ApiError::Syntax(_)));
    }
}
