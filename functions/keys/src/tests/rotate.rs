//! Rotation: who may, what is read, and what a lost answer leaves.

use serde_json::{Value, json};

use super::{
    bench::{Answer, Bench, Key},
    lossy::Lossy,
};

async fn rotate(bench: &Bench, who: &str, id: &str, body: &Value, idempotency_key: Option<&str>) -> Answer {
    let named = idempotency_key.map(|key| ("idempotency-key", key));
    let path = format!("/v1/api-keys/{id}/rotate");
    bench.send("POST", &path, who, Some(&body.to_string()), named.as_slice()).await
}

#[tokio::test]
async fn a_body_is_not_needed_and_each_mistake_in_it_is_named() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    let path = format!("/v1/api-keys/{}/rotate", key.id);
    let bare = bench.send("POST", &path, &ann.token, None, &[]).await;
    assert_eq!(bare.status, 201, "{}", bare.text);
    let rotation = &bare.body["data"]["rotation"];
    assert_eq!(rotation["rotated_at"], bench.now().to_string());
    assert_eq!(rotation["grace_ends_at"], bench.now().plus_s(86_400).to_string());
    for (body, field) in [
        (json!({"grace_seconds": 604_801}), "grace_seconds"),
        (json!({"grace_seconds": -1}), "grace_seconds"),
        (json!({"grace_seconds": 1.5}), "grace_seconds"),
        (json!({"grace_seconds": null}), "grace_seconds"),
        (json!({"grace_from": "tomorrow"}), "grace_from"),
        (json!({"grace": 1}), "grace"),
    ] {
        assert_eq!(rotate(&bench, &ann.token, &key.id, &body, None).await.fault(), (400, field), "{body}");
    }
    let in_force = Key::of(&bare);
    assert_eq!(bench.knock(&in_force.text, "GET /demo/free").await, "admitted", "a mistake rotates nothing");
    assert_eq!(rotate(&bench, &ann.token, &key.id, &json!({"grace_seconds": 604_800}), None).await.status, 201);
    assert_eq!(bench.send("GET", &path, &ann.token, None, &[]).await.refusal(), (405, "method_not_allowed"));
    let other = path.replace("rotate", "turn");
    assert_eq!(bench.send("POST", &other, &ann.token, None, &[]).await.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn a_lost_answer_loses_no_secret_and_rotates_once() {
    let lossy = Lossy::default();
    let bench = Bench::under(faregate_domain::policy::Policy::DEFAULT_TEXT, Some(&lossy)).await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n", "scopes": "admin"})).await;
    let mut own = key.text.clone();
    // One lost answer is repaired beneath; so many are not, and the caller is told that nothing is known.
    for (number, is_own, lost, first) in [(1, false, 1, 201), (2, false, 4, 503), (3, true, 1, 201), (4, true, 4, 503)]
    {
        let who = if is_own { own.clone() } else { ann.token.clone() };
        let who = &who;
        lossy.lose(lost);
        let name = format!("rotation-{number}");
        let body = json!({"grace_seconds": 3_600});
        let answer = rotate(&bench, who, &key.id, &body, Some(&name)).await;
        assert_eq!((answer.status, lossy.left()), (first, 0), "{}", answer.text);
        let again = rotate(&bench, who, &key.id, &body, Some(&name)).await;
        assert_eq!(again.status, 201, "{}", again.text);
        own = Key::of(&again).text;
        assert_eq!(bench.knock(&own, "GET /demo/free").await, "admitted");
        let by_the_new = if is_own { &own } else { who };
        assert_eq!(rotate(&bench, by_the_new, &key.id, &body, Some(&name)).await.text, again.text);
        let cells = bench.items().await;
        let cell =
            cells.iter().find(|item| item["pk"].as_s() == Ok(&key.id) && item["sk"].as_s() == Ok(&"cell".to_owned()));
        assert_eq!(cell.unwrap()["rn"].as_n().unwrap(), &number.to_string(), "rotated once");
    }
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_secret_included() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    let first = rotate(&bench, &ann.token, &key.id, &json!({}), Some("k")).await;
    let again = rotate(&bench, &ann.token, &key.id, &json!({}), Some("k")).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.headers["cache-control"], "no-store");
    let stored = format!("{:?}", bench.items().await);
    assert!(!stored.contains(&Key::of(&first).text[24..46]), "it is stored nowhere");
    let other = rotate(&bench, &ann.token, &key.id, &json!({"grace_seconds": 1}), Some("k")).await;
    assert_eq!(other.refusal(), (422, "idempotency_key_reused"));
    let second = bench.key(&ann.token, &json!({"name": "m"})).await;
    let elsewhere = rotate(&bench, &ann.token, &second.id, &json!({}), Some("k")).await;
    assert_eq!(elsewhere.body["data"]["id"], second.id, "the name is one of the key that is rotated");
    bench.services.clock.advance_ms(600_000);
    let later = rotate(&bench, &ann.token, &key.id, &json!({}), Some("k")).await;
    assert_eq!(later.status, 201);
    assert_ne!(later.text, first.text, "it is forgotten after ten minutes");
}

