//! BioFRQ's page on using a key: one header, and a project that has the gallery, the budget and the rate.

use serde_json::{Value, json};

use crate::{
    answer::Answer,
    product::{Key, Product, Session},
};

/// BioFRQ, a customer of it, and a key of the customer's default project.
async fn open() -> (Product, Session, Key) {
    let product = Product::open("biofrq").await;
    let session = product.newcomer().await;
    let key = product.key(&session, json!({"name": "server"})).await;
    (product, session, key)
}

/// The canonical call of the page.
async fn execute(product: &Product, key: &str) -> Answer {
    product.curl(CANONICAL_CALL, &[("bfq_live_...", key)]).await
}

/// A project of its own with one key.
async fn project(product: &Product, session: &Session, body: Value) -> (String, Key) {
    let made = product.send("POST", "/v1/projects", &[("Authorization", &session.bearer())], &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.text("/data/id").to_owned();
    let key = product.key(session, json!({"name": "server", "project_id": id})).await;
    (id, key)
}

async fn change(product: &Product, session: &Session, path: &str, body: Value) -> Answer {
    let method = if path.ends_with("/allocations") { "POST" } else { "PATCH" };
    let changed = product.send(method, path, &[("Authorization", &session.bearer())], &body).await;
    assert!(matches!(changed.status, 200 | 201), "{changed:?}");
    changed
}

/// What was spent of the account's money.
async fn spent(product: &Product, session: &Session) -> Value {
    let books = product.ask("GET", "/v1/billing", &[("Authorization", &session.bearer())], "").await;
    assert_eq!(books.status, 200, "{books:?}");
    books.body["data"]["spent_today_usd"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_needs_the_full_key_string_in_x_api_key() {
    let (product, _, key) = open().await;
    assert!(key.text.starts_with("bfq_live_"));
    let answer = execute(&product, &key.text).await;
    assert_eq!((answer.status, answer.text("/data/body/action")), (200, "biofrq.detect"));
    let truncated = &key.text[..key.text.len() - 1];
    assert_eq!(execute(&product, truncated).await.verdict(), (401, "UNAUTHORIZED"));
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_other_credential_surface() {
    let (product, session, key) = open().await;
    let query = format!("/v1/face/execute?api_key={}", key.text);
    for (path, headers) in [
        ("/v1/face/execute", [("Authorization", key.bearer())]),
        ("/v1/face/execute", [("Authorization", session.bearer())]),
        ("/v1/face/execute", [("Cookie", session.cookie.clone())]),
        ("/v1/face/execute", [("X-Api-Key", session.token.clone())]),
        (query.as_str(), [("X-Other", key.text.clone())]),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = product.send("POST", path, &headers, &json!({})).await;
        assert_eq!(refused.verdict(), (401, "UNAUTHORIZED"), "{path} {headers:?}");
    }
    // What is not read cannot disturb either.
    let headers = [("X-Api-Key", key.text.as_str()), ("Authorization", "Bearer of something else")];
    assert_eq!(product.send("POST", "/v1/face/execute", &headers, &json!({})).await.status, 200);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_identifies_the_account_and_the_project() {
    let (product, session, key) = open().await;
    let (second, other) = project(&product, &session, json!({"name": "second"})).await;
    change(
        &product,
        &session,
        &format!("/v1/projects/{}/allocations", default(&product, &session).await),
        json!({"amount_usd": "-0.5"}),
    )
    .await;
    change(&product, &session, &format!("/v1/projects/{second}/allocations"), json!({"amount_usd": "0.5"})).await;
    let (first, answer) = (execute(&product, &key.text).await, execute(&product, &other.text).await);
    assert_eq!(answer.text("/data/context/projectId"), second);
    assert_eq!(first.text("/data/context/projectId"), default(&product, &session).await);
    for answer in [&first, &answer] {
        assert_eq!(answer.text("/data/context/accountId"), session.account);
    }
    product.stop().await;
}

async fn default(product: &Product, session: &Session) -> String {
    let me = product.ask("GET", "/v1/me", &[("Authorization", &session.bearer())], "").await;
    me.text("/data/default_project_id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn isolated_galleries_are_the_projects_own_and_shared_ones_the_accounts() {
    let (product, session, _) = open().await;
    let own = default(&product, &session).await;
    change(&product, &session, &format!("/v1/projects/{own}/allocations"), json!({"amount_usd": "-1"})).await;
    let mut galleries = Vec::new();
    for (name, mode) in [("a", "isolated"), ("b", "isolated"), ("c", "shared"), ("d", "shared")] {
        let (id, key) = project(&product, &session, json!({"name": name, "gallery_mode": mode})).await;
        change(&product, &session, &format!("/v1/projects/{id}/allocations"), json!({"amount_usd": "0.1"})).await;
        galleries.push((execute(&product, &key.text).await.text("/data/context/gallery").to_owned(), id));
    }
    let [(a, a_id), (b, b_id), (c, _), (d, _)] = galleries.try_into().unwrap();
    assert_eq!((&a, &b), (&a_id, &b_id));
    assert_eq!(c, d);
    assert!(c != a && c != b);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_unknown_revoked_or_expired_key_is_unauthorized() {
    let (product, session, revoked) = open().await;
    let missing = product.send("POST", "/v1/face/execute", &[], &json!({})).await;
    assert_eq!(missing.verdict(), (401, "UNAUTHORIZED"));
    let last = if revoked.text.ends_with('0') { '1' } else { '0' };
    let unknown = format!("{}{last}", &revoked.text[..revoked.text.len() - 1]);
    assert_eq!(execute(&product, &unknown).await.verdict(), (401, "UNAUTHORIZED"));

    assert_eq!(execute(&product, &revoked.text).await.status, 200);
    product.ask("DELETE", &product.page(&revoked), &[("Authorization", &session.bearer())], "").await;
    assert_eq!(execute(&product, &revoked.text).await.verdict(), (401, "UNAUTHORIZED"));

    let end = product.clock.now().plus_s(60).to_string();
    let expiring = product.key(&session, json!({"name": "expiring", "expires_at": end})).await;
    assert_eq!(execute(&product, &expiring.text).await.status, 200);
    product.wait_s(60);
    assert_eq!(execute(&product, &expiring.text).await.verdict(), (401, "UNAUTHORIZED"));
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_without_permission_is_forbidden() {
    let (product, session, _) = open().await;
    let key = product.key(&session, json!({"name": "books", "scopes": ["billing:read"]})).await;
    assert_eq!(execute(&product, &key.text).await.verdict(), (403, "FORBIDDEN"));
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhausted_project_needs_an_allocation_from_the_wallet() {
    let (product, session, _) = open().await;
    let (id, key) = project(&product, &session, json!({"name": "second"})).await;
    assert_eq!(execute(&product, &key.text).await.verdict(), (402, "PAYMENT_REQUIRED"));
    let first = default(&product, &session).await;
    change(&product, &session, &format!("/v1/projects/{first}/allocations"), json!({"amount_usd": "-0.02"})).await;
    change(&product, &session, &format!("/v1/projects/{id}/allocations"), json!({"amount_usd": "0.02"})).await;
    // The gate keeps a refusal in mind for less than a second.
    product.wait_s(1);
    for verdict in [(200, ""), (200, ""), (402, "PAYMENT_REQUIRED")] {
        assert_eq!(execute(&product, &key.text).await.verdict(), verdict);
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_has_a_burst_and_a_sustained_rate_for_all_its_keys() {
    let (product, session, one) = open().await;
    let other = product.key(&session, json!({"name": "other"})).await;
    let page = format!("/v1/projects/{}", default(&product, &session).await);
    change(&product, &session, &page, json!({"limits": {"per_second": 3, "burst": 2}})).await;
    product.wait_s(5);
    for (quiet_seconds, admitted) in [(0, 5), (1, 3), (1, 3), (2, 5)] {
        product.wait_s(quiet_seconds);
        let keys = [&one, &other].into_iter().cycle();
        for (key, number) in keys.zip(0..8) {
            let answer = execute(&product, &key.text).await;
            if number < admitted {
                assert_eq!(answer.status, 200, "{number}: {answer:?}");
            } else {
                assert_eq!(answer.verdict(), (429, "RATE_LIMITED"), "{number}");
                assert_eq!(answer.header("retry-after"), "1");
            }
        }
    }
    change(&product, &session, &page, json!({"limits": {"per_second": 20}})).await;
    product.wait_s(1);
    for _ in 0..8 {
        assert_eq!(execute(&product, &one.text).await.status, 200);
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_refusal_bills() {
    let (product, session, key) = open().await;
    let poor = project(&product, &session, json!({"name": "poor"})).await.1;
    let barred = product.key(&session, json!({"name": "books", "scopes": ["billing:read"]})).await;
    let page = format!("/v1/projects/{}", default(&product, &session).await);
    change(&product, &session, &page, json!({"limits": {"per_minute": 1}})).await;
    assert_eq!(execute(&product, &key.text).await.status, 200);
    let before = spent(&product, &session).await;
    assert_eq!(before, json!(0.01));
    for (key, code) in [
        ("bfq_live_nonsense", "UNAUTHORIZED"),
        (&barred.text, "FORBIDDEN"),
        (&poor.text, "PAYMENT_REQUIRED"),
        (&key.text, "RATE_LIMITED"),
    ] {
        assert_eq!(execute(&product, key).await.verdict().1, code);
    }
    assert_eq!(spent(&product, &session).await, before);
    product.stop().await;
}

const CANONICAL_CALL: &str = r#"curl -X POST https://api.biofrq.com/v1/face/execute \
-H "X-Api-Key: bfq_live_..." \
-H "Content-Type: application/json" \
-d '{
"action": "biofrq.detect",
"params": {
"images": [
{ "kind": "image", "bytes": "<base64>", "contentType": "image/jpeg" }
]
}
}'"#;
