//! The published documents, the routes, and keys in rotation.

use faregate_domain::policy::Policy;
use lambda_http::Body;
use serde_json::Value;

use super::bench::{Bench, ORIGIN, Wallet, write_secret};

async fn fetch(bench: &Bench, path: &str) -> Value {
    let answer = bench.send("GET", path, Body::Empty, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn key_ids(bench: &Bench) -> Vec<String> {
    let set = fetch(bench, "/.well-known/jwks.json").await;
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_key_set_is_there_before_the_first_login() {
    let bench = Bench::new().await;
    let set = fetch(&bench, "/.well-known/jwks.json").await;
    let key = &set["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
        (&"EC".into(), &"P-256".into(), &"ES256".into(), &"sig".into())
    );
    assert!(key.get("d").is_none());
}

#[tokio::test]
async fn discovery_leads_to_the_key_set() {
    let bench = Bench::new().await;
    let document = fetch(&bench, "/.well-known/openid-configuration").await;
    assert_eq!(document["issuer"], ORIGIN);
    assert_eq!(document["jwks_uri"], format!("{ORIGIN}/.well-known/jwks.json"));
}

#[tokio::test]
async fn the_description_names_every_path_of_this_function() {
    let bench = Bench::new().await;
    let document = fetch(&bench, "/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.1");
    for path in ["/auth/verify", "/auth/logout", "/.well-known/jwks.json", "/openapi.json"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
}

#[tokio::test]
async fn the_description_has_the_keys_where_the_policy_has_them() {
    let policy = format!("{}\nmanagement: {{ keys: /api/keys }}\n", Policy::DEFAULT_TEXT);
    let document = fetch(&Bench::with_policy(&policy), "/openapi.json").await;
    let paths = document["paths"].as_object().unwrap();
    let below =
        |keys: &str| paths.keys().filter_map(|path| path.strip_prefix(keys)).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(below("/api/keys"), ["", "/self", "/{id}", "/{id}/events", "/{id}/explain", "/{id}/rotate"]);
    assert_eq!(below("/v1/api-keys"), ["/verify"]);
}

#[tokio::test]
async fn tokens_outlive_a_rotation_of_the_signing_secret() {
    let bench = Bench::new().await;
    let old = bench.token(&Wallet::new(1)).await;
    let old_keys = key_ids(&bench).await;
    write_secret(&bench.secrets_file, "bb", Some("aa"));
    bench.services.clock.advance_ms(301_000);
    let new = bench.token(&Wallet::new(1)).await;
    let now = bench.services.clock.now();
    assert!(bench.app.sessions.verify_live(&old, now).await.is_ok());
    assert!(bench.app.sessions.verify_live(&new, now).await.is_ok());
    let keys = key_ids(&bench).await;
    assert_eq!(keys.len(), 2);
    assert!(keys.contains(&old_keys[0]));
}

#[tokio::test]
async fn a_key_that_left_both_versions_is_withdrawn_in_the_end() {
    let bench = Bench::new().await;
    let first = key_ids(&bench).await;
    write_secret(&bench.secrets_file, "cc", Some("bb"));
    bench.services.clock.advance_ms(3_600_000);
    assert!(!key_ids(&bench).await.contains(&first[0]));
    bench.services.clock.advance_ms(90_000_000);
    bench.token(&Wallet::new(1)).await;
    let kept = bench.services.store.find_published_keys().await.unwrap();
    assert!(kept.iter().all(|key| key.kid != first[0]));
}

#[tokio::test]
async fn other_methods_and_paths_are_named_as_such() {
    let bench = Bench::new().await;
    for (method, path, wanted, allow) in [
        ("GET", "/auth/verify", (405, "method_not_allowed"), "POST"),
        ("DELETE", "/auth/logout", (405, "method_not_allowed"), "POST"),
        ("POST", "/.well-known/jwks.json", (405, "method_not_allowed"), "GET"),
        ("PUT", "/.well-known/openid-configuration", (405, "method_not_allowed"), "GET"),
        ("GET", "/auth", (404, "not_found"), ""),
        ("POST", "/auth/verify/", (404, "not_found"), ""),
    ] {
        let answer = bench.send(method, path, Body::Empty, &[]).await;
        assert_eq!(answer.refusal(), wanted, "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}
