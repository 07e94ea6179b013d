//! Which crate may depend on which: arrows go down only.

use toml::{Table, Value};

/// Dependencies of a manifest that point up or sideways.
pub(crate) fn upward(path: &str, manifest: &str) -> Vec<String> {
    let Some(room) = room_of(path) else {
        return vec![format!("{path}: stands in no room of the house; give it one in {}", file!())];
    };
    let is_upward = |name: &String| name.starts_with("faregate") && !room.may_know(name);
    dependencies(manifest).into_iter().filter(is_upward).map(|name| format!("{path}: must not know {name}")).collect()
}

/// Crates that bring IO, a clock or a runtime into the domain.
pub(crate) fn impure(path: &str, manifest: &str) -> Vec<String> {
    if path != "shared/domain/Cargo.toml" {
        return Vec::new();
    }
    let is_impure = |name: &String| IO_CRATES.iter().any(|io| name.starts_with(io));
    dependencies(manifest).into_iter().filter(is_impure).map(|name| format!("{path}: {name} does IO")).collect()
}

/// A manifest that goes its own way in lints.
pub(crate) fn unlinted(path: &str, manifest: &str) -> Option<String> {
    let table: Table = manifest.parse().ok()?;
    let inherits = table.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool);
    (inherits != Some(true)).then(|| format!("{path}: lacks `[lints] workspace = true`"))
}

/// A manifest that asks for entropy which can be repeated.
pub(crate) fn predictable(path: &str, manifest: &str) -> Option<String> {
    let asks = manifest.lines().any(|line| line.contains("faregate-") && line.contains("simulation"));
    (asks && path != "tests/Cargo.toml").then(|| format!("{path}: must not ask for entropy that repeats itself"))
}

enum Room {
    Domain,
    Store,
    Edge,
    Gate,
    Client,
    Layer,
    Outbound,
    Stream,
    Function,
    Roof,
}

impl Room {
    fn may_know(&self, name: &str) -> bool {
        let shared = |names: &[&str]| name.strip_prefix("faregate-").is_some_and(|name| names.contains(&name));
        match self {
            Self::Domain => false,
            Self::Store | Self::Edge | Self::Client | Self::Outbound => shared(&["domain"]),
            Self::Layer => shared(&["domain", "client"]),
            Self::Gate => shared(&["domain", "store", "edge"]),
            Self::Stream => shared(&["domain", "store"]),
            Self::Function => shared(&["domain", "store", "edge", "gate", "outbound", "stream"]),
            Self::Roof => name != "faregate-tests",
        }
    }
}

fn room_of(path: &str) -> Option<Room> {
    match path.strip_suffix("/Cargo.toml")? {
        "shared/domain" => Some(Room::Domain),
        "shared/store" => Some(Room::Store),
        "shared/edge" => Some(Room::Edge),
        "shared/gate" => Some(Room::Gate),
        "shared/client" => Some(Room::Client),
        "shared/layer" => Some(Room::Layer),
        "shared/outbound" => Some(Room::Outbound),
        "shared/stream" => Some(Room::Stream),
        "infra/local" | "tests" | "tests/peers/driver" => Some(Room::Roof),
        folder => folder.strip_prefix("functions/").map(|_| Room::Function),
    }
}

/// Names of what a manifest depends on to build, to run or to test itself.
fn dependencies(manifest: &str) -> Vec<String> {
    let table: Table = manifest.parse().expect("a manifest is TOML");
    let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let places = targets.filter_map(Value::as_table).chain([&table]);
    let sections = places.flat_map(|place| SECTIONS.iter().filter_map(|section| place.get(*section)?.as_table()));
    sections.flat_map(|section| section.iter().map(name_of)).collect()
}

/// A dependency's own name, also where it was renamed.
fn name_of((key, requirement): (&String, &Value)) -> String {
    requirement.get("package").and_then(Value::as_str).unwrap_or(key).to_owned()
}

