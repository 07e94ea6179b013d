//! Signed URLs: made by who could make the call, good for that call alone, and looked at without the table.

use faregate_domain::policy::Policy;
use faregate_tests::{Answer, Bundle, Caller, Fault, Knock};
use serde_json::{Value, json};

mod routes;

const ORIGIN: &str = "https://api.example.com";
const MEDIA: &str = "/demo/media/cat.png";

async fn ask(bundle: &Bundle, caller: &Caller, body: Value) -> Answer {
    bundle.post("/v1/signed-urls", caller, &body).await
}

/// The path and query of a URL that somebody was given.
async fn sign(bundle: &Bundle, caller: &Caller, body: Value) -> String {
    let answer = ask(bundle, caller, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.data("url").strip_prefix(ORIGIN).unwrap().to_owned()
}

async fn open(bundle: &Bundle, method: &str, target: &str) -> Knock {
    bundle.knock(&Caller::Anonymous, method, target).await
}

async fn code(bundle: &Bundle, method: &str, target: &str) -> (u16, String) {
    let knock = open(bundle, method, target).await;
    (knock.status, knock.code)
}

fn refused(code: &str) -> (u16, String) {
    (403, code.to_owned())
}

/// The default policy with something else in place of its route for media.
fn policy(route: &str) -> String {
    let own =
        r#"  - { route: "GET /demo/media/{name}", scope: "demo:read", signed_urls: accepted, refusals: backend }"#;
    assert!(Policy::DEFAULT_TEXT.contains(own));
    Policy::DEFAULT_TEXT.replace(own, route)
}

#[tokio::test]
async fn a_signed_url_opens_its_call_and_tells_whom_it_acts_for() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let answer = ask(&bundle, &key, json!({"path": format!("{MEDIA}?b=2&a=%C3%A9&b=1")})).await;
    assert_eq!((answer.status, answer.data("method")), (201, "GET"), "{}", answer.text);
    assert_eq!(answer.data("path"), "/demo/media/cat.png?a=%C3%A9&b=2&b=1");
    assert_eq!(answer.data("expires_at"), "2026-10-21T00:15:00Z", "fifteen minutes");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let target = answer.data("url").strip_prefix(ORIGIN).unwrap().to_owned();
    let own = bundle.knock(&key, "GET", MEDIA).await;
    for method in ["GET", "HEAD"] {
        let knock = open(&bundle, method, &target).await;
        assert_eq!((knock.status, knock.code.as_str()), (200, "ok"));
        for member in ["accountId", "projectId", "keyId", "environment", "gallery"] {
            assert_eq!(knock.text(member), own.text(member), "{member}");
        }
        assert_eq!((knock.text("keyId"), knock.text("scopes")), (id.as_str(), "demo:read"));
        for member in ["chargeId", "settle", "rlLimit", "policy", "rateLimit", "keyExpiresIn"] {
            assert_eq!(knock.text(member), "", "{member}");
        }
        assert_eq!(knock.answer["principalId"], id);
    }
    let by_owner = sign(&bundle, &session.caller(), json!({"path": MEDIA})).await;
    let knock = open(&bundle, "GET", &by_owner).await;
    assert_eq!((knock.status, knock.text("accountId"), knock.text("keyId")), (200, session.account_id.as_str(), ""));
}

