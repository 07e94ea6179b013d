//! What the sections about management and about the dialect take, and what they say of what they do not.

use serde_json::json;

use super::super::{
    CookieWithoutOrigin, Policy,
    dialect::{CODES, KeyAnswer},
};

/// The default policy with sections below it.
fn with(sections: &str) -> String {
    format!("{}\n{sections}\n", Policy::DEFAULT_TEXT)
}

/// Everything that is wrong with those sections, with the lines counted from the one below their first.
fn faults(sections: &str) -> Vec<String> {
    let before = u64::try_from(Policy::DEFAULT_TEXT.lines().count()).unwrap() + 2;
    let Err(error) = Policy::parse(&with(sections)) else { return Vec::new() };
    error.findings().iter().map(|it| format!("{}: {}: {}", it.line - before, it.field, it.fault)).collect()
}

#[test]
fn a_policy_without_them_is_as_it_always_was() {
    let policy = Policy::parse(Policy::DEFAULT_TEXT).unwrap();
    assert_eq!(policy.management().keys(), "/v1/api-keys");
    assert_eq!(policy.management().cookie_without_origin(), CookieWithoutOrigin::Refused);
    assert!(policy.management().limits().is_empty());
    let dialect = policy.dialect();
    assert_eq!((dialect.content_type(), dialect.word("not_found")), ("application/problem+json", "not_found"));
    assert!(dialect.error(&|_| json!(1).into(), &[]).is_none());
    assert!(KeyAnswer::ALL.iter().all(|kind| dialect.answer(*kind).is_none()));
}

#[test]
fn keys_may_be_managed_elsewhere() {
    let policy = Policy::parse(&with("management: { keys: /api/keys, cookie_without_origin: allowed }")).unwrap();
    let management = policy.management();
    assert_eq!(management.cookie_without_origin(), CookieWithoutOrigin::Allowed);
    for (path, placed) in [
        ("/v1/api-keys", "/api/keys"),
        ("/v1/api-keys/{id}/rotate", "/api/keys/{id}/rotate"),
        ("/v1/api-keysmith", "/v1/api-keysmith"),
        ("/v1/me", "/v1/me"),
    ] {
        assert_eq!(management.placed(path), placed);
    }
    for keys in ["api/keys", "/", "/api/keys/", "/api//keys", "/api/{id}", "/auth", "/auth/keys", "/v1", "/v1/me", "/é"]
    {
        assert_eq!(faults(&format!("management:\n  keys: \"{keys}\"")).len(), 1, "{keys}");
    }
    let shadowed = with("management: { keys: /demo }");
    assert_eq!(Policy::parse(&shadowed).unwrap_err().findings().len(), 5);
}

#[test]
fn a_management_call_is_counted_by_the_limit_that_names_it_best() {
    let limits = "management:\n  keys: /api/keys\n  limits:\n    - { route: \"ANY /api/keys\", per_minute: 30, burst: 10 }\n    \
                  - { route: \"POST /api/keys\", per_minute: 3 }\n    - { route: \"GET /api/keys/{id}\", per_second: 9 }";
    let policy = Policy::parse(&with(limits)).unwrap();
    let found = |method: &str, path: &str| policy.management().find_limit(method, path).map(|it| it.template.as_str());
    assert_eq!(found("GET", "/api/keys"), Some("ANY /api/keys"));
    assert_eq!(found("POST", "/api/keys"), Some("POST /api/keys"));
    assert_eq!(found("GET", "/api/keys/key_1"), Some("GET /api/keys/{id}"));
    assert_eq!((found("DELETE", "/api/keys/key_1"), found("GET", "/v1/api-keys")), (None, None));
    assert_eq!((found("GET", "/api/keys/verify"), found("GET", "/api/keys/self")), (None, None));
}

#[test]
fn limits_on_what_cannot_be_counted_are_refused() {
    let rest = "management:\n  limits:\n    - ";
    for (limit, wanted) in [
        (
            "{ route: GET /v1/api-kyes, per_minute: 1 }",
            "2: management.limits[0].route: route \"GET /v1/api-kyes\" is no",
        ),
        (
            "{ route: POST /v1/api-keys/verify, per_minute: 1 }",
            "2: management.limits[0].route: route \"POST /v1/api-keys/verify\" is no",
        ),
        ("{ route: GET /v1/me, per_minute: 1 }", "2: management.limits[0].route: route \"GET /v1/me\" is no"),
        (
            "{ route: \"GET /v1/{rest+}\", per_minute: 1 }",
            "2: management.limits[0].route: route \"GET /v1/{rest+}\" is no",
        ),
        ("{ route: /v1/api-keys, per_minute: 1 }", "2: management.limits[0].route: route \"/v1/api-keys\": a route is"),
        ("{ route: GET /v1/api-keys }", "2: management.limits[0]: name one of"),
        ("{ route: GET /v1/api-keys, per_minute: 1, burst: 2 }", "2: management.limits[0].burst: a burst must not"),
        (
            "{ route: GET /v1/projects, per_minute: 1 }\n    - { route: GET /v1/projects, per_minute: 2 }",
            "3: management.limits[1].route: routes \"GET /v1/projects\" and \"GET /v1/projects\" overlap",
        ),
    ] {
        let told = faults(&format!("{rest}{limit}"));
        assert!(told.len() == 1 && told[0].starts_with(wanted), "{limit}: {told:?}");
    }
}