const SECTIONS: &[&str] = &["dependencies", "build-dependencies", "dev-dependencies"];
const IO_CRATES: &[&str] = &["aws", "tokio", "hyper", "lambda", "reqwest", "getrandom"];

#[test]
fn a_store_that_knows_the_edge_is_found() {
    let manifest = "[dependencies]\nfaregate-domain.workspace = true\nfaregate-edge.workspace = true";
    assert_eq!(upward("shared/store/Cargo.toml", manifest), ["shared/store/Cargo.toml: must not know faregate-edge"]);
    assert!(upward("shared/gate/Cargo.toml", manifest).is_empty());
}

#[test]
fn a_function_that_knows_another_is_found() {
    let manifest = "[dev-dependencies]\nneighbour = { package = \"faregate-keys\", path = \"../keys\" }";
    assert_eq!(upward("functions/nonce/Cargo.toml", manifest).len(), 1);
    assert!(upward("infra/local/Cargo.toml", manifest).is_empty());
}

#[test]
fn a_layer_that_knows_how_the_gate_decides_is_found() {
    let manifest = "[dependencies]\nfaregate-domain.workspace = true\nfaregate-edge.workspace = true";
    assert_eq!(upward("shared/layer/Cargo.toml", manifest), ["shared/layer/Cargo.toml: must not know faregate-edge"]);
}

#[test]
fn only_backends_and_the_roof_know_the_layer_and_the_client() {
    for name in ["layer", "client"] {
        let manifest = format!("[dependencies]\nfaregate-{name} = {{ workspace = true, features = [\"lambda\"] }}");
        for room in ["shared/domain", "shared/store", "shared/edge", "shared/gate", "functions/authorizer"] {
            assert_eq!(upward(&format!("{room}/Cargo.toml"), &manifest).len(), 1, "{name} {room}");
        }
        for room in ["infra/local", "tests"] {
            assert!(upward(&format!("{room}/Cargo.toml"), &manifest).is_empty(), "{name} {room}");
        }
    }
    let client = "[dependencies]\nfaregate-client.workspace = true";
    assert!(upward("shared/layer/Cargo.toml", client).is_empty());
    assert_eq!(upward("shared/client/Cargo.toml", "[dependencies]\nfaregate-layer.workspace = true").len(), 1);
}

#[test]
fn a_target_does_not_hide_a_dependency() {
    let manifest = "[target.'cfg(unix)'.dependencies]\nfaregate = { path = \"../../infra/local\" }";
    assert_eq!(upward("shared/gate/Cargo.toml", manifest).len(), 1);
}

#[test]
fn a_crate_without_a_room_is_found() {
    assert_eq!(upward("shared/attic/Cargo.toml", "[package]\nname = \"attic\"").len(), 1);
}

#[test]
fn a_domain_that_does_io_is_found() {
    let manifest = "[dependencies]\ntokio.workspace = true\nsha2.workspace = true\naws-config = \"1\"";
    assert_eq!(impure("shared/domain/Cargo.toml", manifest).len(), 2);
    assert!(impure("shared/edge/Cargo.toml", manifest).is_empty());
}

#[test]
fn predictable_entropy_outside_the_tests_is_found() {
    let manifest = "[dependencies]\nfaregate-edge = { workspace = true, features = [\"simulation\"] }";
    assert!(predictable("functions/keys/Cargo.toml", manifest).is_some());
    assert!(predictable("functions/keys/Cargo.toml", "[dependencies]\nfaregate-edge.workspace = true").is_none());
    assert!(predictable("tests/Cargo.toml", manifest).is_none());
}

#[test]
fn a_crate_without_lints_is_found() {
    assert!(unlinted("a/Cargo.toml", "[package]\nname = \"a\"").is_some());
    assert!(unlinted("a/Cargo.toml", "[lints]\nworkspace = true").is_none());
}
