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

const CORS: &str = "cors: { origins: [\"*\"] }";

/// The line of the default policy on which `text` stands, from 1.
fn line_of(text: &str) -> u64 {
    let before = Policy::DEFAULT_TEXT.split(text).next().unwrap_or_default();
    u64::try_from(before.matches('\n').count()).unwrap() + 1
}

#[test]
fn each_broken_rule_is_named_with_its_line_and_field() {
    for (from, to, field, word) in [
        ("name: production", "name: sandbox", "environments[1].name", "twice"),
        ("name: production", "name: Production", "environments[1].name", "\"Production\" is not"),
        ("prefix: sk_prod_", "prefix: sk_test_live_", "environments[1].prefix", "one begins the other"),
        ("prefix: sk_prod_", "prefix: \"\"", "environments[1].prefix", "is not 1 to 16"),
        ("per_day: 10000", "per_day: 0", "environments[0].limits.per_day", "per_day"),
        ("concurrent: 10 }", "concurrent: 5000 }", "environments[0].limits.concurrent", "concurrent"),
        (
            "per_minute: 100, per_day: 10000,",
            "per_minute: 9, burst: 10, per_day: 1,",
            "environments[0].limits.burst",
            "exceed",
        ),
        ("retention_days: 7", "retention_days: 0", "environments[0].retention_days", "3650"),
        ("credentials: [authorization, x-api-key]", "credentials: []", "credentials", "must not be empty"),
        ("sessions:write: Create", "Sessions: Create", "scopes.catalogue.Sessions", "is no scope"),
        ("admin: [\"*\"]", "admin: [\"*\", \"nothing:*\"]", "scopes.presets.admin[1]", "nothing:*"),
        ("admin: [\"*\"]", "admin: []", "scopes.presets.admin", "1 to 24"),
        ("default: full-access", "default: everything", "scopes.default", "everything"),
        ("operator_only: [\"gate:check\"]", "operator_only: [\"gate:open\"]", "scopes.operator_only[0]", "gate:open"),
        ("lease_seconds: 900", "lease_seconds: 0", "lease_seconds", "86400"),
        (
            "scope: \"demo:write\"",
            "scope: \"demo:wrote\"",
            "routes[1].scope",
            "scope \"demo:wrote\" is not in the catalogue",
        ),
        (CORS, "cors: { origins: [] }", "cors.origins", "must not be empty"),
        (CORS, "cors: { origins: [a.com, \"*\"] }", "cors.origins[1]", "stands alone"),
        (CORS, "cors: { origins: [a.com, \"null/\"] }", "cors.origins[1]", "is no origin"),
        (CORS, "client_sessions: { url: \"http://a.com\" }", "client_sessions.url", "is no https url"),
        ("burst: 2", "burst: 6", "routes[3].burst", "burst must not exceed"),
        ("per_minute: 5, burst: 2", "burst: 2", "routes[3].burst", "name one of per_second"),
        ("per_minute: 5, burst: 2", "per_minute: 5, per_second: 1", "routes[3].per_minute", "name one of per_second"),
        ("per_minute: 5, burst: 2", "per_10_seconds: 0", "routes[3].per_10_seconds", "at least 1"),
        ("cost_usd: \"0.01\"", "lease_seconds: 9", "routes[1].lease_seconds", "settle"),
        ("cost_usd: \"0.01\"", "settle: required, lease_seconds: 86401", "routes[1].lease_seconds", "86400"),
        ("cost_usd: \"0.01\"", "cost_usd: \"0.0000001\"", "routes[1].cost_usd", "6 fractional digits"),
        ("GET /demo/limited", "GET /demo/free", "routes[3].route", "overlap"),
        ("GET /demo/limited", "GET demo", "routes[3].route", "path must begin"),
        ("GET /demo/limited", "\"GET /v1/api-keys/{id}\"", "routes[3].route", "management path"),
        ("GET /demo/limited", "GET /auth/login", "routes[3].route", "management path"),
        ("refusals: backend }", "environments: [sandbox, moon] }", "routes[0].environments[1]", "moon"),
        (
            "per_minute: 1000, per_day: 1000000, concurrent: 100 }\n\n",
            "per_minute: 0, per_day: 1, concurrent: 1 }\n\n",
            "plans.studio.per_minute",
            "per_minute",
        ),
        ("max_keys: 100,", "max_keys: 10001,", "plans.studio.max_keys", "10000"),
        ("sign_up: { plan: studio", "sign_up: { plan: gold", "sign_up.plan", "gold"),
        ("credit_usd: \"5.00\"", "credit_usd: \"-1\"", "sign_up.credit_usd", "zero"),
        ("operators: []", "operators: [\"0x12\"]", "operators[0]", "wallet address"),
    ] {
        let error = edited(from, to).unwrap_err();
        let [finding] = error.findings() else { panic!("{to}: {error}") };
        assert_eq!((finding.line, finding.field.to_string().as_str()), (line_of(from), field), "{error}");
        assert!(finding.fault.to_string().contains(word), "{to}: {error}");
        assert_eq!(error.lines("x.yaml"), [format!("x.yaml:{}: {field}: {}", finding.line, finding.fault)]);
    }
}

