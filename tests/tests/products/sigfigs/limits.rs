//! The table of limits, and the headers that tell them.

use serde_json::json;

use super::{ask, key, open};
use crate::product::{Key, Product};

/// Exhausts an endpoint in this minute; how many calls it took.
async fn exhaust(product: &Product, key: &Key, method: &str, path: &str) -> u32 {
    let body = json!({"name": "one of many", "scopes": "render-only"});
    for admitted in 0..400 {
        let answer = product.send(method, path, &[("X-API-Key", &key.text)], &body).await;
        match answer.status {
            200 | 201 | 204 => {}
            // No such key; asking for it is counted all the same.
            400 | 404 if path.starts_with("/api/keys/key_0000") => {
                assert_eq!(answer.header("X-RateLimit-Limit"), "60", "{method} {path}");
            }
            429 => {
                assert_eq!(answer.verdict(), (429, "rate_limited"));
                let retry_after = answer.number("Retry-After");
                assert_eq!(product.now_s() + retry_after, answer.number("X-RateLimit-Reset"));
                assert_eq!(answer.header("X-RateLimit-Remaining"), "0");
                return admitted;
            }
            _ => panic!("{method} {path}: {answer:?}"),
        }
    }
    panic!("{method} {path} has no limit")
}

/// In a fresh minute as many as limit and burst together, in the next one as many as the limit.
async fn assert_limits(endpoints: &[(&str, &str, u32, u32)]) {
    let (product, session) = open().await;
    let key = key(&product, &session, "admin").await;
    product.wait_s(60 + 15);
    for (minute, has_burst) in [(0, true), (1, false)] {
        for (method, path, per_minute, burst) in endpoints {
            let admitted = exhaust(&product, &key, method, path).await;
            let wanted = if has_burst { per_minute + burst } else { *per_minute };
            assert_eq!(admitted, wanted, "{method} {path} in minute {minute}");
        }
        product.wait_s(60);
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_renders_are_30_a_minute_with_a_burst_of_10() {
    assert_limits(&[("POST", "/api/render", 30, 10)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_renders_are_5_a_minute_with_a_burst_of_2() {
    assert_limits(&[("POST", "/api/render/batch", 5, 2)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_polls_are_120_a_minute_with_a_burst_of_30() {
    assert_limits(&[("GET", "/api/render/job_1", 120, 30)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_listings_are_30_a_minute_with_a_burst_of_10() {
    assert_limits(&[("GET", "/api/keys", 30, 10)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_creations_are_30_a_minute_with_a_burst_of_10() {
    assert_limits(&[("POST", "/api/keys", 30, 10)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_other_endpoints_are_60_a_minute_with_a_burst_of_15() {
    assert_limits(&[
        ("GET", "/api/render", 60, 15),
        ("DELETE", "/api/render/job_1", 60, 15),
        ("GET", "/api/templates", 60, 15),
        ("POST", "/api/templates/tpl_1/fork", 60, 15),
        ("GET", "/api/projects", 60, 15),
        ("PATCH", "/api/projects/prj_1", 60, 15),
        ("GET", "/api/billing", 60, 15),
        ("POST", "/api/webhooks", 60, 15),
        ("GET", "/api/keys/key_0000000000000000", 60, 15),
        ("PATCH", "/api/keys/key_0000000000000000", 60, 15),
        ("DELETE", "/api/keys/key_0000000000000000", 60, 15),
        ("POST", "/api/keys/key_0000000000000000/rotate", 60, 15),
        ("POST", "/api/keys/key_0000000000000000/explain", 60, 15),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_endpoints_limit_and_one_keys_limit_are_not_anothers() {
    let (product, session) = open().await;
    let (one, other) = (key(&product, &session, "admin").await, key(&product, &session, "admin").await);
    exhaust(&product, &one, "POST", "/api/render/batch").await;
    assert_eq!(ask(&product, &one, "POST", "/api/render").await.status, 200);
    assert_eq!(ask(&product, &other, "POST", "/api/render/batch").await.status, 200);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_responses_tell_the_endpoints_limit() {
    let (product, session) = open().await;
    let key = key(&product, &session, "admin").await;
    product.wait_s(60 + 18);
    let end_of_minute = product.now_s() + 42;
    for (method, path, limit) in [
        ("POST", "/api/render", "30"),
        ("POST", "/api/render/batch", "5"),
        ("GET", "/api/render/job_1", "120"),
        ("GET", "/api/keys", "30"),
        ("GET", "/api/billing", "60"),
    ] {
        let answer = ask(&product, &key, method, path).await;
        assert_eq!((answer.status, answer.header("X-RateLimit-Limit")), (200, limit), "{method} {path}");
        assert_eq!(answer.number("X-RateLimit-Reset"), end_of_minute);
        assert_eq!(answer.find_header("Retry-After"), None);
    }
    // 40 calls fit into a fresh minute; what is beyond the limit of 30 is not promised.
    for _ in 0..11 {
        assert_eq!(ask(&product, &key, "POST", "/api/render").await.header("X-RateLimit-Remaining").len(), 2);
    }
    assert_eq!(ask(&product, &key, "POST", "/api/render").await.header("X-RateLimit-Remaining"), "27");
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_held_to_the_limit_of_the_key_endpoints_too() {
    let (product, session) = open().await;
    product.wait_s(60);
    let (admitted, refused) = product.exhaust("GET", "/api/keys", &[("Cookie", &session.cookie)]).await;
    assert_eq!((admitted, refused.verdict()), (40, (429, "rate_limited")));
    assert_eq!((refused.header("X-RateLimit-Limit"), refused.number("Retry-After")), ("30", 60));
    product.stop().await;
}
