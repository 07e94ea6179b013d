//! A policy is used whole or not at all.

use super::*;

fn edited(from: &str, to: &str) -> Result<Policy, PolicyError> {
    assert!(Policy::DEFAULT_TEXT.contains(from), "the default policy no longer has {from:?}");
    Policy::parse(&Policy::DEFAULT_TEXT.replacen(from, to, 1))
}

#[test]
fn the_default_policy_is_sound() {
    let policy = Policy::parse(Policy::DEFAULT_TEXT).unwrap();
    assert_eq!(policy.default_environment().prefix, "sk_test_");
    assert_eq!(policy.find_environment("production").unwrap().limits.per_day, 1_000_000);
    assert!(policy.default_grants().permits(&Scope::parse("demo:write").unwrap()));
    let path = RequestPath::parse("/demo/paid").unwrap();
    let route = policy.find_route(&Method::parse("POST").unwrap(), &path).unwrap();
    assert_eq!(route.cost, MicroUsd::new(10_000).unwrap());
    assert!(policy.find_route(&Method::parse("GET").unwrap(), &path).is_none());
}

#[test]
fn each_broken_rule_is_named() {
    for (from, to, word) in [
        ("credentials:", "colour: red\ncredentials:", "colour"),
        ("prefix: sk_prod_", "prefix: sk_test_live_", "one begins the other"),
        ("prefix: sk_prod_", "prefix: \"\"", "environments.prefix"),
        ("name: production", "name: sandbox", "twice"),
        ("scope: \"demo:write\"", "scope: \"demo:wrote\"", "demo:wrote"),
        ("admin: [\"*\"]", "admin: [\"nothing:*\"]", "nothing:*"),
        ("default: full-access", "default: everything", "everything"),
        ("burst: 2", "burst: 6", "burst must not exceed"),
        ("per_minute: 5, burst: 2", "burst: 2", "name one of per_second"),
        ("per_minute: 5, burst: 2", "per_minute: 5, per_second: 1", "name one of per_second"),
        ("per_minute: 5, burst: 2", "per_10_seconds: 0", "at least 1"),
        ("cost_usd: \"0.01\"", "lease_seconds: 9", "routes.lease_seconds"),
        ("cost_usd: \"0.01\"", "settle: required, lease_seconds: 86401", "routes.lease_seconds"),
        ("cost_usd: \"0.01\"", "settle: perhaps", "settle"),
        ("GET /demo/limited", "GET /demo/free", "overlap"),
        ("GET /demo/limited", "GET demo", "path must begin"),
        ("cost_usd: \"0.01\"", "cost_usd: \"0.0000001\"", "6 fractional digits"),
        ("sign_up: { plan: studio", "sign_up: { plan: gold", "gold"),
        ("operators: []", "operators: [\"0x12\"]", "operators"),
        ("credentials: [authorization, x-api-key]", "credentials: []", "credentials"),
        ("credentials: [authorization, x-api-key]", "credentials: [cookie]", "cookie"),
        ("per_day: 10000", "per_day: 0", "per_day"),
        ("concurrent: 10 }", "concurrent: 5000 }", "concurrent"),
        ("retention_days: 7", "retention_days: 0", "retention_days"),
        ("refusals: backend }", "environments: [moon] }", "moon"),
    ] {
        let error = edited(from, to).err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|text| text.contains(word)), "{to}: {error:?}");
    }
}

#[test]
fn a_syntax_error_names_its_line() {
    let error = edited("credentials:", "credentials").unwrap_err().to_string();
    assert!(error.contains("line"), "{error}");
}

#[test]
fn the_most_specific_route_wins() {
    let policy = edited(
        "- { route: GET /demo/free",
        "- { route: \"ANY /{proxy+}\", scope: \"demo:read\" }\n  - { route: \"GET /demo/{name}\", scope: \"demo:read\" }\n  - { route: GET /demo/free",
    )
    .unwrap();
    let find = |path: &str| {
        let path = RequestPath::parse(path).unwrap();
        policy.find_route(&Method::parse("GET").unwrap(), &path).unwrap().template.clone()
    };
    assert_eq!(find("/demo/free"), "GET /demo/free");
    assert_eq!(find("/demo/other"), "GET /demo/{name}");
    assert_eq!(find("/else/where"), "ANY /{proxy+}");
}

#[test]
fn limits_never_exceed_their_ceiling() {
    let low = Limits::new(10, 5, 100, 2).unwrap();
    let high = Limits::new(1_000, 1_000, 1_000, 20).unwrap();
    assert_eq!(low.exceeded(&high), None);
    assert_eq!(high.exceeded(&low), Some(environment::InvalidLimits::PerMinute));
    assert_eq!(high.held_under(&low).exceeded(&low), None);
    let lowered = low.patched(LimitsPatch { per_minute: Some(3), ..LimitsPatch::default() }).unwrap();
    assert_eq!((lowered.per_minute.limit(), lowered.per_minute.burst()), (3, 3));
    let refused = low.patched(LimitsPatch { burst: Some(11), ..LimitsPatch::default() });
    assert_eq!(refused, Err(environment::InvalidLimits::Burst));
}
