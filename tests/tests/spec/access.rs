//! Callers × outcomes: what each kind of caller is answered by each operation of infra/openapi.yaml.
//!
//! An operation without a row fails the test, and so does an answer that the description does not have.

mod world;

use std::collections::BTreeSet;

use faregate_edge::api::{Api, Operation};
use faregate_tests::Answer;
use serde_json::Value;

use world::{Program, World, stranger};

/// The columns of the table.
const CALLERS: [&str; 8] = [
    "anonymous",
    "session",
    "other tenant's session",
    "key without scope",
    "key with every scope",
    "revoked key",
    "service key",
    "operator",
];

/// What is asked about belongs to the account of the session and of the keys; the service key is the operator's.
const TABLE: &[(&str, [&str; 8])] = &[
    ("GET /auth/nonce/{address}", [OK; 8]),
    ("POST /auth/verify", [OK; 8]),
    ("POST /auth/logout", [NOBODY, GONE, GONE, NOBODY, NOBODY, NOBODY, NOBODY, GONE]),
    ("GET /.well-known/jwks.json", [OK; 8]),
    ("GET /.well-known/openid-configuration", [OK; 8]),
    ("GET /openapi.json", [OK; 8]),
    ("GET /docs", [OK; 8]),
    ("GET /console", [OK; 8]),
    ("GET /console/{page}", [OK; 8]),
    ("GET /problems/{code}", [OK; 8]),
    ("GET /healthz", [OK; 8]),
    ("GET /v1/api-keys", [NOBODY, OK, OK, NO_SCOPE, OK, REVOKED, NO_SCOPE, OK]),
    ("POST /v1/api-keys", [NOBODY, MADE, MADE, NO_SCOPE, MADE, REVOKED, NO_SCOPE, MADE]),
    ("GET /v1/api-keys/{id}", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    ("PATCH /v1/api-keys/{id}", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    ("DELETE /v1/api-keys/{id}", [NOBODY, GONE, FOREIGN, NO_SCOPE, GONE, REVOKED, NO_SCOPE, FOREIGN]),
    ("DELETE /v1/api-keys/self", [NOBODY, NO_KEY, NO_KEY, GONE, GONE, REVOKED, GONE, NO_KEY]),
    ("POST /v1/api-keys/{id}/rotate", [NOBODY, MADE, FOREIGN, NO_SCOPE, MADE, REVOKED, NO_SCOPE, FOREIGN]),
    ("POST /v1/api-keys/{id}/explain", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    ("GET /v1/api-keys/{id}/events", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    ("POST /v1/api-keys/verify", [NOBODY, NO_SCOPE, NO_SCOPE, NO_SCOPE, NO_SCOPE, REVOKED, OK, NO_SCOPE]),
    ("POST /v1/charges/{id}/settle", [NOBODY, NO_SCOPE, NO_SCOPE, NO_SCOPE, NO_SCOPE, REVOKED, OK, NO_SCOPE]),
    ("GET /v1/client-sessions", [NOBODY, UNSAID, UNSAID, NO_SCOPE, OK, REVOKED, NO_SCOPE, UNSAID]),
    ("POST /v1/client-sessions", [NOBODY, BY_KEY, BY_KEY, NO_SCOPE, MADE, REVOKED, NO_SCOPE, BY_KEY]),
    ("POST /v1/client-sessions/redeem", [OK; 8]),
    ("GET /v1/client-sessions/{id}", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    ("DELETE /v1/client-sessions/{id}", [NOBODY, GONE, FOREIGN, NO_SCOPE, GONE, REVOKED, NO_SCOPE, FOREIGN]),
    ("POST /v1/signed-urls", [NOBODY, MADE, MADE, NO_SCOPE, MADE, REVOKED, NO_SCOPE, MADE]),
    ("GET /v1/me", [NOBODY, OK, OK, OK, OK, REVOKED, OK, OK]),
    ("GET /v1/sessions", [NOBODY, OK, OK, OWNER_ONLY, OWNER_ONLY, REVOKED, OWNER_ONLY, OK]),
    ("DELETE /v1/sessions", [NOBODY, GONE, GONE, OWNER_ONLY, OWNER_ONLY, REVOKED, OWNER_ONLY, GONE]),
    ("DELETE /v1/sessions/{id}", [NOBODY, GONE, FOREIGN, OWNER_ONLY, OWNER_ONLY, REVOKED, OWNER_ONLY, FOREIGN]),
    ("GET /v1/catalogue", [NOBODY, OK, OK, OK, OK, REVOKED, OK, OK]),
    ("GET /v1/projects", [NOBODY, OK, OK, NO_SCOPE, OK, REVOKED, NO_SCOPE, OK]),
    ("POST /v1/projects", [NOBODY, MADE, MADE, NO_SCOPE, OWNER_ONLY, REVOKED, NO_SCOPE, MADE]),
    ("GET /v1/projects/{id}", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    ("PATCH /v1/projects/{id}", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    ("POST /v1/projects/{id}/allocations", [NOBODY, MADE, FOREIGN, NO_SCOPE, OWNER_ONLY, REVOKED, NO_SCOPE, FOREIGN]),
    ("GET /v1/billing", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, OK]),
    ("GET /v1/billing/entries", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, OK]),
    ("GET /v1/requests", [NOBODY, OK, OK, NO_SCOPE, OK, REVOKED, NO_SCOPE, OK]),
    ("GET /v1/requests.csv", [NOBODY, OK, OK, NO_SCOPE, OK, REVOKED, NO_SCOPE, OK]),
    ("GET /v1/analytics", [NOBODY, OK, OK, NO_SCOPE, OK, REVOKED, NO_SCOPE, OK]),
    ("GET /v1/accounts/{id}", [NOBODY, OPERATOR, OPERATOR, OPERATOR, OPERATOR, REVOKED, OPERATOR, OK]),
    ("PATCH /v1/accounts/{id}", [NOBODY, OPERATOR, OPERATOR, OPERATOR, OPERATOR, REVOKED, OPERATOR, OK]),
    ("POST /v1/accounts/{id}/credits", [NOBODY, OPERATOR, OPERATOR, OPERATOR, OPERATOR, REVOKED, OPERATOR, MADE]),
    ("POST /v1/payments/stripe", [OK; 8]),
    ("POST /v1/leaks/github", [OK; 8]),
    ("GET /v1/payments/unmatched", [NOBODY, OPERATOR, OPERATOR, OPERATOR, OPERATOR, REVOKED, OPERATOR, OK]),
    ("POST /v1/payments/{id}/assign", [NOBODY, OPERATOR, OPERATOR, OPERATOR, OPERATOR, REVOKED, OPERATOR, OK]),
    ("GET /v1/webhooks", [NOBODY, OK, OK, NO_SCOPE, OK, REVOKED, NO_SCOPE, OK]),
    ("POST /v1/webhooks", [NOBODY, MADE, NOT_THEIR_KEY, NO_SCOPE, MADE, REVOKED, NO_SCOPE, NOT_THEIR_KEY]),
    ("GET /v1/webhooks/{id}", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    ("PATCH /v1/webhooks/{id}", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    ("DELETE /v1/webhooks/{id}", [NOBODY, GONE, FOREIGN, NO_SCOPE, GONE, REVOKED, NO_SCOPE, FOREIGN]),
    ("POST /v1/webhooks/{id}/test", [NOBODY, ON_ITS_WAY, FOREIGN, NO_SCOPE, ON_ITS_WAY, REVOKED, NO_SCOPE, FOREIGN]),
    ("GET /v1/webhooks/{id}/deliveries", [NOBODY, OK, FOREIGN, NO_SCOPE, OK, REVOKED, NO_SCOPE, FOREIGN]),
    (
        "POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver",
        [NOBODY, ON_ITS_WAY, FOREIGN, NO_SCOPE, ON_ITS_WAY, REVOKED, NO_SCOPE, FOREIGN],
    ),
];

const OK: &str = "200";
const ON_ITS_WAY: &str = "202";
/// Whoever signed in elsewhere names a key that is none of theirs.
const NOT_THEIR_KEY: &str = "400 invalid_request";
const MADE: &str = "201";
const GONE: &str = "204";
const NOBODY: &str = "401 missing_credentials";
const REVOKED: &str = "401 invalid_api_key";
const NO_SCOPE: &str = "403 insufficient_scope";
const OWNER_ONLY: &str = "403 session_required";
/// A client session charges the key that makes it.
const BY_KEY: &str = "403 key_required";
/// Whoever signed in must say whose sessions.
const UNSAID: &str = "400 invalid_request";
const OPERATOR: &str = "403 operator_required";
/// Another tenant's: there is no such resource.
const FOREIGN: &str = "404 not_found";
/// A session is no key that could end itself.
const NO_KEY: &str = "404 not_found";

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let api = Api::shipped().unwrap();
    let described: BTreeSet<String> = api.operations().iter().map(title).collect();
    let listed: BTreeSet<String> = TABLE.iter().map(|(operation, _)| (*operation).to_owned()).collect();
    assert_eq!(listed.len(), TABLE.len(), "a row stands twice");
    let lacking: Vec<_> = described.difference(&listed).collect();
    assert!(lacking.is_empty(), "no row in {} for {lacking:?}", file!());
    assert_eq!(listed.difference(&described).count(), 0, "a row without an operation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_caller_is_answered_as_the_table_says() {
    let (api, program) = (Api::shipped().unwrap(), Program::start().await);
    let mut wrong = Vec::new();
    for (row, wanted) in TABLE {
        let operation = api.operations().iter().find(|operation| title(operation) == *row).unwrap();
        // What one call ends or changes must not be there for the next row.
        let world = World::new(&program).await;
        for (column, wanted) in wanted.iter().enumerate() {
            let caller = &world.callers()[column];
            let target = world.target(operation).await;
            let answer = program.ask_about(operation.method, &target, caller).await;
            let found = format!("{} {}", answer.status, answer.code());
            if found.trim() != *wanted {
                wrong.push(format!("{row}, {}: {found} in place of {wanted}", CALLERS[column]));
            }
            wrong.extend(
                undocumented(&api, operation, &answer).map(|what| format!("{row}, {}: {what}", CALLERS[column])),
            );
            if *wanted == FOREIGN && (operation.path.contains("{id}") || target.path.contains('?')) {
                let strange = stranger(operation, &target.path);
                let stranger = program.ask(operation.method, &strange, caller, target.body.as_ref()).await;
                if shown(&answer) != shown(&stranger) {
                    wrong.push(format!("{row}, {}: {answer:?} differs from {stranger:?}", CALLERS[column]));
                }
            }
        }
    }
    program.stop().await;
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_answers_other_methods_with_405_and_its_own() {
    let (api, program) = (Api::shipped().unwrap(), Program::start().await);
    let world = World::new(&program).await;
    for operation in api.operations() {
        let own: Vec<_> = api.operations().iter().filter(|other| other.path == operation.path).collect();
        let mut own: Vec<_> = own.into_iter().map(|other| other.method).collect();
        if [Operation::GATEWAY, "console"].contains(&operation.function.as_str()) {
            own.push("HEAD");
        }
        let path = world.target(operation).await.path;
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"] {
            if own.contains(&method) {
                continue;
            }
            for caller in [&world.callers()[0], &world.callers()[1]] {
                let answer = program.ask(method, &path, caller, None).await;
                let allow = answer.headers.get("allow").map(String::as_str);
                assert_eq!((answer.status, allow), (405, Some(own.join(", ").as_str())), "{method} {path}");
            }
        }
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_no_operation_takes_are_answered_as_described() {
    let (api, program) = (Api::shipped().unwrap(), Program::start().await);
    let (json, text) = (header("content-type", "application/json"), header("content-type", "text/plain"));
    let (long, large) = ("a".repeat(9_000), format!("\"{}\"", "a".repeat(70_000)));
    let mut seen = BTreeSet::new();
    for operation in api.operations() {
        // Some of these requests end what they are sent with.
        let world = World::new(&program).await;
        let path = world.target(operation).await.path;
        let row = TABLE.iter().find(|(row, _)| *row == title(operation)).unwrap().1;
        let admitted = row.iter().position(|outcome| outcome.starts_with('2')).unwrap();
        for (target, odd, body) in [
            (path.clone(), header("host", "a b"), ""),
            (format!("{path}?{long}"), header("accept", "*/*"), ""),
            (path.clone(), text.clone(), "{}"),
            (path.clone(), json.clone(), &large),
            (path.clone(), json.clone(), "{"),
            (path.clone(), json.clone(), r#"{"colour":"red"}"#),
            (path.clone(), header("idempotency-key", "a b"), "{}"),
        ] {
            let mut headers = world.callers()[admitted].headers();
            headers.push(odd);
            let answer = program.send(operation.method, &target, &headers, body).await;
            assert_eq!(undocumented(&api, operation, &answer), None, "{operation:?} {headers:?}: {answer:?}");
            seen.insert(answer.status);
        }
    }
    assert!([400, 413, 414, 415].iter().all(|status| seen.contains(status)), "{seen:?}");
    program.stop().await;
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// What of an answer the description does not have.
fn undocumented(api: &Api, operation: &Operation, answer: &Answer) -> Option<String> {
    let member = operation.method.to_lowercase();
    let responses = &api.document()["paths"][&operation.path][member]["responses"];
    let Some(documented) = responses.get(answer.status.to_string()).map(|it| api.resolve(it)) else {
        return Some(format!("{} is not documented", answer.status));
    };
    let sent = answer.headers.get("content-type").map(|kind| kind.split(';').next().unwrap_or_default());
    let content = documented.get("content").and_then(Value::as_object);
    let is_documented = match (content, sent) {
        (Some(kinds), Some(sent)) => kinds.contains_key(sent),
        (kinds, sent) => kinds.is_none() && sent.is_none(),
    };
    if !is_documented {
        return Some(format!("{sent:?} is not documented"));
    }
    let parts = &documented["content"]["application/problem+json"]["schema"]["allOf"];
    if parts.is_array() && !parts[1]["properties"]["code"]["enum"].as_array()?.contains(&answer.body["code"]) {
        return Some(format!("{} is not documented", answer.body["code"]));
    }
    let headers = documented.get("headers").and_then(Value::as_object).into_iter().flatten();
    let promised = headers.filter(|(_, header)| api.resolve(header)["required"] == true);
    let missing = promised.map(|(name, _)| name).find(|name| !answer.headers.contains_key(&name.to_lowercase()));
    missing.map(|name| format!("{name} is missing"))
}

/// All of an answer that a caller could learn from; the request's name is new each time.
fn shown(answer: &Answer) -> String {
    let name = answer.body["request_id"].as_str().unwrap_or_default();
    let headers = answer.headers.iter().filter(|(header, _)| *header != "date");
    format!("{} {:?} {}", answer.status, headers.collect::<Vec<_>>(), answer.text.replace(name, ""))
}

fn title(operation: &Operation) -> String {
    format!("{} {}", operation.method, operation.path)
}
