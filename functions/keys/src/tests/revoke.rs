//! Keys end, at the very next request and for good.

use serde_json::json;

use super::bench::Bench;

#[tokio::test]
async fn a_revoked_key_is_refused_at_the_very_next_request() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "admitted");
    let answer = bench.revoke(&ann.token, &key.id).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "invalid_api_key");
    assert_eq!(bench.revoke(&ann.token, &key.id).await.status, 204);
    assert_eq!(bench.read(&ann.token, &key.id).await.body["data"]["status"], "revoked");
}

#[tokio::test]
async fn a_key_ends_itself_whatever_it_may_do() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    for wish in [
        json!({"name": "n", "scopes": ["demo:read"]}),
        json!({"name": "n", "allowlist": ["a.com"]}),
        json!({"name": "n", "scopes": "admin"}),
    ] {
        let key = bench.key(&ann.token, &wish).await;
        assert_eq!(bench.revoke(&key.text, "self").await.status, 204, "{wish}");
        assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "invalid_api_key");
        assert_eq!(bench.revoke(&key.text, "self").await.refusal(), (401, "invalid_api_key"));
    }
    let frozen = bench.key(&ann.token, &json!({"name": "n"})).await;
    bench.change(&ann.token, &frozen.id, &json!({"frozen": true})).await;
    assert_eq!(bench.revoke(&frozen.text, "self").await.status, 204);
    assert_eq!(bench.revoke(&ann.token, "self").await.refusal(), (404, "not_found"), "a session is no key");
}

#[tokio::test]
async fn an_end_whose_rest_failed_is_finished_by_asking_again() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "admitted");
    // The first step of a revocation alone, as if the process had died after it.
    let id = faregate_domain::id::KeyId::parse(&key.id).unwrap();
    bench.services.store.revoke_key(&ann.account, &id).await.unwrap().unwrap();
    assert!(bench.books().await.cells > 0);
    assert_eq!(bench.revoke(&ann.token, &key.id).await.status, 204);
    let books = bench.books().await;
    assert_eq!((books.cells, books.wallets), (0, 4_990_000));
    let items = bench.items().await;
    let account =
        items.iter().find(|item| item["sk"].as_s().is_ok_and(|sk| sk == "account") && item.contains_key("pl"));
    assert!(!account.unwrap().contains_key("ks"), "the place is free again");
}

#[tokio::test]
async fn racing_revocations_return_the_money_once() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "admitted");
    let mut revocations = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (app, token, id) = (bench.app.clone(), ann.token.clone(), key.id.clone());
        revocations.spawn(async move {
            let request = lambda_http::http::Request::delete(format!("https://gate.example/v1/api-keys/{id}"))
                .header("authorization", format!("Bearer {token}"));
            app.handle(request.body(lambda_http::Body::Empty).unwrap()).await.status().as_u16()
        });
    }
    assert_eq!(revocations.join_all().await, [204; 10]);
    let books = bench.books().await;
    assert_eq!((books.wallets, books.cells, books.spent), (4_990_000, 0, 10_000));
}
