//! The policy files of the repository, and the schema that editors check them by.

use std::{fs, path::PathBuf};

use faregate_domain::policy::Policy;
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra/policies")
}

/// Every policy file with its name.
fn files() -> Vec<(String, String)> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let policies = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    policies.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

/// What the schema has against a text.
fn complaints(text: &str) -> Vec<String> {
    let validator = jsonschema::validator_for(&Policy::schema()).unwrap();
    let policy: Value = serde_saphyr::from_str(text).unwrap();
    validator.iter_errors(&policy).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let published = fs::read_to_string(folder().join("policy.schema.json")).unwrap();
    let remedy = "cargo run -- policy schema > infra/policies/policy.schema.json";
    assert!(published == format!("{}\n", faregate::schema()), "the schema is not up to date: {remedy}");
}

#[test]
fn every_policy_is_sound_and_fits_the_schema() {
    assert!(!files().is_empty());
    for (name, text) in files() {
        assert!(text.starts_with("# yaml-language-server: $schema=policy.schema.json\n"), "{name}");
        assert_eq!(complaints(&text), Vec::<String>::new(), "{name}");
        let error = Policy::parse(&text).err().map(|error| error.lines(&name).join("\n"));
        assert_eq!(error, None);
    }
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    for (from, to, place) in [
        ("credentials:", "colour: red\ncredentials:", ": "),
        ("prefix: sk_prod_", "prefix: sk-prod-", "/environments/1/prefix"),
        ("per_minute: 100,", "per_minute: 0,", "/environments/0/limits/per_minute"),
        ("credentials: [authorization, x-api-key]", "credentials: [cookie]", "/credentials/0"),
        ("route: GET /demo/free", "route: get /demo/free", "/routes/0/route"),
        ("cost_usd: \"0.01\"", "cost_usd: \"0.0000001\"", "/routes/1/cost_usd"),
        ("settle: required,", "settle: perhaps,", "/routes/2/settle"),
        ("max_keys: 100, ", "", "/plans/studio"),
        ("operators: []", "operators: []\ndialect: { answer: {} }", "/dialect"),
        ("operators: []", "operators: []\nmanagement: { keys: keys }", "/management/keys"),
        ("operators: []", "operators: []\nmanagement: { cookie_without_origin: maybe }", "/management/cookie"),
        (
            "operators: []",
            "operators: []\nmanagement: { limits: [{ route: GET /v1/projects, per_hour: 3 }] }",
            "/management/limits/0",
        ),
    ] {
        assert!(Policy::DEFAULT_TEXT.contains(from), "{from}");
        let text = Policy::DEFAULT_TEXT.replacen(from, to, 1);
        let told = complaints(&text);
        assert!(told.iter().any(|complaint| complaint.starts_with(place)), "{to}: {told:?}");
        assert!(Policy::parse(&text).is_err(), "{to}");
    }
}
