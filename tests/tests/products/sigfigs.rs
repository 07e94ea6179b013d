//! SigFigs Studio's page on authentication: keys made by session cookie, and the two headers they travel in.

mod limits;
mod rotation;
mod scopes;

use serde_json::{Value, json};

use crate::{
    answer::Answer,
    product::{Key, Product, Session},
};

/// The studio, and a customer of the tier that has API access.
async fn open() -> (Product, Session) {
    let product = Product::open_with_keys_at("sigfigs", "/api/keys").await;
    let session = product.newcomer().await;
    promote(&product, &session).await;
    (product, session)
}

/// Moves a customer up to the Studio tier, as the operator does.
async fn promote(product: &Product, session: &Session) {
    let account = format!("/v1/accounts/{}", session.account);
    let operator = product.operator().await.bearer();
    let moved = product.send("PATCH", &account, &[("Authorization", &operator)], &json!({"plan": "studio"})).await;
    assert_eq!((moved.status, moved.text("/data/plan/name")), (200, "studio"), "{moved:?}");
}

/// The page's own request for a key.
async fn create(product: &Product, cookie: &str) -> Answer {
    let line = r#"curl -X POST https://app.sigfigsstudio.com/api/keys \
  -H "Content-Type: application/json" \
  -H "Cookie: [your session cookie]" \
  -d '{
    "name": "Production API Key",
    "scopes": "render-batch"
  }'"#;
    product.curl(line, &[("[your session cookie]", cookie)]).await
}

/// A key with these scopes, named as callers may: a preset, a comma text or a list.
async fn key(product: &Product, session: &Session, scopes: &str) -> Key {
    product.key(session, json!({"name": scopes, "scopes": scopes})).await
}

async fn ask(product: &Product, key: &Key, method: &str, path: &str) -> Answer {
    product.ask(method, path, &[("X-API-Key", &key.text)], "").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_needs_an_api_key() {
    let (product, session) = open().await;
    let signed_in = session.bearer();
    for headers in [
        &[][..],
        &[("X-API-Key", "sf_live_YOUR_KEY_HERE")],
        &[("Cookie", session.cookie.as_str())],
        &[("Authorization", signed_in.as_str())],
    ] {
        assert_eq!(product.ask("GET", "/api/render/job_1", headers, "").await.status, 401, "{headers:?}");
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_access_begins_with_the_studio_tier() {
    let product = Product::open_with_keys_at("sigfigs", "/api/keys").await;
    let session = product.newcomer().await;
    assert_eq!(create(&product, &session.cookie).await.verdict(), (403, "plan_required"));
    promote(&product, &session).await;
    assert_eq!(create(&product, &session.cookie).await.status, 201);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_cookie_makes_a_key_and_the_answer_is_the_documented_one() {
    let (product, session) = open().await;
    let created = create(&product, &session.cookie).await;
    assert_eq!(created.status, 201, "{created:?}");
    let (key, id) = (created.text("/key"), created.text("/apiKey/id"));
    assert!(key.starts_with("sf_live_") && !id.is_empty());
    let wanted = json!({
        "success": true,
        "key": key,
        "apiKey": {
            "id": id,
            "name": "Production API Key",
            "keyPrefix": key[..16],
            "scopes": "videos:create,videos:create:batch,videos:read"
        },
        "message": "Save this API key — it won't be shown again."
    });
    assert_eq!(created.body, wanted);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_page_cannot_use_the_cookie() {
    let (product, session) = open().await;
    for origin in ["https://evil.example", "null"] {
        let headers = [("Cookie", session.cookie.as_str()), ("Origin", origin)];
        let refused = product.send("POST", "/api/keys", &headers, &json!({"name": "a"})).await;
        assert_eq!(refused.verdict(), (403, "origin_not_allowed"));
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_shown_only_once() {
    let (product, session) = open().await;
    let created = create(&product, &session.cookie).await;
    let (key, id) = (created.text("/key"), created.text("/apiKey/id"));
    for path in ["/api/keys".to_owned(), format!("/api/keys/{id}")] {
        let answer = product.ask("GET", &path, &[("Cookie", &session.cookie)], "").await;
        let text = answer.body.to_string();
        assert!(answer.status == 200 && text.contains(id) && text.contains(&key[..16]), "{text}");
        assert!(!text.contains(&key["sf_live_".len() + 16..]), "{text}");
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_travels_in_x_api_key_or_as_a_bearer_token() {
    let (product, session) = open().await;
    let key = key(&product, &session, "render-only").await;
    for line in [
        "curl -H \"X-API-Key: sf_live_YOUR_KEY_HERE\" \\\n  https://app.sigfigsstudio.com/api/render",
        "curl -H \"Authorization: Bearer sf_live_YOUR_KEY_HERE\" \\\n  https://app.sigfigsstudio.com/api/render",
    ] {
        let answer = product.curl(line, &[("sf_live_YOUR_KEY_HERE", &key.text)]).await;
        assert_eq!((answer.status, answer.text("/data/path")), (200, "/api/render"));
        assert_eq!(answer.text("/data/context/keyId"), key.id);
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_and_node_examples_poll_a_job() {
    let (product, session) = open().await;
    let key = key(&product, &session, "render-only").await;
    let answer = ask(&product, &key, "GET", "/api/render/JOB_ID").await;
    assert_eq!((answer.status, answer.text("/data/path")), (200, "/api/render/JOB_ID"));
    assert_eq!(answer.body["data"]["body"], Value::Null);
    product.stop().await;
}