#[tokio::test]
async fn a_changed_byte_a_longer_time_another_method_path_or_query_is_refused() {
    let bundle = Bundle::new().await;
    let (.., key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let target = sign(&bundle, &key, json!({"path": format!("{MEDIA}?size=2"), "ttl_seconds": 60})).await;
    for (from, to) in [
        ("cat.png", "dog.png"),
        ("cat.png", "cat.pnG"),
        ("cat.png", "cat.png/"),
        ("size=2", "size=3"),
        ("size=2&", ""),
        ("size=2", "size=2&size=2"),
        ("size=2", "size=2&more=1"),
        ("faregate-expires=1792540860", "faregate-expires=1792541760"),
        ("faregate-for=acc_", "faregate-for=acc_0"),
        (".sandbox.", ".production."),
        ("faregate-signature=", "faregate-signature=0"),
    ] {
        assert!(target.contains(from), "{from} in {target}");
        let other = target.replacen(from, to, 1);
        assert_eq!(code(&bundle, "GET", &other).await, refused("invalid_signed_url"), "{other}");
    }
    let at_signature = target.len() - 64;
    for at in at_signature..target.len() {
        let mut bytes = target.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let other = String::from_utf8(bytes).unwrap();
        assert_eq!(code(&bundle, "GET", &other).await, refused("invalid_signed_url"), "{other}");
    }
    for method in ["POST", "PUT", "DELETE", "get"] {
        assert_eq!(code(&bundle, method, &target).await, (404, "unknown_route".into()), "{method}");
    }
    assert_eq!(code(&bundle, "GET", &target).await.0, 200);
    // Of another path that takes signed URLs, the signature is no good either; a path that takes none says the same.
    for path in ["/demo/free", "/demo/limited"] {
        let other = target.replace(MEDIA, path);
        assert_eq!(code(&bundle, "GET", &other).await, refused("invalid_signed_url"), "{other}");
    }
}

#[tokio::test]
async fn a_url_of_one_method_opens_no_other() {
    let routes =
        "  - { route: \"ANY /demo/media/{name}\", scope: \"demo:read\", signed_urls: accepted, refusals: backend }";
    let bundle = Bundle::with_policy(&policy(routes)).await;
    let (.., key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    for (signed, opened) in [("GET", &["GET", "HEAD"][..]), ("PUT", &["PUT"]), ("DELETE", &["DELETE"])] {
        let target = sign(&bundle, &key, json!({"path": MEDIA, "method": signed})).await;
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"] {
            let wanted = if opened.contains(&method) { (200, "ok".into()) } else { refused("invalid_signed_url") };
            assert_eq!(code(&bundle, method, &target).await, wanted, "{signed} {method}");
        }
    }
}

#[tokio::test]
async fn a_url_ends_when_it_says_and_no_later_than_its_key() {
    let bundle = Bundle::new().await;
    let (session, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let short = sign(&bundle, &key, json!({"path": MEDIA, "ttl_seconds": 1})).await;
    let long = sign(&bundle, &key, json!({"path": MEDIA, "ttl_seconds": 900})).await;
    let (_, ending) = bundle.key(&session, json!({"name": "b", "expires_at": "2026-10-21T00:01:00Z"})).await;
    let answer = ask(&bundle, &ending, json!({"path": MEDIA})).await;
    assert_eq!(answer.data("expires_at"), "2026-10-21T00:01:00Z");
    bundle.clock.advance_ms(999);
    assert_eq!(code(&bundle, "GET", &short).await.0, 200);
    bundle.clock.advance_ms(1);
    assert_eq!(code(&bundle, "GET", &short).await, refused("signed_url_expired"));
    bundle.clock.advance_ms(898_999);
    assert_eq!(code(&bundle, "GET", &long).await.0, 200);
    bundle.clock.advance_ms(1);
    assert_eq!(code(&bundle, "GET", &long).await, refused("signed_url_expired"));
    assert_eq!(open(&bundle, "GET", &long).await.problem["type"], "/problems/signed_url_expired");
}

#[tokio::test]
async fn the_old_secret_of_a_rotated_key_signs_until_its_grace_ends() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let rotate = json!({"grace_seconds": 60});
    assert_eq!(bundle.post(&format!("/v1/api-keys/{id}/rotate"), &session.caller(), &rotate).await.status, 201);
    let answer = ask(&bundle, &key, json!({"path": MEDIA})).await;
    assert_eq!((answer.status, answer.data("expires_at")), (201, "2026-10-21T00:01:00Z"));
}

#[tokio::test]
async fn nobody_hands_out_what_they_lack() {
    let closed = "  - { route: \"GET /demo/media/{name}\", scope: \"demo:read\", signed_urls: accepted, refusals: backend, environments: [production] }";
    let (open_bundle, closed_bundle) = (Bundle::new().await, Bundle::with_policy(&policy(closed)).await);
    let session = open_bundle.newcomer().await;
    let (_, writer) = open_bundle.key(&session, json!({"name": "w", "scopes": ["demo:write"]})).await;
    let (id, frozen) = open_bundle.key(&session, json!({"name": "f"})).await;
    let (gone, revoked) = open_bundle.key(&session, json!({"name": "r"})).await;
    let page = format!("/v1/api-keys/{id}");
    assert_eq!(open_bundle.patch(&page, &session.caller(), &json!({"frozen": true})).await.status, 200);
    assert_eq!(open_bundle.delete(&format!("/v1/api-keys/{gone}"), &session.caller()).await.status, 204);
    let bad = json!({"path": "nowhere"});
    for (caller, body, wanted) in [
        (&Caller::Anonymous, json!({"path": MEDIA}), (401, "missing_credentials")),
        (&Caller::Anonymous, bad.clone(), (401, "missing_credentials")),
        (&revoked, json!({"path": MEDIA}), (401, "invalid_api_key")),
        (&writer, json!({"path": MEDIA}), (403, "insufficient_scope")),
        (&frozen, json!({"path": MEDIA}), (402, "insufficient_credits")),
        (&writer, bad, (400, "invalid_request")),
    ] {
        let answer = ask(&open_bundle, caller, body.clone()).await;
        assert_eq!((answer.status, answer.code()), wanted, "{caller:?} {body}");
    }
    let (session, _, sandbox) = closed_bundle.key_of_newcomer(json!({"name": "a"})).await;
    let (_, production) = closed_bundle.key(&session, json!({"name": "b", "environment": "production"})).await;
    for caller in [&sandbox, &session.caller()] {
        let answer = ask(&closed_bundle, caller, json!({"path": MEDIA})).await;
        assert_eq!((answer.status, answer.code()), (403, "forbidden_environment"));
    }
    assert_eq!(ask(&closed_bundle, &production, json!({"path": MEDIA})).await.status, 201);
    let refused =
        Bundle::with_policy(&Policy::DEFAULT_TEXT.replace("\nscopes:", "\nsessions: refused\n\nscopes:")).await;
    let answer = ask(&refused, &refused.newcomer().await.caller(), json!({"path": MEDIA})).await;
    assert_eq!((answer.status, answer.code()), (401, "missing_credentials"), "a session that the gate takes for none");
}

#[tokio::test]
async fn a_key_with_an_allowlist_signs_for_the_origin_that_asks() {
    let bundle = Bundle::new().await;
    let list = json!({"name": "a", "allowlist": ["app.example.com", "*.other.example"]});
    let (.., Caller::Key(text)) = bundle.key_of_newcomer(list).await else { panic!("a key") };
    let sign_from = async |origin: &[(&str, &str)]| {
        let mut headers = vec![("x-api-key", text.as_str()), ("content-type", "application/json")];
        headers.extend(origin);
        let body = json!({"path": MEDIA}).to_string();
        bundle.send_with("POST", "/v1/signed-urls", &headers, Some(&body)).await
    };
    for origin in [&[][..], &[("origin", "https://evil.example")], &[("origin", "null")]] {
        assert_eq!(sign_from(origin).await.code(), "origin_not_allowed", "{origin:?}");
    }
    let answer = sign_from(&[("origin", "https://app.example.com")]).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let target = answer.data("url").strip_prefix(ORIGIN).unwrap().to_owned();
    for (header, value, status) in [
        ("origin", "https://app.example.com", 200),
        ("referer", "https://app.example.com/page?x=1", 200),
        ("origin", "https://a.other.example", 403),
        ("origin", "http://app.example.com", 403),
        ("origin", "null", 403),
        ("accept", "*/*", 403),
    ] {
        let knock = bundle.knock_with("GET", &target, &[(header.into(), value.into())]).await;
        let wanted = if status == 200 { "ok" } else { "origin_not_allowed" };
        assert_eq!((knock.status, knock.code.as_str()), (status, wanted), "{header}: {value}");
    }
    let freed = target.replace("&faregate-origin=https%3A%2F%2Fapp.example.com%3A443", "");
    assert_ne!(freed, target);
    assert_eq!(code(&bundle, "GET", &freed).await, refused("invalid_signed_url"));
}

#[tokio::test]
async fn a_signature_beside_a_credential_is_ambiguous() {
    let bundle = Bundle::new().await;
    let (session, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let target = sign(&bundle, &key, json!({"path": MEDIA})).await;
    for caller in [&key, &session.caller(), &Caller::Key("junk".into())] {
        for target in [&target, &format!("{MEDIA}?faregate-signature="), "/demo/free?faregate-signature=1"] {
            let knock = bundle.knock(caller, "GET", target).await;
            assert_eq!((knock.status, knock.code.as_str()), (400, "ambiguous_credentials"), "{caller:?} {target}");
        }
    }
    // Ours without a signature are no signature, and a key is looked at as ever.
    let unsigned = target.split("&faregate-signature").next().unwrap();
    assert_eq!(code(&bundle, "GET", unsigned).await, (401, "missing_credentials".into()));
    assert_eq!(bundle.knock(&key, "GET", unsigned).await.status, 200);
}

#[tokio::test]
async fn a_signed_url_is_decided_without_the_table() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let target = sign(&bundle, &key, json!({"path": MEDIA})).await;
    let before = bundle.cell(&key).await;
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    // Functions that have only just started know nothing but the secrets.
    let started = bundle.restarted();
    for _ in 0..200 {
        assert_eq!(code(&started, "GET", &target).await, (200, "ok".into()));
    }
    for _ in 0..200 {
        assert_eq!(code(&started, "GET", &format!("{target}0")).await, refused("invalid_signed_url"));
    }
    bundle.link.keep_playing(None);
    assert_eq!((started.services.refused.waiting(), bundle.cell(&key).await), (0, before), "nothing is counted");
    // Revoking the key leaves what it has signed to its end.
    assert_eq!(bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await.status, 204);
    assert_eq!(code(&bundle, "GET", &target).await.0, 200);
    bundle.clock.advance_ms(900_000);
    assert_eq!(code(&bundle, "GET", &target).await, refused("signed_url_expired"));
}

#[tokio::test]
async fn the_secret_is_rotated_without_losing_a_url_and_its_loss_admits_nobody() {
    let bundle = Bundle::new().await;
    let (.., key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let put = |link: Value| {
        let mut secrets: Value = serde_json::from_slice(&std::fs::read(bundle.secrets_file()).unwrap()).unwrap();
        secrets["link"] = link;
        std::fs::write(bundle.secrets_file(), secrets.to_string()).unwrap();
    };
    let secrets: Value = serde_json::from_slice(&std::fs::read(bundle.secrets_file()).unwrap()).unwrap();
    let first = secrets["link"]["current"].clone();
    let old = sign(&bundle, &key, json!({"path": MEDIA})).await;
    assert_eq!(code(&bundle, "GET", &old).await.0, 200);
    put(json!({"current": "9".repeat(64), "previous": first}));
    // Another process signs under the new one at once, and this one finds out.
    let new = sign(&bundle.restarted(), &key, json!({"path": MEDIA})).await;
    assert_ne!(new, old);
    for bundle in [&bundle, &bundle.restarted()] {
        assert_eq!((code(bundle, "GET", &new).await.0, code(bundle, "GET", &old).await.0), (200, 200));
    }
    put(json!({"current": "8".repeat(64), "previous": "9".repeat(64)}));
    assert_eq!(code(&bundle.restarted(), "GET", &old).await, refused("invalid_signed_url"), "twice ends it");
    std::fs::write(bundle.secrets_file(), "{").unwrap();
    let blind = bundle.restarted();
    assert_eq!(open(&blind, "GET", &new).await.status, 503, "neither an admission nor a refusal");
}

#[tokio::test]
async fn the_verify_call_takes_a_signature_too() {
    let (bundle, service) = Bundle::with_service().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let target = sign(&bundle, &key, json!({"path": format!("{MEDIA}?size=2")})).await;
    let (path, query) = target.split_once('?').unwrap();
    let verify = async |question: Value| {
        let answer = bundle.post("/v1/api-keys/verify", &service, &question).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["data"].clone()
    };
    let said = verify(json!({"key": "", "method": "GET", "path": path, "query": query})).await;
    assert_eq!((&said["allowed"], &said["status"], &said["charge_id"]), (&json!(true), &json!(200), &Value::Null));
    assert_eq!(said["principal"]["key_id"], id);
    // Nothing was counted, so no header tells of a limit; what pages of browsers may read is said all the same.
    let headers: Vec<&String> = said["headers"].as_object().unwrap().keys().collect();
    assert_eq!(headers, ["access-control-allow-origin", "access-control-expose-headers", "vary"]);
    assert_eq!(said["principal"]["account_id"], session.account_id);
    let Caller::Key(text) = &key else { panic!("a key") };
    for (question, code) in [
        (json!({"key": "", "method": "GET", "path": path, "query": format!("{query}&a=1")}), "invalid_signed_url"),
        (json!({"key": "", "method": "PUT", "path": path, "query": query}), "unknown_route"),
        (json!({"key": "", "method": "GET", "path": path}), "missing_credentials"),
        (json!({"key": text, "method": "GET", "path": path, "query": query}), "ambiguous_credentials"),
        // A backend that names a price asks about a call that costs something.
        (json!({"key": "", "method": "GET", "path": path, "query": query, "cost_usd": 0.01}), "invalid_signed_url"),
    ] {
        let said = verify(question.clone()).await;
        assert_eq!((&said["allowed"], &said["code"]), (&json!(false), &json!(code)), "{question}");
    }
    // A query is read for a signature alone.
    assert_eq!(verify(json!({"key": text, "method": "GET", "path": path, "query": "a=1;+%"})).await["allowed"], true);
    for query in ["a#b".to_owned(), "a".repeat(8_193)] {
        let question = json!({"key": "", "method": "GET", "path": path, "query": query});
        let answer = bundle.post("/v1/api-keys/verify", &service, &question).await;
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!("query")));
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_named() {
    let bundle = Bundle::new().await;
    let (.., key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let long = format!("{MEDIA}?a={}", "b".repeat(2_048));
    for (body, field) in [
        (json!({}), "path"),
        (json!({"path": 7}), "path"),
        (json!({"path": MEDIA, "ttl_seconds": 0}), "ttl_seconds"),
        (json!({"path": MEDIA, "ttl_seconds": 901}), "ttl_seconds"),
        (json!({"path": MEDIA, "ttl_seconds": -1}), "ttl_seconds"),
        (json!({"path": MEDIA, "ttl_seconds": 1.5}), "ttl_seconds"),
        (json!({"path": MEDIA, "method": "HEAD"}), "method"),
        (json!({"path": MEDIA, "method": "get"}), "method"),
        (json!({"path": MEDIA, "method": "POST"}), "path"),
        (json!({"path": MEDIA, "colour": 1}), "colour"),
        (json!({"path": "/demo/free"}), "path"),
        (json!({"path": "/nowhere"}), "path"),
        (json!({"path": "https://api.example.com/demo/media/a"}), "path"),
        (json!({"path": "/demo/media/../free"}), "path"),
        (json!({"path": "/demo/media/a%2fb"}), "path"),
        (json!({"path": "/demo/media/é"}), "path"),
        (json!({"path": format!("{MEDIA}#a")}), "path"),
        (json!({"path": format!("{MEDIA}?a#b")}), "path"),
        (json!({"path": format!("{MEDIA}?a=x+y")}), "path"),
        (json!({"path": format!("{MEDIA}?a=x%20y")}), "path"),
        (json!({"path": format!("{MEDIA}?a=1;b=2")}), "path"),
        (json!({"path": format!("{MEDIA}?a=%FF")}), "path"),
        (json!({"path": format!("{MEDIA}?faregate-expires=1")}), "path"),
        (json!({"path": format!("{MEDIA}?%66aregate-x=1")}), "path"),
        (json!({"path": long}), "path"),
    ] {
        let answer = ask(&bundle, &key, body.clone()).await;
        assert_eq!(
            (answer.status, answer.code(), &answer.body["field"]),
            (400, "invalid_request", &json!(field)),
            "{body}"
        );
    }
    let text = bundle.send("POST", "/v1/signed-urls", &key, Some("{")).await;
    assert_eq!((text.status, text.code()), (400, "invalid_request"));
}