#[test]
fn a_dialect_words_errors_and_answers() {
    let policy = Policy::parse(&with(
        "dialect:\n  content_type: application/json\n  codes: { rate_limited: RATE_LIMITED }\n  \
         error: { success: false, error: { code: \"{code}\", message: \"{detail}\", \"...\": \"{...}\" } }\n  \
         headers: { x-ratelimit-limit: X-RateLimit-Limit, ratelimit: null }\n  answers:\n    \
         key_created: { key: \"{key}\", scopes: \"{scopes,}\" }\n    keys: { keys: \"{items}\", next: \"{next_cursor}\" }",
    ));
    let policy = policy.unwrap();
    let dialect = policy.dialect();
    assert_eq!((dialect.content_type(), dialect.word("rate_limited")), ("application/json", "RATE_LIMITED"));
    assert_eq!(dialect.headers().to_string(), "ratelimit=,x-ratelimit-limit=X-RateLimit-Limit");
    let find = |name: &str| json!(["key", "scopes", "items"].contains(&name).then_some([name])).into();
    let error = dialect.error(&|name| name.into(), &[("used".to_owned(), json!(7).into())]).unwrap();
    assert_eq!(error.to_string(), r#"{"success":false,"error":{"code":"code","message":"detail","used":7}}"#);
    let created = r#"{"key":["key"],"scopes":"scopes"}"#;
    for (kind, wanted) in [
        (KeyAnswer::Created, Some(created)),
        (KeyAnswer::Rotated, Some(created)),
        (KeyAnswer::Page, Some(r#"{"keys":["items"],"next":null}"#)),
        (KeyAnswer::Key, None),
    ] {
        let told = dialect.answer(kind).map(|template| template.render(&find, &[]).to_string());
        assert_eq!(told.as_deref(), wanted, "{kind:?}");
    }
}

#[test]
fn a_dialect_that_cannot_hold_is_told_where() {
    for (section, wanted) in [
        ("content_type: text/html", "1: dialect.content_type: \"text/html\" is no content type of JSON"),
        ("content_type: \"application/json\\r\\nx: y\"", "1: dialect.content_type: "),
        ("codes: { invalid_key: A }", "1: dialect.codes.invalid_key: \"invalid_key\" is no problem code"),
        ("codes: { not_found: \"a b\" }", "1: dialect.codes.not_found: \"a b\" is not"),
        ("codes:\n    not_found: \"\"", "2: dialect.codes.not_found: \"\" is not"),
        ("headers: { etag: ETag }", "1: dialect.headers.etag: \"etag\" is none of the headers"),
        ("headers: { X-RateLimit-Limit: A }", "1: dialect.headers.X-RateLimit-Limit: "),
        ("headers: { ratelimit: \"a:b\" }", "1: dialect.headers.ratelimit: \"a:b\" is no name"),
        ("headers:\n    ratelimit: Retry-After", "2: dialect.headers.ratelimit: "),
        ("error: { a: [{ b: \"{oops}\" }] }", "1: dialect.error.a[0].b: placeholder {oops} is unknown here"),
        ("error:\n    a: 1\n    b: \"{code\"", "3: dialect.error.b: \"{code\": write {{"),
        ("error: { \"...\": \"{code}\" }", "1: dialect.error....: "),
        ("error: \"{detail}\"", "1: dialect.error: the body of errors must be an object"),
        ("answers: { key: { k: \"{key}\" } }", "1: dialect.answers.key.k: placeholder {key} is unknown here"),
        ("answers: { keys: { \"...\": \"{...}\" } }", "1: dialect.answers.keys....: "),
        ("answers: { keys_item: \"{items}\" }", "1: dialect.answers.keys_item: placeholder {items}"),
    ] {
        let told = faults(&format!("dialect:\n  {section}"));
        assert!(told.len() == 1 && told[0].starts_with(wanted), "{section}: {told:?}");
    }
}

#[test]
fn an_error_that_would_not_fit_through_the_authorizer_is_refused() {
    let padded =
        |bytes: usize| faults(&format!("dialect:\n  error: {{ a: \"{}\", \"...\": \"{{...}}\" }}", "x".repeat(bytes)));
    assert_eq!(padded(300), Vec::<String>::new());
    let told = padded(1_000);
    assert!(told.len() == 1 && told[0].starts_with("1: dialect.error: the longest error would have"), "{told:?}");
}

#[test]
fn every_problem_code_may_be_reworded() {
    let codes: Vec<_> = CODES.iter().map(|code| format!("{code}: W")).collect();
    let policy = Policy::parse(&with(&format!("dialect: {{ codes: {{ {} }} }}", codes.join(", ")))).unwrap();
    assert!(CODES.iter().all(|code| policy.dialect().word(code) == "W"));
}
