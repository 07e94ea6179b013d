//! The Faces API's page on authentication: wallet sign-in, keys with a budget and an allowlist, three error codes.

use serde_json::{Value, json};

use crate::{
    answer::Answer,
    product::{Key, Product, Session},
};

async fn open() -> (Product, Session) {
    let product = Product::open("faces").await;
    let session = product.newcomer().await;
    (product, session)
}

async fn chat(product: &Product, bearer: &str) -> Answer {
    product.send("POST", "/v1/chat", &[("Authorization", bearer)], &json!({"message": "hello"})).await
}

/// Looks at faces as a page at `header` would.
async fn look_from(product: &Product, key: &Key, header: &[(&str, &str)]) -> Answer {
    let bearer = key.bearer();
    let headers: Vec<_> = [("Authorization", bearer.as_str())].into_iter().chain(header.iter().copied()).collect();
    product.ask("GET", "/v1/faces", &headers, "").await
}

/// The whole body of every 402.
fn insufficient_credits() -> Value {
    json!({"detail": "Insufficient credits"})
}

/// Pays money into the account and gives it to the default project.
async fn top_up(product: &Product, session: &Session, amount: &str, reference: &str) {
    let credits = format!("/v1/accounts/{}/credits", session.account);
    let body = json!({"amount_usd": amount, "reference": reference});
    let operator = product.operator().await.bearer();
    let credited = product.send("POST", &credits, &[("Authorization", &operator)], &body).await;
    assert_eq!(credited.status, 201, "{credited:?}");
    let bearer = session.bearer();
    let me = product.ask("GET", "/v1/me", &[("Authorization", &bearer)], "").await;
    let allocations = format!("/v1/projects/{}/allocations", me.text("/data/default_project_id"));
    let moved = product.send("POST", &allocations, &[("Authorization", &bearer)], &json!({"amount_usd": amount})).await;
    assert_eq!(moved.status, 201, "{moved:?}");
    // The gate keeps a refusal in mind for less than a second.
    product.wait_s(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_signs_in_with_a_nonce_and_gets_a_jwt() {
    let product = Product::open("faces").await;
    let wallet = product.wallet("newcomer");
    let address = wallet.address().to_string();
    let nonce =
        product.curl("curl https://api.faces.sh/auth/nonce/0xYOUR_ADDRESS", &[("0xYOUR_ADDRESS", &address)]).await;
    assert_eq!(nonce.status, 200);
    let signature = wallet.sign(nonce.text("/data/message"));
    let verify = r#"curl -X POST https://api.faces.sh/auth/verify \
  -H "Content-Type: application/json" \
  -d '{
    "address": "0xYOUR_ADDRESS",
    "signature": "0xSIG",
    "nonce": "NONCE"
  }'"#;
    let proof = [("0xYOUR_ADDRESS", address.as_str()), ("0xSIG", &signature), ("NONCE", nonce.text("/data/nonce"))];
    let verified = product.curl(verify, &proof).await;
    assert_eq!((verified.status, verified.text("/data/token_type")), (200, "bearer"));
    assert!(verified.text("/data/access_token").starts_with("eyJ"));
    assert_eq!(product.curl(verify, &proof).await.status, 401, "a nonce works once");
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jwt_and_a_key_are_both_bearer_tokens() {
    let (product, session) = open().await;
    let key = product.key(&session, json!({"name": "production"})).await;
    for bearer in [session.bearer(), key.bearer()] {
        let answer = product.ask("GET", "/v1/faces", &[("Authorization", &bearer)], "").await;
        assert_eq!((answer.status, answer.text("/data/context/accountId")), (200, session.account.as_str()));
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jwt_expires_after_a_short_window_and_a_key_does_not() {
    let (product, session) = open().await;
    let key = product.key(&session, json!({"name": "production"})).await;
    product.wait_s(86_400);
    assert_eq!(chat(&product, &session.bearer()).await.status, 401);
    assert_eq!(chat(&product, &key.bearer()).await.status, 200);
    product.wait_s(5 * 365 * 86_400);
    assert_eq!(chat(&product, &key.bearer()).await.status, 200);
    product.stop().await;
}

/// The page's own request for a key.
async fn create(product: &Product, jwt_or_key: &str) -> Answer {
    let line = r#"curl -X POST https://api.faces.sh/v1/api-keys \
  -H "Authorization: Bearer YOUR_JWT_OR_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "production",
    "budget_usd": 50.00,
    "allowlist": ["yourapp.com", "localhost"]
  }'"#;
    product.curl(line, &[("YOUR_JWT_OR_KEY", jwt_or_key)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_created_by_jwt_or_key_listed_and_revoked_by_a_key() {
    let (product, session) = open().await;
    let manager = product.key(&session, json!({"name": "manager"})).await;
    let mut ids = Vec::new();
    for credential in [&session.token, &manager.text] {
        let created = create(&product, credential).await;
        assert_eq!((created.status, created.text("/data/name")), (201, "production"), "{created:?}");
        assert_eq!(created.body["data"]["budget_usd"], json!(50));
        assert_eq!(created.body["data"]["allowlist"], json!(["localhost", "yourapp.com"]));
        assert_eq!(created.body["data"]["expires_at"], Value::Null);
        assert!(created.text("/data/key").starts_with("fk_live_"));
        ids.push(created.text("/data/id").to_owned());
    }
    let list = "curl https://api.faces.sh/v1/api-keys \\\n  -H \"Authorization: Bearer YOUR_KEY\"";
    let listed = product.curl(list, &[("YOUR_KEY", &manager.text)]).await;
    let rows = listed.body["data"].as_array().unwrap();
    let is_listed = |id: &String| rows.iter().any(|row| row["id"] == id.as_str() && row["name"] == "production");
    assert!(ids.iter().all(is_listed), "{listed:?}");

    let revoke = "curl -X DELETE https://api.faces.sh/v1/api-keys/KEY_ID \\\n  -H \"Authorization: Bearer YOUR_KEY\"";
    for id in &ids {
        assert_eq!(product.curl(revoke, &[("KEY_ID", id), ("YOUR_KEY", &manager.text)]).await.status, 204);
    }
    let listed = product.curl(list, &[("YOUR_KEY", &manager.text)]).await;
    let revoked = listed.body["data"].as_array().unwrap().iter().filter(|row| row["status"] == "revoked").count();
    assert_eq!(revoked, 2, "{listed:?}");
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_fail_with_402_once_the_fifty_dollars_of_a_key_are_spent() {
    let (product, session) = open().await;
    top_up(&product, &session, "60.00", "invoice 1").await;
    let created = create(&product, &session.token).await;
    let key = Key { id: created.text("/data/id").to_owned(), text: created.text("/data/key").to_owned() };
    let bearer = key.bearer();
    let headers = [("Authorization", bearer.as_str()), ("Origin", "https://yourapp.com")];
    let (admitted, refused) = product.exhaust("POST", "/v1/chat", &headers).await;
    // A chat request of the shipped policy costs a quarter of a dollar.
    assert_eq!((admitted, refused.status, refused.body), (200, 402, insufficient_credits()));
    let page = product.ask("GET", &product.page(&key), &[("Authorization", &session.bearer())], "").await;
    assert_eq!(page.body["data"]["usage"]["spent_usd"], json!(50));
    // The cap is the key's: the account has eleven dollars left.
    assert_eq!(chat(&product, &session.bearer()).await.status, 200);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_of_zero_is_a_402_until_credit_is_topped_up() {
    let (product, session) = open().await;
    let key = product.key(&session, json!({"name": "production"})).await;
    let bearer = key.bearer();
    let (_, refused) = product.exhaust("POST", "/v1/chat", &[("Authorization", &bearer)]).await;
    assert_eq!((refused.status, refused.body), (402, insufficient_credits()));
    top_up(&product, &session, "0.25", "invoice 2").await;
    assert_eq!(chat(&product, &bearer).await.status, 200);
    assert_eq!(chat(&product, &bearer).await.status, 402);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_key_is_a_402_until_it_is_thawed() {
    let (product, session) = open().await;
    let key = product.key(&session, json!({"name": "production"})).await;
    let (page, owner) = (product.page(&key), session.bearer());
    for (is_frozen, status) in [(true, 402), (false, 200)] {
        let changed = product.send("PATCH", &page, &[("Authorization", &owner)], &json!({"frozen": is_frozen})).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let answer = chat(&product, &key.bearer()).await;
        assert_eq!(answer.status, status);
        assert!(!is_frozen || answer.body == insufficient_credits(), "{answer:?}");
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowlist_restricts_origin_and_referer() {
    let (product, session) = open().await;
    for (allowlist, header, status) in [
        (json!(["myapp.com", "staging.myapp.com"]), ("Origin", "https://myapp.com"), 200),
        (json!(["myapp.com", "staging.myapp.com"]), ("Origin", "https://staging.myapp.com"), 200),
        (json!(["myapp.com", "staging.myapp.com"]), ("Referer", "https://myapp.com/chat?id=1"), 200),
        (json!(["myapp.com", "staging.myapp.com"]), ("Referer", "https://staging.myapp.com/"), 200),
        (json!(["myapp.com", "staging.myapp.com"]), ("Origin", "https://other.com"), 403),
        (json!(["myapp.com", "staging.myapp.com"]), ("Origin", "https://evil.myapp.com"), 403),
        (json!(["myapp.com", "staging.myapp.com"]), ("Referer", "https://other.com/myapp.com"), 403),
        (json!(["yourapp.com", "localhost"]), ("Origin", "https://yourapp.com"), 200),
        (json!(["yourapp.com", "localhost"]), ("Origin", "http://localhost:3000"), 200),
        (json!(["yourapp.com", "localhost"]), ("Referer", "http://localhost:5173/index.html"), 200),
        (json!(["yourapp.com", "localhost"]), ("Origin", "http://localhost.evil.com"), 403),
        (json!([]), ("Origin", "https://anywhere.com"), 200),
        (json!([]), ("User-Agent", "a server"), 200),
        (json!(null), ("Referer", "https://anywhere.com/"), 200),
        (json!(null), ("User-Agent", "a server"), 200),
    ] {
        let key = product.key(&session, json!({"name": "browser", "allowlist": allowlist})).await;
        let answer = look_from(&product, &key, &[header]).await;
        assert_eq!(answer.status, status, "{allowlist} {header:?} {answer:?}");
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_or_invalid_token_is_a_401() {
    let (product, session) = open().await;
    let revoked = product.key(&session, json!({"name": "old"})).await;
    product.ask("DELETE", &product.page(&revoked), &[("Authorization", &session.bearer())], "").await;
    let forged = format!("{}x", session.bearer());
    let (truncated, revoked) = ("Bearer fk_live_abc".to_owned(), revoked.bearer());
    for path in ["/v1/faces", "/v1/api-keys"] {
        assert_eq!(product.ask("GET", path, &[], "").await.status, 401);
        for bearer in [&forged, &truncated, &revoked] {
            let refused = product.ask("GET", path, &[("Authorization", bearer)], "").await;
            assert_eq!(refused.status, 401, "{path}");
            assert_eq!(refused.body.as_object().unwrap().keys().collect::<Vec<_>>(), ["detail"]);
        }
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_permission_is_a_403() {
    let (product, session) = open().await;
    let reader = product.key(&session, json!({"name": "reader", "scopes": "read-only"})).await;
    assert_eq!(look_from(&product, &reader, &[]).await.status, 200);
    for refused in [
        chat(&product, &reader.bearer()).await,
        product.ask("GET", "/v1/api-keys", &[("Authorization", &reader.bearer())], "").await,
    ] {
        assert_eq!(refused.status, 403, "{refused:?}");
    }
    product.stop().await;
}
