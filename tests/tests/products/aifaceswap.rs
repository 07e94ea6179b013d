//! AIFaceSwap's page on authentication: the life of a key, and limits by minute, day and running swaps.

use faregate_domain::secret::MacSecret;
use faregate_edge::config::SecretsLocation;
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    product::{Key, Product, Session, fetch},
};

/// AIFaceSwap, a customer of it, and a key of the customer's.
async fn open() -> (Product, Session, Key) {
    let product = Product::open("aifaceswap").await;
    let session = product.newcomer().await;
    let key = product.key(&session, json!({"name": "integration"})).await;
    (product, session, key)
}

async fn call(product: &Product, key: &Key) -> Answer {
    product.ask("GET", "/v1/models", &[("Authorization", &key.bearer())], "").await
}

async fn swap(product: &Product, key: &Key) -> Answer {
    product.send("POST", "/v1/swaps", &[("Authorization", &key.bearer())], &json!({})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_sends_its_key_in_the_authorization_header() {
    let (product, session, key) = open().await;
    assert_eq!(call(&product, &key).await.status, 200);
    let signed_in = session.bearer();
    for headers in [
        &[][..],
        &[("X-Api-Key", key.text.as_str())],
        &[("Authorization", key.text.as_str())],
        &[("Authorization", signed_in.as_str())],
    ] {
        let refused = product.ask("GET", "/v1/models", headers, "").await;
        assert_eq!(refused.verdict(), (401, "missing_credentials"));
    }
    let path = format!("/v1/models?api_key={}", key.text);
    assert_eq!(product.ask("GET", &path, &[], "").await.status, 401);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answer_says_60_59_and_the_end_of_the_minute() {
    let (product, _, key) = open().await;
    product.wait_s(13);
    let answer = call(&product, &key).await;
    assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), ("60", "59"));
    assert_eq!(answer.number("x-ratelimit-reset"), product.now_s() + 47);
    assert_eq!(call(&product, &key).await.header("x-ratelimit-remaining"), "58");
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_full_secret_is_shown_only_once() {
    let (product, session, key) = open().await;
    let (list, page) = ("/v1/api-keys".to_owned(), product.page(&key));
    for path in [list, page] {
        let answer = product.ask("GET", &path, &[("Authorization", &session.bearer())], "").await;
        let text = answer.body.to_string();
        assert!(answer.status == 200 && text.contains(&key.id), "{text}");
        // What follows the part that names the key is the secret.
        assert!(!text.contains(&key.text["afs_live_".len() + 16..]), "{text}");
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_holds_an_hmac_of_the_key_and_not_the_key() {
    let (product, _, key) = open().await;
    let SecretsLocation::File(file) = &product.running.config.secrets else { panic!("the secrets lie in a file") };
    let secrets: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let pepper = MacSecret::new(bytes_of(secrets["pepper"]["current"].as_str().unwrap())).unwrap();
    let hmac = pepper.mac(&[key.text.as_bytes()]);

    let scan = [
        ("X-Amz-Target", "DynamoDB_20120810.Scan"),
        ("Content-Type", "application/x-amz-json-1.0"),
        ("X-Amz-Date", "20261021T000000Z"),
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=a/20261021/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ];
    let body = json!({"TableName": product.running.config.table}).to_string();
    let table = fetch(&product.running.dynamodb_url(), "POST", "/", &scan, &body).await;
    let items = table.body["Items"].as_array().unwrap_or_else(|| panic!("{table:?}"));
    let cell = items.iter().find(|item| item["pk"]["S"] == key.id.as_str() && item["sk"]["S"] == "cell").unwrap();
    assert_eq!(cell["h"]["B"], base64_of(&hmac));
    let secret = &key.text["afs_live_".len() + 16..];
    assert!(!table.body.to_string().contains(secret), "the table holds the secret");
    product.stop().await;
}

/// The bytes of hexadecimal digits.
fn bytes_of(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// Base64 with padding (RFC 4648, section 4).
fn base64_of(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sign = |group: u32, shift: u32| char::from(SIGNS[usize::try_from(group >> shift & 63).unwrap()]);
    let encoded = bytes.chunks(3).flat_map(|chunk| {
        let group = (0..3).fold(0, |group, at| group << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        let signs = [18, 12, 6, 0].map(|shift| sign(group, shift));
        (0..4).map(move |at| if at <= chunk.len() { signs[at] } else { '=' })
    });
    encoded.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_an_invalid_api_key_at_once() {
    let (product, session, key) = open().await;
    assert_eq!(call(&product, &key).await.status, 200);
    let revoked = product.ask("DELETE", &product.page(&key), &[("Authorization", &session.bearer())], "").await;
    assert_eq!(revoked.status, 204);
    assert_eq!(call(&product, &key).await.verdict(), (401, "invalid_api_key"));
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotating_is_a_new_key_and_then_the_end_of_the_old_one() {
    let (product, session, old) = open().await;
    let new = product.key(&session, json!({"name": "integration, new"})).await;
    for key in [&old, &new] {
        assert_eq!(call(&product, key).await.status, 200);
    }
    product.ask("DELETE", &product.page(&old), &[("Authorization", &session.bearer())], "").await;
    assert_eq!(call(&product, &old).await.verdict(), (401, "invalid_api_key"));
    assert_eq!(call(&product, &new).await.status, 200);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_keys_of_one_account_have_independent_limits() {
    let (product, session, one) = open().await;
    let other = product.key(&session, json!({"name": "another integration"})).await;
    let bearer = one.bearer();
    product.exhaust("GET", "/v1/models", &[("Authorization", &bearer)]).await;
    let answer = call(&product, &other).await;
    assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, "59"));
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_makes_60_requests_per_minute() {
    let (product, _, key) = open().await;
    let bearer = key.bearer();
    for _ in 0..2 {
        product.wait_s(45);
        let (admitted, refused) = product.exhaust("GET", "/v1/models", &[("Authorization", &bearer)]).await;
        assert_eq!((admitted, refused.verdict()), (60, (429, "rate_limited")));
        assert_eq!((refused.header("x-ratelimit-limit"), refused.header("x-ratelimit-remaining")), ("60", "0"));
        assert_eq!((refused.number("retry-after"), refused.number("x-ratelimit-reset")), (15, product.now_s() + 15));
        product.wait_s(15);
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_makes_10_000_requests_per_utc_day() {
    let (product, session, key) = open().await;
    let (page, bearer) = (product.page(&key), session.bearer());
    let shown = product.ask("GET", &page, &[("Authorization", &bearer)], "").await;
    assert_eq!(shown.body["data"]["limits"]["per_day"], 10_000);
    assert!(call(&product, &key).await.header("ratelimit-policy").contains(r#""day";q=10000;w=86400"#));
    let more = json!({"limits": {"per_day": 10_001}});
    assert_eq!(product.send("PATCH", &page, &[("Authorization", &bearer)], &more).await.status, 400);

    // The same rule with a number that a test reaches soon: 90 in a day are 60 in one minute and 30 in the next.
    let few = product.key(&session, json!({"name": "few", "limits": {"per_day": 90}})).await.bearer();
    let headers = [("Authorization", few.as_str())];
    let (admitted, refused) = product.exhaust("GET", "/v1/models", &headers).await;
    assert_eq!((admitted, refused.verdict()), (60, (429, "rate_limited")));
    product.wait_s(60);
    let (admitted, refused) = product.exhaust("GET", "/v1/models", &headers).await;
    assert_eq!((admitted, refused.verdict()), (30, (429, "rate_limited_daily")));
    let to_midnight = 86_400 - 60;
    assert_eq!(refused.number("retry-after"), to_midnight);
    product.wait_s(to_midnight);
    assert_eq!(product.ask("GET", "/v1/models", &headers, "").await.status, 200);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_swaps_run_at_once() {
    let (product, _, key) = open().await;
    let service = product.key(&product.operator().await, json!({"name": "swaps", "scopes": ["gate:check"]})).await;
    let mut charges = Vec::new();
    for _ in 0..10 {
        let started = swap(&product, &key).await;
        assert_eq!(started.status, 200, "{started:?}");
        charges.push(started.text("/data/context/chargeId").to_owned());
    }
    let refused = swap(&product, &key).await;
    assert_eq!(refused.verdict(), (429, "rate_limited_concurrent"));
    assert!(refused.number("retry-after") > 0);
    assert_eq!(call(&product, &key).await.status, 200, "only swaps wait for a place");

    let settle = format!("/v1/charges/{}/settle", charges[0]);
    let report = json!({"outcome": "succeeded", "actual_usd": "0.05"});
    let settled = product.send("POST", &settle, &[("Authorization", &service.bearer())], &report).await;
    assert_eq!(settled.status, 200, "{settled:?}");
    assert_eq!(swap(&product, &key).await.status, 200);
    assert_eq!(swap(&product, &key).await.verdict(), (429, "rate_limited_concurrent"));
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credits_bound_what_is_spent_besides() {
    let (product, session, _) = open().await;
    let key = product.key(&session, json!({"name": "poor", "budget_usd": "0.05"})).await;
    assert_eq!(swap(&product, &key).await.status, 200);
    assert_eq!(swap(&product, &key).await.verdict(), (402, "insufficient_credits"));
    product.stop().await;
}
