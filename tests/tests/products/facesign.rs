//! FaceSign's page on authentication: two environments behind one base URL, told apart by the key's prefix.

use serde_json::{Value, json};

use crate::product::{Key, Product, Session};

/// FaceSign, a customer of it, and the customer's keys for sandbox and production.
async fn open() -> (Product, Session, Key, Key) {
    let product = Product::open("facesign").await;
    let session = product.newcomer().await;
    let sandbox = product.key(&session, json!({"name": "sandbox", "environment": "sandbox"})).await;
    let production = product.key(&session, json!({"name": "production", "environment": "production"})).await;
    (product, session, sandbox, production)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_needs_an_api_key() {
    let (product, session, sandbox, _) = open().await;
    let signed_in = session.bearer();
    for (method, path) in [("GET", "/sessions"), ("POST", "/sessions"), ("GET", "/sessions/ses_1/media"), ("GET", "/")]
    {
        for headers in [&[][..], &[("X-Api-Key", sandbox.text.as_str())], &[("Authorization", signed_in.as_str())]] {
            assert_eq!(product.ask(method, path, headers, "").await.status, 401, "{method} {path}");
        }
        let bearer = sandbox.bearer();
        let answer = product.ask(method, path, &[("Authorization", &bearer)], "").await;
        assert_eq!(answer.status, 200, "{method} {path}");
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_environments_answer_under_one_base_url_and_the_prefix_routes() {
    let (product, _, sandbox, production) = open().await;
    assert!(sandbox.text.starts_with("sk_test_") && production.text.starts_with("sk_prod_"));
    for (key, environment) in [(&sandbox, "sandbox"), (&production, "production")] {
        let answer = product
            .curl(
                r#"curl https://api.facesign.ai/sessions \
  -H "Authorization: Bearer sk_test_...""#,
                &[("sk_test_...", &key.text)],
            )
            .await;
        assert_eq!((answer.status, answer.text("/data/path")), (200, "/sessions"));
        assert_eq!(answer.text("/data/context/environment"), environment);
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_names_no_environment_is_a_sandbox_key() {
    let (product, session, ..) = open().await;
    assert!(product.key(&session, json!({"name": "a"})).await.text.starts_with("sk_test_"));
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sessions_body_reaches_the_api_behind_the_key_and_the_key_does_not() {
    let (product, _, sandbox, _) = open().await;
    let body = json!({"clientReferenceId": "user-123", "metadata": {}, "flow": []});
    let answer = product.send("POST", "/sessions", &[("Authorization", &sandbox.bearer())], &body).await;
    assert_eq!((answer.status, &answer.body["data"]["body"]), (200, &body));
    assert!(!answer.body.to_string().contains(&sandbox.text));
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_secret_is_for_one_use_comes_within_a_url_and_expires() {
    let (product, _, sandbox, _) = open().await;
    let (bearer, page) = (sandbox.bearer(), [("Origin", "https://shop.example")]);
    let wish = json!({"client_reference_id": "user-123", "metadata": {"order": "7"}, "ttl_seconds": 600});
    let made = product.send("POST", "/v1/client-sessions", &[("Authorization", &bearer)], &wish).await;
    assert_eq!(made.status, 201);
    let secret = made.text("/data/client_secret/secret").to_owned();
    assert!(secret.starts_with("cs_"));
    let url = format!("https://verify.facesign.ai/#client_secret={secret}");
    assert_eq!(made.text("/data/client_secret/url"), url);
    assert_eq!(made.text("/data/client_secret/expires_at"), made.text("/data/session/expires_at"));

    let secret = json!({"client_secret": secret});
    let redeemed = product.send("POST", "/v1/client-sessions/redeem", &page, &secret).await;
    assert_eq!((redeemed.status, redeemed.find_header("access-control-allow-origin")), (200, Some("*")));
    let again = product.send("POST", "/v1/client-sessions/redeem", &page, &secret).await;
    assert_eq!(again.verdict(), (401, "invalid_client_secret"));
    let bearer = format!("Bearer {}", redeemed.text("/data/access_token"));
    let headers = [("Authorization", bearer.as_str()), page[0]];
    let answer = product.ask("GET", "/sessions", &headers, "").await;
    assert_eq!((answer.status, answer.text("/data/context/environment")), (200, "sandbox"));
    product.wait_s(600);
    assert_eq!(product.ask("GET", "/sessions", &headers, "").await.status, 401);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_keeps_data_for_seven_days() {
    let product = Product::open("facesign").await;
    let sandbox = product.running.config.policy.find_environment_by_prefix("sk_test_").unwrap();
    assert_eq!(sandbox.retention_days, 7);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_keys_make_a_hundred_requests_per_minute() {
    let (product, _, sandbox, _) = open().await;
    assert_limit(&product, &sandbox, 100).await;
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn production_keys_make_a_thousand_requests_per_minute() {
    let (product, _, _, production) = open().await;
    assert_limit(&product, &production, 1_000).await;
    product.stop().await;
}

/// Exactly so many in a minute, then 429 with the documented code, and as many again once that window is over.
async fn assert_limit(product: &Product, key: &Key, per_minute: u32) {
    let bearer = key.bearer();
    let headers = [("Authorization", bearer.as_str())];
    product.wait_s(20);
    for _ in 0..2 {
        let (admitted, refused) = product.exhaust("GET", "/sessions", &headers).await;
        assert_eq!(admitted, per_minute);
        assert_eq!(refused.verdict(), (429, "rate_limit_exceeded"));
        assert_eq!(refused.number("x-ratelimit-limit"), u64::from(per_minute));
        product.wait_s(refused.number("retry-after") - 1);
        assert_eq!(product.ask("GET", "/sessions", &headers, "").await.status, 429);
        product.wait_s(1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_one_environment_is_not_the_others() {
    let (product, _, sandbox, production) = open().await;
    let (sandbox, production) = (sandbox.bearer(), production.bearer());
    product.exhaust("GET", "/sessions", &[("Authorization", &sandbox)]).await;
    assert_eq!(product.ask("GET", "/sessions", &[("Authorization", &production)], "").await.status, 200);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_limited_is_not_worth_a_retry() {
    let (product, session, sandbox, _) = open().await;
    let page = product.page(&sandbox);
    let gone = product.ask("DELETE", &page, &[("Authorization", &session.bearer())], "").await;
    assert_eq!(gone.status, 204);
    let refused = product.ask("GET", "/sessions", &[("Authorization", &sandbox.bearer())], "").await;
    assert_eq!((refused.status, refused.find_header("retry-after")), (401, None));
    assert_ne!(refused.body, Value::Null);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_links_expire_after_fifteen_minutes_and_a_fresh_one_works() {
    let (product, session, sandbox, _) = open().await;
    let (bearer, wanted) = (sandbox.bearer(), json!({"path": "/media/ses_1/portrait.jpg"}));
    let fresh = async || {
        let answer = product.send("POST", "/v1/signed-urls", &[("Authorization", &bearer)], &wanted).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let url = answer.text("/data/url").to_owned();
        url.strip_prefix(&product.running.url).unwrap().to_owned()
    };
    let link = fresh().await;
    let seen = product.ask("GET", &link, &[], "").await;
    assert_eq!((seen.status, seen.text("/data/path")), (200, "/media/ses_1/portrait.jpg"), "no key in the browser");
    assert_eq!(seen.text("/data/context/environment"), "sandbox");
    assert!(!seen.body.to_string().contains("faregate-signature"), "what signs it is not handed on");
    let other = link.replace("portrait", "passport");
    assert_eq!(product.ask("GET", &other, &[], "").await.verdict(), (403, "invalid_signed_url"));
    product.wait_s(899);
    assert_eq!(product.ask("GET", &link, &[], "").await.status, 200);
    product.wait_s(1);
    assert_eq!(product.ask("GET", &link, &[], "").await.verdict(), (403, "signed_url_expired"));
    assert_eq!(product.ask("GET", &fresh().await, &[], "").await.status, 200);
    // Who signed in manages keys; media, as every call, need a key.
    let refused = product.send("POST", "/v1/signed-urls", &[("Authorization", &session.bearer())], &wanted).await;
    assert_eq!(refused.status, 401);
    product.stop().await;
}