#[tokio::test]
async fn equal_requests_that_meet_rotate_once() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (app, token, id) = (bench.app.clone(), ann.token.clone(), key.id.clone());
        calls.spawn(async move {
            let request = lambda_http::http::Request::post(format!("https://gate.example/v1/api-keys/{id}/rotate"))
                .header("authorization", format!("Bearer {token}"))
                .header("idempotency-key", "k");
            let response = app.handle(request.body(lambda_http::Body::Empty).unwrap()).await;
            let lambda_http::Body::Text(text) = response.body() else { panic!("no text") };
            (response.status().as_u16(), text.clone())
        });
    }
    let answers = calls.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 201), "{answers:#?}");
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "admitted", "one rotation leaves it its grace");
}

#[tokio::test]
async fn a_key_rotates_itself_or_what_it_could_have_made_and_only_with_the_scope() {
    let bench = Bench::new().await;
    let (ann, bob) = (bench.person(1).await, bench.person(2).await);
    let manager = json!({"name": "m", "scopes": ["demo:read", "keys:manage"], "limits": {"per_minute": 10}});
    let manager = bench.key(&ann.token, &manager).await;
    let plain = bench.key(&ann.token, &json!({"name": "p"})).await;
    let weaker = json!({"name": "w", "scopes": "demo:read", "limits": {"per_minute": 10}});
    let weaker = bench.key(&ann.token, &weaker).await;
    assert_eq!(rotate(&bench, &plain.text, &plain.id, &json!({}), None).await.refusal(), (403, "insufficient_scope"));
    assert_eq!(rotate(&bench, &manager.text, &weaker.id, &json!({}), None).await.status, 201);
    for (wish, code) in [
        (json!({"scopes": "demo:write", "limits": {"per_minute": 10}}), "insufficient_scope"),
        (json!({"scopes": "demo:read", "limits": {"per_minute": 11}}), "limits_exceeded"),
    ] {
        let mut wish = wish;
        wish["name"] = json!("stronger");
        let stronger = bench.key(&ann.token, &wish).await;
        let answer = rotate(&bench, &manager.text, &stronger.id, &json!({}), None).await;
        assert_eq!(answer.refusal(), (403, code), "{wish}");
        assert_eq!(bench.knock(&stronger.text, "GET /demo/limited").await == "admitted", code == "limits_exceeded");
    }
    let far = bench.key(&ann.token, &json!({"name": "far", "environment": "production"})).await;
    let never = rotate(&bench, &manager.text, "key_0000000000000000", &json!({}), None).await;
    for (who, id) in [(&manager.text, &far.id), (&bob.token, &plain.id)] {
        let answer = rotate(&bench, who, id, &json!({}), None).await;
        assert_eq!((answer.status, &answer.text), (404, &never.text));
    }
    let own = rotate(&bench, &manager.text, &manager.id, &json!({}), None).await;
    assert_eq!(own.status, 201, "{}", own.text);
    let thrifty = json!({"name": "b", "scopes": ["keys:manage"], "budget_usd": 1, "allowlist": ["a.com"]});
    let thrifty = bench.key(&ann.token, &thrifty).await;
    let path = format!("/v1/api-keys/{}/rotate", thrifty.id);
    assert_eq!(bench.send("POST", &path, &thrifty.text, None, &[]).await.refusal(), (403, "origin_not_allowed"));
    let from = [("origin", "https://a.com")];
    assert_eq!(
        bench.send("POST", &path, &thrifty.text, None, &from).await.status,
        201,
        "of itself it has all it needs"
    );
}

#[tokio::test]
async fn each_secret_moves_to_the_new_pepper_in_its_own_place() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n"})).await;
    let new = Key::of(&rotate(&bench, &ann.token, &key.id, &json!({"grace_from": "first_use"}), None).await);
    let peppers = |current: &str, previous: Option<&str>| {
        let mut secrets: Value = serde_json::from_str(&super::bench::secrets("55", None)).unwrap();
        secrets["pepper"] = json!({"current": current.repeat(32), "previous": previous.map(|text| text.repeat(32))});
        std::fs::write(&bench.secrets_file, secrets.to_string()).unwrap();
        bench.services.clock.advance_ms(400_000);
    };
    peppers("77", Some("11"));
    for secret in [&key.text, &new.text, &key.text] {
        assert_eq!(bench.knock(secret, "GET /demo/free").await, "admitted");
    }
    peppers("77", None);
    for secret in [&key.text, &new.text] {
        assert_eq!(bench.knock(secret, "GET /demo/free").await, "admitted", "it is known by the new pepper alone");
    }
    // A secret that is not used while both peppers are known is not known by the next one.
    peppers("88", Some("77"));
    assert_eq!(bench.knock(&new.text, "GET /demo/free").await, "admitted");
    peppers("99", Some("88"));
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "invalid_api_key");
    assert_eq!(bench.knock(&new.text, "GET /demo/free").await, "admitted");
    let third = Key::of(&rotate(&bench, &ann.token, &key.id, &json!({}), None).await);
    for secret in [&new.text, &third.text] {
        assert_eq!(bench.knock(secret, "GET /demo/free").await, "admitted");
    }
}
