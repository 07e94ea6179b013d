//! The page's rotation script, request by request.

use serde_json::json;

use super::{ask, key, open};
use crate::product::Key;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_makes_a_new_key_and_revokes_the_old_one_by_cookie() {
    let (product, session) = open().await;
    let old = key(&product, &session, "render-batch").await;
    let cookie = [("Cookie", session.cookie.as_str())];

    // 1. Create new key
    let name = format!("Production Key {}", product.now_s());
    let body = json!({"name": name, "scopes": "render-batch"});
    let created = product.send("POST", "/api/keys", &cookie, &body).await;
    let new = Key { id: created.text("/apiKey/id").to_owned(), text: created.text("/key").to_owned() };

    // 2. Test new key. The script asks for the balance, which render-batch does not open; its own work does.
    assert_eq!(ask(&product, &new, "GET", "/api/billing").await.verdict(), (403, "insufficient_scope"));
    assert_eq!(ask(&product, &new, "GET", "/api/render/job_1").await.status, 200);

    // 3. Update environment: both keys work meanwhile
    for key in [&old, &new] {
        assert_eq!(ask(&product, key, "POST", "/api/render").await.status, 200);
    }

    // 4. Revoke old key
    let listed = product.ask("GET", "/api/keys", &cookie, "").await;
    let keys = listed.body["keys"].as_array().unwrap_or_else(|| panic!("{listed:?}"));
    let old_key_prefix = &old.text[..16];
    let found = keys.iter().find(|key| key["keyPrefix"] == old_key_prefix).unwrap();
    assert_eq!(found["id"], old.id.as_str());
    let revoked = product.ask("DELETE", &format!("/api/keys/{}", old.id), &cookie, "").await;
    assert!((200..300).contains(&revoked.status), "{revoked:?}");
    assert_eq!(ask(&product, &old, "POST", "/api/render").await.verdict(), (401, "invalid_api_key"));
    assert_eq!(ask(&product, &new, "POST", "/api/render").await.status, 200);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scripts_test_passes_with_a_key_that_may_read_the_balance() {
    let (product, session) = open().await;
    let new = key(&product, &session, "videos:create,videos:create:batch,videos:read,billing:read").await;
    assert_eq!(ask(&product, &new, "GET", "/api/billing").await.status, 200);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_per_environment_is_revoked_without_the_others() {
    let (product, session) = open().await;
    let mut keys = Vec::new();
    for name in ["development", "staging", "production"] {
        keys.push(product.key(&session, json!({"name": name, "scopes": "render-only"})).await);
    }
    product.ask("DELETE", &product.page(&keys[1]), &[("Cookie", &session.cookie)], "").await;
    for (key, status) in keys.iter().zip([200, 401, 200]) {
        assert_eq!(ask(&product, key, "GET", "/api/render/job_1").await.status, status);
    }
    product.stop().await;
}