#[test]
fn what_does_not_fit_the_shape_is_named_with_its_line_and_field() {
    for (from, to, field, word) in [
        ("credentials:", "colour: red\ncredentials:", "colour", "unknown field `colour`, expected one of"),
        ("settle: required,", "setle: required,", "routes[2].setle", "unknown field `setle`"),
        ("settle: required,", "settle: perhaps,", "routes[2].settle", "perhaps"),
        ("max_keys: 100", "max_keys: many", "plans.studio.max_keys", "is no whole number"),
        ("credentials: [authorization, x-api-key]", "credentials: [cookie]", "credentials[0]", "cookie"),
        ("prefix: sk_prod_", "name: twice", "environments[1]", "name"),
        ("sign_up: { plan: studio, ", "sign_up: { ", "sign_up", "missing field `plan`"),
    ] {
        let error = edited(from, to).unwrap_err();
        let [finding] = error.findings() else { panic!("{to}: {error}") };
        assert_eq!((finding.line, finding.field.to_string().as_str()), (line_of(from), field), "{error}");
        let text = finding.to_string();
        assert!(text.contains(word) && !text.contains('\n') && text.matches("line").count() == 0, "{text}");
    }
    let error = edited("operators: []", "operators: [").unwrap_err();
    assert!(error.findings()[0].line >= line_of("operators: []"), "{error}");
    let error = Policy::parse(&"#".repeat(300_000)).unwrap_err();
    assert_eq!(error.to_string(), "1: the file: a policy file may have at most 262144 bytes");
    assert_eq!(Policy::parse("").unwrap_err().findings()[0].line, 1);
}

#[test]
fn everything_that_is_wrong_is_told_in_the_order_of_the_lines() {
    let text = Policy::DEFAULT_TEXT
        .replace("plan: studio,", "plan: gold,")
        .replace("GET /demo/limited", "GET /demo/free")
        .replace("retention_days: 7", "retention_days: 0");
    let error = Policy::parse(&text).unwrap_err();
    let fields: Vec<_> = error.findings().iter().map(|finding| finding.field.to_string()).collect();
    assert_eq!(fields, ["environments[0].retention_days", "routes[3].route", "sign_up.plan"]);
    assert_eq!(error.to_string().lines().count(), 3);
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
fn a_layer_answers_for_unnamed_paths_only_where_it_answers_for_every_route() {
    let policy = Policy::parse(Policy::DEFAULT_TEXT).unwrap();
    assert_eq!(policy.refusals_of_unnamed(), Refusals::Backend);
    let mixed = edited("cost_usd: \"0.01\", refusals: backend }", "cost_usd: \"0.01\" }").unwrap();
    assert_eq!(mixed.refusals_of_unnamed(), Refusals::Gateway);
    assert_eq!(policy.without_layer().refusals_of_unnamed(), Refusals::Gateway);
}

#[test]
fn no_spelling_of_a_priced_path_falls_through_to_a_free_one() {
    let policy = edited(
        "- { route: GET /demo/free",
        "- { route: \"ANY /{rest+}\", scope: \"demo:read\" }\n  - { route: GET /demo/free",
    )
    .unwrap();
    let post = Method::parse("POST").unwrap();
    for path in ["/demo/paid", "/demo/paid/"] {
        let route = policy.find_route(&post, &RequestPath::parse(path).unwrap()).unwrap();
        assert_eq!(route.template, "POST /demo/paid", "{path}");
    }
    for path in ["/demo//paid", "/demo/paid;x", "/demo/./paid", "/demo/pai%64", "/demo/paid//"] {
        assert!(RequestPath::parse(path).is_err(), "{path}");
    }
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
