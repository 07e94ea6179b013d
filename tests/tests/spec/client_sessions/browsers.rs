//! What browsers are told: which page may read an answer, and what it may send.

use faregate::{Options, start_at};
use faregate_domain::{policy::Policy, time::Timestamp};
use faregate_edge::now::Clock;
use faregate_tests::{Answer, Bundle, Caller, send_over_http};
use serde_json::{Value, json};

use super::{PATH, REDEEM, Scene, redeem_from};

const LISTED: &str = "cors: { origins: [\"*.a.com\", \"http://localhost\"] }";

async fn listed() -> Scene {
    let text = Policy::DEFAULT_TEXT.replace("cors: { origins: [\"*\"] }", LISTED);
    let (bundle, service) = Bundle::with_service_under(&text).await;
    let (owner, id, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": ["demo:*", "sessions:write"]})).await;
    Scene { bundle, service, owner, id, key }
}

/// What an answer says to a browser.
fn said(answer: &Answer) -> (Option<&str>, Option<&str>) {
    let header = |name: &str| answer.headers.get(name).map(String::as_str);
    (header("access-control-allow-origin"), header("vary"))
}

fn no_credentials(answer: &Answer) {
    assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{answer:?}");
}

#[tokio::test]
async fn a_redemption_is_read_by_listed_pages_alone() {
    let scene = listed().await;
    for (origin, allowed) in [
        (Some("https://x.a.com"), Some("https://x.a.com")),
        (Some("https://X.A.com:443"), Some("https://x.a.com")),
        (Some("http://localhost:5173"), Some("http://localhost:5173")),
        (Some("https://a.com"), None),
        (Some("https://evil.com"), None),
        (Some("https://x.a.com.evil.com"), None),
        (Some("null"), None),
        (Some("*"), None),
        (None, None),
    ] {
        let (_, secret) = scene.made(json!({})).await;
        for (secret, status) in [("cs_junk", 401), (secret.as_str(), 200), (&secret, 401)] {
            let answer = redeem_from(&scene.bundle, secret, origin).await;
            assert_eq!((answer.status, said(&answer)), (status, (allowed, Some("Origin"))), "{origin:?}");
            assert!(answer.headers["access-control-expose-headers"].contains("www-authenticate"));
            no_credentials(&answer);
        }
    }
}

#[tokio::test]
async fn any_page_reads_where_the_policy_says_so_but_for_a_list_of_the_keys_or_the_sessions() {
    let scene = Scene::new().await;
    let (_, open) = scene.made(json!({})).await;
    let answer = redeem_from(&scene.bundle, &open, Some("https://anywhere.example")).await;
    assert_eq!((answer.status, said(&answer)), (200, (Some("*"), Some("Origin"))));
    let token = Caller::Bearer(answer.data("access_token").to_owned());
    let (_, bound) = scene.made(json!({"allowlist": ["https://app.example"]})).await;
    let evil = redeem_from(&scene.bundle, &bound, Some("https://evil.example")).await;
    assert_eq!((evil.status, said(&evil)), (403, (None, Some("Origin"))));
    let answer = redeem_from(&scene.bundle, &bound, Some("https://app.example")).await;
    assert_eq!((answer.status, said(&answer).0), (200, Some("https://app.example")));
    let bound = Caller::Bearer(answer.data("access_token").to_owned());
    for (caller, origin, status, allowed) in [
        (&token, "https://anywhere.example", "200", "*"),
        (&scene.key, "null", "200", "*"),
        (&bound, "https://app.example", "200", "https://app.example"),
        (&bound, "https://evil.example", "403", ""),
        (&bound, "null", "403", ""),
        (&Caller::Key("sk_test_junk".into()), "https://anywhere.example", "401", "*"),
        (&Caller::Anonymous, "https://anywhere.example", "401", "*"),
    ] {
        let mut headers = caller.headers();
        headers.push(("Origin".into(), origin.into()));
        let knock = scene.bundle.knock_with("GET", "/demo/free", &headers).await;
        // The default policy leaves refusals to API Gateway in this harness, where no layer is: its 401 has no context.
        if knock.code != "Unauthorized" {
            assert_eq!((knock.text("status"), knock.text("allowOrigin")), (status, allowed), "{origin} {caller:?}");
            assert_eq!(knock.text("vary"), "Origin");
        }
    }
}

#[tokio::test]
async fn a_policy_that_says_nothing_of_browsers_says_nothing_to_them() {
    let text = Policy::DEFAULT_TEXT.replace("cors: { origins: [\"*\"] }", "");
    let (bundle, service) = Bundle::with_service_under(&text).await;
    let (owner, id, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "admin"})).await;
    let scene = Scene { bundle, service, owner, id, key };
    let (_, secret) = scene.made(json!({})).await;
    let answer = redeem_from(&scene.bundle, &secret, Some("https://a.com")).await;
    assert_eq!((answer.status, said(&answer)), (200, (None, None)));
    let knock = scene.bundle.knock(&scene.key, "GET", "/demo/free").await;
    assert_eq!((knock.text("allowOrigin"), knock.text("vary")), ("", ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_program_speaks_to_browsers_in_every_answer() {
    let policy = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(policy.path(), Policy::DEFAULT_TEXT.replace("cors: { origins: [\"*\"] }", LISTED)).unwrap();
    let clock = Clock::standing_at(Timestamp::from_epoch_s(1_792_540_800));
    let options = Options { policy: Some(policy.path().to_owned()), ..Options::throw_away() };
    let running = start_at(options, clock).await.unwrap();
    let demo = running.make_demo().await.unwrap().unwrap();
    let send = |method: &'static str, path: &'static str, headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = running.url.clone();
        async move { send_over_http(&url, method, path, &headers, "").await }
    };
    for (origin, allowed) in [("https://x.a.com", Some("https://x.a.com")), ("https://evil.com", None)] {
        for (key, path, status) in
            [(demo.key(), "/demo/free", 200), ("", "/demo/free", 401), (demo.key(), "/nowhere", 404)]
        {
            let answer = send("GET", path, &[("origin", origin), ("x-api-key", key)]).await;
            assert_eq!((answer.status, said(&answer)), (status, (allowed, Some("Origin"))), "{path} {origin}");
            let exposed = &answer.headers["access-control-expose-headers"];
            for name in [
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
                "ratelimit",
                "retry-after",
                "www-authenticate",
            ] {
                assert!(exposed.split(", ").any(|one| one == name), "{exposed}");
            }
            no_credentials(&answer);
        }
        for (path, methods) in [
            ("/demo/paid", "GET, HEAD, POST, PUT, PATCH, DELETE"),
            ("/nowhere", "GET, HEAD, POST, PUT, PATCH, DELETE"),
            (REDEEM, "POST"),
        ] {
            let asks = [
                ("origin", origin),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "authorization"),
            ];
            let answer = send("OPTIONS", path, &asks).await;
            assert_eq!((answer.status, said(&answer)), (204, (allowed, Some("Origin"))), "{path}");
            let methods = allowed.map(|_| methods);
            assert_eq!(answer.headers.get("access-control-allow-methods").map(String::as_str), methods);
            let headers = answer.headers.get("access-control-allow-headers").map(String::as_str);
            assert_eq!(headers, allowed.map(|_| "Authorization, X-Api-Key, Content-Type, Idempotency-Key"));
            assert_eq!(answer.headers.contains_key("access-control-max-age"), allowed.is_some());
            no_credentials(&answer);
        }
    }
    // A preflight is counted nowhere, and asks for nothing that is not one.
    let before = send("GET", "/demo/free", &[("x-api-key", demo.key())]).await.headers["x-ratelimit-remaining"].clone();
    for _ in 0..3 {
        send("OPTIONS", "/demo/free", &[("origin", "https://x.a.com"), ("access-control-request-method", "GET")]).await;
    }
    let after = send("GET", "/demo/free", &[("x-api-key", demo.key())]).await.headers["x-ratelimit-remaining"].clone();
    assert_eq!(before.parse::<u64>().unwrap() - after.parse::<u64>().unwrap(), 1);
    assert_eq!(send("OPTIONS", "/demo/free", &[("origin", "https://x.a.com")]).await.status, 404);
    let managing =
        send("OPTIONS", PATH, &[("origin", "https://x.a.com"), ("access-control-request-method", "POST")]).await;
    assert_eq!((managing.status, said(&managing).0), (405, None), "pages of other origins manage nothing");
    running.stop().await;
}

#[tokio::test]
async fn what_browsers_are_told_stands_in_the_verify_call_too() {
    let scene = listed().await;
    let Caller::Key(key) = &scene.key else { panic!("a key") };
    for (origin, allowed) in
        [(json!("https://x.a.com"), json!("https://x.a.com")), (json!("https://evil.com"), Value::Null)]
    {
        let question = json!({"key": key, "method": "GET", "path": "/demo/free", "origin": origin});
        let answer = scene.bundle.post("/v1/api-keys/verify", &scene.service, &question).await;
        let headers = &answer.body["data"]["headers"];
        assert_eq!((&headers["access-control-allow-origin"], &headers["vary"]), (&allowed, &json!("Origin")));
    }
}
